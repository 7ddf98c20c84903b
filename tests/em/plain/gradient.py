"""The update of mini-batches (§7.3): moments, step and shrinkage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plain.expectation import expect
from plain.fourier import padded_reference
from plain.maximisation import (
    central,
    means,
    new_spectra,
    note_spectra,
    real_space,
    shells_of,
    summed,
    update_parameters,
)
from plain.problem import Problem, Result


@dataclass
class Moments:
    """On the full lattice of the whole box: first (2, K, L...), second (K, L...)."""

    first: np.ndarray
    second: np.ndarray

    @classmethod
    def start(cls, p: Problem) -> Moments:
        side = 2 * (p.pad * (p.references.shape[-1] // 2) + 1) + 1
        shape = (len(p.references), *[side] * p.dims)
        return cls(np.zeros((2, *shape), complex), np.ones(shape))


def descend(p: Problem, moments: Moments, step: float, tau2_fudge: float, mu: float) -> Result:
    """One mini-batch; the moments are changed in place."""
    out, sums = expect(p)
    update_parameters(p, out, sums, mu)
    new_spectra(p, out)
    out.references = p.references.copy()
    for k in range(len(p.references)):
        if sums.direction[k].sum() == 0:
            continue
        halves = [summed(p, sums, half, k) for half in (0, 1)]
        note_spectra(p, k, halves[0][1] + halves[1][1], out, tau2_fudge)
        out.references[k] = moved(p, k, halves, moments, step, tau2_fudge)
    return out


def moved(p: Problem, k: int, halves, moments: Moments, step: float, tau2_fudge: float):
    """§7.3, its steps in order."""
    side = halves[0][0].shape[0]
    r, s, stored = shells_of(p, side)
    inside = r < p.pad * p.r_max
    use = inside & stored
    d = [data / np.maximum(1, weight) for data, weight in halves]  # 1
    m = []
    for half in (0, 1):  # 2
        stored_moment = central(moments.first[half, k], side)  # a view
        fresh = d[half] if not stored_moment.any() else 0.9 * stored_moment + 0.1 * d[half]
        stored_moment[inside] = fresh[inside]
        m.append(stored_moment.copy())
    spread = np.abs(d[1] - d[0]) ** 2 / (np.abs((d[0] + d[1]) / 2) ** 2 + 1e-12)
    v = central(moments.second[k], side)  # 3
    v[inside] = (0.999 * v + 0.001 * spread)[inside]
    g = (m[0] + m[1]) / 2 / (np.sqrt(v) + 1e-12)  # 4
    reference = padded_reference(p.references[k], p.pad, p.r_max, correct_gridding=False)
    beyond = max(0, side // 2 - reference.shape[0] // 2 + 1)
    reference = central(np.pad(reference, beyond), side)
    noise = means(np.abs(m[0] - m[1])[use], s[use], p.n_shells)  # 5
    signal = means(np.abs(reference)[use], s[use], p.n_shells)
    x = 2 * tau2_fudge * signal / np.where(noise > 0, noise, 1)  # 6
    f = np.where(noise > 0, x / (1 + x), 1)[s]
    weight = p.direction_weight[k].sum()
    eta = step * (1 - np.exp(-(3 * len(p.references) + 10) * weight))
    change = np.where(inside, eta * (f * g - (1 - f) * reference), 0)  # 7
    return real_space(p, reference + change)  # 8
