"""The backend of torch gives the numbers of the CPU's; on CUDA where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from verglas.motion.correction import correct_movie
from verglas.motion.settings import MotionSettings

torch = pytest.importorskip("torch")
DEVICES = ["torch-cpu", *(["cuda:0"] if torch.cuda.is_available() else [])]
SHIFT_TOLERANCE_PX = 0.005
IMAGE_TOLERANCE = 0.01  # of the standard deviation of the sum


@pytest.fixture(scope="module")
def moving(sim: Any) -> tuple[np.ndarray, np.ndarray]:
    """Counts with hot pixels, locally sheared, and a gain."""
    rng = np.random.default_rng(1)
    shape, n_frames = (400, 512), 8
    image, track = 6 * (1 + 0.3 * sim.specimen(shape)), sim.track(n_frames)
    shear = np.linspace(-1, 1, shape[0])[:, None]
    frames = []
    for index, place in enumerate(track):
        rate = sim.shifted(image, place)
        transform = np.fft.rfft(rate, axis=1)
        phase = np.exp(-2j * np.pi * np.fft.rfftfreq(shape[1]) * shear * index * 0.5)
        frames.append(rng.poisson(np.maximum(np.fft.irfft(transform * phase, shape[1]), 0.01)))
    movie = np.stack(frames).astype(np.uint16)
    movie[:, 30, 40] = 400
    movie[:, 100:108, 200:208] = 500
    gain = rng.uniform(0.9, 1.1, shape).astype(np.float32)
    gain[7, 9] = 0
    return movie, gain


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patches_yx": (4, 5), "keep_even_odd": True, "keep_unweighted": True},
        {"bin_factor": 2.0, "frames_per_spectrum": 2, "memory_bytes": 1 << 22, "patches_yx": (3, 3)},
        {"weight_by_dose": False, "group_frames": 2, "first_frame": 2},
    ],
)
def test_same_as_the_cpu(sim: Any, moving: Any, device: str, options: dict[str, Any]) -> None:
    movie, gain = moving
    settings = MotionSettings(1.0, **({"dose_per_frame_e_a2": 0.5} | options))
    expected = correct_movie(sim.source(movie), settings, gain=gain)
    found = correct_movie(sim.source(movie), settings, gain=gain, device=device)
    np.testing.assert_array_equal(found.motion.hot_pixels_yx, expected.motion.hot_pixels_yx)
    np.testing.assert_allclose(found.motion.shifts_yx, expected.motion.shifts_yx, atol=SHIFT_TOLERANCE_PX)
    assert (found.motion.local is None) == (expected.motion.local is None)
    for name in ("image", "unweighted", "odd", "even", "spectrum"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, atol=IMAGE_TOLERANCE * theirs.std())


@pytest.mark.parametrize("device", DEVICES)
def test_local_model_is_the_same(sim: Any, moving: Any, device: str) -> None:
    movie, gain = moving
    settings = MotionSettings(1.0, dose_per_frame_e_a2=0.5, patches_yx=(4, 5))
    expected = correct_movie(sim.source(movie), settings, gain=gain).motion.local
    found = correct_movie(sim.source(movie), settings, gain=gain, device=device).motion.local
    assert expected is not None and found is not None
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 2))
    np.testing.assert_allclose(found.at(places, np.arange(8)), expected.at(places, np.arange(8)), atol=0.01)
