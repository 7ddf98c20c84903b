"""Grey scaling and binning for the pages, without torch (the numerics' package loads it)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def between(image: NDArray[np.floating], low: float, high: float) -> Bytes:
    """`low` becomes black, `high` white; what is not finite is black."""
    scaled = (np.asarray(image, np.float32) - low) * np.float32(255.0 / max(high - low, 1e-30))
    return np.clip(np.nan_to_num(scaled), 0, 255).astype(np.uint8)


def full_range(image: NDArray[np.floating]) -> Bytes:
    """Minimum to maximum, as class averages are shown."""
    finite = image[np.isfinite(image)]
    if not finite.size:
        return np.zeros(image.shape, np.uint8)
    return between(image, float(finite.min()), float(finite.max()))


def binned(image: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Mean of factor x factor pixels; a remainder at the far edges is left out."""
    height, width = (length // factor for length in image.shape)
    cut = np.asarray(image[: height * factor, : width * factor], np.float32)
    if factor == 1:
        return cut
    rows = cut.reshape(height, factor, width * factor).sum(axis=1)
    result: NDArray[np.float32] = rows.reshape(height, width, factor).sum(axis=2)
    return result / np.float32(factor * factor)
