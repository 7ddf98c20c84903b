"""Motion correction on a GPU: is it equal to the CPU's, and how long does a large movie take?

    PYTHONPATH=src python benchmarks/gpu_motion.py [--device cuda:0] [--size 4096] [--frames 40]

Needs torch, numpy, scipy and numba. Makes a movie with global and local motion (counts as uint8, a gain, hot
pixels), corrects a 1024 x 1024 part on both and compares, then times the whole movie with 5 x 5 patches on
the device: from frames in memory to images in memory, after one run that warms up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verglas.motion.correction import correct_movie
from verglas.motion.results import CorrectedMovie
from verglas.motion.settings import MotionSettings

SHIFT_TOLERANCE_PX = 0.02
IMAGE_TOLERANCE = 0.02  # of the standard deviation of the sum


@dataclass
class Frames:
    """Frames in memory."""

    pixels: np.ndarray

    @property
    def n_frames(self) -> int:
        return len(self.pixels)

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[2]

    def frames(self, start: int = 0, stop: int | None = None, *, dtype: Any = None) -> Iterator[Any]:
        yield from self.pixels[start:stop]


def movie(
    size: int, n_frames: int, device: str, specimen: torch.Tensor | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts (n, y, x) uint8, gain (y, x), the global track (n, 2).

    `specimen` (size, size // 2 + 1) is what is seen, as a spectrum; smooth noise where it is not given.
    """
    torch.manual_seed(1)
    y = torch.fft.fftfreq(size, device=device)[:, None]
    x = torch.fft.rfftfreq(size, device=device)[None, :]
    radius = torch.hypot(y, x)
    if specimen is None:
        noise = torch.fft.rfft2(torch.randn(size, size, device=device))
        specimen = noise * torch.exp(-((radius / 0.15) ** 2))
    specimen = specimen / torch.fft.irfft2(specimen, s=(size, size)).std()
    t = np.arange(n_frames)
    walk = np.cumsum(np.random.default_rng(2).normal(0, 0.2, (n_frames, 2)), axis=0)
    track = np.stack([6 * (1 - np.exp(-t / 6)), -9 * (1 - np.exp(-t / 5))], axis=1) + walk
    track -= track[0]
    gain = np.random.default_rng(3).uniform(0.9, 1.1, (size, size)).astype(np.float32)
    sensitivity = torch.as_tensor(1 / gain, device=device)
    shear = torch.linspace(-1, 1, size, device=device)[:, None]
    frames = np.empty((n_frames, size, size), np.uint8)
    for index, (dy, dx) in enumerate(track.tolist()):
        moved = torch.fft.irfft2(specimen * torch.exp(-2j * torch.pi * (y * dy + x * dx)))
        bend = 8 * (1 - np.exp(-index / 8)) * shear * shear.abs()
        rows = torch.fft.rfft(moved, dim=1) * torch.exp(-2j * torch.pi * x * bend)
        rate = 1.2 * (1 + 0.15 * torch.fft.irfft(rows, n=size, dim=1)) * sensitivity
        frames[index] = torch.poisson(rate.clamp(min=0.01)).clamp(max=255).byte().cpu().numpy()
    hot = np.random.default_rng(4).integers(0, size, (200, 2))
    frames[:, hot[:, 0], hot[:, 1]] = 60
    return frames, gain, track


def run(frames: np.ndarray, gain: np.ndarray, device: str) -> tuple[CorrectedMovie, float]:
    settings = MotionSettings(
        1.0, dose_per_frame_e_a2=1.2, patches_yx=(5, 5), keep_unweighted=True, memory_bytes=32 << 30
    )
    begin = time.perf_counter()
    result = correct_movie(Frames(frames), settings, gain=gain, device=device)
    return result, time.perf_counter() - begin


def error(result: CorrectedMovie, track: np.ndarray) -> float:
    difference = result.motion.shifts_yx + track
    difference = difference - difference.mean(axis=0)
    return float(np.sqrt((difference**2).sum(axis=1).mean()))


def compare(frames: np.ndarray, gain: np.ndarray, device: str) -> bool:
    """Print the largest differences between the device and the CPU."""
    part = np.ascontiguousarray(frames[:, :1024, :1024])
    corner = np.ascontiguousarray(gain[:1024, :1024])
    cpu, _ = run(part, corner, "cpu")
    gpu, _ = run(part, corner, device)
    shifts = float(np.abs(cpu.motion.shifts_yx - gpu.motion.shifts_yx).max())
    same_model = (cpu.motion.local is None) == (gpu.motion.local is None)
    images = float(np.abs(cpu.image - gpu.image).max() / cpu.image.std())
    hot = np.array_equal(cpu.motion.hot_pixels_yx, gpu.motion.hot_pixels_yx)
    print(f"device against CPU, 1024 x 1024: shifts differ by {shifts:.4f} px at most, images by")
    print(f"  {images:.4f} standard deviations; same hot pixels: {hot}; same kind of model: {same_model}")
    return shifts < SHIFT_TOLERANCE_PX and images < IMAGE_TOLERANCE and hot and same_model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "torch-cpu")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    given = parser.parse_args()
    maker = "cpu" if given.device == "torch-cpu" else given.device
    frames, gain, track = movie(given.size, given.frames, maker)
    equal = compare(frames, gain, given.device)
    print("equal within tolerance" if equal else "NOT EQUAL")
    run(frames, gain, given.device)
    seconds = []
    for _ in range(3):
        result, wall = run(frames, gain, given.device)
        seconds.append(wall)
    local = "none" if result.motion.local is None else "found"
    print(
        f"{given.size} x {given.size} x {given.frames}, 5 x 5 patches on {given.device}:"
        f" {min(seconds):.2f} s beyond reading (of {', '.join(f'{s:.2f}' for s in seconds)});"
        f" track error {error(result, track):.3f} px, local motion {local}"
    )
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
