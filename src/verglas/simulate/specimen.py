"""A field of view: particles in ice as the microscope's image of them, before any electron is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from verglas.geometry.euler import euler_matrices
from verglas.simulate.background import Background, BackgroundSettings, make_background
from verglas.simulate.optics import Microscope, frame_frequencies
from verglas.simulate.own_motion import ApartImages, apart_images, lay
from verglas.simulate.placement import place_particles
from verglas.simulate.projection import AtomProjector
from verglas.simulate.scattering import interaction_constant
from verglas.simulate.views import random_poses

_VIEWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Particles of one field of view of `shape_yx` pixels."""

    shape_yx: tuple[int, int]
    particles: int  # in a whole field of ice; fewer where carbon or crystals take the place
    min_distance_angst: float  # between centres
    height_step_angst: float = 100.0  # particle heights are multiples of this: one CTF for each
    tilt_deg: float = 0.0  # of the film about the axis at tilt_axis_deg from x
    tilt_axis_deg: float = 0.0
    views_deg: tuple[tuple[float, float], ...] = ()  # empty: uniform orientations
    jitter_deg: float = 3.0
    margin: int = 48  # pixels of specimen around the frame, for motion to bring in
    apart: bool = False  # particles are kept apart from their surroundings, to be moved one by one


@dataclass(frozen=True, slots=True)
class FieldTruth:
    """Particles whose centres lie in the frame; lengths in pixels of the frame or Å."""

    centres_yx: NDArray[np.float64]  # (n, 2) pixels
    eulers_deg: NDArray[np.float64]  # (n, 3)
    views: NDArray[np.int64]  # (n,) from 0
    models: NDArray[np.int64]  # (n,) which of the given models, from 0
    defocus_offsets_angst: NDArray[np.float64]  # (n,) to be added to U and V


@dataclass(frozen=True, slots=True)
class Specimen:
    """Relative contrast around 0 (particles dark) of the padded field, and what it was made of."""

    contrast: NDArray[np.complex64]  # (H, W//2+1) unnormalised half transform of the padded field
    transmission: NDArray[np.float32]  # padded field: share of electrons that arrive
    padded_yx: tuple[int, int]
    origin_yx: tuple[int, int]  # of the frame in the padded field
    truth: FieldTruth
    apart: ApartImages | None = None  # particles (those of the truth first) that `contrast` lacks


def make_specimen(
    projectors: list[AtomProjector],
    field: FieldSettings,
    background: BackgroundSettings,
    microscope: Microscope,
    rng: np.random.Generator,
) -> Specimen:
    """Place, project and image particles of one or several models (equal shares) in random ice.

    All projectors must have the same pixel size. Weak phase object: contrast = -2 sigma V * CTF.
    """
    pixel = projectors[0].settings.pixel_size_angst
    padded, origin = _padded(field)
    ground = make_background(padded, pixel, background, rng)
    truth, around = _scatter(field, background, ground, origin, pixel, len(projectors), rng)
    projected = _project(projectors, around)
    apart = None
    slabs: dict[float, NDArray[np.float32]] = {}
    if field.apart:
        apart = apart_images(
            projected, np.round(around.centres_yx), around.defocus_offsets_angst, pixel, microscope
        )
    else:
        slabs = _slabs(projected, around, padded, origin)
    slabs.setdefault(0.0, np.zeros(padded, np.float32))
    slabs[0.0] += ground.ice
    if ground.carbon is not None:
        slabs[0.0] += ground.carbon
    frequencies = frame_frequencies(padded, pixel)
    image = np.zeros((padded[0], padded[1] // 2 + 1), np.complex64)
    for offset, potential in slabs.items():
        image += scipy.fft.rfft2(potential) * microscope.transfer(frequencies, offset).numpy()
    image *= np.float32(-2 * interaction_constant(microscope.voltage_kv))
    image[0, 0] = 0
    return Specimen(image, ground.transmission, padded, origin, truth, apart)


def _padded(field: FieldSettings) -> tuple[tuple[int, int], tuple[int, int]]:
    """Shape of the field with its margin, enlarged to a good FFT size, and the frame's origin in it."""
    height, width = (scipy.fft.next_fast_len(size + 2 * field.margin, real=True) for size in field.shape_yx)
    width += width % 2
    return (height, width), ((height - field.shape_yx[0]) // 2, (width - field.shape_yx[1]) // 2)


def _scatter(
    field: FieldSettings,
    background: BackgroundSettings,
    ground: Background,
    origin: tuple[int, int],
    pixel: float,
    models: int,
    rng: np.random.Generator,
) -> tuple[FieldTruth, FieldTruth]:
    """Truth of the particles in the frame, and of these and those around it."""
    height, width = field.shape_yx
    forbidden = ground.occupied[origin[0] : origin[0] + height, origin[1] : origin[1] + width]
    free = 1 - 1.1 * float(forbidden.mean())
    n = round(field.particles * max(free, 0))
    centres = place_particles(
        n,
        field.shape_yx,
        field.min_distance_angst / pixel,
        rng,
        border=field.margin,
        forbidden=forbidden if forbidden.any() else None,
    )
    views = np.array(field.views_deg, float).reshape(-1, 2) if field.views_deg else None
    eulers, view = random_poses(len(centres), rng, views, field.jitter_deg)
    offsets = _heights(field, background, centres, pixel, rng)
    model = rng.integers(0, models, len(centres))
    everything = FieldTruth(centres, eulers, view, model, offsets)
    inside = FieldTruth(centres[:n], eulers[:n], view[:n], model[:n], offsets[:n])
    return inside, everything


def _heights(
    field: FieldSettings,
    background: BackgroundSettings,
    centres: NDArray[np.float64],
    pixel: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Defocus offsets: place in the ice (middle half of it) and on the tilted film, in whole steps."""
    half = background.ice_thickness_angst / 4
    height = rng.uniform(-half, half, len(centres))
    axis = np.deg2rad(field.tilt_axis_deg)
    y, x = ((centres - np.array(field.shape_yx) / 2) * pixel).T
    height += np.tan(np.deg2rad(field.tilt_deg)) * (y * np.cos(axis) - x * np.sin(axis))
    rounded: NDArray[np.float64] = np.round(height / field.height_step_angst) * field.height_step_angst
    return rounded + 0.0  # no minus zero


def _project(projectors: list[AtomProjector], truth: FieldTruth) -> NDArray[np.float32]:
    """Projected potentials (n, box, box) in V Å of all particles, each about its nearest whole pixel."""
    matrices = euler_matrices(truth.eulers_deg)
    rest = torch.from_numpy(truth.centres_yx - np.round(truth.centres_yx))
    box = max(projector.settings.box for projector in projectors)
    found = np.zeros((len(truth.centres_yx), box, box), np.float32)
    for index, projector in enumerate(projectors):
        mine = np.flatnonzero(truth.models == index)
        pixel, small = projector.settings.pixel_size_angst, projector.settings.box
        corner = box // 2 - small // 2
        inside = slice(corner, corner + small)
        for begin in range(0, len(mine), _VIEWS_AT_ONCE):
            rows = mine[begin : begin + _VIEWS_AT_ONCE]
            images = projector.images(
                matrices[rows].to(projector.device), (rest[rows] * pixel).to(projector.device)
            )
            found[rows, inside, inside] = images.cpu().numpy()
    return found


def _slabs(
    projected: NDArray[np.float32], truth: FieldTruth, padded: tuple[int, int], origin: tuple[int, int]
) -> dict[float, NDArray[np.float32]]:
    """All particles in one padded image for each height."""
    slabs: dict[float, NDArray[np.float32]] = {}
    corners = np.round(truth.centres_yx).astype(int) + origin - projected.shape[-1] // 2
    order = [row for model in np.unique(truth.models) for row in np.flatnonzero(truth.models == model)]
    for row in order:
        offset = float(truth.defocus_offsets_angst[row])
        lay(slabs.setdefault(offset, np.zeros(padded, np.float32)), projected[row], corners[row])
    return slabs
