"""A micrograph as the pickers see it: outliers gone, particles white, coarse pixels, locally normalised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

OUTLIER_SIGMAS = 8.0  # refinement.md §10.3


@dataclass(frozen=True, slots=True, eq=False)
class WorkingImage:
    """A micrograph on coarse pixels: local mean 0, local standard deviation 1, particles white."""

    pixels: Tensor  # (y, x) float32
    pixel_size_angst: float
    step_yx: tuple[float, float]  # micrograph pixels per working pixel

    def to_micrograph(self, xy: Tensor) -> Tensor:  # (n, 2) working pixels -> micrograph pixels
        """Coordinates in the micrograph's own pixels. Fourier cropping keeps the first pixel in place."""
        return xy * xy.new_tensor([self.step_yx[1], self.step_yx[0]])


def working_image(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    working_pixel_angst: float,
    window_angst: float,
    *,
    white_particles: bool = False,
) -> WorkingImage:
    """Reduce and normalise a micrograph for picking.

    The local mean and deviation are taken under a Gaussian of standard deviation `window_angst`, which
    takes away illumination, ice gradients and the edge of a hole. Raises ValueError for an image with
    non-finite values, without variance, or smaller than the window.
    """
    image = remove_outliers(micrograph.to(torch.float32))
    shape = tuple(good_size(n * pixel_size_angst / working_pixel_angst) for n in image.shape)
    if min(shape) * working_pixel_angst < 4 * window_angst / 3:
        raise ValueError(
            f"micrograph of {image.shape[1]} x {image.shape[0]} pixels is too small to pick particles in"
        )
    small = reduce_image(image, (shape[0], shape[1]))
    step = (image.shape[0] / shape[0], image.shape[1] / shape[1])
    pixel = pixel_size_angst * math.sqrt(step[0] * step[1])
    small = normalise_locally(small, window_angst / pixel)
    return WorkingImage(small if white_particles else -small, pixel, step)


def remove_outliers(image: Tensor) -> Tensor:
    """Mean 0, deviation 1, values beyond 8 sigma set to the mean (hot pixels, X-rays)."""
    mean, deviation = image.mean(), image.std()
    if not bool(torch.isfinite(deviation)):
        bad = int((~torch.isfinite(image)).sum())
        raise ValueError(f"micrograph holds {bad} values that are not finite numbers")
    if float(deviation) <= 1e-6 * max(1e-30, abs(float(mean))):
        raise ValueError(f"micrograph has no contrast: every pixel is {float(mean):g}")
    scaled = (image - mean) / deviation
    return torch.where(scaled.abs() > OUTLIER_SIGMAS, torch.zeros_like(scaled), scaled)


def good_size(size: float) -> int:
    """The even number next to `size` without prime factors above 7, for fast transforms."""
    wanted = max(16, round(size / 2) * 2)
    for distance in range(0, wanted, 2):
        for candidate in (wanted + distance, wanted - distance):
            rest = candidate
            for prime in (2, 3, 5, 7):
                while rest % prime == 0:
                    rest //= prime
            if rest == 1 and candidate >= 16:
                return candidate
    raise AssertionError("unreachable: a power of two lies below")


def reduce_image(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Fourier-crop to `shape` (rows, columns; even). Never enlarges: larger sizes raise ValueError."""
    rows, columns = shape
    if rows > image.shape[0] or columns > image.shape[1]:
        raise ValueError(f"cannot reduce {tuple(image.shape)} to {shape}")
    spectrum = torch.fft.rfft2(image, norm="forward")
    half = rows // 2
    kept = torch.cat([spectrum[:half], spectrum[spectrum.shape[0] - half :]])[:, : columns // 2 + 1]
    return torch.fft.irfft2(kept, s=shape, norm="forward")


def normalise_locally(image: Tensor, sigma_px: float) -> Tensor:
    """Subtract the local mean and divide by the local deviation under a Gaussian window."""
    sizes = (int(image.shape[0]), int(image.shape[1]))
    line_y, line_x = (_line_matrix(size, sigma_px, image.device) for size in sizes)
    mean_y, mean_x = (_mean_matrix(size, sigma_px, image.device) for size in sizes)
    flat = image - line_y @ image @ line_x.T
    variance = mean_y @ (flat * flat) @ mean_x.T
    floor = 1e-4 * float(variance.mean())  # dead corners stay quiet
    return flat / torch.sqrt(torch.clamp(variance, min=max(floor, 1e-30)))


def _mean_matrix(size: int, sigma_px: float, device: torch.device) -> Tensor:  # (size, size)
    """Gaussian smoothing as a matrix whose rows sum to one also at the edges (no padding needed)."""
    weights = _window(size, sigma_px, device)[0]
    return (weights / weights.sum(1, keepdim=True)).to(torch.float32)


def _line_matrix(size: int, sigma_px: float, device: torch.device) -> Tensor:  # (size, size)
    """The same by fitting a line under the window: a gradient comes out unchanged up to the edge."""
    weights, offset = _window(size, sigma_px, device)
    zeroth = weights.sum(1, keepdim=True)
    first = (weights * offset).sum(1, keepdim=True)
    second = (weights * offset**2).sum(1, keepdim=True)
    fitted = weights * (second - offset * first) / (zeroth * second - first**2)
    return fitted.to(torch.float32)


def _window(size: int, sigma_px: float, device: torch.device) -> tuple[Tensor, Tensor]:
    position = torch.arange(size, dtype=torch.float64, device=device)
    offset = position[None] - position[:, None]
    return torch.exp(-0.5 * (offset / sigma_px) ** 2), offset
