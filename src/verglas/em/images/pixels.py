"""The Fourier pixels that take part: a list of half-plane pixels in order of their shell."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import index_grid, used_shells
from verglas.fourier.rounding import nearest_shells


@dataclass(frozen=True)
class PixelList:
    """P half-plane pixels with shell <= size/2 of an image of `box_size`, in ascending order of shell.

    The origin is the first. A shorter list (the coarse pass) is a prefix of a longer one.
    """

    box_size: int
    size: int  # side of the cropped transform
    indices_yx: Tensor  # (P, 2) int64 frequencies
    shells: Tensor  # (P,) shell of the image
    model_shells: Tensor  # (P,) shell of the model (refinement.md §1.7)
    flat: Tensor  # (P,) position in a flattened (N, N//2+1) transform
    shell_ratio: float = 1.0  # (N_m p_m)/(N p)

    def __len__(self) -> int:
        return int(self.flat.numel())

    def count(self, size: int) -> int:
        """How many leading pixels have shell <= size/2."""
        return int((self.shells <= size // 2).sum())


def pixel_list(
    box_size: int,
    size: int,
    device: torch.device | str,
    shell_ratio: float = 1.0,
    *,
    lose_nyquist_row: bool = False,
) -> PixelList:
    """Pixels of the current `size`; `shell_ratio` = (N_m p_m)/(N p) maps image to model shells.

    `lose_nyquist_row` leaves out row -size/2, which a cropped half transform does not hold.
    """
    shells = used_shells(box_size, device).flatten()
    wanted = (shells >= 0) & (shells <= size // 2)
    if lose_nyquist_row and size < box_size:
        wanted &= index_grid(box_size, device=device).reshape(-1, 2)[:, 0] != -(size // 2)
    flat = wanted.nonzero().flatten()
    order = torch.argsort(shells[flat], stable=True)
    flat = flat[order]
    kept = shells[flat]
    model = nearest_shells(kept.double() * shell_ratio)
    indices = index_grid(box_size, device=device).reshape(-1, 2)[flat]
    return PixelList(box_size, size, indices, kept, model, flat, shell_ratio)


def pixels_per_shell(box_size: int) -> Tensor:
    """Npix(s): half-plane pixels of each shell 0..N/2, float64 (refinement.md §2.2)."""
    shells = used_shells(box_size).flatten()
    return torch.bincount(shells[shells >= 0], minlength=box_size // 2 + 1).double()


def sums_by_shell(values: Tensor, shells: Tensor, n_shells: int) -> Tensor:
    """Sum values (..., P) over shells (P,); (..., n_shells)."""
    result = values.new_zeros((*values.shape[:-1], n_shells))
    return result.index_add_(-1, shells.clamp_max(n_shells - 1), values)
