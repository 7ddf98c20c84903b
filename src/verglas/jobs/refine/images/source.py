"""Where a refinement's images come from: stacks, memory, a scratch disc, or rank 0 (pipeline.md §6.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.refine.images.reading import Served, Server, Source, has_threads
from verglas.jobs.refine.images.scratch import Bar, Scratch
from verglas.jobs.refine.images.stacks import MemorySource, StackSource

if TYPE_CHECKING:
    from verglas.em.state.particles import Particles

MOST_OF_MEMORY = 0.8  # that images may fill


@dataclass
class Images:
    """The source that the engine reads from, and what has to be closed when the run is over."""

    source: Source
    _stacks: StackSource | None = None
    _scratch: Scratch | None = None
    _over_ranks: list[Served | Server] = field(default_factory=list)

    @classmethod
    def opened(
        cls, arguments: Arguments, particles: Particles, comm: Any, context: RunContext, bar: Bar
    ) -> Images:
        """Open the images of a run. `comm`: the ranks' communicator, None for a process alone.

        Raises JobFailed where an image name cannot be understood or no stack exists.
        """
        through_zero = arguments["--no_parallel_disc_io"] and comm is not None
        if through_zero and not has_threads():
            context.warn(" WARNING: this MPI has no threads: every rank reads its own images")
            through_zero = False
        if not through_zero:
            return cls._own(arguments, particles, comm, context, bar)
        private = comm.Dup()  # questions and answers do not mix with the sums
        if comm.Get_rank() > 0:
            served = Served(private)
            return cls(served, _over_ranks=[served])
        context.say(f" Rank 0 reads the images of all {comm.Get_size()} ranks")
        images = cls._own(arguments, particles, None, context, bar)
        images._over_ranks.append(Server(private, images.source))
        return images

    @classmethod
    def _own(
        cls, arguments: Arguments, particles: Particles, comm: Any, context: RunContext, bar: Bar
    ) -> Images:
        stacks = stack_source(particles, particles.names)
        if missing := stacks.none_there():
            raise JobFailed(
                f"no image is there: the first stack, {missing}, was looked for in {Path.cwd()}; names "
                "in the STAR file are relative to the project directory, where this must be started"
            )
        images = cls(stacks, stacks)
        if arguments["--preread_images"]:
            if arguments["--scratch_dir"]:
                context.say(" Images are held in memory: the scratch directory is not used")
            images._read_all(particles, 1 if comm is None else comm.Get_size(), context.warn)
        elif arguments["--scratch_dir"]:
            try:
                images._use_scratch(arguments, particles, comm, context.say, bar)
            except BaseException:
                images.close(in_order=False)
                raise
        return images

    def _read_all(self, particles: Particles, n_ranks: int, warn: Callable[[str], None]) -> None:
        """Hold all images in memory, if that has room for them."""
        import psutil

        assert self._stacks is not None
        boxes = [group.box_size for group in particles.optics]
        need = 4 * int((np.array(boxes, np.int64)[particles.optics_group] ** 2).sum()) * n_ranks
        free = psutil.virtual_memory().available
        if need > MOST_OF_MEMORY * free:
            warn(
                f" WARNING: all images need {need / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free: "
                "they are read in every iteration instead"
            )
            return
        self.source = MemorySource(self._stacks, particles.optics_group, boxes)

    def _use_scratch(
        self, arguments: Arguments, particles: Particles, comm: Any, say: Callable[[str], None], bar: Bar
    ) -> None:
        """Copy once per host; the ranks of a host share the copy."""
        assert self._stacks is not None
        host = _ranks_of_host(comm)
        names: list[str] = []
        if host is None or host.Get_rank() == 0:
            self._scratch = Scratch(
                arguments["--scratch_dir"],
                arguments["--keep_free_scratch"],
                keep=arguments["--keep_scratch"],
                reuse=arguments["--reuse_scratch"],
            )
            try:
                self._scratch.copy(self._stacks, particles.names, particles.optics_group, bar, say)
                names = self._scratch.names
            except OSError as error:
                say(f" WARNING: no use of the scratch directory: {error}; images stay where they are")
        if host is not None:
            names = json.loads(host.bcast(json.dumps(names), root=0))
        if names:
            self._stacks.close()
            self._stacks = stack_source(particles, names)
            self.source = self._stacks

    def close(self, *, in_order: bool = True) -> None:
        """Close stacks and remove the scratch copy; after an error without waiting for other ranks."""
        if in_order:
            for part in self._over_ranks:
                part.close()
        if self._stacks is not None:
            self._stacks.close()
        if self._scratch is not None:
            self._scratch.close()


def stack_source(particles: Particles, names: Sequence[str]) -> StackSource:
    """Images by name. Raises JobFailed for a name that is not one."""
    boxes = np.array([group.box_size for group in particles.optics])
    try:
        return StackSource(names, boxes[particles.optics_group])
    except ValueError as error:
        raise JobFailed(str(error)) from error


def _ranks_of_host(comm: Any) -> Any:
    if comm is None:
        return None
    from mpi4py import MPI

    return comm.Split_type(MPI.COMM_TYPE_SHARED)
