"""Grey scaling and binning for the pages, without torch (the numerics' package loads it)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def between(image: NDArray[np.floating], low: float, high: float) -> Bytes:
    """`low` becomes black, `high` white; what is not finite is black."""
    scaled = np.subtract(image, low, dtype=np.float32)
    scaled *= np.float32(255.0 / max(high - low, 1e-30))
    if not np.isfinite(scaled.sum()):
        scaled = np.nan_to_num(scaled)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def full_range(image: NDArray[np.floating]) -> Bytes:
    """Minimum to maximum, as class averages are shown."""
    finite = image[np.isfinite(image)]
    if not finite.size:
        return np.zeros(image.shape, np.uint8)
    return between(image, float(finite.min()), float(finite.max()))


def binned(image: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Mean of factor x factor pixels; a remainder at the far edges is left out."""
    height, width = (length // factor for length in image.shape)
    cut = image[: height * factor, : width * factor]
    if factor == 1:
        return np.asarray(cut, np.float32)
    rows = np.add(cut[0::factor], cut[1::factor], dtype=np.float32)
    for part in range(2, factor):
        rows += cut[part::factor]
    result = rows[:, 0::factor] + rows[:, 1::factor]
    for part in range(2, factor):
        result += rows[:, part::factor]
    result *= np.float32(1 / (factor * factor))
    return result
