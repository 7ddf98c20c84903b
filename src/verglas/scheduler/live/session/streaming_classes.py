"""2D classes of a live session: updated while particles arrive, and run once more over all at the end.

An update is the session's Class2D job by VDAM on all particles accepted so far, begun from the class
averages of the update before, so that classes keep their identity. The averages are low-passed to a blob with
a shape first and the whole annealing is gone through again, on the larger set: what was learnt from few
particles is a start and not a fate (benchmarks/live_classes.py). Classes that ran empty are begun anew from
others. The last run begins from nothing and sees all particles at once, as a batch run does. Classes chosen
by a person are found again after every update by matching averages.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import Protocol

from verglas.formats.mrc import read_mrc
from verglas.jobs.chain import CLASSES
from verglas.jobs.contract.options import OptionError
from verglas.project.dialect import Status
from verglas.project.editing import edit
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.project.registration import ForeignJob, RefusedJob
from verglas.scheduler.launch import Launched, abort, launch, wait_for
from verglas.scheduler.live.record.class_state import (
    ClassState,
    chosen_file,
    follow,
    newest_averages,
    others_file,
)
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.session.session_log import SessionLog

START_SHARE = 0.6  # of the particle's diameter: previous averages are low-passed to this
WAIT_S = 1.0
PAUSE_S = 300.0  # after a failure
DEATHS = 5  # of updates in a row, before a killed one counts as failed
NICE = 10  # of updates: movies go first
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
        self._launched: Launched | None = None
        self._particles = 0
        self._not_before_s = 0.0
        self._deaths = 0  # of updates in a row, by somebody from outside
        self.unlike_s = 0.0  # when micrographs were set aside: what they took has to be given back
        process = self.project.graph().processes.get(self.name)
        if process is not None and process.status is Status.RUNNING:
            self._launched = Launched(self.name, None)  # begun by an earlier life of the session
            self._particles = self.state.particles

    @property
    def is_busy(self) -> bool:
        return self._launched is not None

    def turn(self, lag_s: float, listed: int) -> None:
        """Look after an update; begin one when there are enough new particles and movies keep up."""
        if not self.name:
            return
        if self._launched is not None:
            self._look()
        elif self._is_due(lag_s, listed):
            self._begin(listed, self._update_options(self._reference()))

    def run_last(self) -> None:
        """Classify all particles from nothing and wait for it, telling the status meanwhile."""
        if not self.name:
            return
        if self._launched is not None:  # what it does is done again, with all
            abort(self.project, self.name)
            wait_for(self.project, self._launched, 60)
            self._launched = None
        if not self.session.accepted_particles:
            return
        self.unlike_s = 0.0
        self._run_through()
        while 0 < self._deaths < DEATHS:
            self._run_through()
        self._save(state="final" if self.state.state == "up to date" else self.state.state)

    def _run_through(self) -> None:
        """The last run, from its start to its end."""
        self._begin(self.session.accepted_particles, self._own_options(), "last run")
        while self._launched is not None:
            self.session.tell()
            if wait_for(self.project, self._launched, WAIT_S) is not None:
                self._look()

    def _is_due(self, lag_s: float, listed: int) -> bool:
        order = self.order
        again = self.unlike_s > 0 and self.session.lists_cover(self.unlike_s)
        grown = again or listed >= max(order.classes_from, order.classes_growth * self.state.particles)
        calm = lag_s <= order.max_lag_for_2d_s
        return grown and calm and time.monotonic() >= self._not_before_s

    def _begin(self, particles: int, options: dict[str, str], state: str = "updating") -> None:
        try:
            edit(self.project, self.name, options)
            self._launched = launch(self.project, self.name)
            _after_movies(self._launched)
        except (ForeignJob, RefusedJob, OptionError, KeyError, OSError) as error:
            self._fail(f"{self.name} could not be started: {error}")
            return
        self._particles, self.unlike_s = particles, 0.0
        self._save(state=state)

    def _look(self) -> None:
        launched = self._launched
        if launched is None or wait_for(self.project, launched, 0.01) is None:
            return
        self._launched = None
        status = self.project.graph().processes[self.name].status
        if status is not Status.SUCCEEDED:
            self._ended_badly(status)
            return
        self._deaths = 0
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
        from verglas.scheduler.live.session.unlike import set_unlike_aside

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

    def _ended_badly(self, status: Status) -> None:
        """One that was killed is begun again at once, for a while; a failure waits for more particles."""
        outcome = self.project.directory(self.name).outcome()
        reason = outcome.reason if outcome else status.label
        self._deaths = self._deaths + 1 if outcome is not None and outcome.kind == "killed" else 0
        if 0 < self._deaths < DEATHS:
            self.log.event("live-classes-killed", reason)
            return
        self._fail(f"{self.name}: {reason}")

    def _fail(self, text: str) -> None:
        self.log.complain(text)
        self._deaths, self._not_before_s = 0, time.monotonic() + PAUSE_S
        self._save(state="failed")

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


def _after_movies(launched: Launched) -> None:
    """An update takes what processor time the movies leave."""
    if launched.process is not None:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, launched.process.pid, NICE)
