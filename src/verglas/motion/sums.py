"""Adding up aligned frames: with dose weights, without, even and odd ones apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from scipy import fft

from verglas.motion.damage import critical_exposure, effective_dose

Array = np.ndarray[Any, Any]


@njit(fastmath=True, cache=True)
def _accumulate(
    transform: Array,  # (h, w) complex64
    phases_y: Array,  # (h,) complex64
    phases_x: Array,  # (w,) complex64
    weight: Array,  # (h, w) float32, or (1, 1) for none
    weighted_sum: Array,  # (h, w) complex64
    plain_sum: Array,  # (h, w) complex64, or (1, 1) for none
    has_weight: bool,
    has_plain: bool,
) -> None:
    height, width = transform.shape
    for y in range(height):
        along_y = phases_y[y]
        for x in range(width):
            value = transform[y, x] * (along_y * phases_x[x])
            if has_weight:
                weighted_sum[y, x] += value * weight[y, x]
            if has_plain:
                plain_sum[y, x] += value


@njit(fastmath=True, cache=True)
def _decay(weight: Array, ratio: Array, squares: Array) -> None:
    """Weights of the next frame; `squares` collects what the present ones add to the normalisation."""
    for y in range(weight.shape[0]):
        for x in range(weight.shape[1]):
            squares[y, x] += weight[y, x] * weight[y, x]
            weight[y, x] *= ratio[y, x]


@dataclass(frozen=True)
class DoseSchedule:
    """Exposure of the frames, e/A^2: frame f of the movie (from 0) ends at pre + (f + 1) per_frame."""

    per_frame_e_a2: float
    pre_exposure_e_a2: float
    voltage_kv: float

    def after(self, frame: float) -> float:
        return self.pre_exposure_e_a2 + (frame + 1) * self.per_frame_e_a2


@dataclass
class FrameSum:
    """Transforms of frames, shifted and added one by one. Memory: a few images, however many frames."""

    shape_yx: tuple[int, int]
    pixel_size_angst: float
    dose: DoseSchedule | None  # None: no dose weighting
    keep_plain: bool
    keep_halves: bool = False
    first_frame: int = 0  # counted from 0: earlier frames have spent their dose
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        shape = (self.shape_yx[0], self.shape_yx[1] // 2 + 1)
        nothing = np.zeros((1, 1), np.complex64)
        self._weight = self._ratio = self._squares = np.zeros((1, 1), np.float32)
        self._weighted = nothing
        if self.dose is not None:
            self._start_weights(self.dose)
            self._weighted = np.zeros(shape, np.complex64)
        plain = self.keep_plain or self.dose is None
        self._plain = np.zeros(shape, np.complex64) if plain else nothing
        halves = self.keep_halves
        self._halves = [np.zeros(shape, np.complex64) if halves else nothing for _ in range(2)]
        self._y = fft.fftfreq(self.shape_yx[0])
        self._x = np.arange(shape[1]) / self.shape_yx[1]

    def add(self, transform: Array, shift_yx: Array) -> None:
        """Add the next frame: its half transform (h, w) and the shift to apply, in its own pixels."""
        phases_y = np.exp(-2j * np.pi * self._y * shift_yx[0]).astype(np.complex64)
        phases_x = np.exp(-2j * np.pi * self._x * shift_yx[1]).astype(np.complex64)
        plain = self._plain.size > 1
        weighted = self.dose is not None
        _accumulate(
            transform,
            phases_y,
            phases_x,
            self._weight,
            self._weighted,
            self._plain,
            weighted,
            plain,
        )
        if self.keep_halves:
            half = self._halves[self._count % 2]
            _accumulate(
                transform, phases_y, phases_x, self._weight,
                half if weighted else self._halves[0][:1, :1], half, weighted, not weighted,
            )  # fmt: skip
        if weighted:
            _decay(self._weight, self._ratio, self._squares)
        self._count += 1

    def give_back(self, loss: Array) -> None:  # (h, w//2+1)
        """Divide all sums by what interpolation left of each amplitude."""
        for total in (self._weighted, self._plain, *self._halves):
            if total.size > 1:
                total /= loss

    def weighted(self) -> Array:  # (y, x) float32
        """Dose-weighted sum, sum w F / sqrt(sum w^2): noise as white as that of one frame."""
        return self._to_image(self._weighted / np.sqrt(np.maximum(self._squares, 1e-30)))

    def plain(self) -> Array:  # (y, x) float32
        """Sum of the frames without weights."""
        return self._to_image(self._plain)

    def halves(self) -> tuple[Array, Array]:
        """Sums of the 1st, 3rd, 5th ... and of the 2nd, 4th ... frame, weighted like the main sum."""
        norm: Any = np.float32(1)
        if self.dose is not None:
            norm = np.sqrt(np.maximum(self._squares, 1e-30))
        odd, even = (self._to_image(half / norm) for half in self._halves)
        return odd, even

    def _start_weights(self, dose: DoseSchedule) -> None:
        y = fft.fftfreq(self.shape_yx[0], self.pixel_size_angst).astype(np.float32)
        x = fft.rfftfreq(self.shape_yx[1], self.pixel_size_angst).astype(np.float32)
        inverse = (1 / critical_exposure(np.hypot(y[:, None], x[None, :]))).astype(np.float32)
        inverse[0, 0] = 0
        per_frame = float(effective_dose(np.array(dose.per_frame_e_a2), dose.voltage_kv))
        first = float(effective_dose(np.array(dose.after(self.first_frame)), dose.voltage_kv))
        self._ratio = np.exp(-per_frame * inverse)
        self._weight = np.exp(-first * inverse)
        self._squares = np.zeros_like(inverse)

    def _to_image(self, transform: Array) -> Array:
        image: Array = fft.irfft2(transform, self.shape_yx)
        return image.astype(np.float32, copy=False)
