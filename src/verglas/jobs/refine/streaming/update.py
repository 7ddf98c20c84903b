"""`verglas refine --streaming`: one update of a map that follows its particles (docs/streaming-refinement.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas import __version__
from verglas.formats.star import write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.refine.files.output import data_tables, write_iteration, write_set_aside
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.frame import RunFrame
from verglas.jobs.refine.images.source import Images
from verglas.jobs.refine.inputs import first_assignments
from verglas.jobs.refine.options.settings import settings_of
from verglas.jobs.refine.reference import read_references
from verglas.jobs.refine.solvent_mask import read_solvent_mask
from verglas.jobs.refine.streaming.carried import carried
from verglas.jobs.refine.streaming.history import SEARCHED, add_to_history, history_line
from verglas.jobs.refine.streaming.matching import Match, match
from verglas.jobs.refine.streaming.record import Record, read_record, record_file, write_record
from verglas.jobs.refine.streaming.warm import good_list

if TYPE_CHECKING:
    from verglas.em.run.refinement import Refinement
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings
    from verglas.em.streaming.ledger import Ledger
    from verglas.em.streaming.update import Kept, Updated

FIXED = ("symmetry", "padding", "ctf", "ctf_intact_first_peak", "ctf_phase_flipped", "only_flip_phases")


@dataclass(frozen=True)
class Streaming:
    """One update of the run of a frame; `command` is what its files say."""

    frame: RunFrame
    command: str

    def run(self) -> None:
        """Raises NothingToDo where a half-set would be empty, JobFailed where the list is of another kind."""
        frame, started = self.frame, time.perf_counter()
        if frame.ranks.size > 1:
            raise JobFailed("a map that follows its particles is updated by one process: leave out mpirun")
        settings = settings_of(frame.arguments, dims=3)
        path = record_file(frame.names.root)
        record = read_record(path, frame.devices()[0])
        if record is not None:
            add_to_history(self.directory, record.history)
            _check_same(record, settings)
        listed = self._listed(settings)
        found = match(listed, *_known(record))
        _check_halves(found)
        images = Images.opened(frame.arguments, found.particles, None, frame.context, frame.watcher())
        try:
            updated = self._updated(settings, record, found, images)
        finally:
            images.close()
        if updated is None:
            frame.say(" Nothing has changed since the last update: the map stays as it is")
            return
        run, done = updated
        self._write(settings, run, found, done, record, time.perf_counter() - started)

    @property
    def directory(self) -> Path:
        return Path(self.frame.names.root).parent

    def _listed(self, settings: EmSettings) -> ParticleList:
        name = self.frame.arguments["--i"]
        if not name:
            raise JobFailed("give the particles with --i")
        listed = read_particles(name, with_ctf=settings.ctf)
        if not len(listed.particles):
            raise NothingToDo(f"{name} holds no particles")
        return listed

    def _updated(
        self, settings: EmSettings, record: Record | None, found: Match, images: Images
    ) -> tuple[Refinement, Updated] | None:
        """The update; None where there is nothing to do."""
        from verglas.em.streaming.update import begin, update

        frame = self.frame
        if record is None:
            run = self._new_run(settings, found, images)
            frame.say(f" The map begins with {found.n_listed} particles")
            return run, begin(run, frame.context.check_abort)
        run, kept, plan = carried(settings, record, found, images, frame)
        moved = len(plan.searched) or len(found.gone) or not found.readable
        same = not moved and set(found.known.keys) == set(record.known.keys)
        if same and Path(f"{frame.names.root}_optimiser.star").exists():
            return None
        run.solvent_mask = self._mask(run.state)
        counts = [len(rows) for rows in (plan.fresh, plan.globally, plan.locally)]
        frame.say(
            f" Update {kept.number + 1}: {counts[0]} new particles and {counts[1]} old ones are searched over all "
            f"orientations, {counts[2]} old ones around their last; {len(found.gone)} images leave the map"
        )
        return run, update(run, kept, plan, found.gone, frame.context.check_abort)

    def _new_run(self, settings: EmSettings, found: Match, images: Images) -> Refinement:
        import torch

        from verglas.em.run.refinement import Refinement

        frame = self.frame
        references = read_references(frame.arguments, found.particles.optics[0], frame.say)
        if references is None or references.ndim != 4:
            raise JobFailed("the first update needs a map to begin with: give it with --ref")
        if not frame.arguments["--ctf_corrected_ref"]:
            settings = replace(settings, refs_are_ctf_corrected=False)
        run = Refinement.start(
            settings,
            found.particles,
            images.source,
            references=torch.from_numpy(references),
            assignments=first_assignments(found.listed, settings),
            devices=frame.devices(),
            watcher=frame.watcher(),
        )
        run.solvent_mask = self._mask(run.state)
        return run

    def _mask(self, state: State) -> Any:
        import torch

        model = state.model
        mask = read_solvent_mask(
            self.frame.names.solvent_mask, tuple(model.references.shape[1:]), model.pixel_size_angst
        )
        return None if mask is None else torch.from_numpy(mask)

    def _write(
        self,
        settings: EmSettings,
        run: Refinement,
        found: Match,
        done: Updated,
        record: Record | None,
        seconds: float,
    ) -> None:
        """The files, then the state that says that they are there, then the history."""
        names, kept, n = self.frame.names, done.kept, found.n_listed
        joined = replace(done.joined, assignments=_first(done.joined.assignments, n))
        joined.assignments.class_index[kept.ledger.junk[:n]] = 1
        searched = found.listed.table.with_columns({SEARCHED: kept.ledger.searched[:n]})
        found = replace(found, listed=replace(found.listed, table=searched))
        for row in np.nonzero(~(kept.ledger.added | kept.ledger.junk)[:n])[0]:
            joined.assignments.set_aside.setdefault(int(row), "its image could not be used")
        write_iteration(names, run.settings, joined, found.listed, self.command, __version__)
        write_set_aside(self.directory, joined, found.listed)
        self._write_good(joined, found, kept.ledger.junk[:n])
        counts = {
            "particles": int(kept.ledger.added.sum()),
            "added": int((found.poses[:n] < 0).sum()),
            "removed": 0 if record is None else _removed(record, found),
            "researched": done.researched,
        }
        masked = _masked(joined, kept.number)
        line = history_line(
            settings,
            joined,
            kept.number,
            counts,
            seconds,
            classes=_shares(settings, kept.ledger),
            masked_resolution_angst=masked,
        )
        kept = _cut(kept, n)
        fixed = {name: getattr(settings, name) for name in FIXED}
        write_record(record_file(names.root), Record(kept, found.known, fixed, line))
        add_to_history(self.directory, line)
        self._tell(joined, kept, counts, done, seconds, masked)
        if self.frame.stream is not None:
            self.frame.stream.iteration(run.settings, joined, seconds)

    def _write_good(self, joined: State, found: Match, junk: Any) -> None:
        """The particles of the map alone; no file where there is no junk."""
        path = Path(good_list(self.frame.names.root))
        if not junk.any():
            path.unlink(missing_ok=True)
            return
        aside = dict.fromkeys(np.flatnonzero(junk).tolist(), "junk") | joined.assignments.set_aside
        good = replace(joined, assignments=replace(joined.assignments, set_aside=aside))
        write_star(path, data_tables(good, found.listed), precision="full")

    def _tell(
        self,
        joined: State,
        kept: Kept,
        counts: dict[str, int],
        done: Updated,
        seconds: float,
        masked: float | None,
    ) -> None:
        reached = joined.model.current_resolution
        say = self.frame.say
        if done.rebuilt:
            say(" The sums were made anew from the images at their poses, without a search")
        if kept.ledger.junk.any():
            say(
                f" {int(kept.ledger.junk.sum())} particles are no better explained by the map than by a smooth "
                "blob or nothing: they are class 2 and do not enter the map"
            )
        say(
            f" Update {kept.number} took {seconds:.1f} s: {counts['particles']} particles in the map "
            f"({counts['added']} new, {counts['removed']} gone, {counts['researched']} searched again); resolution "
            f"{f'{1 / reached:.4g} A' if reached > 0 else 'not known'}"
            + ("" if masked is None else f", {masked:.4g} A within an automatic mask")
        )


def _masked(joined: State, seed: int) -> float | None:
    """The resolution within an automatic mask, once the map has a shape."""
    from verglas.em.streaming.masked import FROM_ANGST, masked_resolution

    halves = [model.unfiltered for model in joined.models]
    reached = joined.model.current_resolution
    if halves[0] is None or halves[1] is None or reached <= 1 / FROM_ANGST:
        return None
    found = masked_resolution(halves[0][0], halves[1][0], joined.model.pixel_size_angst, seed)
    return None if found is None else round(found, 4)


def _known(record: Record | None) -> tuple[Any, Any]:
    if record is None:
        return None, np.zeros(0, bool)
    return record.known, record.kept.ledger.added


def _check_same(record: Record, settings: EmSettings) -> None:
    for name in FIXED:
        was, now = record.settings[name], getattr(settings, name)
        if was != now:
            raise JobFailed(
                f"{name.replace('_', ' ')} is {now}, but the map was begun with {was}: begin a new job, or remove "
                "its _stream.npz to begin the map anew"
            )


def _check_halves(found: Match) -> None:
    half = found.known.half
    for number in (0, 1):
        if not (half == number).any():
            raise NothingToDo(
                f"none of the {len(half)} particles belongs to half-set {number + 1}: a map of two halves waits for "
                "more"
            )


def _removed(record: Record, found: Match) -> int:
    return len(set(record.known.keys) - set(found.known.keys))


def _shares(settings: EmSettings, ledger: Ledger) -> list[float]:
    """Of the map, and of junk where it is looked for."""
    count = int((ledger.added | ledger.junk).sum())
    junk = int(ledger.junk.sum()) / max(count, 1)
    looked_for = settings.streaming is not None and settings.streaming.junk_classes > 0
    return [round(1 - junk, 5), round(junk, 5)] if looked_for else [1.0]


def _first(assignments: Any, n: int) -> Any:
    """Those of the list."""
    values = {name: value[:n].copy() for name, value in vars(assignments).items() if name != "set_aside"}
    aside = {row: why for row, why in assignments.set_aside.items() if row < n}
    return type(assignments)(**values, set_aside=aside)


def _cut(kept: Any, n: int) -> Any:
    """What is kept of the list's particles and their optics groups."""
    ledger = kept.ledger.taken(np.arange(n))
    return replace(kept, ledger=ledger, state=replace(kept.state, assignments=ledger.found))
