"""How badly particles agree with their references: what is left of them, in a few numbers each.

Particle sorting (pipeline.md §4.7). A particle's prediction is scaled to it by least squares and taken off;
carbon edges, ice, neighbours and wrong picks leave residuals that are large, lumpy or heavy-tailed.
"""

from __future__ import annotations

import torch
from torch import Tensor

FEATURES = ("disagreement", "deviation", "skewness", "kurtosis", "lumps", "largest lump")
_LUMPS = 8  # blocks across the box in which slow variations are looked for
_LARGEST_Z = 20.0


def residual_features(
    images: Tensor,  # (b, N, N), centred
    predictions: Tensor,  # (b, N, N)
    radius_px: float,
) -> Tensor:  # (b, len(FEATURES)) float64; high is bad
    """Features of image minus scaled prediction within a circle about pixel N//2."""
    size = images.shape[-1]
    axis = torch.arange(size, device=images.device) - size // 2
    inside = axis.square()[:, None] + axis.square() <= radius_px**2
    x, p = (data.double()[:, inside] for data in (images, predictions))
    x, p = x - x.mean(1, keepdim=True), p - p.mean(1, keepdim=True)
    power = p.square().sum(1, keepdim=True).clamp_min(1e-300)
    product = (x * p).sum(1, keepdim=True)
    residual = x - (product / power).clamp_min(0) * p
    norm = (x.square().sum(1, keepdim=True) * power).sqrt().clamp_min(1e-300)
    spread = residual.square().mean(1).sqrt().clamp_min(1e-300)
    standard = residual / spread[:, None]
    grid = torch.zeros(images.shape, dtype=torch.float64, device=images.device)
    grid[:, inside] = residual
    blocks = torch.nn.functional.avg_pool2d(grid[:, None], max(1, size // _LUMPS))[:, 0].flatten(1)
    return torch.stack(
        [
            1 - (product / norm)[:, 0],
            spread,
            standard.pow(3).mean(1).abs(),
            standard.pow(4).mean(1),
            blocks.std(1),
            blocks.abs().amax(1),
        ],
        dim=1,
    )


def sorting_scores(features: Tensor) -> Tensor:
    """Mean z-score of each particle (n,), from features (n, F): high stands out, low is ordinary.

    Deviations are counted from the median in units of the median absolute deviation, so that the bad
    particles do not set the scale; one feature counts ±20 at most. Particles without numbers get 20.
    """
    finite = features.isfinite().all(dim=1)
    scores = torch.full((len(features),), _LARGEST_Z, dtype=torch.float64)
    if finite.any():
        good = features[finite].double()
        middle = good.median(dim=0).values
        spread = 1.4826 * (good - middle).abs().median(dim=0).values
        z = torch.where(spread > 0, (good - middle) / spread.clamp_min(1e-300), 0.0)
        scores[finite] = z.clamp(-_LARGEST_Z, _LARGEST_Z).mean(dim=1)
    return scores
