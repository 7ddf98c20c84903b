"""The maximisation step (§3.2-§3.8): priors, spectra, symmetry, Wiener division and the way back."""

from __future__ import annotations

import numpy as np

from plain.expectation import expect
from plain.fourier import (
    back,
    counted,
    grid,
    gridding,
    interpolate,
    masked,
    nearest,
    padded_reference,
    prefactor,
)
from plain.poses import cyclic
from plain.problem import Problem, Result, Sums


def iterate(p: Problem) -> Result:
    """One iteration of expectation-maximisation."""
    out, sums = expect(p)
    update_parameters(p, out, sums)
    new_spectra(p, out)
    images = [reconstruct(p, k, *summed(p, sums, 0, k), out) for k in range(len(p.references))]
    out.references = np.stack(images)
    return out


def update_parameters(p: Problem, out: Result, sums: Sums, mu: float = 0.0) -> None:
    """§3.8: everything but the references; `mu` of mini-batches."""

    def averaged(old, new):
        return mu * old + (1 - mu) * new

    total, by_class = sums.direction.sum(), sums.direction.sum(1)
    weight = averaged(p.direction_weight.sum(1), by_class / total)
    out.class_weight = weight / weight.sum()
    out.direction_weight = averaged(p.direction_weight, sums.direction / total)
    out.class_offset = averaged(p.class_offset, sums.offset / by_class[:, None])
    axes = 1 if p.filament is not None and p.filament.rise > 0 else 2
    variance = averaged(p.sigma_offset**2, sums.move / (axes * total))
    out.sigma_offset = np.sqrt(max(variance, 2.0))
    out.norm_average = averaged(p.norm_average, out.norm.sum() / total)
    keep, ky, kx = counted(p.images.shape[1])
    shell = nearest(np.hypot(ky, kx)).astype(int)
    count = np.bincount(shell[keep], minlength=p.n_shells)[: p.n_shells]
    out.sigma2 = averaged(p.sigma2, sums.noise / (2 * sums.noise_weight[:, None] * count))
    seen = np.where(sums.power > 0, sums.cross / np.where(sums.power > 0, sums.power, 1), 1)
    scale = averaged(p.scale, seen)
    scale = np.clip(scale, np.median(scale) / 5, np.median(scale) * 5)
    members = np.bincount(p.scale_group, minlength=len(scale))
    out.scale = scale / ((scale * members).sum() / members.sum())


def new_spectra(p: Problem, out: Result) -> None:
    for name in ("tau2", "data_vs_prior", "sigma2_reference", "coverage"):
        setattr(out, name, np.zeros((len(p.references), p.n_shells)))


def summed(p: Problem, sums: Sums, half: int, k: int):
    """Data and weight of a class with what their symmetry mates hold (§3.2 item 3)."""
    data, weight = sums.data[half, k], sums.weight[half, k]
    axes = grid(data.shape[0], p.dims)
    near = np.sqrt(sum(axis**2 for axis in axes)) <= p.pad * p.r_max
    xyz = np.stack([axis[near] for axis in axes[::-1]], 1)
    extra_data, extra_weight = np.zeros_like(data), np.zeros_like(weight)
    for turn in cyclic(p.symmetry)[1:]:
        at = (xyz @ turn.T)[:, ::-1]
        extra_data[near] += interpolate(data, at)
        extra_weight[near] += interpolate(weight, at)
    return data + extra_data, weight + extra_weight


def shells_of(p: Problem, side: int):
    """Radius, shell and whether stored (x >= 0), of every point of a lattice."""
    axes = grid(side, p.dims)
    r = np.sqrt(sum(axis**2 for axis in axes))
    return r, np.minimum(nearest(r / p.pad).astype(int), p.n_shells - 1), axes[-1] >= 0


def central(values, side):
    """The middle of a lattice."""
    middle, c = values.shape[0] // 2, side // 2
    return values[(slice(middle - c, middle + c + 1),) * values.ndim]


def means(values, bins, n):
    """Means over bins, 0 for empty ones."""
    return np.bincount(bins, values, minlength=n) / np.maximum(np.bincount(bins, minlength=n), 1)


def note_spectra(p: Problem, k: int, weight, out: Result, tau2_fudge: float) -> None:
    """§3.3 without half-sets, from the weights of class k."""
    r, s, stored = shells_of(p, weight.shape[0])
    reference = padded_reference(p.references[k], p.pad, p.r_max)
    beyond = max(0, weight.shape[0] // 2 - reference.shape[0] // 2 + 1)
    reference = central(np.pad(reference, beyond), weight.shape[0])
    use = stored & (r <= p.pad * p.r_max)
    out.tau2[k] = means(0.5 * np.abs(reference[use]) ** 2, s[use], p.n_shells)
    use = stored & (r < p.pad * p.r_max)
    ratio = (weight * p.pad**p.dims * tau2_fudge * out.tau2[k][s])[use]
    out.data_vs_prior[k] = means(ratio, s[use], p.n_shells)
    out.coverage[k] = means((ratio >= 1).astype(float), s[use], p.n_shells)
    out.sigma2_reference[k] = noise_power(p, weight)


def noise_power(p: Problem, weight):
    """σ² of the unregularised reconstruction per shell (§3.3)."""
    r, s, stored = shells_of(p, weight.shape[0])
    use = stored & (r < p.pad * p.r_max)
    total = np.bincount(s[use], p.pad**p.dims * weight[use], minlength=p.n_shells)
    voxels = np.bincount(s[use], minlength=p.n_shells)
    return np.where(total > 0, voxels / np.where(total > 0, total, 1), 0)


def reconstruct(p: Problem, k: int, data, weight, out: Result):
    """§3.4, §3.5: the regularised map of class k."""
    note_spectra(p, k, weight, out, p.tau2_fudge)
    return divided(p, data, weight, p.tau2_fudge * out.tau2[k])


def divided(p: Problem, data, weight, tau2=None):
    """§3.4, §3.5: the map of data and weight, regularised where T·τ² is given."""
    r, s, stored = shells_of(p, weight.shape[0])
    inside = r < p.pad * p.r_max
    w = weight
    if tau2 is not None:
        prior = 1 / (p.pad**p.dims * np.maximum(tau2[s], 1e-20))
        w = weight + np.where((s >= 5) & inside, prior, 0)
    ring = np.minimum(np.floor(r / p.pad).astype(int), p.n_shells - 1)
    use = stored & inside
    floor = means(w[use], ring[use], p.n_shells)[np.minimum(ring, p.r_max - 1)] / 1000
    quotient = np.where(inside, data / np.maximum(w, floor), 0)
    return real_space(p, quotient) / gridding(p.references.shape[-1], p.dims, p.pad)


def real_space(p: Problem, quotient):
    """§3.5 steps 1-3: inverse transform, the central box, a soft sphere."""
    box, dims = p.references.shape[-1], p.dims
    side = box * p.pad
    reach = min(quotient.shape[0] // 2, side // 2 - 1)
    m = side // 2
    big = np.zeros((side,) * dims, complex)
    big[(slice(m - reach, m + reach + 1),) * dims] = central(quotient, 2 * reach + 1)
    start = m - box // 2
    image = back(big)[(slice(start, start + box),) * dims] / prefactor(box, dims, p.pad)
    return masked(image, box / 2, 3.0)
