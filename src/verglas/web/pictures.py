"""Pictures as bytes to send: JPEG tiles, PNG sprites, spectra, maps made smaller."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import StatisticsSum, read_mrc
from verglas.formats.mrc_header import build_header
from verglas.formats.png import png_bytes
from verglas.web.grey import Bytes, between, binned, full_range

SPRITE_COLUMNS = 20


def jpeg_bytes(image: Bytes, quality: int = 88) -> bytes:
    """Noise compresses badly in PNG; tiles are JPEG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality)
    return out.getvalue()


def resized(image: Bytes, side: int) -> Bytes:
    """The longer side made `side` pixels (area average)."""
    from PIL import Image

    height, width = image.shape
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def sprite(images: NDArray[np.floating], side: int = 128) -> tuple[bytes, int]:
    """Images of (count, n, n) in rows of 20, each on its own grey scale; PNG and the tile's side.

    One file for a whole gallery: a browser that draws 200 pictures from one is much quicker than one
    that asks for 200.
    """
    count, n = images.shape[0], images.shape[-1]
    factor = max(1, n // side)
    tile = n // factor
    rows = max(1, math.ceil(count / SPRITE_COLUMNS))
    sheet = np.zeros((rows * tile, min(count, SPRITE_COLUMNS) * tile or tile), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, SPRITE_COLUMNS)
        if np.ptp(image) > 0:
            part = full_range(binned(image, factor))
            sheet[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile] = part
    return png_bytes(sheet), tile


def spectrum_png(path: Path, side: int = 512) -> bytes:
    """A `.ctf` picture, 1 % at either end cut off."""
    image = read_mrc(path).data
    image = image[0] if image.ndim == 3 else image
    low, high = np.percentile(image[np.isfinite(image)], [1, 99])
    grey = between(image, low, high)
    return png_bytes(resized(grey, side) if max(grey.shape) > side else grey)


def small_map(path: Path, side: int) -> tuple[NDArray[np.float32], float]:
    """A map of at most side³ voxels by cutting its spectrum, and its new voxel size in Å."""
    from scipy.fft import irfftn, rfftn

    image = read_mrc(path)
    data = np.asarray(image.data, np.float32)
    if data.ndim != 3 or min(data.shape) < 2:
        raise ValueError(f"{path.name} is no map: its shape is {data.shape}")
    n = data.shape[-1]
    wanted = min(side - side % 2, n)
    if wanted >= n or len(set(data.shape)) != 1:
        return data, image.pixel_size_angst
    spectrum = rfftn(data)
    half = wanted // 2
    keep = np.r_[0:half, n - half : n]
    cut = spectrum[keep][:, keep][:, :, : half + 1] * (wanted / n) ** 3
    small: NDArray[np.float32] = irfftn(cut, s=(wanted,) * 3).astype(np.float32)
    return small, image.pixel_size_angst * n / wanted


def map_bytes(data: NDArray[np.float32], voxel_angst: float) -> bytes:
    """An MRC file in memory."""
    statistics = StatisticsSum().add(data).result()
    nz, ny, nx = data.shape
    header = build_header(
        (nz, ny, nx), np.dtype(np.float32), voxel_angst, is_volume=True, statistics=statistics
    )
    return header + np.ascontiguousarray(data, "<f4").tobytes()


def slice_png(path: Path, axis: str, position: float, side: int = 384) -> bytes:
    """The section of a map at a fraction 0..1 of an axis (x, y or z), grey scale of the whole map."""
    data = np.asarray(read_mrc(path).data, np.float32)
    if data.ndim != 3:
        raise ValueError(f"{path.name} is no map: its shape is {data.shape}")
    number = "zyx".index(axis)
    index = min(data.shape[number] - 1, max(0, int(position * data.shape[number])))
    section = np.take(data, index, axis=number)
    low, high = np.percentile(data, [0.5, 99.8])
    grey = between(section, low, high)
    return png_bytes(resized(grey, side))
