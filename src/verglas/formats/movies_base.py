"""What a movie is to the rest of the house: frames of one shape, read one at a time."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc_header import UnreadableImage

Array = npt.NDArray[Any]
PACKED_NOTE = "two four-bit counts in every byte, read as twice as many pixels across"


class UnreadableMovie(UnreadableImage):
    """A movie that cannot be used: `path`, and `reason` with the frame or byte where it went wrong."""


@dataclass(frozen=True, slots=True)
class MovieInfo:
    """What a complete movie announces about itself."""

    path: str
    kind: str  # "mrc", "tiff" or "eer"
    n_frames: int  # as they will be yielded: EER fractions, not hardware frames
    shape_yx: tuple[int, int]
    dtype: np.dtype[Any]  # of a frame as stored (EER: of the counts)
    pixel_size_angst: float  # 0 if the file does not say
    packed: bool = False  # two four-bit counts in every byte of the file


@contextmanager
def movie_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever is wrong with a file inside the block becomes UnreadableMovie."""
    try:
        yield
    except UnreadableMovie:
        raise
    except UnreadableImage as error:
        raise UnreadableMovie(path, error.reason) from error
    except OSError as error:
        raise UnreadableMovie(path, _why_not_opened(path, error)) from error


def _why_not_opened(path: str | os.PathLike[str], error: OSError) -> str:
    if os.path.islink(path) and not os.path.exists(path):
        return f"dangling link to {os.readlink(path)}"
    return f"cannot be read: {error.strerror or error}"


class Movie(ABC):
    """Frames of one shape in file order. Holds no open file, so it can be passed to any worker."""

    kind: ClassVar[str]

    def __init__(self, info: MovieInfo) -> None:
        self.info = info

    @property
    def path(self) -> str:
        return self.info.path

    @property
    def n_frames(self) -> int:
        return self.info.n_frames

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.info.shape_yx

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.info.dtype

    def read(self, index: int, dtype: npt.DTypeLike | None = np.float32) -> Array:  # (y, x)
        """One frame (0-based), converted to `dtype` (None: as stored). May be called from threads.

        Raises UnreadableMovie if the frame is damaged or holds values that are not finite.
        """
        if not 0 <= index < self.n_frames:
            raise IndexError(f"{self.path}: no frame {index + 1}, the movie has {self.n_frames}")
        with movie_errors(self.path):
            frame = self._read(index)
        if frame.dtype.kind == "f":
            self._check_finite(frame, index)
        return frame if dtype is None else frame.astype(dtype, copy=False)

    def frames(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        dtype: npt.DTypeLike | None = np.float32,
        workers: int = 1,
    ) -> Iterator[Array]:
        """Frames `start` to `stop` (0-based, half open), in order, at most `workers` + 1 in memory.

        With more than one worker, threads decode ahead (decoders release the interpreter lock).
        """
        indices = range(self.n_frames)[start:stop]
        if workers <= 1:
            for index in indices:
                yield self.read(index, dtype)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Array]] = deque()
            for index in indices:
                if len(waiting) == workers:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(self.read, index, dtype))
            while waiting:
                yield waiting.popleft().result()

    @abstractmethod
    def _read(self, index: int) -> Array:
        """Frame `index` in native byte order; UnreadableImage or OSError if it cannot be had."""

    def _check_finite(self, frame: Array, index: int) -> None:
        # A NaN survives min and max, an infinity is one of them: two fast passes, no temporary.
        if np.isfinite(frame.min()) and np.isfinite(frame.max()):
            return
        bad = ~np.isfinite(frame)
        y, x = (int(n) for n in np.argwhere(bad)[0])
        raise UnreadableMovie(
            self.path, f"frame {index + 1}: {int(bad.sum())} pixels are not finite, the first at x {x}, y {y}"
        )
