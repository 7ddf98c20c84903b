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
    keep_edge: bool = False,
) -> Tensor:
    """Maps (K, N, N, N) (2D: (K, N, N)) of sums that are already Hermitian and symmetrised.

    `tau2` (K, N/2+1) is the signal power per shell; None leaves regularisation out. Shells below `min_shell`
    are never regularised; shells whose τ² vanishes become 0. `keep_edge`: see `wiener_divide`.
    """
    signal = None if tau2 is None else tau2_fudge * tau2
    if sums.lattice.dims == 2:  # images are small: all at once
        values = wiener_divide(sums.data, sums.weight, sums.lattice, signal, min_shell, keep_edge=keep_edge)
        return to_real_space(values, sums.lattice, sums.size)
    maps = []
    for k in range(len(sums.data)):
        prior = None if signal is None else signal[k]
        values = wiener_divide(
            sums.data[k], sums.weight[k], sums.lattice, prior, min_shell, keep_edge=keep_edge
        )
        maps.append(to_real_space(values, sums.lattice, sums.size))
    return torch.stack(maps)


def wiener_divide(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    signal: Tensor | None = None,
    min_shell: int = MIN_REGULARISED_SHELL,
    *,
    keep_edge: bool = False,
) -> Tensor:
    """D / max(W + 1/(o·signal), W_min) on lattices (..., *shape); 0 from r_max on.

    `signal` (..., S) is T·τ². W_min is a thousandth of the mean of the regularised weight at that radius. With
    `keep_edge` points at exactly r_max survive without regularisation, as RELION has it.
    """
    squared = torch.arange(lattice.largest_squared_radius + 1, device=weight.device)
    added = _added_weight(signal, lattice, min_shell, squared)
    least = _least_weight(weight, added, lattice, squared)
    if keep_edge:
        rim = squared == math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
        added = torch.where(rim, 0.0, added)
    result = torch.zeros_like(data)
    for rows, radius in lattice.slabs(weight.device):
        total = lattice.slab(weight, rows).double() + added[..., radius]
        factor = torch.maximum(total, least[..., radius]).reciprocal().to(weight.dtype)
        torch.mul(lattice.slab(data, rows), factor, out=lattice.slab(result, rows))
    return result


def _added_weight(signal: Tensor | None, lattice: Lattice, min_shell: int, squared: Tensor) -> Tensor:
    """1/(o·signal) for each |v|², float64: infinite where there is no signal and from r_max on."""
    limit = math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
    added = torch.zeros(len(squared), dtype=torch.float64, device=squared.device)
    if signal is not None:
        shells = lattice.shell_of(squared)
        strength = signal.to(added)[..., shells.clamp_max(signal.shape[-1] - 1)]
        strength = torch.where(shells < signal.shape[-1], strength, 0.0)
        wanted = torch.where(strength < NO_SIGNAL, torch.inf, 1 / (lattice.oversampling * strength))
        added = torch.where(shells < min_shell, 0.0, wanted)
    return torch.where(squared < limit, added, torch.inf)


def _least_weight(weight: Tensor, added: Tensor, lattice: Lattice, squared: Tensor) -> Tensor:
    """A thousandth of the mean regularised weight in ring floor(|v|/padding), for each |v|², float64.

    Rings beyond r_max - 1 take its value. Infinite in rings without any weight, so that the quotient is 0 there.
    """
    ring = torch.floor(squared.double().sqrt() / lattice.padding).long()
    limit = math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
    inside = torch.where(squared < limit, ring, -1)
    points = lattice.points_by_squared_radius(weight.device)
    finite = torch.isfinite(added)
    extra = torch.where(finite, added, 0.0) * points
    sums = shell_sums(lattice.sums_by_squared_radius(weight) + extra, inside, lattice.r_max)
    counts = shell_sums(finite.double() * points, inside, lattice.r_max)
    floor = sums / counts.clamp_min(1) / _WEIGHT_FLOOR
    floor = torch.where(floor > 0, floor, torch.inf)
    return floor[..., ring.clamp(0, lattice.r_max - 1)]


def to_real_space(values: Tensor, lattice: Lattice, size: int) -> Tensor:
    """The maps of lattice values (..., *shape): inverse transform, crop, soft sphere, gridding correction.

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
