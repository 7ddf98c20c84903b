"""What is done to summed slices before they are divided (refinement.md §3.2)."""

from __future__ import annotations

from torch import Tensor

from verglas.fourier.lattice import Lattice
from verglas.fourier.symmetrise import add_rotated


def hermitian(values: Tensor, dims: int) -> Tensor:
    """Give both members of each ± pair on the x = 0 plane the sum of member and conjugated mate.

    Works for data (complex) and weights (real) of any number of lattices (..., *L) with `dims` axes each;
    the origin, its own mate, is left alone.
    """
    plane = values[..., 0]
    mate = plane.flip(list(range(-(dims - 1), 0)))
    total = plane + (mate.conj() if values.is_complex() else mate)
    middle = plane.shape[-1] // 2
    centre = (..., middle) if dims == 2 else (..., middle, middle)
    total[centre] = plane[centre]
    result = values.clone()
    result[..., 0] = total
    return result


def symmetrise(data: Tensor, weight: Tensor, lattice: Lattice, operators: Tensor) -> None:
    """Add to data and weight (*L) what their symmetry mates hold; `operators` (g, 3, 3), identity first."""
    if lattice.dims == 2 or len(operators) < 2:
        return
    before = data.clone(), weight.clone()
    for operator in operators[1:]:
        add_rotated(data, weight, *before, lattice, operator)
