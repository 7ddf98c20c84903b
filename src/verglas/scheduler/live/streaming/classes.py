"""2D classes of a live session: updated while particles arrive, and run once more over all at the end.

An update is the session's Class2D job by VDAM on all particles accepted so far, begun from the class
averages of the update before, so that classes keep their identity. The averages are low-passed to a blob with
a shape first and the whole annealing is gone through again, on the larger set: what was learnt from few
particles is a start and not a fate (benchmarks/live_classes.py). Classes that ran empty are begun anew from
others. The last run begins from nothing and sees all particles at once, as a batch run does. Classes chosen
by a person are found again after every update by matching averages.
"""

from __future__ import annotations

import shutil
import time
from typing import Protocol

from verglas.formats.mrc import read_mrc
from verglas.jobs.chain import CLASSES
from verglas.project.editing import edit
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.scheduler.launch import Launched, launch
from verglas.scheduler.live.record.class_state import (
    ClassState,
    chosen_file,
    follow,
    newest_averages,
    others_file,
)
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.streaming.own_job import LOOK_S, OwnJob

START_SHARE = 0.6  # of the particle's diameter: previous averages are low-passed to this
WAIT_S = 1.0
_CHANGED = ("do_grad", "other_args")  # by updates


class Session(Protocol):
    """What the classes need of the session whose particles they take."""

    @property
    def accepted_particles(self) -> int: ...
    def lists_cover(self, since_s: float) -> bool:
        """Whether the lists were brought up to date after a (monotonic) time."""
        ...

    def tell(self) -> None:
        """Bring the status up to date while the session waits for classes."""
        ...


class StreamingClasses:
    """The Class2D job of a session at work."""

    def __init__(self, project: Project, folder: LiveFolder, session: Session, log: SessionLog) -> None:
        self.project, self.folder, self.session, self.log = project, folder, session, log
        self.order = folder.order()
        self.name = self.order.jobs.get(CLASSES, "")
        self.state = ClassState.read(self.folder)
        self.state.job = self.name
        self._particles = 0
        self.unlike_s = 0.0  # when micrographs were set aside: what they took has to be given back
        self.own_job = OwnJob(project, log, "live-classes")
        if self.own_job.adopt(self.name):
            self._particles = self.state.particles

    @property
    def is_busy(self) -> bool:
        return self.own_job.is_busy

    def turn(self, lag_s: float, listed: int, *, may_begin: bool = True) -> None:
        """Look after an update; begin one when there are enough new particles and movies keep up."""
        if not self.name:
            return
        if self.is_busy:
            self._look()
        elif may_begin and self._is_due(lag_s, listed):
            self._begin(listed, self._update_options(self._reference()))

    def run_last(self) -> None:
        """Classify all particles from nothing and wait for it, telling the status meanwhile."""
        if not self.name:
            return
        self.own_job.stop()  # what it does is done again, with all
        self._wait()
        if not self.session.accepted_particles:
            return
        self.unlike_s = 0.0
        self._run_through()
        while self.own_job.is_dying:
            self._run_through()
        self._save(state="final" if self.state.state == "up to date" else self.state.state)

    def _run_through(self) -> None:
        """The last run, from its start to its end."""
        self._begin(self.session.accepted_particles, self._own_options(), "last run")
        self._wait()

    def _wait(self) -> None:
        while self.is_busy:
            self.session.tell()
            self._look(WAIT_S)

    def _is_due(self, lag_s: float, listed: int) -> bool:
        order = self.order
        again = self.unlike_s > 0 and self.session.lists_cover(self.unlike_s)
        grown = again or listed >= max(order.classes_from, order.classes_growth * self.state.particles)
        return grown and lag_s <= order.max_lag_for_2d_s and self.own_job.may_begin

    def _begin(self, particles: int, options: dict[str, str], state: str = "updating") -> None:
        def begin() -> Launched:
            edit(self.project, self.name, options)
            return launch(self.project, self.name)

        if not self.own_job.start(self.name, begin):
            self._save(state="failed")
            return
        self._particles, self.unlike_s = particles, 0.0
        self._save(state=state)

    def _look(self, wait_s: float = LOOK_S) -> None:
        ended = self.own_job.look(wait_s)
        if ended is None or ended.again:
            return
        if not ended.well:
            self._save(state="failed")
            return
        averages = newest_averages(self.project, self.name)
        self.state.updates += 1
        self.state.particles = self._particles
        self._follow_choice(averages)
        self.state.state, self.state.averages = "up to date", averages
        self.state.write(self.folder)
        text = f"2D classes, update {self.state.updates}: {self.state.particles} particles"
        self.log.event("live-classes", text)
        self._set_unlike_aside(averages)

    def _set_unlike_aside(self, averages: str) -> None:
        """Micrographs of other things take classes from the particles: the next update is without them."""
        from verglas.scheduler.live.streaming.unlike import set_unlike_aside

        data = self.project.root / averages.replace("_classes.mrcs", "_data.star")
        if not data.is_file():  # somebody cleaned the job
            return
        new, complaint = set_unlike_aside(data, self.folder.manual_file)
        if complaint:
            self.log.complain(complaint)
        if new:
            self.unlike_s = time.monotonic()
            text = f"{len(new)} micrographs hold other things than the rest: {', '.join(new[:10])}"
            self.log.event("live-unlike", text)

    def _follow_choice(self, averages: str) -> None:
        """Find the chosen classes among the new averages; those are looked for next time."""
        known = ClassState.read(self.folder)  # a person may have chosen meanwhile
        self.state.chosen, self.state.lost = known.chosen, known.lost
        if not self.state.chosen or not averages or not chosen_file(self.folder).exists():
            return
        import numpy as np

        from verglas.maps.average_matching import match_averages

        old, others = read_mrc(chosen_file(self.folder)).data, others_file(self.folder)
        image = read_mrc(self.project.root / averages)
        new = image.data
        if old.shape[1:] != new.shape[1:]:
            self.log.complain("the box changed: choose the classes anew")
            self.state.chosen = []
            return
        rivals = read_mrc(others).data if others.exists() else None
        found = match_averages(old, new, rivals=rivals)
        self.state.chosen = sorted(index + 1 for index in found if index is not None)
        self.state.lost = sum(index is None for index in found)
        followed = [old[n] if index is None else new[index] for n, index in enumerate(found)]
        with self.project.change("follow chosen classes") as change:
            follow(change, self.folder, np.stack(followed), image, self.state.chosen)

    def _reference(self) -> str:
        """The newest averages, kept where the next run does not replace them; "" for the first."""
        if not self.state.averages or not (self.project.root / self.state.averages).exists():
            return ""
        kept = self.folder.path / "reference.mrcs"
        shutil.copyfile(self.project.root / self.state.averages, kept)
        return str(kept.relative_to(self.project.root))

    def _own_options(self) -> dict[str, str]:
        """What the session's user set of the options that updates change."""
        if not self.state.own_options:
            known = read_settings(self.project.root / self.name).options
            self.state.own_options = {key: known[key] for key in _CHANGED if key in known}
        return self.state.own_options

    def _update_options(self, reference: str) -> dict[str, str]:
        """From the averages of the update before; the first one begins from nothing."""
        own = self._own_options()
        changed = {"do_grad": "Yes"}
        if not reference:
            return own | changed
        diameter = float(read_settings(self.project.root / self.name).options["particle_diameter"])
        start = f"--ref {reference} --ini_high {START_SHARE * diameter:g}"
        return own | changed | {"other_args": f"{own.get('other_args', '')} {start}".strip()}

    def _save(self, state: str) -> None:
        """Write a new state; the choice is a person's, and may have changed since it was read."""
        known = ClassState.read(self.folder)
        self.state.state, self.state.chosen, self.state.lost = state, known.chosen, known.lost
        self.state.write(self.folder)
