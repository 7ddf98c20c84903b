"""What is done to summed slices before they are divided (refinement.md §3.2)."""

from __future__ import annotations

from torch import Tensor

from verglas.fourier.lattice import Lattice
from verglas.fourier.symmetrise import add_rotated


def hermitian(values: Tensor) -> Tensor:
    """Give both members of each ± pair on the x = 0 plane the sum of member and conjugated mate.

    Works for data (complex) and weights (real); the origin, its own mate, is left alone.
    """
    plane = values[..., 0]
    mate = plane.flip(list(range(plane.ndim)))
    total = plane + (mate.conj() if values.is_complex() else mate)
    centre = tuple(n // 2 for n in plane.shape)
    total[centre] = plane[centre]
    result = values.clone()
    result[..., 0] = total
    return result


def symmetrised(
    data: Tensor, weight: Tensor, lattice: Lattice, operators: Tensor
) -> tuple[Tensor, Tensor]:
    """Data and weight with what their symmetry mates hold added; `operators` (g, 3, 3), identity first."""
    if lattice.dims == 2 or len(operators) < 2:
        return data, weight
    before = data.clone(), weight.clone()
    for operator in operators[1:]:
        add_rotated(data, weight, *before, lattice, operator)
    return data, weight
