"""Particles that move by themselves: tracks of a Gaussian process, and their images where they are then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from verglas.simulate.motion import Motion
from verglas.simulate.optics import Microscope, frame_frequencies
from verglas.simulate.scattering import interaction_constant

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OwnMotionSettings:
    """How far particles go beyond what their field does, and how far apart they still do it together."""

    rms_pixels: float  # displacement along each axis in the last frame
    reach_pixels: float  # correlations fall as exp(-distance / reach)
    settling_frames: float = 4.0


@dataclass(frozen=True, slots=True)
class ApartImages:
    """Contrast of single particles, to be laid into frames one by one."""

    spectra: NDArray[np.complex64]  # (n, box, box//2+1) unnormalised, phase origin pixel 0, CTF included
    centres_yx: Array  # (n, 2) of the frame, at rest
    box: int


def own_tracks(
    centres_yx: Array, frames: int, settings: OwnMotionSettings, rng: np.random.Generator
) -> Array:  # (n, frames, 2) as (y, x) pixels
    """Displacements of the content, 0 in the first frame; fast at first, smooth in time."""
    n = len(centres_yx)
    if not n or frames < 2:
        return np.zeros((n, frames, 2))
    apart = np.linalg.norm(centres_yx[:, None] - centres_yx[None], axis=-1)
    covariance = np.exp(-apart / settings.reach_pixels) + 1e-9 * np.eye(n)
    together = np.linalg.cholesky(covariance)
    deviates = rng.standard_normal((frames - 1, n, 2))
    velocity = np.empty_like(deviates)
    velocity[0] = deviates[0]
    for step in range(1, frames - 1):  # neighbouring steps correlate by 0.8
        velocity[step] = 0.8 * velocity[step - 1] + 0.6 * deviates[step]
    speed = 0.3 + np.exp(-np.arange(frames - 1) / settings.settling_frames)
    steps = np.einsum("pq,fqi->pfi", together, velocity * speed[:, None, None])
    tracks = np.concatenate([np.zeros((n, 1, 2)), np.cumsum(steps, axis=1)], axis=1)
    course = np.sqrt(np.mean(np.cumsum(velocity * speed[:, None, None], axis=0)[-1] ** 2))
    return tracks * (settings.rms_pixels / max(float(course), 1e-9))


def field_tracks(motion: Motion, centres_yx: Array, shape_yx: tuple[int, int]) -> Array:
    """Displacements (n, frames, 2) in pixels that the field's own motion gives what lies at `centres_yx`."""
    y, x = centres_yx[:, 0] / shape_yx[0] - 0.5, centres_yx[:, 1] / shape_yx[1] - 0.5
    found = np.empty((len(centres_yx), len(motion.global_xy), 2))
    for frame, (global_x, global_y) in enumerate(motion.global_xy):
        local_x, local_y = motion.local_shifts(frame, x, y)
        found[:, frame] = -np.stack([global_y + local_y, global_x + local_x], axis=1)
    return found


def apart_images(
    potentials: NDArray[np.float32],  # (n, box, box) V Å, centred at pixel box//2
    centres_yx: Array,
    offsets_angst: Array,  # (n,) of the defocus
    pixel_size_angst: float,
    microscope: Microscope,
) -> ApartImages:
    """Images of particles through the microscope, in boxes that hold what the CTF spreads."""
    small = potentials.shape[-1] if len(potentials) else 8
    spread = 2 * 150.0 / pixel_size_angst
    box = int(scipy.fft.next_fast_len(int(small + spread), real=True))
    box += box % 2
    frequencies = frame_frequencies((box, box), pixel_size_angst)
    strength = np.float32(-2 * interaction_constant(microscope.voltage_kv))
    spectra = np.zeros((len(potentials), box, box // 2 + 1), np.complex64)
    corner = box // 2 - small // 2
    transfers: dict[float, NDArray[np.float32]] = {}
    for index, (image, offset) in enumerate(zip(potentials, offsets_angst)):
        large = np.zeros((box, box), np.float32)
        large[corner : corner + small, corner : corner + small] = image
        if offset not in transfers:
            transfers[offset] = microscope.transfer(frequencies, float(offset)).numpy()
        spectra[index] = strength * transfers[offset] * scipy.fft.rfft2(large)
    return ApartImages(spectra, centres_yx, box)


def add_particles(
    image: NDArray[np.float32],  # (H, W) padded field, in place
    origin_yx: tuple[int, int],
    apart: ApartImages,
    displacements_yx: Array,  # (n, 2) pixels
    envelope: NDArray[np.float32],  # (box, box//2+1)
) -> None:
    """Lay every particle where it is in this frame."""
    box = apart.box
    ky = np.fft.fftfreq(box)
    kx = np.fft.rfftfreq(box)
    places = apart.centres_yx + displacements_yx + np.array(origin_yx)
    whole = np.round(places).astype(int)
    rest = places - whole
    for spectrum, corner, (dy, dx) in zip(apart.spectra, whole - box // 2, rest):
        ramp = np.exp(-2j * np.pi * dy * ky)[:, None] * np.exp(-2j * np.pi * dx * kx)[None]
        moved = scipy.fft.irfft2(spectrum * envelope * ramp.astype(np.complex64), s=(box, box))
        lay(image, moved, corner)


def lay(field: NDArray[np.float32], image: NDArray[np.float32], corner_yx: NDArray[np.int64]) -> None:
    """Add an image with its first pixel at `corner_yx`, cut off at the edges."""
    (height, width), (y, x) = image.shape, (int(value) for value in corner_yx)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + height, field.shape[0]), min(x + width, field.shape[1])
    if top < bottom and left < right:
        field[top:bottom, left:right] += image[top - y : bottom - y, left - x : right - x]
