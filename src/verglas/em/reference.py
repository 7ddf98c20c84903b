"""From real-space references to slices (refinement.md §1.13)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.lattice import Lattice, corners, read_slices, sum_of_squares
from verglas.em.rounding import nearest
from verglas.fourier import centre_signs, forward


@dataclass(frozen=True)
class Projector:
    """Transforms of all references on one lattice, ready to be sliced."""

    lattice: Lattice
    values: Tensor  # (K, L..., L//2+1) complex
    power: (
        Tensor  # (K, N/2+1) float64: shell averages of ½|F|², the current power of the references
    )

    def slices(self, matrices: Tensor, indices_yx: Tensor) -> Tensor:
        """Slices of every class: matrices (n, 3, 3), pixels (P, 2) -> (K, n, P) complex."""
        where = corners(self.lattice, matrices, indices_yx)
        found = read_slices(self.values, where)
        return found.reshape(len(self.values), len(matrices), len(indices_yx))


def make_projector(references: Tensor, padding: float, current_size: int) -> Projector:
    """Projector of references (K, N, N[, N]) up to current_size/2."""
    dims = references.ndim - 1
    box = references.shape[-1]
    lattice = Lattice(dims, current_size // 2, padded_size(box, padding) / box)
    corrected = references / gridding_correction(box, dims, lattice.padding, references)
    padded = pad_box(corrected, padded_size(box, padding))
    side = padded.shape[-1]
    spectrum = forward(padded, dims) * centre_signs(side, dims, references.dtype, references.device)
    spectrum = spectrum * slice_factor(box, dims, lattice.padding)
    values = centred(spectrum, lattice)
    radii = lattice.radii(references.device)
    inside = radii <= lattice.padding * lattice.r_max
    values = torch.where(inside, values, 0)
    return Projector(lattice, values, _power(values, lattice, inside, box // 2 + 1))


def padded_size(box: int, padding: float) -> int:
    """Side of the padded box, even."""
    return 2 * nearest(box * padding / 2)


def slice_factor(box: int, dims: int, padding: float) -> float:
    """Makes a slice equal to the normalised transform of the projection (§1.13 item 3)."""
    return padding**2 if dims == 2 else padding**3 * box


def gridding_correction(box: int, dims: int, padding: float, like: Tensor) -> Tensor:
    """sinc²(r / (N·padding)) on the box: the transform of the linear interpolation kernel, taken radially."""
    axis = torch.arange(box, dtype=torch.float64, device=like.device) - box // 2
    radius = sum_of_squares([axis] * dims).sqrt()
    return torch.sinc(radius / (box * padding)).square().to(like.dtype)


def pad_box(images: Tensor, side: int) -> Tensor:
    """Zero-pad cubes or squares (K, N...) to a side, keeping pixel N/2 at the centre."""
    box = images.shape[-1]
    if side == box:
        return images
    dims = images.ndim - 1
    before = side // 2 - box // 2
    after = side - box - before
    return torch.nn.functional.pad(images, [before, after] * dims)


def crop_box(images: Tensor, side: int) -> Tensor:
    """The central part of squares or cubes (K, N...)."""
    start = images.shape[-1] // 2 - side // 2
    for axis in range(1, images.ndim):
        images = images.narrow(axis, start, side)
    return images


def centred(spectrum: Tensor, lattice: Lattice) -> Tensor:
    """Half transforms in FFT order (K, M, .., M//2+1) as lattice values; beyond the Nyquist frequency 0."""
    side = spectrum.shape[-2]
    frequencies = torch.arange(-lattice.half, lattice.half + 1, device=spectrum.device)
    known = frequencies.abs() <= side // 2
    result = spectrum
    for axis in range(1, spectrum.ndim - 1):
        result = result.index_select(axis, frequencies % side)
        shape = [1] * result.ndim
        shape[axis] = -1
        result = result * known.reshape(shape)
    width = lattice.half + 1
    kept = result[..., :width]
    if kept.shape[-1] < width:
        kept = torch.nn.functional.pad(kept, [0, width - kept.shape[-1]])
    return kept


def uncentred(values: Tensor, lattice: Lattice, side: int) -> Tensor:
    """Lattice values (K, L...) as half transforms (K, side, .., side//2+1) in FFT order, zero outside."""
    dims = lattice.dims
    reach = min(lattice.half, side // 2)
    frequencies = torch.arange(-reach, reach + 1, device=values.device)
    result = values.new_zeros((values.shape[0], *[side] * (dims - 1), side // 2 + 1))
    rows_from, rows_to = frequencies + lattice.half, frequencies % side
    part = values[..., : reach + 1]
    if dims == 2:
        result[:, rows_to, : reach + 1] = part[:, rows_from]
    else:
        inner = part[:, rows_from][:, :, rows_from]
        result[:, rows_to[:, None], rows_to[None, :], : reach + 1] = inner
    return result


def _power(values: Tensor, lattice: Lattice, inside: Tensor, n_shells: int) -> Tensor:
    """Shell averages of ½|F|² over the stored half volume; (K, n_shells) float64."""
    shells = lattice.shells(values.device)[inside]
    power = 0.5 * values[:, inside].abs().double().square()
    sums = power.new_zeros((len(values), n_shells)).index_add_(
        1, shells.clamp_max(n_shells - 1), power
    )
    counts = torch.bincount(shells.clamp_max(n_shells - 1), minlength=n_shells)
    return sums / counts.clamp_min(1)
