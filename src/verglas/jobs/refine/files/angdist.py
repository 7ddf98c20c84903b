"""`_angdist.bild`: how often each direction was found, as cylinders on a sphere (pipeline.md §5.7)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.atomic import write_text

if TYPE_CHECKING:
    from verglas.em.state.model import Model
    from verglas.em.state.sampling import Sampling

INNER = 0.5  # of the box: where cylinders begin
TALLEST = 0.15  # of the box: the cylinder of the most frequent direction
_CYLINDER = ".color %%.4f 0 %%.4f\n.cylinder %%.3f %%.3f %%.3f %%.3f %%.3f %%.3f %.3f\n"
WIDTH = 0.35  # of the distance between directions


def write_angular_distributions(base: str, model: Model, sampling: Sampling) -> None:
    """One file per class that has particles."""
    from verglas.em.poses.grid import directions
    from verglas.geometry.euler import view_vectors
    from verglas.geometry.healpix import pixel_directions

    pixels = directions(sampling)
    vectors = view_vectors(pixel_directions(pixels, sampling.healpix_order)).numpy()
    if len(vectors) != model.direction_weights.shape[1]:
        return  # the priors of another grid
    for k, weights in enumerate(model.direction_weights):
        if weights.max() > 0:
            text = cylinders(vectors, weights, model.extent_angst, sampling.angular_step_deg)
            write_text(f"{base}_class{k + 1:03d}_angdist.bild", text)


def cylinders(vectors: np.ndarray, weights: np.ndarray, extent_angst: float, step_deg: float) -> str:
    """Cylinders along unit vectors (D, 3) with heights and redness by weight (D,); Å from the box centre."""
    inner = INNER * extent_angst
    radius = WIDTH * inner * math.radians(step_deg)
    shares = weights / weights.max()
    vectors, shares = vectors[shares > 0], shares[shares > 0]
    ends = (inner + TALLEST * extent_angst * shares)[:, None] * vectors
    rows = np.concatenate([shares[:, None], 1 - shares[:, None], inner * vectors, ends], 1)
    return (_CYLINDER % radius) * len(rows) % tuple(rows.ravel().tolist())
