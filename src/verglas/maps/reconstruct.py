"""From sums of slices to maps: Wiener division and the way back to real space (refinement.md §3.4, §3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from verglas.fourier import BackProjector, Lattice, inverse, shell_sums
from verglas.fourier.gridding import crop_box, gridding_correction
from verglas.fourier.lattice import apply_centre_signs, from_lattice, padded_size
from verglas.maps.masks import MAP_EDGE_PX, soft_mask
from verglas.maps.spectra import NO_SIGNAL

MIN_REGULARISED_SHELL = 5
_WEIGHT_FLOOR = 1000.0


def reconstruct(
    sums: BackProjector,
    tau2: Tensor | None = None,
    *,
    tau2_fudge: float = 1.0,
    min_shell: int = MIN_REGULARISED_SHELL,
) -> Tensor:
    """Maps (K, N, N, N) (2D: (K, N, N)) of sums that are already Hermitian and symmetrised.

    `tau2` (K, N/2+1) is the signal power per shell; None leaves regularisation out. Shells below `min_shell`
    are never regularised; shells whose τ² vanishes become 0.
    """
    maps = []
    for number, (data, weight) in enumerate(zip(sums.data, sums.weight, strict=True)):
        prior = None if tau2 is None else tau2_fudge * tau2[number]
        values = wiener_divide(data, weight, sums.lattice, prior, min_shell)
        maps.append(to_real_space(values, sums.lattice, sums.size))
    return torch.stack(maps)


def wiener_divide(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    signal: Tensor | None = None,
    min_shell: int = MIN_REGULARISED_SHELL,
) -> Tensor:
    """D / max(W + 1/(o·signal), W_min) on a lattice (*shape); 0 from r_max on.

    `signal` (S,) is T·τ². W_min is a thousandth of the mean of the regularised weight at that radius.
    """
    squared = torch.arange(lattice.largest_squared_radius + 1, device=weight.device)
    added = _added_weight(signal, lattice, min_shell, squared)
    least = _least_weight(weight, added, lattice, squared)
    result = torch.zeros_like(data)
    for rows, radius in lattice.slabs(weight.device):
        regularised = torch.maximum(weight[rows].double() + added[radius], least[radius])
        result[rows] = data[rows] * regularised.reciprocal().to(weight.dtype)
    return result


def _added_weight(
    signal: Tensor | None, lattice: Lattice, min_shell: int, squared: Tensor
) -> Tensor:
    """1/(o·signal) for each |v|², float64: infinite where there is no signal and from r_max on."""
    limit = math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
    added = torch.zeros(len(squared), dtype=torch.float64, device=squared.device)
    if signal is not None:
        shells = lattice.shell_of(squared)
        strength = signal.to(added)[shells.clamp_max(len(signal) - 1)]
        strength = torch.where(shells < len(signal), strength, 0.0)
        wanted = torch.where(strength < NO_SIGNAL, torch.inf, 1 / (lattice.oversampling * strength))
        added = torch.where(shells < min_shell, 0.0, wanted)
    return torch.where(squared < limit, added, torch.inf)


def _least_weight(weight: Tensor, added: Tensor, lattice: Lattice, squared: Tensor) -> Tensor:
    """A thousandth of the mean regularised weight in ring floor(|v|/padding), for each |v|², float64.

    Infinite in rings without any weight, so that the quotient is 0 there.
    """
    ring = torch.floor(squared.double().sqrt() / lattice.padding).long()
    ring = torch.where(torch.isfinite(added), ring, -1)
    points = lattice.points_by_squared_radius(weight.device)
    extra = torch.where(torch.isfinite(added), added, 0.0) * points
    both = torch.stack([lattice.sums_by_squared_radius(weight) + extra, points])
    sums, counts = shell_sums(both, ring, lattice.r_max)
    floor = sums / counts.clamp_min(1) / _WEIGHT_FLOOR
    return torch.where(floor > 0, floor, torch.inf)[ring.clamp(0, lattice.r_max - 1)]


def to_real_space(values: Tensor, lattice: Lattice, size: int) -> Tensor:
    """The map of lattice values (*shape): inverse transform, crop, soft sphere, gridding correction.

    The inverse of `Projector.of`. Beyond the sphere of radius N/2 (edge 3 px) lies the outside's mean:
    that removes what interpolation has aliased into the corners.
    """
    dims, side = lattice.dims, padded_size(size, lattice.padding)
    values = values.clone()
    apply_centre_signs(values, lattice)
    full = inverse(from_lattice(values, lattice, side), side, dims)
    factor = lattice.padding**2 if dims == 2 else lattice.padding**3 * size
    image = crop_box(full, size, dims) / factor
    image = soft_mask(image, size / 2, MAP_EDGE_PX, dims=dims)
    return image / gridding_correction(size, dims, lattice.padding, image.device).to(image.dtype)
