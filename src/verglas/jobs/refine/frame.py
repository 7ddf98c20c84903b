"""One rank of a run: where its files go, who works beside it, what it may say, which devices it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.compute.memory import keep_freed_memory
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.program import Arguments
from verglas.jobs.refine.files.names import RunNames, root_of_run
from verglas.jobs.refine.ranks import MpiRanks, started_by_mpi
from verglas.jobs.refine.telling.stream import ProgressStream, progress_file
from verglas.jobs.refine.telling.watch import RunWatcher

if TYPE_CHECKING:
    import torch

    from verglas.em.run.watcher import Watcher
    from verglas.em.state.combine import Ranks


@dataclass(frozen=True)
class RunFrame:
    """What does not depend on particles: known before any file is read."""

    arguments: Arguments
    context: RunContext
    names: RunNames
    ranks: Ranks
    stream: ProgressStream | None  # of rank 0

    @classmethod
    def of(cls, arguments: Arguments, context: RunContext) -> RunFrame:
        """Raises JobFailed for a run without a name."""
        root = arguments["--o"] or root_of_run(arguments["--continue"])
        if not root:
            raise JobFailed("give a root name for the output with --o, e.g. Class2D/job006/run")
        root = root.rstrip("/") + "/run" if root.endswith("/") else root
        pooled = max(1, arguments["--pool"]) * max(1, arguments["--j"])
        names = RunNames(root, arguments["--solvent_mask"] or "None", pooled)
        Path(root).parent.mkdir(parents=True, exist_ok=True)
        ranks = _ranks(arguments, context, root)
        stream = None
        if ranks.rank == 0:
            going_on = ("--continue", "--only_do_unfinished", "--streaming")
            goes_on = any(arguments[flag] for flag in going_on)
            stream = ProgressStream(progress_file(root), goes_on=goes_on)
        return cls(arguments, context, names, ranks, stream)

    @property
    def is_main(self) -> bool:
        """Whether this rank speaks and writes for all."""
        return self.ranks.rank == 0

    def say(self, line: str) -> None:
        """Into run.out, once for all ranks."""
        if self.is_main:
            self.context.say(line)

    def warn(self, text: str) -> None:
        """Into run.err, once for all ranks."""
        if self.is_main:
            self.context.warn(text)

    def watcher(self) -> Watcher:
        """What the engine tells of its progress."""
        from verglas.em.run.watcher import SilentWatcher

        return SilentWatcher() if self.stream is None else RunWatcher(self.context, self.stream)

    def devices(self) -> list[torch.device]:
        """Those of this rank: all GPUs named or seen, shared out between ranks; otherwise the CPU."""
        return devices_of(self.arguments, self.ranks.rank, self.ranks.size, self.warn)


def devices_of(
    arguments: Arguments, rank: int = 0, ranks: int = 1, warn: Callable[[str], None] = lambda text: None
) -> list[torch.device]:
    """The devices that `--gpu` and `--cpu` leave to one of so many ranks."""
    import torch

    from verglas.compute.devices import devices_by_rank

    if arguments["--cpu"]:
        keep_freed_memory()
        return [torch.device("cpu")]
    try:
        per_rank = devices_by_rank(arguments["--gpu"].strip('"'))
    except ValueError as error:
        raise JobFailed(f"--gpu: {error}") from None
    if per_rank == [["cpu"]] and "--gpu" in arguments.given:
        warn(" WARNING: there is no GPU to be seen here; working on the CPU")
    names = per_rank[rank % len(per_rank)]
    if len(per_rank) == 1 and ranks > 1:
        names = [names[rank % len(names)]]
    if "cpu" in names:
        keep_freed_memory()
    return [torch.device(name) for name in names]


def _ranks(arguments: Arguments, context: RunContext, root: str) -> Any:
    """The ranks mpirun or srun started, or this process alone."""
    from verglas.em.state.combine import Alone

    if not started_by_mpi():
        return Alone()
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    main = comm.Get_rank() == 0
    through_disc = arguments["--combine_weights_via_disc"]
    return MpiRanks(
        comm,
        root,
        via_disc=through_disc and not arguments["--dont_combine_weights_via_disc"],
        say=context.say if main else _silent,
        warn=context.warn if main else _silent,
    )


def _silent(text: str) -> None:
    """What other ranks than the first say."""
