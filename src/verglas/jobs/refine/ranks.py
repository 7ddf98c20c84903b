"""Ranks of `mpirun -n N verglas refine`: combining their sums through the network or through the disc.

Both ways add in ascending order of ranks and give the same bits (pipeline.md §6.1). Through the network every rank
adds a piece of its own, so that neither time nor memory grows with their number. Through the disc every rank writes
its file, the first one adds them piece by piece and writes the total, every rank reads that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write

if TYPE_CHECKING:
    from verglas.em.state.combine import Packable
    from verglas.em.state.particles import Assignments, Ints

PIECE = 1 << 26  # numbers per message: 512 MB
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "SLURM_NTASKS")
_STEP = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
WIDTH = 8  # bytes of a number
Packed = npt.NDArray[np.float64]


def started_by_mpi() -> bool:
    """Whether a launcher (mpirun, srun) started several of us."""
    in_step = any(name in os.environ for name in _STEP)
    return in_step and any(int(os.environ.get(name, "1") or 1) > 1 for name in _SIZES)


class MpiRanks:
    """The ranks of an MPI communicator."""

    def __init__(
        self, comm: Any, root: str, *, via_disc: bool, say: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self.comm = self._comm = comm
        self._root, self._via_disc = root, via_disc
        self._say, self._warn = say, warn
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())

    def add(self, sums: Packable, members: Sequence[int]) -> None:
        """Replace every rank's sums by the total over `members`. Says how long it took and how much was moved."""
        started = time.perf_counter()
        numbers = sums.pack()
        through_disc = self._via_disc and self._through_disc(numbers, members)
        if not through_disc:
            self._through_network(numbers, members)
        sums.unpack(numbers)
        way = "disc" if through_disc else "network"
        seconds = time.perf_counter() - started
        self._say(f" Combining through {way}, {numbers.nbytes} bytes per rank, {seconds:.2f} s")

    def merge(self, found: Assignments, rows: Ints) -> None:
        """Every rank gets the rows of all others, and what they set aside."""
        from verglas.em.state.combine import pack_rows, unpack_rows

        for packed, aside in self._comm.allgather((pack_rows(found, rows), found.set_aside)):
            unpack_rows(found, packed)
            found.set_aside.update(aside)

    def _through_network(self, numbers: Packed, members: Sequence[int]) -> None:
        """Every member adds a piece of its own, in ascending order of ranks, and sends the total to all."""
        block = PIECE * len(members)
        for start in range(0, numbers.size, block):
            self._add_block(numbers[start : start + block], members)

    def _add_block(self, block: Packed, members: Sequence[int]) -> None:
        pieces = np.array_split(block, len(members))  # views
        if self.rank in members:
            mine = pieces[members.index(self.rank)]
            sent = [self._comm.Isend(p, dest=m) for p, m in zip(pieces, members) if m != self.rank]
            mine[:] = self._added(mine, members)
            for request in sent:
                request.Wait()
        for piece, member in zip(pieces, members):
            self._comm.Bcast(piece, root=member)

    def _added(self, mine: Packed, members: Sequence[int]) -> Packed:
        """The total of this rank's piece."""
        total, received = np.empty_like(mine), np.empty_like(mine)
        for member in members:
            part = mine
            if member != self.rank:
                self._comm.Recv(received, source=member)
                part = received
            if member == members[0]:
                total[:] = part
            else:
                total += part
        return total

    def _through_disc(self, numbers: Packed, members: Sequence[int]) -> bool:
        """The same through files; False, and the numbers as they were, if the disc does not take them."""
        mine, total, first = self._file(self.rank), Path(f"{self._root}.tmp"), members[0]
        times = [time.perf_counter()]
        problem = ""
        try:
            if self.rank in members and self.rank != first:
                _write(mine, [numbers])
        except OSError as error:
            problem = f"rank {self.rank}: {error}"
        if self._failed(problem):
            return self._give_up(mine, total)
        times.append(time.perf_counter())  # all have written
        try:
            if self.rank == first:
                _write(total, self._totals(numbers, members))
        except OSError as error:
            problem = f"rank {first}: {error}"
        if self._failed(problem):
            return self._give_up(mine, total)
        times.append(time.perf_counter())
        try:
            summed = _read(total, numbers.size)
        except OSError as error:
            problem = f"rank {self.rank}: {error}"
        if self._failed(problem):
            return self._give_up(mine, total)
        times.append(time.perf_counter())
        numbers[:] = summed
        self._remove(mine, total)
        writing, adding, reading = np.diff(times)
        self._say(f" Writing {writing:.2f} s, adding {adding:.2f} s, reading {reading:.2f} s")
        return True

    def _totals(self, numbers: Packed, members: Sequence[int]) -> Iterator[Packed]:
        """The first member's numbers and those in the files of the others, added piece by piece."""
        for start in range(0, numbers.size, PIECE):
            piece = numbers[start : start + PIECE].copy()
            for other in members[1:]:
                piece += _read(self._file(other), numbers.size, start, piece.size)
            yield piece

    def _failed(self, problem: str) -> bool:
        """Whether any rank has a problem; tells it once."""
        problems = [text for text in self._comm.allgather(problem) if text]
        if problems:
            self._warn(
                f" WARNING: combining through disc failed ({problems[0]}); through the network instead"
            )
        return bool(problems)

    def _give_up(self, mine: Path, total: Path) -> bool:
        self._remove(mine, total)
        return False

    def _remove(self, mine: Path, total: Path) -> None:
        mine.unlink(missing_ok=True)
        if self.rank == 0:
            total.unlink(missing_ok=True)

    def _file(self, rank: int) -> Path:
        return Path(f"{self._root}_rank{rank:06d}.tmp")


def _write(path: Path, pieces: Iterable[Packed]) -> None:
    """Raw native doubles; gone again at once, so not worth a flush to the disc."""
    with atomic_write(path, durable=False) as out:
        for piece in pieces:
            piece.tofile(out)


def _read(path: Path, expected: int, start: int = 0, count: int = -1) -> Packed:
    """`count` numbers from `start` (all of them) of a file that holds `expected`. Raises OSError."""
    size = path.stat().st_size // WIDTH
    if size != expected:
        raise OSError(f"{path} holds {size} numbers, expected {expected}")
    return np.fromfile(path, np.float64, count, offset=start * WIDTH)
