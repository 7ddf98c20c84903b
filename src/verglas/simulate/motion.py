"""How a specimen moves under the beam: drift of the whole field and smooth local motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NO_LOCAL = np.zeros((2, 18))


@dataclass(frozen=True, slots=True)
class Motion:
    """Shifts that bring the frames back, in pixels, as RELION stores them (pipeline.md §5.3).

    What lies at x in the first frame is seen at x - global - local in frame f. `local` holds the
    coefficients of x, then of y.
    """

    global_xy: Array  # (frames, 2)
    local: Array  # (2, 18)

    def local_shifts(self, frame: float, x: Array, y: Array) -> tuple[Array, Array]:
        """Local part in pixels at normalised positions x = X/width - 0.5, y = Y/height - 0.5."""
        spatial = np.stack([np.ones_like(x), x, x * x, y, y * y, x * y])
        parts = self.at_frame(frame)
        return np.tensordot(parts[0], spatial, 1), np.tensordot(parts[1], spatial, 1)

    def at_frame(self, frame: float) -> Array:
        """Coefficients (2, 6) of 1, x, x², y, y², xy at a frame."""
        powers = np.array([frame, frame**2, frame**3])
        combined: Array = self.local.reshape(2, 6, 3) @ powers
        return combined


def random_motion(
    frames: int,
    rng: np.random.Generator,
    *,
    drift_pixels: float = 8.0,
    local_pixels: float = 2.0,
    jitter_pixels: float = 0.15,
    settling_frames: float = 4.0,
) -> Motion:
    """Fast at first, then slow; `drift_pixels` in all, local motion of `local_pixels` r.m.s. at the end."""
    time = np.arange(frames, dtype=float)
    settled = 1 - np.exp(-time / settling_frames)
    first, second = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.8)
    early = np.array([np.cos(first), np.sin(first)])
    late = np.array([np.cos(first + second), np.sin(first + second)])
    track = 0.7 * settled[:, None] * early + 0.3 * (time / max(frames - 1, 1))[:, None] * late
    track = drift_pixels * track + np.cumsum(rng.normal(0, jitter_pixels, (frames, 2)), axis=0)
    track -= track[0]
    return Motion(-track, random_local(frames, rng, local_pixels, settling_frames))


def random_local(
    frames: int, rng: np.random.Generator, rms_pixels: float, settling_frames: float = 4.0
) -> Array:
    """Coefficients (2, 18) of a smooth local motion that has no mean over the field."""
    if rms_pixels <= 0 or frames < 2:
        return _NO_LOCAL.copy()
    pattern = rng.normal(size=(2, 6)) * np.array([0, 1, 1.5, 1, 1.5, 1.5])
    pattern[:, 0] = -(pattern[:, 2] + pattern[:, 4]) / 12  # the mean of x² and y² is drift, not local
    edge = np.linspace(-0.5, 0.5, 33)
    x, y = np.meshgrid(edge, edge)
    spatial = np.stack([np.ones_like(x), x, x * x, y, y * y, x * y])
    spread = np.sqrt((np.tensordot(pattern, spatial, 1) ** 2).sum(axis=0).mean())
    time = np.arange(frames, dtype=float)
    course = 1 - np.exp(-time / settling_frames)
    cubic = np.linalg.lstsq(np.stack([time, time**2, time**3], axis=1), course, rcond=None)[0]
    cubic /= np.dot(cubic, [time[-1], time[-1] ** 2, time[-1] ** 3])
    local: Array = (rms_pixels / spread * pattern[:, :, None] * cubic).reshape(2, 18)
    return local
