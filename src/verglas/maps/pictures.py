"""Images for eyes: grey scaling, binning, contact sheets, scale bars. Arrays in, 8-bit arrays out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def to_grey(image: NDArray[np.floating], sigma_contrast: float = 3.0) -> Bytes:
    """Mean +- `sigma_contrast` deviations to 0..255, as RELION's display does; 0: minimum to maximum.

    The statistics leave out the furthest values, so that one hot pixel does not darken the rest.
    """
    data = np.asarray(image, np.float32)
    finite = data[np.isfinite(data)]
    if not finite.size:
        return np.zeros(data.shape, np.uint8)
    if sigma_contrast > 0:
        low, high = np.percentile(finite, [0.5, 99.5])
        core = finite[(finite >= low) & (finite <= high)]
        mean, spread = float(core.mean()), float(core.std())
        low, high = mean - sigma_contrast * spread, mean + sigma_contrast * spread
    else:
        low, high = float(finite.min()), float(finite.max())
    scaled = (np.nan_to_num(data, nan=low) - low) / max(high - low, 1e-30)
    return np.asarray(np.clip(scaled * 255, 0, 255), np.uint8)


def binned(image: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Mean of factor x factor pixels; a remainder at the far edges is left out."""
    height, width = (length // factor for length in image.shape)
    cut = np.asarray(image[: height * factor, : width * factor], np.float32)
    result: NDArray[np.float32] = cut.reshape(height, factor, width, factor).mean(axis=(1, 3))
    return result


def contact_sheet(
    images: NDArray[np.floating],  # (count, n, n)
    columns: int = 0,
    gap: int = 2,
    sigma_contrast: float = 0.0,
) -> Bytes:
    """Images side by side, each on its own grey scale; empty images are black."""
    count, height, width = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count * 1.6)))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), 32, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        tile = to_grey(image, sigma_contrast) if np.ptp(image) > 0 else np.zeros_like(image, np.uint8)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def enlarged(image: Bytes, factor: int) -> Bytes:
    """Each pixel repeated factor x factor times."""
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


def scale_bar_angst(width_angst: float) -> float:
    """A round length of about a quarter of a width: 1, 2 or 5 times a power of ten."""
    wanted = width_angst / 4
    power = 10 ** math.floor(math.log10(wanted))
    return max(step * power for step in (1, 2, 5) if step * power <= wanted)


def with_scale_bar(image: Bytes, pixel_size_angst: float, tile_pixels: int | None = None) -> Bytes:
    """A white bar with dark rim at the lower left; its length is `scale_bar_angst` of a tile."""
    width = tile_pixels or image.shape[1]
    length = max(2, round(scale_bar_angst(width * pixel_size_angst) / pixel_size_angst))
    thick = max(2, width // 40)
    marked = image.copy()
    bottom, left = marked.shape[0] - 2 * thick, thick
    marked[bottom - thick - 1 : bottom + 1, left - 1 : left + length + 1] = 0
    marked[bottom - thick : bottom, left : left + length] = 255
    return marked


def with_circles(
    image: Bytes,
    centres_xy: NDArray[np.floating],  # (n, 2) pixels of `image`
    radius: float,
    colour: tuple[int, int, int] = (60, 220, 120),
) -> NDArray[np.uint8]:
    """An RGB copy with a circle around every centre."""
    picture = np.repeat(image[:, :, None], 3, axis=2)
    angle = np.linspace(0, 2 * np.pi, max(24, round(8 * radius)), endpoint=False)
    for grow in (0.0, 1.0):
        x = centres_xy[:, 0, None] + (radius + grow) * np.cos(angle)
        y = centres_xy[:, 1, None] + (radius + grow) * np.sin(angle)
        columns, rows = np.rint(x).astype(int).ravel(), np.rint(y).astype(int).ravel()
        inside = (columns >= 0) & (rows >= 0)
        inside &= (columns < image.shape[1]) & (rows < image.shape[0])
        picture[rows[inside], columns[inside]] = colour
    return picture
