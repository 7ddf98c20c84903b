"""Filters and resampling of images and maps of any shape: micrographs need not be square.

Radii are in shells of the longest axis L, sqrt(Σ (k_i L/N_i)²), which for squares and cubes are those of
`verglas.fourier`: a frequency in 1/Å is radius / (L · pixel size) whatever the shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import b_factor_weights, cutoff_shell, inverse, low_pass_weights, rescale, row_indices
from verglas.fourier.filters import EDGE_SHELLS


@dataclass(frozen=True)
class RadialFilter:
    """What to do with the frequencies of an image; None leaves a part out. Lengths in Å."""

    lowpass_angst: float | None = None
    highpass_angst: float | None = None
    edge_shells: float = EDGE_SHELLS
    b_factor_a2: float = 0.0  # positive dampens; frequencies beyond Nyquist are cut off
    blob_diameter_angst: float | None = None  # Laplacian of Gaussian, refinement.md §10.3
    axis: int | None = None  # low and high pass look at this axis alone: -1 x, -2 y, -3 z

    @property
    def is_none(self) -> bool:
        return self == RadialFilter(edge_shells=self.edge_shells, axis=self.axis)

    def weights(self, shape: tuple[int, ...], pixel_size_angst: float) -> Tensor:
        """Factors of the half transform of an image of this shape, float64."""
        longest = max(shape)
        radius = radius_grid(shape)
        weights = torch.ones_like(radius)
        along = radius if self.axis is None else radius_grid(shape, self.axis)
        if self.lowpass_angst is not None:
            shell = cutoff_shell(longest, pixel_size_angst, self.lowpass_angst)
            weights = weights * low_pass_weights(along, shell, self.edge_shells)
        if self.highpass_angst is not None:
            shell = cutoff_shell(longest, pixel_size_angst, self.highpass_angst)
            weights = weights * (1 - low_pass_weights(along, shell, self.edge_shells))
        if self.b_factor_a2:
            damping = b_factor_weights(radius, longest, pixel_size_angst, self.b_factor_a2)
            weights = weights * torch.where(radius > longest / 2, 0.0, damping)
        if self.blob_diameter_angst is not None:
            peak = longest * pixel_size_angst / (2 * self.blob_diameter_angst)
            ratio = (radius / peak).square()
            weights = weights * ratio * torch.exp(-ratio / 2)
        return weights


def radius_grid(shape: tuple[int, ...], axis: int | None = None) -> Tensor:
    """Radii of the half transform of an image in shells of its longest axis; or |k| along one axis."""
    longest, dims = max(shape), len(shape)
    squares = []
    for place, size in enumerate(shape):
        last = place == dims - 1
        indices = torch.arange(size // 2 + 1) if last else row_indices(size)
        chosen = axis is None or place == axis % dims
        scaled = indices.double() * (longest / size) * chosen
        squares.append(scaled.square().reshape([-1 if n == place else 1 for n in range(dims)]))
    return sum(squares[1:], squares[0]).sqrt()


def spectrum(image: Tensor) -> Tensor:
    """Half transform over all axes, divided by the number of pixels."""
    return torch.fft.rfftn(image, norm="forward")


def weighted(image: Tensor, weights: Tensor) -> Tensor:
    """The image with its half transform multiplied by `weights`."""
    shape = tuple(image.shape)
    return inverse(spectrum(image) * weights.to(image.dtype), shape, len(shape))


def resampled(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The image on another grid over the same extent, by its Fourier transform; the mean stays."""
    if len({*image.shape}) == 1 and len({*shape}) == 1:
        return rescale(image, shape[0], len(shape))
    source = spectrum(image)
    kept = [min(old, new) for old, new in zip(image.shape, shape)]
    result = source.new_zeros((*shape[:-1], shape[-1] // 2 + 1))
    take, put = [], []
    for place, size in enumerate(kept):
        last = place == len(kept) - 1
        indices = torch.arange(size // 2 + 1) if last else row_indices(size)
        view = [-1 if n == place else 1 for n in range(len(kept))]
        take.append((indices % image.shape[place]).reshape(view))
        put.append((indices % shape[place]).reshape(view))
    result[tuple(put)] = source[tuple(take)]
    return inverse(result, shape, len(shape))


def resampled_shape(
    shape: tuple[int, ...], pixel_size_angst: float, new_pixel_size_angst: float
) -> tuple[int, ...]:
    """Even sides nearest to the same extent at another pixel size; an odd side is rounded down."""
    sides = [int(side * pixel_size_angst / new_pixel_size_angst + 0.5) for side in shape]
    even = tuple(side - side % 2 for side in sides)
    if min(even) < 2:
        raise ValueError(
            f"an image of {shape} pixels of {pixel_size_angst:g} Å has no {new_pixel_size_angst:g} Å version"
        )
    return even
