"""Adding up aligned frames: with dose weights, without, even and odd ones apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from verglas.motion.damage import effective_dose

Array = np.ndarray[Any, Any]
A = TypeVar("A")  # arrays of a device
Half = Literal["odd", "even"]
Name = Literal["weighted", "plain", "odd", "even"]


@dataclass(frozen=True)
class DoseSchedule:
    """Exposure of the frames, e/A^2: frame f of the movie (from 0) ends at pre + (f + 1) per_frame."""

    per_frame_e_a2: float
    pre_exposure_e_a2: float
    voltage_kv: float

    def after(self, frame: float) -> float:
        return self.pre_exposure_e_a2 + (frame + 1) * self.per_frame_e_a2

    def effective_after(self, frame: float) -> float:
        """What the exposure would be at 300 kV."""
        return float(effective_dose(np.array(self.after(frame)), self.voltage_kv))

    @property
    def effective_per_frame(self) -> float:
        """What the exposure of a frame would be at 300 kV."""
        return float(effective_dose(np.array(self.per_frame_e_a2), self.voltage_kv))


@dataclass(frozen=True)
class SumPlan:
    """What is added up of frames of `shape_yx`."""

    shape_yx: tuple[int, int]
    pixel_size_angst: float
    dose: DoseSchedule | None  # None: no dose weighting
    keep_plain: bool
    keep_halves: bool = False
    first_frame: int = 0  # counted from 0: earlier frames have spent their dose

    @property
    def half_shape(self) -> tuple[int, int]:
        """Of the half transforms."""
        return self.shape_yx[0], self.shape_yx[1] // 2 + 1

    @property
    def names(self) -> tuple[Name, ...]:
        """The sums that are kept."""
        main: tuple[Name, ...] = ("weighted",) if self.dose is not None else ()
        plain: tuple[Name, ...] = ("plain",) if self.keep_plain or self.dose is None else ()
        halves: tuple[Name, ...] = ("odd", "even") if self.keep_halves else ()
        return (*main, *plain, *halves)


class FrameSum(ABC, Generic[A]):
    """Transforms of frames, shifted and added one by one. Memory: a few images, however many frames."""

    def __init__(self, plan: SumPlan) -> None:
        self.plan = plan
        self.sums: dict[Name, A] = {name: self._zeros() for name in plan.names}
        self._count = 0

    def add(self, transform: A, shift_yx: Array) -> None:
        """Add the next frame: its half transform (h, w) and the shift to apply, in its own pixels."""
        half: Half = "even" if self._count % 2 else "odd"
        self._add(transform, shift_yx, half if self.plan.keep_halves else None)
        self._count += 1

    def give_back(self, loss: Array) -> None:  # (h, w//2+1)
        """Divide all sums by what interpolation left of each amplitude."""
        for total in self.sums.values():
            self._divide(total, loss)

    def weighted(self) -> Array:  # (y, x) float32
        """Dose-weighted sum, sum w F / sqrt(sum w^2): noise as white as that of one frame."""
        return self._image(self.sums["weighted"], weighted=True)

    def plain(self) -> Array:  # (y, x) float32
        """Sum of the frames without weights."""
        return self._image(self.sums["plain"], weighted=False)

    def halves(self) -> tuple[Array, Array]:
        """Sums of the 1st, 3rd, 5th ... and of the 2nd, 4th ... frame, weighted like the main sum."""
        weighted = self.plan.dose is not None
        return (
            self._image(self.sums["odd"], weighted=weighted),
            self._image(self.sums["even"], weighted=weighted),
        )

    # What follows is done on the device.

    @abstractmethod
    def _zeros(self) -> A:
        """A half transform of zeros, complex64."""

    @abstractmethod
    def _add(self, transform: A, shift_yx: Array, half: Half | None) -> None:
        """Add a frame to the sums that are kept, and to one of the halves."""

    @abstractmethod
    def _divide(self, total: A, loss: Array) -> None:
        """Divide a sum, in place."""

    @abstractmethod
    def _image(self, transform: A, *, weighted: bool) -> Array:
        """The image (y, x) float32 of a sum; a weighted one is divided by the root of sum w^2."""
