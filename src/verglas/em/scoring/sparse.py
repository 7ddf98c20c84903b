"""Running the compiled second pass over a batch, in a few threads (CPU only)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.operands.operands import Operands
from verglas.em.operands.retry import Additions
from verglas.em.operands.slices import Slices, SliceSums
from verglas.em.operands.weighting import Weighted
from verglas.em.scoring.coarse import CoarsePass
from verglas.em.scoring.sparse_kernel import second_pass
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums


def sparse_second_pass(
    operands: Operands,
    coarse: CoarsePass,
    rows: Tensor,
    images: Weighted,
    batch: FineBatch,
    slices: Slices,
    slice_of: Tensor,
    sums: list[SliceSums],
    priors: PriorSums,
    additions: Additions,
) -> Outcome:
    """Second pass of particles `rows` of a batch; one thread for each of `sums`.

    `slices` hold the fine slices that are needed and `slice_of` (K * O * children,) where each is.
    Particles are cut into as many runs as there are `sums`, so that results do not depend on timing.
    """
    mine = images.rows(rows)
    shells = operands.pixels.model_shells.clamp_max(operands.estep.model.n_shells - 1)
    result = Outcome.empty(len(rows), operands.estep.model.n_shells)
    grid, settings = operands.poses, operands.estep.settings
    model = operands.estep.model
    turn_prior = operands.orientation_prior.new_zeros((0, 0))
    if coarse.turn_prior is not None:
        turn_prior = coarse.turn_prior[rows]
    fixed = [
        coarse.weights[rows],
        coarse.threshold[rows],
        _planar(mine.score),
        _planar(mine.back),
        mine.score_power,
        mine.back_power,
        mine.noise_power,
        mine.image_power,
        slices.rows,
        slices.origin,
        slices.power,
        slice_of,
        operands.fine_phases,
        operands.orientation_prior,
        coarse.shift_prior[rows],
        turn_prior,
    ]
    arrays = [tensor.contiguous().numpy() for tensor in fixed]
    counts = (grid.n_orientations, grid.direction.numpy(), grid.n_directions)
    places = (shells.numpy(), batch.marks.numpy())
    shifts = (
        batch.old_shift[rows].numpy(),
        grid.fine_shifts_angst.numpy(),
        batch.centres.numpy(),
        batch.axes[rows].numpy(),
    )
    halves = batch.halves[rows].numpy()
    outputs = [
        result.column,
        result.shift,
        result.p_max,
        result.log_sum,
        result.accepted,
        result.spectra,
        result.scale_sums,
    ]
    written = [tensor.numpy() for tensor in outputs]
    edges = np.linspace(0, len(rows), len(sums) + 1).astype(int)
    parts = [PriorSums.zeros(model.n_classes, grid.n_directions) for _ in sums]

    def run(worker: int) -> None:
        own, part = sums[worker], parts[worker]
        kernel: Any = second_pass
        kernel(
            edges[worker],
            edges[worker + 1],
            *arrays,
            *counts,
            *places,
            *shifts,
            settings.adaptive_fraction,
            halves,
            own.data.numpy(),
            own.weight.numpy(),
            *written,
            part.class_weight.numpy(),
            part.direction_weight.numpy(),
            part.class_offset.numpy(),
            part.sigma2_offset.numpy(),
        )

    additions.begin()
    if len(sums) == 1:
        run(0)
    else:
        with ThreadPoolExecutor(len(sums)) as pool:
            list(pool.map(run, range(len(sums))))
    for part in parts:
        priors.add(part)
    return result


def _planar(values: Tensor) -> Tensor:
    """Complex (b, P) as real (b, 2P), real parts first."""
    return torch.cat([values.real, values.imag], 1)
