"""Which rank reads the images: each its own, or rank 0 for all (`--no_parallel_disc_io`)."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np

from verglas.jobs.refine.images.stacks import Images, Ints

_ASK, _ANSWER = 1, 2
_PAUSE_S = 0.001


class Source(Protocol):
    """What gives images; `problems` says why some could not be read."""

    problems: dict[int, str]

    def read(self, indices: Ints) -> Images: ...


class Served:
    """Images that rank 0 reads for this rank."""

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._lock = threading.Lock()
        self.problems: dict[int, str] = {}

    def read(self, indices: Ints) -> Images:
        """Images (b, N, N), as the source of rank 0 gives them."""
        with self._lock:  # one question at a time, so that answers cannot be confused
            self._comm.send(indices, dest=0, tag=_ASK)
            shape, problems = self._comm.recv(source=0, tag=_ANSWER)
            images = np.empty(shape, np.float32)
            self._comm.Recv(images, source=0, tag=_ANSWER)
        self.problems.update(problems)
        return images

    def close(self) -> None:
        """Tell rank 0 that there will be no more questions."""
        self._comm.send(None, dest=0, tag=_ASK)


class Server:
    """A thread of rank 0 that answers the others until all of them have said goodbye."""

    def __init__(self, comm: Any, source: Source) -> None:
        self._comm, self._source = comm, source
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        waiting = self._comm.Get_size() - 1
        stop = threading.Event()
        while waiting:
            if not self._comm.iprobe(tag=_ASK):  # a blocking probe would keep a core busy
                stop.wait(_PAUSE_S)
                continue
            from mpi4py import MPI

            status = MPI.Status()
            indices = self._comm.recv(tag=_ASK, status=status)
            if indices is None:
                waiting -= 1
                continue
            images = np.ascontiguousarray(self._source.read(indices), np.float32)
            wanted = set(indices.tolist())
            problems = {i: text for i, text in self._source.problems.items() if i in wanted}
            asker = status.Get_source()
            self._comm.send((images.shape, problems), dest=asker, tag=_ANSWER)
            self._comm.Send(images, dest=asker, tag=_ANSWER)

    def close(self) -> None:
        """Wait until the others need nothing more."""
        self._thread.join()


def has_threads() -> bool:
    """Whether this MPI lets several threads of a rank send and receive."""
    from mpi4py import MPI

    return bool(MPI.Query_thread() == MPI.THREAD_MULTIPLE)
