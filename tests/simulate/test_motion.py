"""Tracks, local motion, and the bending of images by it."""

import numpy as np
import pytest
import scipy.ndimage

from verglas.simulate.motion import Motion, random_motion
from verglas.simulate.warp import bend


def test_motion_starts_at_zero_is_fast_first_and_reaches_what_was_asked():
    motion = random_motion(30, np.random.default_rng(1), drift_pixels=10, jitter_pixels=0)
    steps = np.linalg.norm(np.diff(motion.global_xy, axis=0), axis=1)
    assert (motion.global_xy[0] == 0).all()
    assert steps[0] > 4 * steps[-1]
    assert 5 < np.linalg.norm(motion.global_xy[-1]) < 11


def test_local_motion_has_the_size_asked_for_and_no_mean():
    motion = random_motion(20, np.random.default_rng(2), local_pixels=3.0)
    edge = np.linspace(-0.5, 0.5, 101)
    x, y = np.meshgrid(edge, edge)
    local = np.stack(motion.local_shifts(19, x, y))
    assert np.sqrt((local**2).sum(axis=0).mean()) == pytest.approx(3.0, rel=0.05)
    assert np.abs(local.mean(axis=(1, 2))).max() < 0.1
    assert np.abs(np.stack(motion.local_shifts(0, x, y))).max() == 0


def smooth_image(rng, size=160):
    return scipy.ndimage.gaussian_filter(rng.standard_normal((size, size)), 2).astype(np.float32)


def test_bending_by_a_constant_is_a_shift():
    image = smooth_image(np.random.default_rng(3))
    shift = np.zeros((2, 6))
    shift[0, 0], shift[1, 0] = 2.3, -1.6  # p is seen at p - shift
    bent = bend(image, shift, (16, 16), (128, 128), (0.0, 0.0))
    expected = scipy.ndimage.shift(image, (1.6, -2.3), order=5, mode="nearest")
    inside = np.s_[12:-12, 12:-12]
    assert np.abs(bent - expected)[inside].max() < 5e-3 * np.abs(image).max()


def test_what_lies_at_p_is_seen_at_p_minus_its_local_shift():
    rng = np.random.default_rng(4)
    motion = random_motion(10, rng, local_pixels=4.0)
    coefficients = motion.at_frame(9)
    for _ in range(5):
        y, x = rng.uniform(20, 108, 2)
        rows, columns = np.mgrid[:160, :160]
        spot = np.exp(-((rows - 16 - y) ** 2 + (columns - 16 - x) ** 2) / (2 * 2.5**2))
        bent = bend(spot.astype(np.float32), coefficients, (16, 16), (128, 128), (0.0, 0.0))
        seen = np.array(scipy.ndimage.center_of_mass(np.clip(bent - 0.02, 0, None))) - 16
        dx, dy = motion.local_shifts(9, np.array(x / 128 - 0.5), np.array(y / 128 - 0.5))
        assert seen == pytest.approx([y - dy, x - dx], abs=0.06)


def test_the_field_that_has_moved_keeps_its_local_motion():
    rng = np.random.default_rng(5)
    coefficients = random_motion(10, rng, local_pixels=4.0).at_frame(9)
    image = smooth_image(rng)
    moved = np.roll(image, (7, 5), axis=(0, 1))
    plain = bend(image, coefficients, (16, 16), (128, 128), (0.0, 0.0))
    after = bend(moved, coefficients, (16, 16), (128, 128), (5.0, 7.0))
    assert np.allclose(np.roll(plain, (7, 5), axis=(0, 1))[30:-30, 30:-30], after[30:-30, 30:-30], atol=1e-5)


def test_no_local_motion_leaves_the_image_alone():
    image = smooth_image(np.random.default_rng(6))
    assert bend(image, np.zeros((2, 6)), (16, 16), (128, 128), (0.0, 0.0)) is image


def test_coefficients_are_ordered_as_in_the_file():
    local = np.zeros((2, 18))
    local[1, 4] = 2.0  # y: x times z²
    motion = Motion(np.zeros((5, 2)), local)
    dx, dy = motion.local_shifts(3, np.array(0.25), np.array(-0.5))
    assert (float(dx), float(dy)) == (0.0, 2.0 * 9 * 0.25)
