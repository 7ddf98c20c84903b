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
    model, grid = operands.estep.model, operands.poses
    result = Outcome.empty(len(rows), model.n_shells)
    weights, thresholds, halves = _arrays(coarse.weights[rows], coarse.threshold[rows], batch.halves[rows])
    arrays = _images(images.rows(rows))
    fine = FineSlices(*_arrays(slices.rows, slices.origin, slices.power, slice_of))
    poses = _poses(operands, coarse, rows, batch)
    bands = Bands(*_arrays(operands.pixels.model_shells.clamp_max(model.n_shells - 1), batch.marks))
    found, fraction = _found(result), operands.estep.settings.adaptive_fraction
    edges = np.linspace(0, len(rows), len(sums) + 1).astype(int)
    parts = [PriorSums.zeros(model.n_classes, grid.n_directions) for _ in sums]

    def run(worker: int) -> None:
        kernel: Any = second_pass
        span = (edges[worker], edges[worker + 1])
        added = _added(sums[worker], parts[worker], grid.n_directions)
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


def _images(mine: Weighted) -> Images:
    return Images(
        *_arrays(
            _planar(mine.score),
            _planar(mine.back),
            mine.score_power,
            mine.back_power,
            mine.noise_power,
            mine.image_power,
        )
    )


def _poses(operands: Operands, coarse: CoarsePass, rows: Tensor, batch: FineBatch) -> Poses:
    """Poses of some rows of the batch; no prior of their own on turns is an empty one."""
    grid = operands.poses
    turn_prior = operands.orientation_prior.new_zeros((0, 0))
    if coarse.turn_prior is not None:
        turn_prior = coarse.turn_prior[rows]
    phases, orientation_prior, shift_prior, turn = _arrays(
        operands.fine_phases, operands.orientation_prior, coarse.shift_prior[rows], turn_prior
    )
    return Poses(
        phases,
        orientation_prior,
        shift_prior,
        turn,
        grid.n_orientations,
        *_arrays(
            grid.direction, grid.fine_shifts_angst, batch.old_shift[rows], batch.centres, batch.axes[rows]
        ),
    )


def _found(result: Outcome) -> Found:
    """Where the kernel writes what it finds."""
    return Found(
        result.column.numpy(),
        result.shift.numpy(),
        result.p_max.numpy(),
        result.log_sum.numpy(),
        result.accepted.numpy(),
        result.spectra.numpy(),
        result.scale_sums.numpy(),
    )


def _added(own: SliceSums, part: PriorSums, n_directions: int) -> Sums:
    """Where the kernel of one thread adds to."""
    return Sums(
        own.data.numpy(),
        own.weight.numpy(),
        part.class_weight.numpy(),
        part.direction_weight.numpy(),
        n_directions,
        part.class_offset.numpy(),
        part.sigma2_offset.numpy(),
    )


def _planar(values: Tensor) -> Tensor:
    """Complex (b, P) as real (b, 2P), real parts first."""
    return torch.cat([values.real, values.imag], 1)


def _arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Tensors of a CPU as contiguous arrays."""
    return tuple(tensor.contiguous().numpy() for tensor in tensors)
