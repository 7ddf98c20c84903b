"""How a batch is cut into tiles: particles that need similar poses together (refinement.md §11.7)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from verglas.em.coarse import CoarsePass

DENSE_SHARE = 0.25  # from this share of orientations per particle on, large tiles pay
DENSE_PARTICLES = 16
SPARSE_PARTICLES = 2


def tiles(coarse: CoarsePass, row_bytes: int, tile_bytes: int) -> Iterator[Tensor]:
    """Rows (m,) of the batch for each tile; every particle with a significant pose is in one.

    `row_bytes`: memory one particle needs in a tile; `tile_bytes`: what a tile may use.
    """
    needed = coarse.hits.any(1)  # (b, K*O)
    share = needed.float().mean(1)
    n_orientations = needed.shape[1]
    order = torch.argsort(coarse.best % n_orientations, stable=True)
    order = order[coarse.n_significant[order] > 0]
    dense = share[order] >= DENSE_SHARE
    most = max(1, tile_bytes // max(1, row_bytes))
    for rows, size in ((order[dense], DENSE_PARTICLES), (order[~dense], SPARSE_PARTICLES)):
        if rows.numel():
            yield from torch.split(rows, min(size, most))
