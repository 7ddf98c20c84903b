"""Movies with known motion: a band-limited specimen, moved exactly in Fourier space, counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


@dataclass
class ArraySource:
    """Frames in memory, as motion correction wants them."""

    pixels: np.ndarray  # (n, y, x)
    passes: int = 0

    @property
    def n_frames(self) -> int:
        return len(self.pixels)

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[2]

    def frames(self, start: int = 0, stop: int | None = None, *, dtype: Any = None) -> Iterator[Any]:
        self.passes += 1
        yield from self.pixels[start:stop]


def smooth_track(n_frames: int, seed: int = 0, jump: float = 0.15) -> np.ndarray:
    """Specimen positions (n, 2): a settling drift with a random walk on top; zero at the first frame."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)
    drift = np.stack([5 * (1 - np.exp(-t / 4)), -3 * (1 - np.exp(-t / 3)) + 0.1 * t], axis=1)
    track = drift + np.cumsum(rng.normal(0, jump, (n_frames, 2)), axis=0)
    return track - track[0]


def specimen(shape_yx: tuple[int, int], seed: int = 1) -> np.ndarray:
    """Unit-variance contrast with power up to 0.25 cycles per pixel, periodic."""
    rng = np.random.default_rng(seed)
    transform = np.fft.rfft2(rng.normal(size=shape_yx))
    radius = np.hypot(np.fft.fftfreq(shape_yx[0])[:, None], np.fft.rfftfreq(shape_yx[1])[None])
    image = np.fft.irfft2(transform * np.exp(-((radius / 0.1) ** 2)), shape_yx)
    return image / image.std()


def shifted(image: np.ndarray, shift_yx: np.ndarray) -> np.ndarray:
    fy = np.fft.fftfreq(image.shape[0])[:, None]
    fx = np.fft.rfftfreq(image.shape[1])[None]
    phase = np.exp(-2j * np.pi * (fy * shift_yx[0] + fx * shift_yx[1]))
    return np.fft.irfft2(np.fft.rfft2(image) * phase, image.shape)


def movie_of(
    track_yx: np.ndarray,
    shape_yx: tuple[int, int] = (384, 384),
    contrast: float = 0.2,
    electrons: float = 2.0,
    seed: int = 2,
) -> np.ndarray:
    """Counts (n, y, x) int16 of a specimen that follows a track."""
    rng = np.random.default_rng(seed)
    image = specimen(shape_yx)
    rates = (electrons * (1 + contrast * shifted(image, shift)) for shift in track_yx)
    return np.stack([rng.poisson(np.maximum(rate, 0.01)) for rate in rates]).astype(np.int16)


def track_error(shifts_yx: np.ndarray, track_yx: np.ndarray) -> float:
    """Root mean square difference of corrections and minus the motion, about their means."""
    difference = shifts_yx + track_yx
    difference = difference - difference.mean(axis=0)
    return float(np.sqrt((difference**2).sum(axis=1).mean()))


@pytest.fixture(scope="session")
def sim() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        source=ArraySource,
        track=smooth_track,
        specimen=specimen,
        shifted=shifted,
        movie=movie_of,
        error=track_error,
    )
