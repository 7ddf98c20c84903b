"""Local resolution of two half maps by the FSC of small soft spheres (refinement.md §10.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import forward, inverse, low_pass_weights, shell_indices
from verglas.maps.local.windows import WindowGrid
from verglas.maps.shell_correlation import first_shell_below, randomise_phases, true_fsc

FILTER_EDGE_SHELLS = 2
_MARGIN_PX = 8  # around windows that are filtered: what a filter mixes in from the far side
_BATCH_POINTS = 4_000_000  # voxels of the windows that are treated at once


@dataclass(frozen=True)
class LocalSettings:
    """Lengths in Å; the radius and edge of the spheres follow the sampling where they are not given."""

    pixel_size_angst: float
    sampling_angst: float = 25.0
    mask_radius_angst: float = 0.0  # 0: half the sampling
    mask_edge_angst: float = 0.0  # 0: the sampling
    randomise_from_angst: float = 25.0
    lowest_angst: float = 50.0
    threshold: float = 0.143
    seed: int = 0

    def pixels(self, length_angst: float) -> int:
        return int(length_angst / self.pixel_size_angst + 0.5)

    def grid(self, size: int, device: torch.device | str) -> WindowGrid:
        """The windows for a box."""
        radius = self.pixels(self.mask_radius_angst or self.sampling_angst / 2)
        edge = self.pixels(self.mask_edge_angst or self.sampling_angst)
        return WindowGrid.of(size, max(1, self.pixels(self.sampling_angst)), radius, edge, device)


@dataclass(frozen=True, eq=False)
class LocalCurves:
    """FSC per point and shell of the whole box, (n, N//2+1) float64, and the resolutions (n,) in Å."""

    points: Tensor  # (n, 3) z, y, x from the centre
    masked: Tensor
    randomised: Tensor
    true: Tensor
    resolution_angst: Tensor
    cutoff_shell: Tensor  # (n,) of the whole box


@dataclass(frozen=True, eq=False)
class LocalMaps:
    """Resolution in Å and the locally filtered map, (N, N, N); 0 where no window reaches."""

    resolution_angst: Tensor
    filtered: Tensor
    curves: LocalCurves


def memory_bytes(size: int, settings: LocalSettings) -> int:
    """What `local_resolution` takes at most."""
    grid = settings.grid(size, "cpu")
    padded = (size + grid.width + 2 * _MARGIN_PX) ** 3 * 4
    batch = max(_BATCH_POINTS, grid.width**3) * 4
    return 8 * padded + 12 * batch


def local_resolution(
    first: Tensor,
    second: Tensor,
    sharpened: Tensor,
    settings: LocalSettings,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LocalMaps:
    """Of two half maps (N, N, N) on any device; `sharpened` is the mean map that is filtered.

    The map of resolutions is the harmonic mean of those of all spheres that cover a voxel.
    """
    size, device = int(first.shape[-1]), first.device
    grid = settings.grid(size, device)
    start = int(size * settings.pixel_size_angst / settings.randomise_from_angst)
    generator = torch.Generator().manual_seed(settings.seed)
    halves = [grid.pad(half) for half in (first, second)]
    random = [grid.pad(randomise_phases(half, start, generator)) for half in (first, second)]
    sums = _Sums.of(grid, sharpened)
    found = []
    batch = max(1, _BATCH_POINTS // grid.width**3)
    for place in range(0, len(grid.points), batch):
        points = grid.points[place : place + batch]
        curves = _curves(grid, points, halves, random, start, settings)
        sums.add(points, curves)
        found.append(curves)
        on_progress(place + len(points), len(grid.points))
    lines = [torch.cat([getattr(part, name) for part in found]) for name in LocalCurves.__annotations__]
    resolution, filtered = sums.result()
    return LocalMaps(resolution, filtered, LocalCurves(*lines))


def _curves(
    grid: WindowGrid,
    points: Tensor,
    halves: list[Tensor],
    random: list[Tensor],
    start: int,
    settings: LocalSettings,
) -> LocalCurves:
    masked, randomised = (_window_fsc(grid, points, *pair) for pair in (halves, random))
    true = torch.stack([true_fsc(m, r, start) for m, r in zip(masked, randomised)])
    extent = grid.size * settings.pixel_size_angst
    shells = [first_shell_below(curve, settings.threshold) or len(curve) for curve in true]
    resolution = [extent / max(shell - 1, 1) for shell in shells]
    limited = torch.tensor(resolution, dtype=torch.float64).clamp_max(settings.lowest_angst)
    return LocalCurves(points, masked, randomised, true, limited, torch.round(extent / limited))


def _window_fsc(grid: WindowGrid, points: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """FSC of windows at the shells of the whole box, (b, N//2+1) float64 on the CPU."""
    one, two = (forward(grid.cut(half, points) * grid.mask, 3).flatten(1) for half in (first, second))
    order, lengths = _by_shell(grid.width, first.device)
    one, two = one[:, order], two[:, order]
    products = torch.stack([(one.conj() * two).real, _power(one), _power(two)])
    sums = torch.segment_reduce(
        products.flatten(0, 1).double().T.contiguous(), "sum", lengths=lengths, axis=0, unsafe=True
    )
    cross, *powers = sums.T.reshape(3, len(points), -1).cpu()
    norm = (powers[0] * powers[1]).sqrt()
    coarse = torch.where(norm > 0, cross / norm.clamp_min(1e-300), 0.0)
    coarse[:, 0] = 1
    return _between_shells(coarse, grid)


def _between_shells(coarse: Tensor, grid: WindowGrid) -> Tensor:
    """Curves (b, W//2+1) of a window at the frequencies of the box's shells, (b, N//2+1)."""
    place = torch.arange(grid.size // 2 + 1).double() * (grid.width / grid.size)
    left = place.floor().long().clamp_max(coarse.shape[1] - 2)
    return torch.lerp(coarse[:, left], coarse[:, left + 1], (place - left).clamp_max(1.0))


def _by_shell(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Order of a window's frequencies by shell, those beyond Nyquist left out; frequencies per shell."""
    shells = shell_indices(width, 3, device).flatten()
    order = torch.argsort(shells, stable=True)
    lengths = torch.bincount(shells)[: width // 2 + 1]
    return order[: int(lengths.sum())], lengths


def _power(values: Tensor) -> Tensor:
    return values.real.square() + values.imag.square()


@dataclass(frozen=True, eq=False)
class _Sums:
    """Σ mask, Σ mask/resolution, Σ mask·filtered over the points, padded."""

    grid: WindowGrid
    sharpened: Tensor
    weight: Tensor
    inverse_resolution: Tensor
    filtered: Tensor

    @classmethod
    def of(cls, grid: WindowGrid, sharpened: Tensor) -> _Sums:
        padded = grid.pad(sharpened)
        sums = [torch.zeros_like(padded) for _ in range(3)]
        return cls(grid, grid.pad(sharpened, _MARGIN_PX), *sums)

    def add(self, points: Tensor, curves: LocalCurves) -> None:
        grid, device = self.grid, self.sharpened.device
        filtered = self._filtered(points, curves) * grid.mask
        inverse_resolution = (1 / curves.resolution_angst).float().to(device)
        masks = grid.mask.expand(len(points), *grid.mask.shape)
        grid.add_to(self.weight, masks, points)
        grid.add_to(self.inverse_resolution, masks * inverse_resolution[:, None, None, None], points)
        grid.add_to(self.filtered, filtered, points)

    def _filtered(self, points: Tensor, curves: LocalCurves) -> Tensor:
        """Windows of the map, weighted by their FSC and cut off at their resolution."""
        grid = self.grid
        width = grid.width + 2 * _MARGIN_PX
        spectra = forward(grid.cut(self.sharpened, points, width), 3)
        shells = shell_indices(width, 3, self.sharpened.device)
        weights = _filters(curves, grid.size, width).to(self.sharpened)
        spectra *= weights[:, shells.clamp_max(weights.shape[1] - 1)]
        part = slice(_MARGIN_PX, _MARGIN_PX + grid.width)
        return inverse(spectra, width, 3)[:, part, part, part]

    def result(self) -> tuple[Tensor, Tensor]:
        grid = self.grid
        weight, inverse_resolution, filtered = (
            grid.unpad(total) for total in (self.weight, self.inverse_resolution, self.filtered)
        )
        covered = weight > 0
        resolution = torch.where(covered, weight / inverse_resolution.clamp_min(1e-30), 0.0)
        return resolution, torch.where(covered, filtered / weight.clamp_min(1e-30), 0.0)


def _filters(curves: LocalCurves, size: int, width: int) -> Tensor:
    """Weights (b, S) per shell of a window: sqrt(2F/(1+F)) times a low pass; the last one is 0."""
    last = curves.true.shape[1] - 1
    radius = torch.arange(last + 1).double()
    positive = curves.true.clamp(0, 1)
    weights = (2 * positive / (1 + positive)).sqrt()
    weights = weights * low_pass_weights(radius, curves.cutoff_shell[:, None], FILTER_EDGE_SHELLS)
    place = torch.arange(width // 2 + 1).double() * (size / width)
    left = place.floor().long().clamp_max(last - 1)
    fine = torch.lerp(weights[:, left], weights[:, left + 1], (place - left).clamp_max(1.0))
    return torch.nn.functional.pad(fine, [0, 1])
