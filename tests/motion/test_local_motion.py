"""Local motion: found where it is, zero where it is not, applied without losing sharpness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from verglas.motion.correction import correct_movie
from verglas.motion.devices.warp import spline_loss
from verglas.motion.devices.warp_cpu import warp
from verglas.motion.local_motion import LocalMotion, orthonormal_basis, space_basis, time_basis
from verglas.motion.settings import MotionSettings


def local_field(shape_yx: tuple[int, int], strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A doming-like displacement (y, x) in pixels with mean zero."""
    y, x = (np.arange(n) / n - 0.5 for n in shape_yx)
    y, x = np.meshgrid(y, x, indexing="ij")
    return strength * (y * y - 1 / 12 + x * y), strength * (x * y - (x * x - 1 / 12))


@pytest.fixture(scope="module")
def local_movie(sim: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, global track, and the time course (n,) of the local field of strength 1."""
    rng = np.random.default_rng(3)
    shape, n_frames = (768, 768), 12
    image = 3 * (1 + 0.25 * sim.specimen(shape))
    track, course = sim.track(n_frames), 20 * (1 - np.exp(-np.arange(n_frames) / 5))
    along_y, along_x = local_field(shape, 1.0)
    grid = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    frames = []
    for place, strength in zip(track, course):
        rate = sim.shifted(image, place)
        at = [grid[0] - strength * along_y, grid[1] - strength * along_x]
        frames.append(rng.poisson(np.maximum(map_coordinates(rate, at, order=3, mode="wrap"), 0.01)))
    return np.stack(frames).astype(np.int16), track, course


@pytest.mark.parametrize("patches", [(5, 5), (3, 4), (1, 6)])
def test_local_motion_is_found(sim: Any, local_movie: Any, patches: tuple[int, int]) -> None:
    movie, track, course = local_movie
    motion = correct_movie(
        sim.source(movie), MotionSettings(1.0, dose_per_frame_e_a2=0.1, patches_yx=patches)
    ).motion
    assert motion.local is not None
    assert sim.error(motion.shifts_yx, track) < 0.3
    steps = np.linspace(-0.4, 0.4, 5)
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    found = motion.local.at(places, np.arange(len(track)))
    y, x = places.T
    truth = np.stack([y * y - 1 / 12 + x * y, x * y - (x * x - 1 / 12)], axis=1)
    error = found + course[None, :, None] * truth[:, None, :]
    assert np.sqrt((error**2).sum(axis=-1).mean()) < 0.5
    assert len(motion.patch_shifts) == patches[0] * patches[1] * len(track)


def test_local_correction_sharpens_the_sum(sim: Any, local_movie: Any) -> None:
    movie, _, _ = local_movie
    specimen = sim.specimen((768, 768))
    agreements = []
    for patches in ((1, 1), (5, 5)):
        options = MotionSettings(1.0, weight_by_dose=False, patches_yx=patches)
        image = correct_movie(sim.source(movie), options).image
        cross = np.fft.irfft2(np.fft.rfft2(image) * np.fft.rfft2(specimen).conj())
        agreements.append(cross.max() / np.linalg.norm(specimen) / np.linalg.norm(image - image.mean()))
    assert agreements[1] > 1.1 * agreements[0]


def test_rigid_movie_gets_no_local_model(sim: Any) -> None:
    movie = sim.movie(sim.track(10), (512, 512))
    motion = correct_movie(
        sim.source(movie), MotionSettings(1.0, dose_per_frame_e_a2=0.1, patches_yx=(5, 5))
    ).motion
    assert motion.local is None
    assert "no local motion stands out" in motion.messages[0]


def test_basis_is_orthonormal_and_leaves_out_the_mean() -> None:
    frames = np.arange(20.0)
    spatial, temporal = orthonormal_basis(frames)
    steps = (np.arange(40) + 0.5) / 40 - 0.5
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    space = space_basis(places) @ spatial
    np.testing.assert_allclose(space.mean(axis=0), 0, atol=2e-3)
    np.testing.assert_allclose(space.T @ space / len(space), np.eye(5), atol=0.02)
    time = time_basis(frames) @ temporal
    np.testing.assert_allclose(time.T @ time / len(time), np.eye(3), atol=1e-8)
    assert np.all(time[0] == 0)


def test_polynomial_is_the_one_of_the_metadata() -> None:
    coefficients = np.arange(36.0).reshape(2, 18)
    z, x, y = 3.0, 0.2, -0.3
    expected = sum(
        coefficients[:, 3 * a + b] * term * z ** (b + 1)
        for a, term in enumerate((1, x, x * x, y, y * y, x * y))
        for b in range(3)
    )
    model = LocalMotion(coefficients)
    np.testing.assert_allclose(model.at(np.array([[y, x]]), np.array([z]))[0, 0], expected)
    np.testing.assert_allclose(model.of_frame(z) @ np.array([1, x, x * x, y, y * y, x * y]), expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.02, 0.35))
def test_warp_samples_at_place_minus_shift(seed: int, frequency: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (160, 192)
    coefficients = rng.normal(0, 3, (2, 6))
    angle = rng.uniform(0, 2 * np.pi)
    ky, kx = frequency * np.sin(angle), frequency * np.cos(angle)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    frame = np.cos(2 * np.pi * (ky * y + kx * x)).astype(np.float32)
    out = np.empty_like(frame)
    warp(frame, coefficients, out)
    out /= np.sinc(ky) ** 4 * np.sinc(kx) ** 4
    fy, fx = y / shape[0] - 0.5, x / shape[1] - 0.5
    terms = np.stack([np.ones_like(fx), fx, fx**2, fy, fy**2, fx * fy])
    shift_y, shift_x = np.einsum("ia,ayx->iyx", coefficients, terms)
    expected = np.cos(2 * np.pi * (ky * (y - shift_y) + kx * (x - shift_x)))
    inside = (slice(24, -24), slice(24, -24))
    # what a cubic B-spline aliases at most, relative to the wave: (f / (1 - f))^4 from either side
    aliased = (frequency / (1 - frequency)) ** 4
    assert np.abs(out - expected)[inside].max() < 0.012 + 1.3 * aliased


def test_white_noise_stays_white_through_warp() -> None:
    frame = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    out = np.empty_like(frame)
    warp(frame, np.array([[0.3, 5, 3, -4, 2, 1], [0.7, -3, 2, 6, 1, -2.0]]), out)
    loss = np.outer(spline_loss(np.fft.fftfreq(512)), spline_loss(np.fft.rfftfreq(512)))
    power = np.abs(np.fft.rfft2(out) / loss) ** 2 / frame.size
    for low in (0.05, 0.2, 0.35):
        ring = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512))
        assert power[(ring > low) & (ring < low + 0.1)].mean() == pytest.approx(1, abs=0.05)
