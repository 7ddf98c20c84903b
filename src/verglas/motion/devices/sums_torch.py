"""`sums.FrameSum` on a device of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.motion.damage import critical_exposure
from verglas.motion.devices.stack_torch import phases
from verglas.motion.devices.sums import FrameSum, Half, SumPlan

Array = np.ndarray[Any, Any]


class TorchSum(FrameSum[Tensor]):
    """The weights of every frame are made anew."""

    def __init__(self, plan: SumPlan, device: str) -> None:
        self.device = device
        super().__init__(plan)
        self._y = torch.fft.fftfreq(plan.shape_yx[0], device=device)
        self._x = torch.arange(plan.half_shape[1], device=device) / plan.shape_yx[1]
        if plan.dose is not None:
            radius = torch.hypot(self._y[:, None], self._x[None, :]).double()
            inverse = 1 / critical_exposure(radius / plan.pixel_size_angst)
            inverse[0, 0] = 0
            self._inverse = inverse.float()
            self._squares = torch.zeros(plan.half_shape, device=device)

    def _zeros(self) -> Tensor:
        return torch.zeros(self.plan.half_shape, dtype=torch.complex64, device=self.device)

    def _add(self, transform: Tensor, shift_yx: Array, half: Half | None) -> None:
        shifts = torch.as_tensor(np.asarray(shift_yx, float), device=self.device)
        along_y, along_x = phases(self._y, shifts[:1])[0], phases(self._x, shifts[1:])[0]
        moved = transform * along_y[:, None] * along_x
        if "plain" in self.sums:
            self.sums["plain"] += moved
        if self.plan.dose is not None:
            spent = self.plan.dose.effective_after(self.plan.first_frame + self._count)
            weight = torch.exp(-spent * self._inverse)
            self._squares += weight.square()
            moved = moved * weight
            self.sums["weighted"] += moved
        if half is not None:
            self.sums[half] += moved

    def _divide(self, total: Tensor, loss: Array) -> None:
        total /= torch.as_tensor(loss, device=self.device)

    def _image(self, transform: Tensor, *, weighted: bool) -> Array:
        if weighted:
            transform = transform / self._squares.clamp(min=1e-30).sqrt()
        return torch.fft.irfft2(transform, self.plan.shape_yx).cpu().numpy()
