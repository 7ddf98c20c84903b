"""Pictures as bytes to send: JPEG tiles, PNG sprites, spectra."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import read_mrc_header
from verglas.formats.png import png_bytes
from verglas.formats.stack import open_stack
from verglas.jobs.report.grey import Bytes, between, mosaic
from verglas.project.confinement import TooLarge

SPRITE_COLUMNS = 20
MOST_SPECTRUM, MOST_BOX = 8192, 2048  # pixels a side


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


def sprite(images: NDArray[np.floating], side: int = 128, columns: int = SPRITE_COLUMNS) -> tuple[bytes, int]:
    """Images of (count, n, n) in rows of `columns`, each on its own grey scale; PNG and the tile's side.

    One file for a whole gallery: a browser that draws 200 pictures from one is much quicker than one
    that asks for 200.
    """
    tile = images.shape[-1] // max(1, images.shape[-1] // side)
    return png_bytes(mosaic(images, side, columns)), tile


def _first(path: Path) -> NDArray[np.floating]:
    """The first image of a file, nothing else of it."""
    with open_stack(path) as stack:
        return stack.read([0])[0]


def check_box(path: Path, longest: int) -> None:
    """Raises TooLarge for images of more pixels a side than a picture of them is made from."""
    header = read_mrc_header(path)
    if max(header.shape_yx) > longest:
        height, width = header.shape_yx
        raise TooLarge(f"{path.name} has images of {width:,} x {height:,} pixels, at most {longest:,}")


def spectrum_png(path: Path, side: int = 512) -> bytes:
    """A `.ctf` picture, 1 % at either end cut off."""
    check_box(path, MOST_SPECTRUM)
    image = _first(path)
    low, high = np.percentile(image[np.isfinite(image)], [1, 99])
    grey = between(image, low, high)
    return png_bytes(resized(grey, side) if max(grey.shape) > side else grey)
