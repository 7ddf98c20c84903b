"""Frames of counts of a moving, fading specimen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from verglas.simulate.detector import Camera, count_electrons, counting_mtf
from verglas.simulate.motion import Motion
from verglas.simulate.own_motion import add_particles
from verglas.simulate.specimen import Specimen
from verglas.simulate.warp import bend


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a movie is taken: dose of each frame at the specimen, what damage and detector do."""

    frames: int
    dose_per_frame_e_a2: float
    pixel_size_angst: float
    pre_exposure_e_a2: float = 0.0
    voltage_kv: float = 300.0
    damage: bool = True
    mtf: bool = True
    frame_b_factors_a2: tuple[float, ...] = ()  # of each frame, beside damage; empty: none

    def __post_init__(self) -> None:
        if self.frames < 1 or self.dose_per_frame_e_a2 <= 0:
            raise ValueError(
                f"a movie needs frames and dose, got {self.frames} of {self.dose_per_frame_e_a2} e/Å²"
            )
        if self.frame_b_factors_a2 and len(self.frame_b_factors_a2) != self.frames:
            raise ValueError(f"{len(self.frame_b_factors_a2)} B-factors for {self.frames} frames")

    def envelope(self, frame: int, s: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """What a frame shows of the specimen at frequencies s (1/Å), besides the camera; None: all."""
        envelope = None
        if self.damage:
            dose = self.pre_exposure_e_a2 + (frame + 0.5) * self.dose_per_frame_e_a2
            envelope = np.exp(np.float32(-dose) * damage_rate(s, self.voltage_kv))
        if self.frame_b_factors_a2:
            blur = np.exp(np.float32(-self.frame_b_factors_a2[frame] / 4) * s**2)
            envelope = blur if envelope is None else envelope * blur
        return envelope


def expose_movie(
    specimen: Specimen,
    frame_yx: tuple[int, int],
    exposure: Exposure,
    motion: Motion,
    camera: Camera,
    rng: np.random.Generator,
    tracks_yx: NDArray[np.float64] | None = None,  # (n, frames, 2) of particles that are apart, in all
) -> Iterator[NDArray[np.uint16]]:
    """Yield the raw frames (H, W). The first frame has no motion."""
    if len(motion.global_xy) != exposure.frames:
        raise ValueError(f"{len(motion.global_xy)} shifts for {exposure.frames} frames")
    top, left = specimen.origin_yx
    height, width = frame_yx
    electrons = np.float32(exposure.dose_per_frame_e_a2 * exposure.pixel_size_angst**2)
    flat = electrons * specimen.transmission[top : top + height, left : left + width]
    ky, kx, s = _grids(specimen.padded_yx, exposure.pixel_size_angst)
    still = specimen.contrast
    if exposure.mtf:
        still = still * counting_mtf(s * np.float32(exposure.pixel_size_angst))
    for frame in range(exposure.frames):
        seen = still * _moved(motion.global_xy[frame], ky, kx)
        envelope = exposure.envelope(frame, s)
        if envelope is not None:
            seen *= envelope
        image = scipy.fft.irfft2(seen, s=specimen.padded_yx)
        x, y = (-float(value) for value in motion.global_xy[frame])
        image = bend(image, motion.at_frame(frame), specimen.origin_yx, frame_yx, (x, y))
        if specimen.apart is not None and tracks_yx is not None:
            seen_alone = _envelope_of_boxes(exposure, frame, specimen.apart.box)
            add_particles(image, specimen.origin_yx, specimen.apart, tracks_yx[:, frame], seen_alone)
        yield camera.expose(flat * (1 + image[top : top + height, left : left + width]), rng)


def _envelope_of_boxes(exposure: Exposure, frame: int, box: int) -> NDArray[np.float32]:
    """Damage, blur and camera for the boxes of single particles."""
    *_, s = _grids((box, box), exposure.pixel_size_angst)
    envelope = exposure.envelope(frame, s)
    mtf = counting_mtf(s * np.float32(exposure.pixel_size_angst)) if exposure.mtf else np.ones_like(s)
    return mtf if envelope is None else mtf * envelope


def expose_micrograph(
    specimen: Specimen,
    frame_yx: tuple[int, int],
    exposure: Exposure,
    rng: np.random.Generator,
    smear_xy: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """The sum (H, W) of a movie on a perfect camera, counted once at the whole dose.

    Nothing moves but for an even drift of `smear_xy` pixels in all that nobody has corrected.
    """
    top, left = specimen.origin_yx
    height, width = frame_yx
    dose = exposure.dose_per_frame_e_a2
    ky, kx, s = _grids(specimen.padded_yx, exposure.pixel_size_angst)
    seen = specimen.contrast
    if any(smear_xy):
        seen = seen * np.sinc(ky[:, None] * smear_xy[1] + kx[None] * smear_xy[0])
    if exposure.mtf:
        seen = seen * counting_mtf(s * np.float32(exposure.pixel_size_angst))
    if exposure.damage:
        rate = damage_rate(s, exposure.voltage_kv)
        doses = exposure.pre_exposure_e_a2 + (np.arange(exposure.frames) + 0.5) * dose
        seen = seen * np.mean([np.exp(np.float32(-d) * rate) for d in doses], axis=0)
    image = scipy.fft.irfft2(seen, s=specimen.padded_yx)
    window = (slice(top, top + height), slice(left, left + width))
    electrons = np.float32(exposure.frames * dose * exposure.pixel_size_angst**2)
    expected = electrons * specimen.transmission[window] * (1 + image[window])
    return count_electrons(expected.astype(np.float32), rng).astype(np.float32)


def damage_rate(s: NDArray[np.float32], voltage_kv: float) -> NDArray[np.float32]:
    """Amplitudes fade by exp(-dose x rate): rate = 1 / (2 N_c), Grant & Grigorieff (2015).

    N_c = 0.245 s^-1.665 + 2.81 e/Å² at 300 kV; damage is 1.25 times as fast at 200 kV, 1.56 at 100 kV.
    """
    speed = 0.64 if voltage_kv <= 150 else 0.8 if voltage_kv <= 250 else 1.0
    critical = 0.245 * np.maximum(s, 1e-4) ** np.float32(-1.665) + 2.81
    return (1 / (2 * speed * critical)).astype(np.float32)


def _moved(
    shift_xy: NDArray[np.float64], ky: NDArray[np.float32], kx: NDArray[np.float32]
) -> NDArray[np.complex64]:
    """Phase ramp of a specimen that the shift would bring back: content moves by -shift."""
    along_y = np.exp(2j * np.pi * shift_xy[1] * ky).astype(np.complex64)
    along_x = np.exp(2j * np.pi * shift_xy[0] * kx).astype(np.complex64)
    return along_y[:, None] * along_x[None]


def _grids(
    shape_yx: tuple[int, int], pixel_size_angst: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Frequencies in 1/pixel along y and x, and |s| in 1/Å on the half transform."""
    ky = np.fft.fftfreq(shape_yx[0]).astype(np.float32)
    kx = np.fft.rfftfreq(shape_yx[1]).astype(np.float32)
    return ky, kx, np.sqrt(ky[:, None] ** 2 + kx[None] ** 2) / np.float32(pixel_size_angst)
