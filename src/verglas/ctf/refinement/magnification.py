"""Anisotropic magnification of an optics group from the gradients of predictions (§10.11.4).

An image whose frequencies are those of the prediction distorted, X(k) = c P((1 + M')k), is c (P + (M'k)·∂P)
to first order. By how much images are weaker than predictions in each shell is found beside M', because a
difference in strength looks like a radial displacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band


@dataclass(frozen=True, eq=False)
class MagnificationSums:
    """Sums over particles at each pixel, float64; rows as `ROWS` says."""

    values: Tensor  # (9, P)

    ROWS = ("gx gx", "gx gy", "gy gy", "gx X", "gy X", "gx P", "gy P", "P P", "P X")

    @classmethod
    def of(
        cls, observed: Tensor, predicted: Tensor, gradients: Tensor, transfer: Tensor
    ) -> MagnificationSums:
        """Of X and P (n, P), ∂P (2, n, P), odd aberrations in all or none, and c (n, P)."""
        model, (gx, gy) = predicted * transfer, gradients * transfer
        pairs = (
            *((gx, gx), (gx, gy), (gy, gy), (gx, observed), (gy, observed)),
            *((gx, model), (gy, model), (model, model), (model, observed)),
        )
        return cls(torch.stack([_real_product(one, other) for one, other in pairs]))

    def __add__(self, other: MagnificationSums) -> MagnificationSums:
        return MagnificationSums(self.values + other.values)


@dataclass(frozen=True)
class MagnificationStep:
    """M' (2, 2), and the displacement of each pixel by itself and as fitted, (P, 2) as (x, y)."""

    matrix: Tensor
    errors: Tensor
    displacements: Tensor
    fitted: Tensor


def fit_magnification(sums: MagnificationSums, band: Band, weights: Tensor) -> MagnificationStep:
    """M' by weighted least squares over all pixels, in coordinates (x, y)."""
    xx, xy, yy, x_seen, y_seen, x_model, y_model, _, _ = sums.values
    scale = _scales(sums, band)
    k = band.pixels.indices_yx.flip(-1).double()
    right = torch.stack([x_seen - scale * x_model, y_seen - scale * y_model], -1) * scale[:, None]
    square = torch.stack([xx, xy, xy, yy], -1).reshape(-1, 2, 2) * scale[:, None, None] ** 2
    # unknowns (m00, m01, m10, m11): d_i = Σ_j m_ij k_j
    w = weights[:, None, None, None, None]
    normal = (w * square[:, :, None, :, None] * k[:, None, :, None, None] * k[:, None, None, None, :]).sum(0)
    target = (weights[:, None, None] * right[:, :, None] * k[:, None, :]).sum(0)
    found = torch.linalg.solve(normal.reshape(4, 4), target.reshape(4)).reshape(2, 2)
    alone = torch.linalg.solve(square + 1e-12 * square.abs().amax() * torch.eye(2).double(), right[..., None])
    errors = torch.linalg.inv(normal.reshape(4, 4)).diagonal().clamp_min(0).sqrt().reshape(2, 2)
    return MagnificationStep(found, errors, alone[..., 0], k @ found.T)


def _scales(sums: MagnificationSums, band: Band) -> Tensor:
    """By how much images are as strong as predictions, (P,), the same within a shell; not negative."""
    shells = band.radius.round().long()
    length = int(shells.max()) + 1
    power, seen = (
        torch.zeros(length, dtype=torch.float64).index_add_(0, shells, row) for row in sums.values[7:9]
    )
    return (seen / power.clamp_min(1e-300)).clamp_min(0)[shells]


def _real_product(one: Tensor, other: Tensor) -> Tensor:
    product = torch.view_as_real(one) * torch.view_as_real(other)
    return product.sum((0, 2)).double()
