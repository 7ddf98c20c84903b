"""`sums.FrameSum` on the CPU: each frame is read once, whatever is kept of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy import fft

from verglas.motion.damage import critical_exposure
from verglas.motion.devices.sums import DoseSchedule, FrameSum, Half, SumPlan

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


class CpuSum(FrameSum[Array]):
    """The weights of a frame follow from those of the frame before."""

    def __init__(self, plan: SumPlan) -> None:
        super().__init__(plan)
        self._nothing = np.zeros((1, 1), np.complex64)
        self._weight = self._ratio = self._squares = np.zeros((1, 1), np.float32)
        if plan.dose is not None:
            self._start_weights(plan.dose)
        self._y = fft.fftfreq(plan.shape_yx[0])
        self._x = np.arange(plan.half_shape[1]) / plan.shape_yx[1]

    def _zeros(self) -> Array:
        return np.zeros(self.plan.half_shape, np.complex64)

    def _add(self, transform: Array, shift_yx: Array, half: Half | None) -> None:
        phases_y = np.exp(-2j * np.pi * self._y * shift_yx[0]).astype(np.complex64)
        phases_x = np.exp(-2j * np.pi * self._x * shift_yx[1]).astype(np.complex64)
        weighted = "weighted" in self.sums
        _accumulate(
            transform,
            phases_y,
            phases_x,
            self._weight,
            self.sums.get("weighted", self._nothing),
            self.sums.get("plain", self._nothing),
            weighted,
            "plain" in self.sums,
        )
        if half is not None:
            total = self.sums[half]
            _accumulate(
                transform,
                phases_y,
                phases_x,
                self._weight,
                total if weighted else self._nothing,
                total,
                weighted,
                not weighted,
            )
        if weighted:
            _decay(self._weight, self._ratio, self._squares)

    def _divide(self, total: Array, loss: Array) -> None:
        total /= loss

    def _image(self, transform: Array, *, weighted: bool) -> Array:
        if weighted:
            transform = transform / np.sqrt(np.maximum(self._squares, 1e-30))
        image: Array = fft.irfft2(transform, self.plan.shape_yx)
        return image.astype(np.float32, copy=False)

    def _start_weights(self, dose: DoseSchedule) -> None:
        height, width = self.plan.shape_yx
        y = fft.fftfreq(height, self.plan.pixel_size_angst).astype(np.float32)
        x = fft.rfftfreq(width, self.plan.pixel_size_angst).astype(np.float32)
        inverse = (1 / critical_exposure(np.hypot(y[:, None], x[None, :]))).astype(np.float32)
        inverse[0, 0] = 0
        self._ratio = np.exp(-dose.effective_per_frame * inverse)
        self._weight = np.exp(-dose.effective_after(self.plan.first_frame) * inverse)
        self._squares = np.zeros_like(inverse)
