"""Combining ranks: the same bits through network and disc, also when the disc fills."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from verglas.jobs.refine import ranks as refine_ranks
from verglas.jobs.refine.ranks import MpiRanks

SIZE = 3


class World:
    """What ranks in threads share."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(SIZE, timeout=20)
        self.slots: list[object] = [None] * SIZE


class FakeRequest:
    """A message that has left."""

    def Wait(self) -> None:
        pass


class FakeComm:
    """The calls of an MPI communicator that combining needs, between threads."""

    def __init__(self, world: World, rank: int, boxes: dict) -> None:
        self.world, self.rank, self.boxes = world, rank, boxes

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return SIZE

    def Barrier(self) -> None:
        self.world.barrier.wait()

    def allgather(self, value: object) -> list[object]:
        self.world.slots[self.rank] = value
        self.Barrier()
        found = list(self.world.slots)
        self.Barrier()
        return found

    def Isend(self, numbers: np.ndarray, dest: int) -> FakeRequest:
        self.boxes[self.rank, dest].put(numbers.copy())
        return FakeRequest()

    def Recv(self, into: np.ndarray, source: int) -> None:
        into[:] = self.boxes[source, self.rank].get(timeout=20)

    def Bcast(self, numbers: np.ndarray, root: int) -> None:
        numbers[:] = self.allgather(numbers.copy())[root]


class Sums:
    """Numbers whose sum depends on the order of additions."""

    def __init__(self, rank: int) -> None:
        self.numbers = np.random.default_rng(rank).normal(size=5000) * 10.0 ** (5 * rank)

    def pack(self) -> np.ndarray:
        return self.numbers.copy()

    def unpack(self, numbers: np.ndarray) -> None:
        self.numbers = numbers.copy()


def combined(via_disc: bool, members: range = range(SIZE)) -> tuple[list[np.ndarray], list[str], list[str]]:
    """Results of all ranks; what rank 0 said, and what it warned of."""
    world = World()
    boxes = {(a, b): queue.SimpleQueue() for a in range(SIZE) for b in range(SIZE)}
    said: list[str] = []
    warned: list[str] = []
    parts = [Sums(rank) for rank in range(SIZE)]

    def work(rank: int) -> None:
        say, warn = (said.append, warned.append) if rank == 0 else (lambda text: None,) * 2
        comm = FakeComm(world, rank, boxes)
        MpiRanks(comm, "job/run", via_disc=via_disc, say=say, warn=warn).add(parts[rank], members)

    threads = [threading.Thread(target=work, args=(rank,), name=f"rank {rank}") for rank in range(SIZE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [part.numbers for part in parts], said, warned


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("job").mkdir()


def ascending() -> np.ndarray:
    total = Sums(0).numbers
    for rank in range(1, SIZE):
        total = total + Sums(rank).numbers
    return total


@pytest.mark.parametrize("via_disc", [False, True])
def test_sums_are_added_in_ascending_rank(via_disc):
    found, said, warned = combined(via_disc)
    for numbers in found:
        np.testing.assert_array_equal(numbers, ascending())
    way = "disc" if via_disc else "network"
    assert f"Combining through {way}, 40000 bytes per rank" in said[-1] and not warned
    assert (len(said) == 2 and "Writing" in said[0]) == via_disc
    assert list(Path("job").iterdir()) == []


@pytest.mark.parametrize("via_disc", [False, True])
@pytest.mark.parametrize("piece", [7, 900, refine_ranks.PIECE])
def test_the_ranks_of_a_half_set_add_theirs_and_all_hear_the_total(via_disc, piece, monkeypatch):
    """In pieces of any length; ranks of the other half have no part in it."""
    monkeypatch.setattr(refine_ranks, "PIECE", piece)
    found, _, warned = combined(via_disc, range(0, SIZE, 2))
    for numbers in found:
        np.testing.assert_array_equal(numbers, Sums(0).numbers + Sums(2).numbers)
    np.testing.assert_array_equal(combined(via_disc, range(1, SIZE, 2))[0][0], Sums(1).numbers)
    assert not warned and list(Path("job").iterdir()) == []


@pytest.mark.parametrize("full", ["run_rank000002.tmp", "run.tmp"], ids=["a rank", "the total"])
def test_a_disc_that_fills_sends_that_iteration_through_the_network(full, monkeypatch):
    write = refine_ranks._write

    def write_or_fail(path: Path, pieces: Iterable[np.ndarray]) -> None:
        if path.name == full:
            raise OSError(28, "No space left on device", str(path))
        write(path, pieces)

    monkeypatch.setattr(refine_ranks, "_write", write_or_fail)
    found, said, warned = combined(via_disc=True)
    for numbers in found:
        np.testing.assert_array_equal(numbers, ascending())
    assert len(warned) == 1 and "No space left" in warned[0] and "network" in warned[0]
    assert "Combining through network" in said[-1]
    assert list(Path("job").iterdir()) == []
    monkeypatch.setattr(refine_ranks, "_write", write)  # the next iteration tries the disc again
    assert "Combining through disc" in combined(via_disc=True)[1][-1]


def test_what_a_crash_left_does_not_disturb_the_next_run():
    Path("job/run_rank000001.tmp").write_bytes(b"half")
    Path("job/run.tmp").write_bytes(b"old")
    found, _, warned = combined(via_disc=True)
    np.testing.assert_array_equal(found[1], ascending())
    assert not warned and list(Path("job").iterdir()) == []


def test_a_total_that_a_rank_cannot_read_is_sent_through_the_network(monkeypatch):
    read = refine_ranks._read

    def read_or_fail(path: Path, *which: int) -> np.ndarray:
        if path.name == "run.tmp" and threading.current_thread().name == "rank 2":
            raise OSError(5, "Input/output error", str(path))
        return read(path, *which)

    monkeypatch.setattr(refine_ranks, "_read", read_or_fail)
    found, said, warned = combined(via_disc=True)
    for numbers in found:
        np.testing.assert_array_equal(numbers, ascending())
    assert len(warned) == 1 and "rank 2" in warned[0] and "through network" in said[-1]
    assert list(Path("job").iterdir()) == []
