"""From sums of slices to maps: Wiener division and the way back to real space (refinement.md §3.4, §3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from verglas.fourier import BackProjector, Lattice, inverse
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
    added = _added_weight(signal, lattice, min_shell, weight.device)
    limit = math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
    floor = _weight_floor(weight, added, lattice, limit)
    result = torch.zeros_like(data)
    for rows, squared in lattice.slabs(weight.device):
        regularised = weight[rows].double() + added[lattice.shell_of(squared)]
        least = floor[_ring(squared, lattice)]
        known = (squared < limit) & (least > 0) & torch.isfinite(regularised)
        quotient = data[rows] / torch.maximum(regularised, least).clamp_min(1e-300)
        result[rows] = torch.where(known, quotient, 0).to(data.dtype)
    return result


def _added_weight(
    signal: Tensor | None, lattice: Lattice, min_shell: int, device: torch.device
) -> Tensor:
    """1/(o·signal) per shell, long enough for every lattice point; infinite where there is no signal."""
    n_shells = int(lattice.half * math.sqrt(3) / lattice.padding) + 3
    added = torch.zeros(n_shells, dtype=torch.float64, device=device)
    if signal is None:
        return added
    strength = torch.zeros_like(added)
    strength[: len(signal)] = signal.to(strength)[:n_shells]
    added = torch.where(strength < NO_SIGNAL, torch.inf, 1 / (lattice.oversampling * strength))
    added[:min_shell] = 0.0
    return added


def _ring(squared: Tensor, lattice: Lattice) -> Tensor:
    return (
        torch.floor(squared.double().sqrt() / lattice.padding).long().clamp_max(lattice.r_max - 1)
    )


def _weight_floor(weight: Tensor, added: Tensor, lattice: Lattice, limit: int) -> Tensor:
    """A thousandth of the mean regularised weight per ring floor(|v|/padding), (r_max,) float64."""
    sums, counts = (
        torch.zeros(lattice.r_max, dtype=torch.float64, device=weight.device) for _ in range(2)
    )
    for rows, squared in lattice.slabs(weight.device):
        regularised = weight[rows].double() + added[lattice.shell_of(squared)]
        keep = (squared < limit) & torch.isfinite(regularised)
        chosen = _ring(squared, lattice)[keep]
        sums.index_add_(0, chosen, regularised[keep])
        counts.index_add_(0, chosen, torch.ones_like(chosen, dtype=torch.float64))
    return sums / counts.clamp_min(1) / _WEIGHT_FLOOR


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
