"""A micrograph with its picks, small enough for a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verglas.formats.stack import open_stack
from verglas.jobs.report.grey import Bytes, between, binned
from verglas.project.confinement import confined
from verglas.project.project import Project
from verglas.project.results.one_micrograph import pick_sources, picks

SIDE = 480  # pixels of the shorter side, at least
CONTRAST = 3.0  # standard deviations to either side of the mean
MOST_PICKS = 3000
_CIRCLE = (255, 160, 60)


@dataclass(frozen=True, eq=False)
class PickedMicrograph:
    """A picture (h, w, 3); `width_angst` is 0 where the pixel size is not known."""

    name: str
    picture: Bytes
    picks: int
    width_angst: float


def picked_micrograph(project: Project, name: str, pixel_size_angst: float) -> PickedMicrograph:
    """With the picks of the newest job that has some on it. Raises OSError, StarError, UnreadableImage."""
    with open_stack(confined(project, name)) as stack:
        factor = max(1, min(stack.shape_yx) // SIDE)
        image, wide = stack.read([0])[0], stack.shape_yx[1]
    small = binned(image, factor)
    middle, spread = float(np.median(small)), float(small.std())
    grey = between(small, middle - CONTRAST * spread, middle + CONTRAST * spread)
    found = next(
        (each for each in (picks(project, s.node, name) for s in pick_sources(project)) if each["x"]), None
    )
    places = list(zip(found["x"], found["y"])) if found else []
    if found and found["threshold"] is not None and found["fom"] is not None:
        places = [xy for xy, fom in zip(places, found["fom"]) if fom >= found["threshold"]]
    return PickedMicrograph(name, _circled(grey, places, factor), len(places), wide * pixel_size_angst)


def _circled(grey: Bytes, places: list[tuple[float, float]], factor: int) -> Bytes:
    """Circles round places given in pixels of the whole micrograph."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.repeat(grey[..., None], 3, 2))
    draw = ImageDraw.Draw(image)
    radius = max(3.0, SIDE / 80)
    for x, y in places[:MOST_PICKS]:
        a, b = x / factor, y / factor
        draw.ellipse((a - radius, b - radius, a + radius, b + radius), outline=_CIRCLE)
    return np.asarray(image)
