"""PNG files and data URLs from 8-bit arrays."""

from __future__ import annotations

import base64
import io
import os

import numpy as np
from numpy.typing import NDArray

from verglas.formats.atomic import atomic_write


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A grey (h, w) or colour (h, w, 3) image as PNG. Row 0 is on top."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def write_png(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write a PNG file atomically."""
    with atomic_write(path) as out:
        out.write(png_bytes(image))


def data_url(image: NDArray[np.uint8]) -> str:
    """The image as text that a page can hold."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(image)).decode("ascii")
