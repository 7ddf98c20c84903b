"""Spectra derived from the weights of a back-projection, and from half maps (refinement.md §3.3, §3.6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import BackProjector, Lattice, shell_sums

NO_SIGNAL = 1e-20


@dataclass(frozen=True)
class SignalSpectra:
    """τ² and the data-to-prior ratio of half sets, (S,) float64."""

    tau2: Tensor
    ssnr: Tensor


def lattice_shell_sums(values: Tensor, lattice: Lattice, n_shells: int) -> tuple[Tensor, Tensor]:
    """Sums (..., S) of real values (..., *shape) per shell and counts (S,), float64, within round(r_max·padding)."""
    squared = torch.arange(lattice.largest_squared_radius + 1, device=values.device)
    limit = math.floor(lattice.r_max * lattice.padding + 0.5) ** 2
    shells = torch.where(squared < limit, lattice.shell_of(squared), -1)
    sums = shell_sums(lattice.sums_by_squared_radius(values), shells, n_shells)
    return sums, shell_sums(lattice.points_by_squared_radius(values.device), shells, n_shells)


def lattice_shell_means(values: Tensor, lattice: Lattice, n_shells: int) -> Tensor:
    """Means (..., S) of real values (..., *shape) over shells, float64; 0 for empty ones."""
    sums, counts = lattice_shell_sums(values, lattice, n_shells)
    return sums / counts.clamp_min(1)


def noise_power(sums: BackProjector) -> Tensor:
    """σ² of the unregularised reconstructions per shell, (K, N/2+1) float64; 0 where nothing was seen."""
    total, counts = lattice_shell_sums(sums.weight, sums.lattice, sums.size // 2 + 1)
    observed = sums.lattice.oversampling * total
    return torch.where(total > 0, counts / observed.clamp_min(1e-300), 0.0)


def data_vs_prior(sums: BackProjector, tau2: Tensor, tau2_fudge: float = 1.0) -> tuple[Tensor, Tensor]:
    """(mean of W·o·T·τ², share of points where it is >= 1) per class and shell, (K, N/2+1) float64.

    For runs without half sets; `tau2` (K, N/2+1). Both are 0 where τ² vanishes and beyond r_max.
    """
    lattice, n_shells = sums.lattice, sums.size // 2 + 1
    tau2 = tau2.to(sums.weight.device).double()
    prior = torch.where(tau2 < NO_SIGNAL, 0, lattice.oversampling * tau2_fudge * tau2)
    ratio = lattice_shell_means(sums.weight, lattice, n_shells) * prior
    return ratio, coverage(sums, prior)


def coverage(sums: BackProjector, prior: Tensor) -> Tensor:
    """Share (K, S) of the points of each shell where W · prior >= 1; `prior` (K, S) is o·T·τ²."""
    lattice, n_shells = sums.lattice, sums.size // 2 + 1
    above = torch.empty(sums.weight.shape, dtype=torch.bool, device=sums.weight.device)
    for rows, squared in lattice.slabs(sums.weight.device):
        shells = lattice.shell_of(squared).clamp_max(n_shells - 1)
        lattice.slab(above, rows).copy_(lattice.slab(sums.weight, rows) * prior[:, shells] >= 1)
    return lattice_shell_means(above, lattice, n_shells)


def signal_from_fsc(
    fsc: Tensor, sigma2_reference: Tensor, tau2_fudge: float = 1.0, *, joined: bool = False
) -> SignalSpectra:
    """τ² = SSNR·σ² with SSNR = T·F/(1-F), F the FSC of half maps clamped to [0.001, 0.999].

    `joined`: the maps of both halves are about to be averaged, so F becomes sqrt(2F/(1+F)). T is applied here
    and must not be applied again in the Wiener division.
    """
    f = fsc.double().clamp_min(0.001)
    if joined:
        f = torch.sqrt(2 * f / (1 + f))
    f = f.clamp_max(0.999)
    ssnr = tau2_fudge * f / (1 - f)
    return SignalSpectra(ssnr * sigma2_reference.double(), ssnr)


def half_map_fsc(first: BackProjector, second: BackProjector) -> Tensor:
    """FSC between two half reconstructions, (K, N/2+1) float64, straight from their sums, unregularised.

    Sums are first collected on the unpadded grid; shells beyond r_max are 0.
    """
    if first.data.shape != second.data.shape:
        raise ValueError(f"half sets differ: {tuple(first.data.shape)} and {tuple(second.data.shape)}")
    curves = []
    for pair in zip(first.data, first.weight, second.data, second.weight, strict=True):
        a = _unpadded(pair[0], pair[1], first.lattice)
        b = _unpadded(pair[2], pair[3], first.lattice)
        curves.append(_correlation(a, b, first.lattice, first.size // 2 + 1))
    return torch.stack(curves)


def _correlation(a: Tensor, b: Tensor, lattice: Lattice, n_shells: int) -> Tensor:
    plain = Lattice(lattice.dims, lattice.r_max, 1.0)
    # The unpadded grid reaches half steps of the padded one further out.
    axis = torch.arange(a.shape[0], device=a.device) - a.shape[0] // 2
    squared = axis[a.shape[0] // 2 :].square()
    for _ in range(plain.dims - 1):
        squared = axis.square().reshape(-1, *[1] * squared.ndim) + squared
    shells = plain.shell_of(squared)
    keep = shells <= lattice.r_max
    sums = [torch.zeros(n_shells, dtype=torch.float64, device=a.device) for _ in range(3)]
    products = ((a * b.conj()).real, a.abs().square(), b.abs().square())
    for total, product in zip(sums, products, strict=True):
        total.index_add_(0, shells[keep], product[keep].double())
    curve = torch.where(sums[1] * sums[2] > 0, sums[0] / (sums[1] * sums[2]).sqrt().clamp_min(1e-300), 0.0)
    curve[0] = 1.0
    return curve


def _unpadded(data: Tensor, weight: Tensor, lattice: Lattice) -> Tensor:
    """Sums collected at round(v / padding) and divided; (side', side', side'//2+1)."""
    steps = torch.arange(-lattice.half, lattice.half + 1, device=data.device).double() / lattice.padding
    nearest = (steps.sign() * torch.floor(steps.abs() + 0.5)).long()
    reach = int(nearest.max())
    for axis in range(lattice.dims):
        last = axis == lattice.dims - 1
        index = nearest[lattice.half :] if last else nearest + reach
        shape = list(data.shape)
        shape[axis] = reach + 1 if last else 2 * reach + 1
        data = data.new_zeros(shape).index_add_(axis, index, data)
        weight = weight.new_zeros(shape).index_add_(axis, index, weight)
    return torch.where(weight > 0, data / weight.clamp_min(torch.finfo(weight.dtype).tiny), 0)


def join_low_resolution(first: BackProjector, second: BackProjector, shell: int) -> None:
    """Replace the sums of both half sets by their average where |v| <= padding · shell, in place."""
    lattice = first.lattice
    for rows, squared in lattice.slabs(first.data.device):
        near = squared <= (lattice.padding * shell) ** 2
        for a, b in ((first.data, second.data), (first.weight, second.weight)):
            mean = (a[:, rows] + b[:, rows].to(a.device)) / 2
            a[:, rows] = torch.where(near, mean, a[:, rows])
            b[:, rows] = torch.where(near.to(b.device), mean.to(b.device), b[:, rows])
