"""A micrograph as the pickers see it: outliers gone, particles white, coarse pixels, locally normalised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from verglas.picking.dirty_areas import DirtyAreas

OUTLIER_SIGMAS = 8.0  # refinement.md §10.3


@dataclass(frozen=True, slots=True, eq=False)
class WorkingImage:
    """A micrograph on coarse pixels: local mean 0, local standard deviation 1, particles white."""

    pixels: Tensor  # (y, x) float32
    pixel_size_angst: float
    step_yx: tuple[float, float]  # micrograph pixels per working pixel
    first_px: float  # where the centre of the first working pixel lies in the micrograph
    local_mean: Tensor  # (y, x) before normalisation, in deviations of the whole image
    local_deviation: Tensor  # (y, x) likewise
    hidden: Tensor | None = None  # (y, x) bool: dirty, says nothing about noise

    def to_micrograph(self, xy: Tensor) -> Tensor:  # (n, 2) working pixels -> micrograph pixels
        """Coordinates in the micrograph's own pixels."""
        return xy * xy.new_tensor([self.step_yx[1], self.step_yx[0]]) + self.first_px


def working_image(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    working_pixel_angst: float,
    window_angst: float,
    *,
    white_particles: bool = False,
    dirty: DirtyAreas | None = None,
) -> WorkingImage:
    """Reduce and normalise a micrograph for picking.

    The local mean and deviation are taken under a Gaussian of standard deviation `window_angst`, which
    takes away illumination, ice gradients and the edge of a hole. Dirty areas become flat and spoil the
    statistics of nothing. Raises ValueError for an image with non-finite values, without variance, or
    smaller than the window.
    """
    rows, columns = micrograph.shape
    if min(rows, columns) * pixel_size_angst < 4 * window_angst / 3:
        raise ValueError(f"micrograph of {columns} x {rows} pixels is too small to pick particles in")
    bin_px = max(1, int(working_pixel_angst / (3 * pixel_size_angst)))
    image = without_plane(binned(remove_outliers(micrograph.to(torch.float32)), bin_px))
    coarse = working_pixel_angst / (bin_px * pixel_size_angst)
    shape = (good_size(image.shape[0] / coarse), good_size(image.shape[1] / coarse))
    shape = (min(shape[0], image.shape[0] // 2 * 2), min(shape[1], image.shape[1] // 2 * 2))
    step = (bin_px * image.shape[0] / shape[0], bin_px * image.shape[1] / shape[1])
    pixel = pixel_size_angst * math.sqrt(step[0] * step[1])
    hidden = None if dirty is None else dirty.on_grid(shape, image.device)
    small = reduce_image(image, shape)
    whole = float(small.std())
    small, mean, deviation = normalise_locally(small, window_angst / pixel, hidden)
    sign = 1 if white_particles else -1
    first = (bin_px - 1) / 2
    return WorkingImage(sign * small, pixel, step, first, sign * mean / whole, deviation / whole, hidden)


def binned(image: Tensor, bin_px: int) -> Tensor:
    """Means over squares of `bin_px` pixels; an incomplete last row or column is left out."""
    if bin_px == 1:
        return image
    return torch.nn.functional.avg_pool2d(image[None, None], bin_px)[0, 0]


def without_plane(image: Tensor) -> Tensor:
    """Subtract the least-squares plane, so that opposite edges meet in periodic transforms."""
    rows, columns = image.shape
    y = torch.linspace(-1, 1, rows, device=image.device)
    x = torch.linspace(-1, 1, columns, device=image.device)
    slope_y = (image.mean(1) * y).mean() / (y * y).mean()
    slope_x = (image.mean(0) * x).mean() / (x * x).mean()
    return image - image.mean() - slope_y * y[:, None] - slope_x * x


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


def normalise_locally(
    image: Tensor, sigma_px: float, hidden: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Subtract the local mean and divide by the local deviation under a Gaussian window.

    Pixels that are `hidden` (bool) count in neither, and come out as 0. Returns the image, the mean and
    the deviation.
    """
    sizes = (int(image.shape[0]), int(image.shape[1]))
    line_y, line_x = (_line_matrix(size, sigma_px, image.device) for size in sizes)
    mean_y, mean_x = (_mean_matrix(size, sigma_px, image.device) for size in sizes)
    seen = torch.ones_like(image) if hidden is None else (~hidden).to(image.dtype)
    share = (mean_y @ seen @ mean_x.T).clamp(min=1e-3)
    if hidden is not None:  # filled with the mean of what can be seen around
        around = mean_y @ (image * seen) @ mean_x.T / share
        image = torch.where(hidden, around, image)
    mean = line_y @ image @ line_x.T
    flat = (image - mean) * seen
    variance = mean_y @ (flat * flat) @ mean_x.T / share
    floor = 1e-4 * float(variance.mean())  # dead corners stay quiet
    deviation = torch.sqrt(torch.clamp(variance, min=max(floor, 1e-30)))
    return flat / deviation, mean, deviation


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
    weights = torch.exp(-0.5 * (offset / sigma_px) ** 2)
    return weights * (weights > 1e-12), offset  # denormal numbers would slow the products down
