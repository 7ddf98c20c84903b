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


def mosaic(images: NDArray[np.floating], side: int, columns: int) -> Bytes:
    """Images (count, n, n) in rows of `columns`, each on its own grey scale and at most `side` pixels or so wide."""
    count, n = images.shape[0], images.shape[-1]
    factor = max(1, n // side)
    tile = n // factor
    rows = max(1, -(-count // columns))
    sheet = np.zeros((rows * tile, min(count, columns) * tile or tile), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        if np.ptp(image) > 0:
            part = full_range(binned(image, factor))
            sheet[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile] = part
    return sheet
