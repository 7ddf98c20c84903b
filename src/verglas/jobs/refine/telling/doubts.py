"""What looks wrong about the particles of a new run, before hours are spent on it: warnings, not errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.stack import Stack
from verglas.jobs.refine.images.reading import Source
from verglas.jobs.refine.images.stacks import split_name

if TYPE_CHECKING:
    from verglas.em.state.particles import Particles

LOOKED_AT = 50  # particles
# From mean 0 or standard deviation 1 of the background, in more than half of the particles. The worst of
# 1655 real picks has 0.19 and 0.14 with a mask as large as the box (220 of 227 Å), 0.03 and 0.03 with 180 Å.
OFF = 0.2
FEWEST_PIXELS = 8  # across a mask that holds a particle
LARGEST = 1e15  # pixels whose squares are still numbers in single precision
HEADER_OFF = 0.05  # relative difference of pixel sizes


def doubts(particles: Particles, source: Source, diameter_angst: float) -> Iterator[str]:
    """Mask, pixel size and normalisation that cannot be right."""
    optics = particles.optics[0]
    extent = optics.box_size * optics.pixel_size_angst
    if diameter_angst > extent:
        yield (
            f"the mask of {diameter_angst:g} A is larger than the box of {extent:g} A: is the pixel size of "
            f"{optics.pixel_size_angst:g} A right?"
        )
    if 0 < diameter_angst < FEWEST_PIXELS * optics.pixel_size_angst:
        yield (
            f"the mask of {diameter_angst:g} A is less than {FEWEST_PIXELS} pixels of "
            f"{optics.pixel_size_angst:g} A across: is the diameter in Angstroms?"
        )
    yield from _pixel_doubt(particles)
    rows = np.flatnonzero(particles.optics_group == 0)
    rows = rows[:: max(1, len(rows) // LOOKED_AT)][:LOOKED_AT]
    if len(rows):
        radius = min(diameter_angst if diameter_angst > 0 else extent, extent)
        yield from _norm_doubt(particles, source, rows, radius / 2 / optics.pixel_size_angst)


def _pixel_doubt(particles: Particles) -> Iterator[str]:
    path = split_name(particles.names[0])[1]
    wanted = particles.optics[particles.optics_group[0]].pixel_size_angst
    try:
        with Stack(path) as stack:
            header = stack.pixel_size_angst
    except (OSError, UnreadableImage):
        return  # the reader says so
    if header > 0 and abs(header - 1) > 1e-6 and abs(header / wanted - 1) > HEADER_OFF:
        yield f"{path} has a pixel size of {header:g} A in its header, its optics group says {wanted:g} A"


def _norm_doubt(particles: Particles, source: Source, rows: np.ndarray, radius_px: float) -> Iterator[str]:
    images = source.read(rows)
    good = (np.abs(images) < LARGEST).all((1, 2))  # the others are set aside with their own reasons
    images, rows = images[good], rows[good]
    box = images.shape[-1]
    y, x = np.ogrid[-(box // 2) : box - box // 2, -(box // 2) : box - box // 2]
    outside = y * y + x * x > radius_px**2
    if outside.sum() < box or not len(rows):
        return  # no background to look at
    background = images[:, outside]
    mean, spread = background.mean(1), background.std(1)
    off = (np.abs(mean) > OFF) | (np.abs(spread - 1) > OFF)
    if off.sum() * 2 <= len(rows):
        return
    first = int(np.flatnonzero(off)[0])
    yield (
        f"{off.sum()} of {len(rows)} particles looked at are not normalised: {particles.names[rows[first]]} "
        f"has a background of mean {mean[first]:.3g} and standard deviation {spread[first]:.3g}, not "
        "0 and 1 (extract with normalisation; --dont_check_norm silences this)"
    )
