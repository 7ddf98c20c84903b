"""Searches straight from the volumes, for GPUs: an optics group's operands as lists of poses want them.

Global searches take the coarse pass from dense products and the second one from here; local ones take both
from here, every particle with a list of its own (refinement.md §2.5, §11.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.operands.operands import Operands, class_log_prior
from verglas.em.operands.retry import Additions
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.local import Neighbourhoods
from verglas.em.poses.step_table import StepTable
from verglas.em.scoring.coarse import CoarsePass
from verglas.em.scoring.significance import RowWeights
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums
from verglas.em.volumes.hit_lists import CoarseHits
from verglas.em.volumes.locality import patch_order
from verglas.em.volumes.second_pass import VolumeOperands, volume_second_pass
from verglas.em.volumes.volume import LatticeSums, PoseLists, ShiftLists, SlicePixels, score_lists
from verglas.fourier.volume import Volume

LIST_BYTES = 1 << 30  # of the coarse scores of local searches made at once


@dataclass(frozen=True)
class VolumeSearch:
    """Operands of one optics group in one expectation step."""

    operands: Operands
    fine: VolumeOperands
    coarse_steps: StepTable
    coarse_order: Tensor  # (Pc,) coarse pixels in patches
    coarse_pixels: SlicePixels
    coarse_phases: Tensor  # (T, 2, Pc-1) in that order

    @classmethod
    def of(cls, operands: Operands, volume: Volume) -> VolumeSearch:
        """The search that operands stand for, in the volumes of the same references."""
        estep, poses, pixels = operands.estep, operands.poses, operands.pixels
        real = volume.values.real
        frame, padding = operands.maker.frame, volume.lattice.padding
        whole = torch.ones(len(pixels), dtype=estep.dtype, device=estep.device)
        seen = operands.maker.limited(whole) > 0
        # a slice of the first pass ends at the circle of its own size
        coarse_seen = operands.maker.limited(whole[: operands.n_coarse]) > 0
        marks = operands.well_determined
        rest = marks.new_zeros((len(marks), len(pixels) - marks.shape[1]))
        fine = VolumeOperands(
            volume=volume,
            pixels=SlicePixels(pixels.indices_yx, seen),
            model_shells=pixels.model_shells,
            n_shells=estep.model.n_shells,
            marks=torch.cat([marks, rest], 1) if marks.shape[1] else marks,
            phases=operands.fine_phases,
            fine_shifts_angst=poses.fine_shifts_angst,
            steps=StepTable.fine(poses.grid, frame, padding, real),
            n_directions=poses.n_directions,
            n_psi=poses.grid.n_psi,
            children=poses.children,
            shift_children=poses.shift_children,
            fraction=estep.settings.adaptive_fraction,
            gradient=estep.gradient,
            correlate=estep.cross_correlation,
            precision=estep.settings.precision,
        ).in_patches()
        indices = pixels.indices_yx[: operands.n_coarse]
        order = patch_order(indices)
        return cls(
            operands,
            fine,
            StepTable.coarse(poses.grid, frame, padding, real),
            order,
            SlicePixels(indices[order], coarse_seen[order]),
            operands.coarse_phases[..., order[1:] - 1].contiguous(),
        )

    def second_pass(
        self,
        coarse: CoarsePass,
        images: Weighted,
        batch: FineBatch,
        sums: LatticeSums,
        priors: PriorSums,
        additions: Additions,
    ) -> Outcome:
        """Children of the significant poses of a dense coarse pass over the whole grid."""
        device, n = images.score.device, self.operands.poses.n_orientations
        columns = torch.arange(coarse.weights.shape[2], device=device)
        hits = coarse.weights >= coarse.threshold[:, None, None]
        found = CoarseHits(hits, columns, columns // n, self.operands.orientation_prior, coarse.shift_prior)
        return volume_second_pass(self.fine, found, images, batch, sums, priors, additions)

    def together(self, around: Neighbourhoods) -> int:
        """How many particles of a batch go through both local passes at once."""
        k = self.operands.estep.model.n_classes
        width = around.numbers.shape[1] * k * len(self.coarse_phases) * 8
        return max(1, LIST_BYTES // width)

    def local_passes(
        self,
        around: Neighbourhoods,
        images: Weighted,
        shift_prior: Tensor,
        batch: FineBatch,
        sums: LatticeSums,
        priors: PriorSums,
        additions: Additions,
    ) -> tuple[Outcome, Tensor]:
        """Both passes over neighbourhoods of some particles; the second value (b,) counts hits."""
        found, counts = self._hits(around, images, shift_prior)
        return volume_second_pass(self.fine, found, images, batch, sums, priors, additions), counts

    def _hits(
        self, around: Neighbourhoods, images: Weighted, shift_prior: Tensor
    ) -> tuple[CoarseHits, Tensor]:
        """Significant coarse poses of m particles over their own lists, and how many each has."""
        operands, estep = self.operands, self.operands.estep
        klass, place, counts = _class_by_class(around.counts, estep.model.n_classes)
        number = around.numbers.gather(1, place).clamp_min(0)
        prior = class_log_prior(estep).to(klass.device)[klass] + around.log_prior.gather(1, place)
        inside = torch.arange(klass.shape[1], device=klass.device) < counts[:, None]
        prior = torch.where(inside, prior, -torch.inf).to(estep.dtype)
        scores = score_lists(
            self.fine.volume,
            self.coarse_pixels,
            PoseLists(
                torch.arange(len(klass), device=klass.device),
                klass.int(),
                self.coarse_steps(number),
                counts.int(),
            ),
            ShiftLists(self.coarse_phases),
            images.score.index_select(1, self.coarse_order),
            images.score_power.index_select(1, self.coarse_order),
            estep.settings.precision,
        )
        scores += prior[:, None] + shift_prior.gather(
            1, klass[..., None].expand(-1, -1, shift_prior.shape[2])
        ).transpose(1, 2)
        settings = estep.settings
        found = RowWeights.of(scores.flatten(1), settings.adaptive_fraction, settings.max_significants)
        hits = (found.weights >= found.threshold[:, None]).view(scores.shape)
        columns = klass * len(operands.poses.grid) + number
        return CoarseHits(hits, columns, klass, prior, shift_prior), found.count.cpu()


def _class_by_class(counts: Tensor, n_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """For lists of `counts` (m,) orientations, one class after the other: class and place (m, K * O), counts."""
    most = int(counts.max()) * n_classes
    position = torch.arange(most, device=counts.device).expand(len(counts), -1)
    klass = (position // counts[:, None]).clamp_max(n_classes - 1)
    return klass, position % counts[:, None], counts * n_classes
