"""Defocus of each particle by trying many values, as RELION 3.0 did (refinement.md §10.11.1).

Defocus changes γ by φ(|u|²): what lies at one |u|² is summed once, as a e^{2iγ} and b e^{iγ}, and every
value that is tried is then a product of matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.ctf.refinement.parametric import Weighted
from verglas.ctf.refinement.terms import TermBasis

_STEPS, _FINER = 100, 10
_BINS_PER_UNIT = 4  # of |k|², so that distorted frequencies are told apart


def scan_defocus(
    data: Weighted, basis: TermBasis, theta: Tensor, squared_frequencies: Tensor, reach: float
) -> Tensor:
    """θ (n, 7) with the term of defocus moved by at most `reach` (in units of θ) to the least E.

    `squared_frequencies` (P,) are |u|² in 1/Å². A second scan is ten times finer.
    """
    scaled = theta * basis.scales
    gamma, amplitude = basis.phase(scaled), basis.amplitude(scaled)
    unit = float(squared_frequencies.max()) / len(squared_frequencies) / _BINS_PER_UNIT
    values, place = torch.unique((squared_frequencies / unit).round().long(), return_inverse=True)
    a = (data.a * amplitude.square()).to(torch.complex64)
    b = (data.b * amplitude).to(torch.complex64)
    turn = torch.polar(torch.ones_like(gamma), gamma)
    shape = len(theta), len(values)
    double = torch.zeros(shape, dtype=torch.complex64).index_add_(1, place, a * turn * turn)
    single = torch.zeros(shape, dtype=torch.complex64).index_add_(1, place, b * turn)
    middle, spread = torch.zeros(len(theta), dtype=torch.float64), reach
    for _ in range(2):
        middle = middle + _best(double, single, values.double() * unit, middle, spread)
        spread = spread * 2 / _FINER
    moved = theta.clone()
    moved[:, 1] += middle
    return moved


def _best(double: Tensor, single: Tensor, squared: Tensor, middle: Tensor, spread: float) -> Tensor:
    """The offset (n,) from `middle` of least E = Σ a sin² − ... = −½ Re Σ a e^{2i(γ+φ)} + 2 Im Σ b e^{i(γ+φ)}."""
    offsets = torch.linspace(-spread, spread, _STEPS + 1, dtype=torch.float64)
    start = torch.polar(torch.ones(1, dtype=torch.float64), middle[:, None] * squared).to(torch.complex64)
    turn = torch.polar(torch.ones(1, dtype=torch.float64), squared[:, None] * offsets).to(torch.complex64)
    energy = 2 * ((single * start) @ turn).imag - 0.5 * ((double * start * start) @ (turn * turn)).real
    return offsets[energy.argmin(1)]
