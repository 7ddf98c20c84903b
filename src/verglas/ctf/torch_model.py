"""`model.SpectrumModel` on a device of torch, in float64: the same scores to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.ctf.model import RIDGE, SpectrumModel, column_products

Array = np.ndarray[Any, Any]
CHUNK_BYTES = 1 << 30  # of temporary arrays (trials, rings, sectors)
TEMPORARIES = 5


class TorchSpectrumModel:
    """Scores many trials at a time; made from the CPU's model of the same spectrum."""

    def __init__(self, model: SpectrumModel, device: str) -> None:
        def here(array: Array) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        b, e = model.background_splines, model.envelope_splines
        self._device = device
        self._quadratic, self._constant = here(model.quadratic), here(model.constant)
        self._double_angle = here(model.double_angle)
        self._weights, self._weighted = here(model.weights), here(model.weighted)
        self._b, self._e = here(b), here(e)
        self._be, self._ee = here(column_products(b, e)), here(column_products(e, e))
        self._normal, self._ring_total = here(model.normal), here(model.ring_total)
        self._square, self._residual = model.square, model.residual
        self._chunk = max(1, CHUNK_BYTES // (8 * TEMPORARIES * model.weights.size))

    def explained_many(self, trials: Array) -> Array:
        """See `SpectrumModel.explained_many`."""
        rows = torch.from_numpy(np.ascontiguousarray(trials)).to(self._device)
        round_rings = not trials[:, 1:3].any()
        parts = [self._explained(part, round_rings) for part in torch.split(rows, self._chunk)]
        explained: Array = torch.cat(parts).cpu().numpy()
        return explained

    def _explained(self, trials: Tensor, round_rings: bool) -> Tensor:
        w1, w2, wy = self._ring_sums(trials, round_rings)
        n, n_b, n_e = len(trials), self._b.shape[1], self._e.shape[1]
        cross = (w1 @ self._be).view(n, n_b, n_e)
        upper = torch.cat([self._normal.expand(n, -1, -1), cross], dim=2)
        lower = torch.cat([cross.mT, (w2 @ self._ee).view(n, n_e, n_e)], dim=2)
        normal = torch.cat([upper, lower], dim=1)
        normal.diagonal(dim1=1, dim2=2).mul_(1 + RIDGE)
        background = (self._ring_total @ self._b).expand(n, -1)
        right = torch.cat([background, wy @ self._e], dim=1)
        solution = torch.linalg.solve(normal, right)
        envelope = (solution[:, n_b:] @ self._e.T).clamp(min=0)
        return self._variance_explained(envelope, w1, w2, wy)

    def _ring_sums(self, trials: Tensor, round_rings: bool) -> tuple[Tensor, Tensor, Tensor]:
        weights, weighted = self._weights, self._weighted
        if round_rings:
            weights, weighted = (each.sum(dim=1, keepdim=True) for each in (weights, weighted))
            defocus = trials[:, :1]
        else:
            defocus = trials[:, :1] + trials[:, 1:3] @ self._double_angle
        gamma = self._quadratic[:, None] * defocus[:, None, :]
        gamma += self._constant[:, None] + trials[:, 3, None, None]
        squared = gamma.sin_().square_()
        once = squared * weights
        wy = (squared * weighted).sum(dim=2)
        return once.sum(dim=2), (once * squared).sum(dim=2), wy

    def _variance_explained(self, envelope: Tensor, w1: Tensor, w2: Tensor, wy: Tensor) -> Tensor:
        right = (self._ring_total - envelope * w1) @ self._b
        left = self._square - 2 * (envelope * wy).sum(dim=1) + (envelope.square() * w2).sum(dim=1)
        left = left - (torch.linalg.solve(self._normal, right.T).T * right).sum(dim=1)
        return 1 - left / self._residual
