"""`sums.FrameSum` and `warp.warp` on a device of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from verglas.motion.damage import critical_exposure, effective_dose
from verglas.motion.sums import DoseSchedule
from verglas.motion.torch_stack import phases
from verglas.motion.warp import reach

Array = np.ndarray[Any, Any]


class TorchFrameSum:
    """Transforms of frames, shifted and added one by one."""

    def __init__(
        self,
        shape_yx: tuple[int, int],
        pixel_size_angst: float,
        dose: DoseSchedule | None,
        *,
        keep_plain: bool,
        keep_halves: bool = False,
        first_frame: int = 0,
        device: str,
    ) -> None:
        self.shape_yx, self.dose, self.device = shape_yx, dose, device
        shape = (shape_yx[0], shape_yx[1] // 2 + 1)
        self._y = torch.fft.fftfreq(shape_yx[0], device=device)
        self._x = torch.arange(shape[1], device=device) / shape_yx[1]
        self._sums: dict[str, torch.Tensor] = {}
        names = ["weighted"] if dose else []
        names += ["plain"] if keep_plain or not dose else []
        names += ["odd", "even"] if keep_halves else []
        for name in names:
            self._sums[name] = torch.zeros(shape, dtype=torch.complex64, device=device)
        self._frame = first_frame
        self._count = 0
        if dose:
            radius = torch.hypot(self._y[:, None], self._x[None, :]).double() / pixel_size_angst
            inverse = 1 / critical_exposure(radius)
            inverse[0, 0] = 0
            self._inverse = inverse.float()
            self._squares = torch.zeros(shape, device=device)

    def add(self, transform: torch.Tensor, shift_yx: Array) -> None:
        shifts = torch.as_tensor(np.asarray(shift_yx, float), device=self.device)
        along_y, along_x = phases(self._y, shifts[:1])[0], phases(self._x, shifts[1:])[0]
        moved = transform * along_y[:, None] * along_x
        if "plain" in self._sums:
            self._sums["plain"] += moved
        if self.dose:
            spent = np.array(self.dose.after(self._frame))
            weight = torch.exp(-float(effective_dose(spent, self.dose.voltage_kv)) * self._inverse)
            self._squares += weight.square()
            moved = moved * weight
            self._sums["weighted"] += moved
        if "odd" in self._sums:
            self._sums["even" if self._count % 2 else "odd"] += moved
        self._frame += 1
        self._count += 1

    def give_back(self, loss: Array) -> None:
        divisor = torch.as_tensor(loss, device=self.device)
        for total in self._sums.values():
            total /= divisor

    def weighted(self) -> Array:
        return self._image(self._sums["weighted"], weighted=True)

    def plain(self) -> Array:
        return self._image(self._sums["plain"])

    def halves(self) -> tuple[Array, Array]:
        weighted = self.dose is not None
        return (
            self._image(self._sums["odd"], weighted=weighted),
            self._image(self._sums["even"], weighted=weighted),
        )

    def _image(self, transform: torch.Tensor, weighted: bool = False) -> Array:
        if weighted:
            transform = transform / self._squares.clamp(min=1e-30).sqrt()
        return torch.fft.irfft2(transform, self.shape_yx).cpu().numpy()


def torch_warp(frame: torch.Tensor, coefficients_yx: Array) -> torch.Tensor:
    """See `warp.warp`: the same kernel and the same edges."""
    height, width = frame.shape
    rows = torch.arange(height, device=frame.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=frame.device, dtype=torch.float32)[None, :]
    y, x = rows / height - 0.5, columns / width - 0.5
    shift_y, shift_x = (
        c[0] + x * (c[1] + c[2] * x + c[5] * y) + y * (c[3] + c[4] * y)
        for c in np.asarray(coefficients_yx, float).tolist()
    )
    whole_y, whole_x = torch.floor(-shift_y), torch.floor(-shift_x)
    weights_y, weights_x = _weights(-shift_y - whole_y), _weights(-shift_x - whole_x)
    margin = reach(coefficients_yx)
    padded = functional.pad(frame[None, None], (margin,) * 4, mode="replicate")[0, 0]
    pitch, flat = padded.shape[1], padded.reshape(-1)
    top, left = (rows + whole_y).long() + (margin - 1), (columns + whole_x).long() + (margin - 1)
    first = top * pitch + left
    out = torch.zeros_like(frame)
    for j, weight_y in enumerate(weights_y):
        along = torch.zeros_like(frame)
        for i, weight_x in enumerate(weights_x):
            along.addcmul_(weight_x, flat[j * pitch + i :][first])  # a view: no indices are made
        out.addcmul_(weight_y, along)
    return out


def _weights(fraction: torch.Tensor) -> tuple[torch.Tensor, ...]:
    rest = 1 - fraction
    first, last = rest**3 / 6, fraction**3 / 6
    second = 2 / 3 - fraction**2 * (1 - 0.5 * fraction)
    return first, second, 1 - first - second - last, last
