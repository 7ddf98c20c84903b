"""The electrostatic potential of an atomic model on a grid: what a map is compared with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verglas.fourier import forward, index_grid, inverse
from verglas.fourier.radial import radii, weight_radially
from verglas.simulate.model import AtomicModel
from verglas.simulate.scattering import atom_potential, check_elements


def model_density(model: AtomicModel, size: int, pixel_size_angst: float) -> Tensor:
    """Potential (N, N, N) in V, band-limited at Nyquist; coordinates are from the first voxel, in Å.

    Atoms beyond the box are left out. Raises UnusableModel for unknown elements.
    """
    check_elements(model.elements, model.name)
    total = torch.zeros(size, size, size // 2 + 1, dtype=torch.complex64)
    frequency = (radii(size) / (size * pixel_size_angst)).numpy()
    with_hydrogens = bool((model.elements == "H").any())
    for element in sorted(set(model.elements)):
        chosen = model.coordinates[model.elements == element] / pixel_size_angst
        factor = atom_potential(element, frequency, hydrogens_modelled=with_hydrogens)
        spectrum = forward(_spread(chosen, size), 3) * (size**3)
        total += weight_radially(spectrum, torch.from_numpy(factor))
    volume_angst3 = (size * pixel_size_angst) ** 3
    return inverse(total / _linear_kernel(size) / volume_angst3, size, 3)


def _spread(places: np.ndarray, size: int) -> Tensor:
    """Points (x, y, z) in voxels shared out among their eight neighbours."""
    grid = torch.zeros(size, size, size)
    first = np.floor(places).astype(np.int64)
    inside = ((first >= 0) & (first < size - 1)).all(axis=1)
    first, part = first[inside], (places - first)[inside]
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.abs(1 - np.array(corner) - part), axis=1)
        x, y, z = torch.from_numpy(first + corner).T
        grid.index_put_((z, y, x), torch.from_numpy(weight).float(), accumulate=True)
    return grid


def _linear_kernel(size: int) -> Tensor:
    """Transform of what `_spread` does to a point."""
    return torch.sinc(index_grid(size, 3).float() / size).square().prod(-1)
