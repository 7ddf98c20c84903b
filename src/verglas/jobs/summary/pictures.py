"""Pictures of a micrograph for its job's summary: itself, its CTF fit, its drift, its picks, its particles.

Every function gives HTML for one row of the job's list, or nothing if the files cannot be read: a summary
never fails for a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from verglas.formats.png import data_url
from verglas.formats.stack import open_stack, strip_format
from verglas.formats.star import StarError, read_star

SIDE = 240  # pixels of a thumbnail's shorter side, at least
_ROWS_READ = 4  # of each run of rows that makes one row of a thumbnail
_DRAWN_PICKS = 2000
_PARTICLES = 12
Row = Mapping[str, Any]


class Pictures(Protocol):
    """HTML of a row's pictures."""

    def __call__(self, row: Row) -> str: ...


def or_nothing(make: Any) -> Any:
    """A function that gives no picture where what it draws cannot be read."""

    @wraps(make)
    def made(*arguments: Any) -> str:
        try:
            return str(make(*arguments))
        except (OSError, ValueError, KeyError, StarError):
            return ""

    return made


@or_nothing
def micrograph_picture(row: Row) -> str:
    """The micrograph, small."""
    return _image(_grey(row["rlnMicrographName"]))


@or_nothing
def ctf_picture(row: Row) -> str:
    """The diagnostic image of the CTF fit: half fit, half data."""
    with open_stack(strip_format(row["rlnCtfImage"])) as stack:
        from verglas.maps.pictures import to_grey

        return _image(to_grey(stack.read([0])[0], 2.5))


@or_nothing
def picks_picture(row: Row, picks_path: Path) -> str:
    """The micrograph with a circle around every pick."""
    from verglas.maps.pictures import with_circles

    grey = _grey(row["rlnMicrographName"])
    star = read_star(picks_path)
    if not len(star):
        return _image(grey)
    with open_stack(row["rlnMicrographName"]) as stack:
        scale = grey.shape[1] / stack.shape_yx[1]
    table = star.first
    centres = np.stack([table.floats(f"rlnCoordinate{axis}") for axis in "XY"], 1)
    return _image(with_circles(grey, centres[:_DRAWN_PICKS] * scale, 4.0))


@or_nothing
def particles_picture(stack_path: Path) -> str:
    """The first particles of a micrograph."""
    from verglas.maps.pictures import binned, contact_sheet

    with open_stack(stack_path) as stack:
        images = stack.read(range(min(_PARTICLES, len(stack))))
    factor = max(1, images.shape[-1] // 80)
    small = np.stack([binned(image, factor) for image in images])
    return _image(contact_sheet(small, columns=4, sigma_contrast=3.0))


def _grey(path: str) -> np.ndarray:
    """A micrograph of at least SIDE pixels; a part of the rows is read, which is enough for eyes."""
    from verglas.maps.pictures import to_grey

    with open_stack(path) as stack:
        height, width = stack.shape_yx
        factor = max(1, min(height, width) // SIDE)
        view = stack.map()[0]
        rows = view[: height // factor * factor].reshape(height // factor, factor, width)
        bands = np.asarray(rows[:, : min(_ROWS_READ, factor), : width // factor * factor])
    small = bands.astype(np.float32).mean(axis=1).reshape(len(bands), -1, factor).mean(axis=2)
    return to_grey(small, 3.0)


def _image(picture: np.ndarray) -> str:
    return f'<img alt="" loading="lazy" src="{data_url(picture)}">'
