"""`verglas refine`: reads particles or a checkpoint, runs the engine, writes every iteration's files."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from verglas import __version__
from verglas.formats.mrc import read_mrc
from verglas.jobs.contract.base import Job, JobFailed, NothingToDo
from verglas.jobs.contract.options import JobOptions
from verglas.jobs.refine.checks import doubts
from verglas.jobs.refine.files.checkpoint import read_checkpoint
from verglas.jobs.refine.files.output import (
    RunNames,
    root_of_run,
    write_iteration,
    write_set_aside,
)
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.memory import free_memory, memory_lines
from verglas.jobs.refine.options import ct_root
from verglas.jobs.refine.progress import ProgressStream, progress_file
from verglas.jobs.refine.ranks import MpiRanks, started_by_mpi
from verglas.jobs.refine.reference import read_references
from verglas.jobs.refine.settings import (
    changed_settings,
    parity_of,
    refuse_missing,
    settings_of,
    with_sampling,
)
from verglas.jobs.refine.watch import RunWatcher

if TYPE_CHECKING:
    from verglas.em.run.refinement import Refinement
    from verglas.em.state.settings import EmSettings
    from verglas.jobs.refine.images.source import Images


class RefineJob(Job):
    """Base of the job types that refine."""

    over_ranks = "together"
    fixed_flags: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def output_flags(cls, options: JobOptions, directory: str, is_continue: bool) -> list[str]:
        return ["--o", ct_root(directory, is_continue, getattr(options, "fn_cont", ""))]

    @classmethod
    def command_line(cls, options: JobOptions, directory: str, is_continue: bool) -> list[str]:
        """As RELION's form: a continued run passes only what may change."""
        going_on = is_continue and bool(getattr(options, "fn_cont", ""))
        words = cls.output_flags(options, directory, is_continue)
        words += _continued(options) if going_on else [*options.command_line(), *cls.fixed_flags]
        return [*words, *shlex.split(getattr(options, "other_args", ""))]

    def run(self) -> None:
        root = self.arguments["--o"] or root_of_run(self.arguments["--continue"])
        if not root:
            raise JobFailed("give a root name for the output with --o, e.g. Class2D/job006/run")
        root = root.rstrip("/") + "/run" if root.endswith("/") else root
        pooled = max(1, self.arguments["--pool"]) * max(1, self.arguments["--j"])
        self.names = RunNames(root, self.arguments["--solvent_mask"] or "None", pooled)
        Path(self.names.root).parent.mkdir(parents=True, exist_ok=True)
        refuse_missing(self.arguments)
        self._use_threads()
        self.ranks = self._join_ranks()
        if "--pool" in self.arguments.given:
            self._say(" --pool: batches are sized by the memory there is, not by this number")
        if self.ranks.rank == 0:
            goes_on = bool(self.arguments["--continue"])
            self._stream = ProgressStream(progress_file(self.names.root), goes_on=goes_on)
        self._images: Images | None = None
        in_order = False
        try:
            self._iterate(self._continued() if self.arguments["--continue"] else self._new())
            in_order = True
        finally:
            if self._images is not None:
                self._images.close(in_order=in_order)

    def _use_threads(self) -> None:
        import torch

        torch.set_num_threads(max(1, self.arguments["--j"]))

    def _new(self) -> Refinement:
        import torch

        from verglas.em.run.refinement import Refinement

        arguments = self.arguments
        if not arguments["--i"]:
            raise JobFailed("give the particles with --i, or an _optimiser.star with --continue")
        self.listed = read_particles(arguments["--i"], with_ctf=arguments["--ctf"])
        references = read_references(arguments, self.listed.particles.optics[0], self._say)
        dims = 2 if references is None or references.ndim == 3 else 3
        settings = settings_of(arguments, dims)
        if references is not None and not arguments["--ctf_corrected_ref"]:
            settings = replace(settings, refs_are_ctf_corrected=False)
        self._check_numbers(self.listed, settings.n_classes)
        self._check_priors(settings)
        source = self._source(self.listed)
        self._tell_doubts(source, settings)
        assignments = self.listed.assignments
        if not (settings.skip_align or settings.skip_rotate):
            assignments = _fresh(assignments)
            if settings.helix is not None and self.listed.particles.psi_prior_deg is not None:
                assignments.psi_deg = self.listed.particles.psi_prior_deg.copy()
        stack = None if references is None else torch.from_numpy(references)
        refinement = Refinement.start(
            settings, self.listed.particles, source, references=stack, assignments=assignments,
            devices=self._devices(), ranks=self.ranks,
            watcher=self._watcher(),
        )  # fmt: skip
        self._write(refinement)
        return refinement

    def _continued(self) -> Refinement:
        from verglas.em.run.refinement import Refinement

        path = self.arguments["--continue"]
        if not Path(path).exists():
            raise NothingToDo(f"{path} does not exist yet")
        checkpoint = read_checkpoint(path, parity_of(self.arguments))
        self.listed = checkpoint.listed
        if "--solvent_mask" not in self.arguments.given:
            self.names = replace(self.names, solvent_mask=checkpoint.solvent_mask)
        settings = changed_settings(checkpoint.settings, self.arguments)
        state = with_sampling(checkpoint.state, settings, self.arguments)
        if settings.gradient is not None and state.moments is None and state.iteration > 0:
            self.context.warn(f" WARNING: {path} comes without moments: momentum starts anew")
        return Refinement.resume(
            settings, self.listed.particles, self._source(self.listed), state,
            devices=self._devices(), ranks=self.ranks, watcher=self._watcher(),
        )  # fmt: skip

    def _iterate(self, refinement: Refinement) -> None:
        last = refinement.settings.n_iterations
        if refinement.state.iteration >= last:
            raise JobFailed(
                f"iteration {refinement.state.iteration} is done already and --iter is {last}: "
                "ask for more iterations"
            )
        refinement.solvent_mask = self._solvent_mask(refinement.state.model.references)
        self._say_memory(refinement)
        while refinement.state.iteration < last:
            self.context.check_abort()
            refinement.iterate()
            self._note_problems(refinement)
            if self.ranks.rank == 0:
                self._stream.iteration(refinement.settings, refinement.state)
            if refinement.writes_this_iteration():
                self._write(refinement)

    def _say(self, line: str) -> None:
        """Into run.out, once for all ranks."""
        if self.ranks.rank == 0:
            self.context.say(line)

    def _say_memory(self, refinement: Refinement) -> None:
        if self.ranks.rank > 0:
            return
        free = free_memory(refinement.devices[0])
        line, warning = memory_lines(refinement, free, self.ranks.size)
        self.context.say(line)
        if warning:
            self.context.warn(warning)

    def _write(self, refinement: Refinement) -> None:
        if self.ranks.rank > 0:
            return
        words = [self.program.relion_name, *self._command_words()]
        write_iteration(
            self.names, refinement.settings, refinement.state, self.listed, shlex.join(words), __version__
        )  # fmt: skip
        write_set_aside(Path(self.names.root).parent, refinement.state, self.listed)

    def _command_words(self) -> list[str]:
        words: list[str] = []
        for flag in sorted(self.arguments.given):
            value = self.arguments[flag]
            words += [flag] if value is True else [flag, str(value)]
        return words

    def _note_problems(self, refinement: Refinement) -> None:
        """Say once which particles were set aside, and why. Raises JobFailed if none is left."""
        aside = refinement.state.assignments.set_aside
        if len(aside) == len(self.listed.particles.names):
            first = min(aside)
            raise JobFailed(
                f"none of the {len(aside)} particles can be used; "
                f"the first, {self.listed.particles.names[first]}: {aside[first]}"
            )
        if self.ranks.rank > 0:
            return
        for particle in sorted(set(aside) - self._told):
            name = self.listed.particles.names[particle]
            self.context.warn(f" WARNING: particle {name} was set aside: {aside[particle]}")
        self._told |= set(aside)

    def _source(self, listed: ParticleList) -> Any:
        from verglas.jobs.refine.images.source import Images

        self._told: set[int] = set()
        comm = getattr(self.ranks, "comm", None)
        self._images = Images.opened(
            self.arguments, listed.particles, comm, self.context, self._watcher()
        )
        return self._images.source

    def _solvent_mask(self, references: Any) -> Any:
        """The user's mask, or None. Raises JobFailed where its box is not that of the references."""
        import torch

        name = self.names.solvent_mask
        if name == "None":
            return None
        mask = np.asarray(read_mrc(name).data, np.float32)
        if mask.shape != tuple(references.shape[1:]):
            raise JobFailed(
                f"the mask {name} has shape {mask.shape}, the references {tuple(references.shape[1:])}"
            )
        if mask.min() < 0 or mask.max() > 1:
            raise JobFailed(f"the mask {name} has values outside [0, 1]")
        return torch.from_numpy(mask)

    def _devices(self) -> list[Any]:
        """Devices of this rank: all GPUs named or seen, shared out between ranks; otherwise the CPU."""
        import torch

        from verglas.compute.devices import devices_by_rank

        if self.arguments["--cpu"]:
            return [torch.device("cpu")]
        try:
            per_rank = devices_by_rank(self.arguments["--gpu"].strip('"'))
        except ValueError as error:
            raise JobFailed(f"--gpu: {error}") from None
        if per_rank == [["cpu"]] and "--gpu" in self.arguments.given and self.ranks.rank == 0:
            self.context.warn(" WARNING: there is no GPU to be seen here; working on the CPU")
        names = per_rank[self.ranks.rank % len(per_rank)]
        if len(per_rank) == 1 and self.ranks.size > 1:
            names = [names[self.ranks.rank % len(names)]]
        return [torch.device(name) for name in names]

    def _join_ranks(self) -> Any:
        """The ranks mpirun or srun started, or this process alone."""
        from verglas.em.state.combine import Alone

        if not started_by_mpi():
            return Alone()
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
        main = comm.Get_rank() == 0
        return MpiRanks(
            comm, self.names.root, via_disc=self.arguments["--combine_weights_via_disc"],
            say=self.context.say if main else _silent, warn=self.context.warn if main else _silent,
        )  # fmt: skip

    def _watcher(self) -> Any:
        from verglas.em.run.watcher import SilentWatcher

        if self.ranks.rank > 0:
            return SilentWatcher()
        return RunWatcher(self.context, self._stream)

    def _check_numbers(self, listed: ParticleList, n_classes: int) -> None:
        n = len(listed.particles)
        if n_classes > n:
            raise JobFailed(f"{n_classes} classes were asked for, but there are only {n} particles")

    def _tell_doubts(self, source: Any, settings: EmSettings) -> None:
        if self.ranks.rank > 0 or self.arguments["--dont_check_norm"]:
            return
        for doubt in doubts(self.listed.particles, source, settings.particle_diameter_angst):
            self.context.warn(f" WARNING: {doubt}")

    def _check_priors(self, settings: EmSettings) -> None:
        wanted = settings.helix is not None or settings.sigma_psi_deg > 0
        if wanted and self.listed.particles.psi_prior_deg is None:
            raise JobFailed(
                f"{self.arguments['--i']} has no rlnAnglePsiPrior, which says how each filament lies: "
                "extract helical segments, or classify without the helical options"
            )


def _silent(text: str) -> None:
    """What other ranks than the first say."""


def _fresh(assignments: Any) -> Any:
    """Assignments of a run that does not take over poses: only what was set aside stays."""
    fresh = type(assignments).start(len(assignments.norm))
    fresh.set_aside.update(assignments.set_aside)
    return fresh


def _continued(options: JobOptions) -> list[str]:
    """Flags of options that a continued run may change."""
    words: list[str] = []
    infos = type(options).infos()
    locked = [infos[key].flag for key in infos if infos[key].on_continue == "locked"]
    queue = options.command_line()
    while queue:
        flag = queue.pop(0)
        values = []
        while queue and not queue[0].startswith("--"):
            values.append(queue.pop(0))
        if flag not in locked:
            words += [flag, *values]
    return words
