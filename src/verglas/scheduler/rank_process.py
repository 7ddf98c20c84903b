"""A job over MPI ranks: `mpirun -n N verglas run JOBDIR`.

Rank 0 does the bookkeeping and tells the others what to do, once: help with items, run the job as well,
or nothing. It always tells them, also when it failed before the work began: no rank is left waiting.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verglas.compute.ranks import end_rank_workers, rank_executor, world
from verglas.jobs.contract.base import Job, JobAborted, NothingToDo, RunContext
from verglas.jobs.contract.control_files import FAILED, SUCCEEDED


@dataclass(frozen=True)
class _Plan:
    """What the other ranks are to do."""

    mode: str  # "items", "together", "nothing"
    folder: str = ""  # the job type
    words: tuple[str, ...] = ()
    work: str = ""


@dataclass
class Ranks:
    """This process among the ranks of its job."""

    rank: int = 0
    size: int = 1
    told: bool = False

    @classmethod
    def of_world(cls) -> Ranks:
        return cls(*world())

    @contextmanager
    def lead(self, job: type[Job], words: Sequence[str], work: str) -> Iterator[Executor | None]:
        """On rank 0: set the others to work during the block; yields an executor over them if any."""
        if self.size == 1:
            yield None
            return
        mode = job.over_ranks if job.over_ranks != "alone" else "nothing"
        self._tell(_Plan(mode, job.type.folder, tuple(words), work))
        if mode == "items":
            with rank_executor() as executor:
                yield executor
            return
        yield None

    def dismiss(self, *, ended_well: bool) -> None:
        """At the end: ranks that were told nothing go; ranks that may wait for this one are ended."""
        if self.size == 1:
            return
        if not self.told:
            self._tell(_Plan("nothing"))
        elif not ended_well:
            from mpi4py import MPI

            MPI.COMM_WORLD.Abort(FAILED)

    def _tell(self, plan: _Plan) -> None:
        from mpi4py import MPI

        self.told = True
        MPI.COMM_WORLD.bcast(plan, root=0)


def follow_rank(ranks: Ranks, name: str) -> int:
    """The part of a rank other than 0; returns its exit code."""
    from mpi4py import MPI

    plan: _Plan = MPI.COMM_WORLD.bcast(None, root=0)
    if plan.mode == "items":
        with rank_executor():
            pass
        end_rank_workers()
    elif plan.mode == "together":
        _run_along(ranks, plan, name)
    return SUCCEEDED


def _run_along(ranks: Ranks, plan: _Plan, name: str) -> None:
    from verglas.jobs.registry import job_class

    job = job_class(plan.folder)
    context = RunContext(
        Path(plan.work), control=Path(name), say=lambda text: None, rank=ranks.rank, n_ranks=ranks.size
    )
    try:
        job(job.program.parse(plan.words), context).run()
    except (NothingToDo, JobAborted):
        return  # rank 0 says so
    except Exception:
        from mpi4py import MPI

        traceback.print_exc()
        sys.stderr.flush()
        MPI.COMM_WORLD.Abort(FAILED)
