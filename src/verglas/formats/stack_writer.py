"""Writing stacks: images are gathered in memory and leave in large pieces; the file appears complete."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc import StatisticsSum, as_stored, stored_type
from verglas.formats.mrc_header import HEADER_BYTES, build_header

_PIECE_BYTES = 1 << 26  # one write per 64 MB: many small ones are slow on network file systems


class StackWriter:
    """Writes a stack of images of one shape; use as `with StackWriter(...) as stack: stack.add(...)`.

    The file appears, complete and with its count and statistics, when the block ends without an error;
    otherwise the old file stays. A block that added nothing is an error.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        pixel_size_angst: float,
        *,
        dtype: npt.DTypeLike | None = None,
        durable: bool = True,
    ) -> None:
        self.path = os.fspath(path)
        self.n_images = 0
        self._pixel_size_angst = pixel_size_angst
        self._wanted = dtype
        self._durable = durable
        self._shape_yx: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        self._waiting: list[npt.NDArray[Any]] = []
        self._waiting_bytes = 0
        self._statistics = StatisticsSum()
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self._out = self._exits.enter_context(atomic_write(self.path, durable=self._durable))
        self._out.write(bytes(HEADER_BYTES))
        return self

    def add(self, images: npt.ArrayLike) -> None:
        """Append one image (y, x) or several (n, y, x). The pixels are copied."""
        array = np.asarray(images)
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3:
            raise ValueError(f"{self.path}: expected (y, x) or (n, y, x), got {array.shape}")
        if self._dtype is None:
            self._dtype, self._shape_yx = stored_type(array.dtype, self._wanted), array.shape[1:]
        if array.shape[1:] != self._shape_yx:
            raise ValueError(f"{self.path}: images are {self._shape_yx} (y, x), got {array.shape[1:]}")
        stored = as_stored(array, self._dtype)
        self.n_images += len(stored)
        self._waiting_bytes += stored.nbytes
        if self._waiting_bytes >= _PIECE_BYTES:
            self._waiting.append(stored)
            self._flush()
        else:  # the caller may use the array again before it is written
            self._waiting.append(stored.copy() if np.may_share_memory(stored, array) else stored)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._exits.__exit__(kind, error, trace)
            return
        with self._exits:
            self._flush()
            if self._dtype is None or self.n_images == 0:
                raise ValueError(f"{self.path}: a stack needs at least one image")
            self._out.seek(0)
            self._out.write(
                build_header(
                    (self.n_images, *self._shape_yx),  # type: ignore[arg-type]
                    self._dtype,
                    self._pixel_size_angst,
                    is_volume=False,
                    statistics=self._statistics.result(),
                )
            )

    def _flush(self) -> None:
        for piece in self._waiting:
            self._statistics.add(piece)
            self._out.write(piece.data)
        self._waiting.clear()
        self._waiting_bytes = 0


def write_stack(
    path: str | os.PathLike[str],
    images: npt.ArrayLike,  # (n, y, x)
    pixel_size_angst: float,
    *,
    dtype: npt.DTypeLike | None = None,
    durable: bool = True,
) -> None:
    """Write a whole stack of images atomically (see `StackWriter`; types as in `write_mrc`)."""
    with StackWriter(path, pixel_size_angst, dtype=dtype, durable=durable) as stack:
        stack.add(images)
