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
from verglas.em.scoring.sparse_operands import Bands, FineSlices, Found, Images, Poses, Sums
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
    arrays = Images(
        *_arrays(
            _planar(mine.score),
            _planar(mine.back),
            mine.score_power,
            mine.back_power,
            mine.noise_power,
            mine.image_power,
        )
    )
    fine = FineSlices(*_arrays(slices.rows, slices.origin, slices.power, slice_of))
    directions, fine_shifts = _arrays(grid.direction, grid.fine_shifts_angst)
    old_shift, centres, axes = _arrays(batch.old_shift[rows], batch.centres, batch.axes[rows])
    phases, orientation_prior, shift_prior, turn = _arrays(
        operands.fine_phases, operands.orientation_prior, coarse.shift_prior[rows], turn_prior
    )
    poses = Poses(
        phases,
        orientation_prior,
        shift_prior,
        turn,
        grid.n_orientations,
        directions,
        fine_shifts,
        old_shift,
        centres,
        axes,
    )
    bands = Bands(*_arrays(shells, batch.marks))
    weights, thresholds, halves = _arrays(coarse.weights[rows], coarse.threshold[rows], batch.halves[rows])
    found = Found(
        result.column.numpy(),
        result.shift.numpy(),
        result.p_max.numpy(),
        result.log_sum.numpy(),
        result.accepted.numpy(),
        result.spectra.numpy(),
        result.scale_sums.numpy(),
    )
    edges = np.linspace(0, len(rows), len(sums) + 1).astype(int)
    parts = [PriorSums.zeros(model.n_classes, grid.n_directions) for _ in sums]

    def run(worker: int) -> None:
        own, part = sums[worker], parts[worker]
        added = Sums(
            own.data.numpy(),
            own.weight.numpy(),
            part.class_weight.numpy(),
            part.direction_weight.numpy(),
            grid.n_directions,
            part.class_offset.numpy(),
            part.sigma2_offset.numpy(),
        )
        kernel: Any = second_pass
        span, fraction = (edges[worker], edges[worker + 1]), settings.adaptive_fraction
        kernel(*span, weights, thresholds, arrays, fine, poses, bands, fraction, halves, found, added)

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


def _arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Tensors of a CPU as contiguous arrays."""
    return tuple(tensor.contiguous().numpy() for tensor in tensors)
