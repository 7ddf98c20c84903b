"""The maximisation step of two half-sets (§3.3, §3.6, §3.11): FSC, join, and the joined last iteration."""

from __future__ import annotations

import numpy as np

from plain.expectation import expect
from plain.fourier import grid, nearest
from plain.maximisation import divided, means, new_spectra, noise_power, shells_of, summed, update_parameters
from plain.problem import Problem, Result


def iterate_halves(halves, join_shell: int, joined: bool = False) -> tuple[list[Result], list]:
    """One iteration of two problems; their results, and in the last one the unregularised half maps."""
    found, data, weight = [], [], []
    for p in halves:
        out, sums = expect(p)
        update_parameters(p, out, sums)
        new_spectra(p, out)
        both = summed(p, sums, 0, 0)
        found.append(out)
        data.append(both[0])
        weight.append(both[1])
    p = halves[0]
    unfiltered = [divided(p, d, w) for d, w in zip(data, weight)] if joined else []
    r, _, _ = shells_of(p, data[0].shape[0])
    low = r <= p.pad * join_shell
    data = [np.where(low, (data[0] + data[1]) / 2, d) for d in data]
    weight = [np.where(low, (weight[0] + weight[1]) / 2, w) for w in weight]
    curve = correlation(p, data, weight)
    if joined:
        data, weight = [data[0] + data[1]] * 2, [weight[0] + weight[1]] * 2
    for out, d, w in zip(found, data, weight):
        regularised(p, out, d, w, curve, joined)
    return found, unfiltered


def regularised(p: Problem, out: Result, data, weight, curve, joined: bool) -> None:
    """τ² and SSNR from the FSC, and the map."""
    f = np.maximum(curve, 0.001)
    if joined:
        f = np.sqrt(2 * f / (1 + f))
    f = np.minimum(f, 0.999)
    ssnr, noise = p.tau2_fudge * f / (1 - f), noise_power(p, weight)
    out.data_vs_prior[0], out.sigma2_reference[0], out.tau2[0] = ssnr, noise, ssnr * noise
    r, s, stored = shells_of(p, weight.shape[0])
    use = stored & (r < p.pad * p.r_max)
    above = weight * p.pad**p.dims * out.tau2[0][s] >= 1
    out.coverage[0] = means(above[use].astype(float), s[use], p.n_shells)
    out.references = divided(p, data, weight, out.tau2[0])[None]


def correlation(p: Problem, data, weight):
    """FSC (S,) of the sums collected on the unpadded grid (§3.6)."""
    parts = [
        np.divide(d, w, where=w > 0, out=np.zeros_like(d))
        for d, w in ((collected(p, d), collected(p, w)) for d, w in zip(data, weight))
    ]
    axes = grid(parts[0].shape[0], p.dims)
    shell = nearest(np.sqrt(sum(axis**2 for axis in axes))).astype(int)
    use = (axes[-1] >= 0) & (shell <= p.r_max)

    def total(values):
        return np.bincount(shell[use], values[use], minlength=p.n_shells)

    a, b = parts
    norm = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    curve = np.divide(total((a * b.conj()).real), norm, where=norm > 0, out=np.zeros(p.n_shells))
    curve[0] = 1
    return curve


def collected(p: Problem, values):
    """Sums over the voxels v of a padded lattice that lie nearest to v / pad."""
    half = values.shape[0] // 2
    reach = int(nearest(half / p.pad))
    index = [nearest(axis / p.pad).astype(int) + reach for axis in grid(values.shape[0], p.dims)]
    out = np.zeros((2 * reach + 1,) * p.dims, values.dtype)
    np.add.at(out, tuple(index), values)
    return out
