"""`verglas refine`: reads particles or a checkpoint, runs the engine, writes every iteration's files."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verglas import __version__
from verglas.jobs.contract.base import Job, JobFailed
from verglas.jobs.refine.files.output import write_iteration, write_set_aside
from verglas.jobs.refine.files.particles import ParticleList
from verglas.jobs.refine.frame import RunFrame
from verglas.jobs.refine.inputs import RefineInputs, first_assignments, read_inputs, tell_doubts
from verglas.jobs.refine.options.compute import ct_root
from verglas.jobs.refine.options.going_on import going_on_words
from verglas.jobs.refine.solvent_mask import mask_doubt, read_solvent_mask
from verglas.jobs.refine.streaming.update import Streaming
from verglas.jobs.refine.telling.memory import free_memory, memory_lines
from verglas.jobs.refine.telling.remaining import final_lines, likeness_line, share_line, time_line
from verglas.jobs.refine.telling.views import views_doubt

if TYPE_CHECKING:
    from verglas.em.run.refinement import Refinement
    from verglas.em.state.model import Model


class RefineJob(Job):
    """Base of the job types that refine."""

    over_ranks = "together"
    fixed_flags: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def output_flags(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        return ["--o", ct_root(directory, options.fn_cont)]

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        """As RELION's form: a run that goes on from an iteration passes only what may change.

        One that goes on without naming the iteration does what is unfinished.
        """
        words = cls.output_flags(options, directory, is_continue)
        if options.fn_cont:
            words += going_on_words(options)
        else:
            words += [*options.command_line(), *cls.fixed_flags]
            words += ["--only_do_unfinished"] if is_continue else []
        return [*words, *shlex.split(options.other_args)]

    def run(self) -> None:
        import torch

        torch.set_num_threads(max(1, self.arguments["--j"]))
        frame = RunFrame.of(self.arguments, self.context)
        if self.arguments["--streaming"]:
            Streaming(frame, self._command()).run()
        else:
            self.ended(self._refined(frame))

    def ended(self, optimiser: str) -> None:
        """What a type does with the last iteration of its run, of which this is the optimiser file."""

    def _refined(self, frame: RunFrame) -> str:
        """Run all iterations; the optimiser file of the last."""
        inputs, in_order = read_inputs(frame), False
        try:
            engine = _engine(frame, inputs)
            self._iterate(frame, inputs, engine)
            in_order = True
        finally:
            inputs.images.close(in_order=in_order)
        return f"{inputs.names.base(engine.state)}_optimiser.star"

    def _iterate(self, frame: RunFrame, inputs: RefineInputs, engine: Refinement) -> None:
        if inputs.state is None:
            self._write(frame, inputs, engine)
        if engine.is_over:
            self._tell_over(frame, engine)
            return
        engine.solvent_mask = _solvent_mask(frame, inputs, engine.state.model)
        _say_memory(frame, engine)
        told: set[int] = set()
        while not engine.is_over:
            self.context.check_abort()
            started = time.perf_counter()
            engine.iterate()
            _note_problems(frame, inputs.listed, engine, told)
            if engine.writes_this_iteration():
                self._write(frame, inputs, engine)
            _tell_iteration(frame, engine, time.perf_counter() - started)
        if engine.state.model.dims == 3:
            _tell_views(frame, engine)
        if engine.state.joined:
            for line in final_lines(inputs.names.root, engine.state):
                frame.say(line)

    def _tell_over(self, frame: RunFrame, engine: Refinement) -> None:
        """Raises JobFailed where somebody asked for more than what is done already."""
        state = engine.state
        done = f"iteration {state.iteration} is done already and --iter is {engine.settings.n_iterations}"
        if state.joined:
            done = "the refinement has converged already"
        if not self.arguments["--only_do_unfinished"]:
            raise JobFailed(f"{done}: " + ("begin a new run" if state.joined else "ask for more iterations"))
        frame.say(f" There is nothing left to do: {done}")

    def _write(self, frame: RunFrame, inputs: RefineInputs, engine: Refinement) -> None:
        if not frame.is_main:
            return
        write_iteration(
            inputs.names, engine.settings, engine.state, inputs.listed, self._command(), __version__
        )
        write_set_aside(Path(inputs.names.root).parent, engine.state, inputs.listed)

    def _command(self) -> str:
        """For the files: the flags that were given."""
        words: list[str] = [self.program.relion_name]
        for flag in sorted(self.arguments.given):
            value = self.arguments[flag]
            words += [flag] if value is True else [flag, str(value)]
        return shlex.join(words)


def _engine(frame: RunFrame, inputs: RefineInputs) -> Refinement:
    """The engine at the begin of a run, or at the end of the iteration to go on from."""
    import torch

    from verglas.em.run.refinement import Refinement

    settings, particles, source = inputs.settings, inputs.listed.particles, inputs.images.source
    devices, watcher = frame.devices(), frame.watcher()
    if inputs.state is not None:
        return Refinement.resume(
            settings, particles, source, inputs.state, devices=devices, ranks=frame.ranks, watcher=watcher
        )
    tell_doubts(frame, inputs)
    references = None if inputs.references is None else torch.from_numpy(inputs.references)
    assignments = first_assignments(inputs.listed, settings)
    who: dict[str, Any] = {"devices": devices, "ranks": frame.ranks, "watcher": watcher}
    starts = frame.arguments["--starts"] if settings.denovo else 0
    if starts:
        references = _best_start(frame, inputs, assignments.set_aside, starts, who)
    engine = Refinement.start(
        settings, particles, source, references=references, assignments=assignments, **who
    )
    if not starts:
        return engine
    engine = engine.at_last_iterations()
    if engine.state.iteration:
        frame.say(f" Its map takes the place of mini-batches 1 to {engine.state.iteration}")
    return engine


def _best_start(
    frame: RunFrame, inputs: RefineInputs, aside: dict[int, str], starts: int, who: dict[str, Any]
) -> Any:
    """Maps of the start that explains unseen particles best (K, N, N, N)."""
    from verglas.em.run.contest import compete

    particles = inputs.listed.particles
    found = compete(inputs.settings, particles, inputs.images.source, starts, aside=aside, **who)
    for line in found.lines():
        frame.say(f" {line}")
    return found.winner


def _solvent_mask(frame: RunFrame, inputs: RefineInputs, model: Model) -> Any:
    """The user's mask, or None."""
    import torch

    name = inputs.names.solvent_mask
    mask = read_solvent_mask(name, tuple(model.references.shape[1:]), model.pixel_size_angst)
    if mask is None:
        return None
    doubt = mask_doubt(name, mask, model.references[0])
    if doubt:
        frame.warn(f" WARNING: {doubt}")
    return torch.from_numpy(mask)


def _say_memory(frame: RunFrame, engine: Refinement) -> None:
    if not frame.is_main:
        return
    line, warning = memory_lines(engine, free_memory(engine.devices[0]), frame.ranks.size)
    frame.say(line)
    if warning:
        frame.warn(warning)


def _tell_iteration(frame: RunFrame, engine: Refinement, seconds: float) -> None:
    if frame.stream is not None:
        frame.stream.iteration(engine.settings, engine.state, seconds)
    lines = [time_line(engine.settings, engine.state, seconds)]
    if frame.is_main and engine.state.model.dims == 3:
        lines.append(share_line(engine.state))
        lines.append(likeness_line(engine.state) if engine.is_over else "")
    for line in filter(None, lines):
        frame.say(line)


def _tell_views(frame: RunFrame, engine: Refinement) -> None:
    doubt = views_doubt(engine.settings, engine.state)
    if doubt:
        frame.warn(f" WARNING: {doubt}")


def _note_problems(frame: RunFrame, listed: ParticleList, engine: Refinement, told: set[int]) -> None:
    """Say once which particles were set aside, and why. Raises JobFailed if none is left."""
    aside, names = engine.state.assignments.set_aside, listed.particles.names
    if len(aside) == len(names):
        first = min(aside)
        raise JobFailed(
            f"none of the {len(aside)} particles can be used; the first, {names[first]}: {aside[first]}"
        )
    for particle in sorted(set(aside) - told):
        frame.warn(f" WARNING: particle {names[particle]} was set aside: {aside[particle]}")
    told |= set(aside)
