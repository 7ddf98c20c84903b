"""Frames as they come from the file, and the same with gain and bad pixels put right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from verglas.motion.devices.hot_pixels import stand_ins

Array = np.ndarray[Any, Any]
A = TypeVar("A")  # arrays of a device
MOST_COUNTS = 1e12  # per pixel and frame; powers of more do not fit into float32
REACH = 2  # neighbours this far away may stand in for a bad pixel


class FrameSource(Protocol):
    """Anything that yields the frames of a movie, as often as asked."""

    @property
    def n_frames(self) -> int: ...
    @property
    def shape_yx(self) -> tuple[int, int]: ...
    def frames(self, start: int = ..., stop: int | None = ..., *, dtype: Any = ...) -> Iterator[Array]:
        """Frames start to stop (0-based, half open); dtype None keeps the stored type."""


@dataclass(frozen=True)
class FrameOptions:
    """What is put right in every frame."""

    gain: Array | None = None  # (y, x) float32, to multiply with; 0 marks a bad pixel
    defects: Array | None = None  # (y, x) bool
    find_hot_pixels: bool = True
    keep_bytes: int = 0  # of raw frames that may be kept between passes
    single_pass: bool = False  # hot pixels are known: the first frame alone says how bright pixels are


class CorrectedFrames(ABC, Generic[A]):
    """The frames in use, multiplied with the gain and without their bad pixels, one at a time.

    The first pass (in the constructor) adds up the frames, which shows the hot pixels, and keeps the raw
    frames if `keep_bytes` allows; otherwise every pass reads the file again. Memory: the kept frames,
    or two frames.
    """

    def __init__(self, source: FrameSource, frame_range: range, options: FrameOptions) -> None:
        gain, defects = options.gain, options.defects
        check_shape("gain reference", gain, source.shape_yx)
        check_shape("defect map", defects, source.shape_yx)
        self.source, self.frame_range, self.gain = source, frame_range, gain
        self.shape_yx = source.shape_yx
        self._kept: list[A] | None = []
        summed = frame_range[:1] if options.single_pass else frame_range
        total = self._first_pass(summed, options.keep_bytes)
        bad = np.zeros(self.shape_yx, bool) if defects is None else defects.astype(bool)
        if gain is not None:
            bad |= gain == 0
        self.hot_pixels_yx = np.zeros((0, 2), np.int64)
        if options.find_hot_pixels:
            self.hot_pixels_yx = self._hot_pixels(total, ~bad)
            bad[tuple(self.hot_pixels_yx.T)] = True
        self.bad = bad
        self._places = np.flatnonzero(bad)
        self._positions = np.stack(np.divmod(self._places, self.shape_yx[1]), axis=1)
        self._mean = self._mean_of(total, ~bad) / max(len(summed), 1)
        if not abs(self._mean) < MOST_COUNTS:
            raise ValueError(f"pixels are {self._mean:g} on average: this is no movie of counts")
        self._sigma = float(np.sqrt(abs(self._mean)))

    def __len__(self) -> int:
        return len(self.frame_range)

    def __iter__(self) -> Iterator[A]:
        """Corrected frames, (y, x) float32; each is the caller's to change."""
        for index, raw in zip(self.frame_range, self._raw()):
            frame = self._gained(raw)
            if len(self._positions):
                sources, deviates = stand_ins(self.bad, self._positions, index + 1, REACH)
                self._replace(frame, sources, self._mean + self._sigma * deviates)
            yield frame

    def _raw(self) -> Iterator[A]:
        if self._kept is not None:
            return iter(self._kept)
        start, stop = self.frame_range.start, self.frame_range.stop
        return map(self._load, self.source.frames(start, stop, dtype=None))

    def _first_pass(self, summed: range, keep_bytes: int) -> A:
        """Sum of frames, times the gain."""
        total = self._load(np.zeros(self.shape_yx, np.float32))
        start, stop = summed.start, summed.stop
        if len(summed) < len(self):
            self._kept = None
        for raw in self.source.frames(start, stop, dtype=None):
            loaded = self._load(raw)
            self._add(loaded, total)
            if self._kept is not None and raw.nbytes * len(self) <= keep_bytes:
                self._kept.append(loaded)
            else:
                self._kept = None
        return total if self.gain is None else self._gained(total)

    # What follows is done on the device.

    @abstractmethod
    def _load(self, raw: Array) -> A:
        """A raw frame on the device, in a type that holds what the file's holds."""

    @abstractmethod
    def _add(self, raw: A, total: A) -> None:
        """Add a raw frame to a float32 sum, in place."""

    @abstractmethod
    def _gained(self, raw: A) -> A:
        """A copy in float32, multiplied with the gain if there is one."""

    @abstractmethod
    def _hot_pixels(self, total: A, usable: Array) -> Array:
        """See `hot_pixels.hot_pixels`."""

    @abstractmethod
    def _mean_of(self, total: A, good: Array) -> float:
        """Mean of the good pixels; 0 if there are none."""

    @abstractmethod
    def _replace(self, frame: A, sources: Array, otherwise: Array) -> None:
        """Put the values at `sources`, or `otherwise` where the source is -1, into the bad pixels."""


def check_shape(what: str, image: Array | None, shape_yx: tuple[int, int]) -> None:
    """Raise ValueError if an image that goes with every frame has another shape."""
    if image is not None and image.shape != shape_yx:
        raise ValueError(
            f"the {what} has {image.shape[1]} x {image.shape[0]} pixels,"
            f" the movie {shape_yx[1]} x {shape_yx[0]}"
        )
