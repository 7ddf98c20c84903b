"""Defocus in the coordinates of another magnification (refinement.md §10.11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]


def seen_anew(
    defocus: Floats, before: Floats, after: Floats, micrographs: npt.NDArray[Any] | None = None
) -> Floats:
    """U, V and angle (n, 3) that make the same phases of measured frequencies with another matrix (2, 2).

    With the names of their micrographs (n,) particles get their micrograph's mean astigmatism.
    """
    import torch

    from verglas.optics.astigmatism import defocus_matrices, defocus_seen_through, defocus_values

    back = torch.from_numpy(before @ np.linalg.inv(after))
    matrices = defocus_matrices(*torch.from_numpy(defocus).unbind(1))
    matrices = defocus_seen_through(matrices, back)
    if micrographs is not None:
        matrices = _with_common_astigmatism(matrices, micrographs)
    return torch.stack(defocus_values(matrices), 1).numpy()


def _with_common_astigmatism(matrices: Tensor, micrographs: npt.NDArray[Any]) -> Tensor:
    """Each particle's mean defocus with the mean astigmatism of its micrograph."""
    import torch

    _, inverse = np.unique(micrographs, return_inverse=True)
    place = torch.from_numpy(inverse)
    mean = matrices.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(2, dtype=torch.float64)
    count = torch.bincount(place).double()[:, None, None]
    sums = torch.zeros(len(count), 2, 2, dtype=torch.float64).index_add_(0, place, matrices - mean)
    return mean + (sums / count)[place]
