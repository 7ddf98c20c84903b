"""How a batch is cut into tiles: particles that need similar poses together (refinement.md §11.7)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from verglas.em.scoring.coarse import CoarsePass


def tiles(
    coarse: CoarsePass, rows: Tensor, row_bytes: int, tile_bytes: int, tile_particles: int
) -> Iterator[Tensor]:
    """Split `rows` of a batch into tiles (m,); particles with similar best poses come together.

    `row_bytes`: memory one particle needs in a tile; `tile_bytes`: what a tile may use;
    `tile_particles`: how many it may hold at most.
    """
    if not rows.numel():
        return
    n_orientations = coarse.weights.shape[2]
    order = torch.argsort(coarse.best[rows] % n_orientations, stable=True)
    most = max(1, tile_bytes // max(1, row_bytes))
    yield from torch.split(rows[order], min(tile_particles, most))
