"""Dust: pixels far from the background are replaced by draws from it (refinement.md §1.10)."""

from __future__ import annotations

import numpy as np

from verglas.particles.background import Array, Background


def remove_dust(
    images: Array,  # (n, size, size), changed in place
    around: Background,
    white_sigmas: float,
    black_sigmas: float,
    seed: int,
) -> int:
    """Replace pixels above mean + white σ or below mean - black σ; not positive switches a side off.

    Mean and σ are of the background; the draws are Gaussian with them. Returns the pixels replaced.
    """
    mask = around.mask()
    random = np.random.default_rng(seed)
    replaced = 0
    for image in images:
        values = image[mask].astype(np.float64)
        mean, deviation = values.mean(), values.std()
        bad = np.zeros(image.shape, bool)
        if white_sigmas > 0:
            bad |= image > mean + white_sigmas * deviation
        if black_sigmas > 0:
            bad |= image < mean - black_sigmas * deviation
        count = int(bad.sum())
        image[bad] = random.normal(mean, deviation, count).astype(np.float32)
        replaced += count
    return replaced
