"""Whether two ways to one result are equal: one processor and another, one rank and three, two precisions.

Maps that correlate by 0.999 may still differ in what they are worth: noise that both have alike does not lower their
correlation. So the signal over noise that each way's own half maps show is compared, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.maps.shell_correlation import fsc, resolution_shell

LEAST_FSC_AREA, LEAST_SSNR_RATIO = 0.999, 0.98
_HIGHEST = 1 - 1e-6  # of an FSC: 1 has no noise to compare


@dataclass(frozen=True, eq=False)
class EqualWays:
    """What two ways to one map have in common."""

    fsc_area: float  # mean FSC of their maps up to the resolution
    ssnr_ratio: (
        float  # of the second way to the first, or its inverse if smaller: mean over the band's upper half
    )
    last_shell: int  # of the band: the resolution of the better way

    @property
    def equal(self) -> bool:
        return self.fsc_area >= LEAST_FSC_AREA and self.ssnr_ratio >= LEAST_SSNR_RATIO


def compare_ways(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> EqualWays:
    """Compare the unfiltered half maps (N, N, N) of two ways to one result, half 1 with half 1.

    SSNR = F/(1 - F) of the half maps per shell. ValueError where neither way has a resolution.
    """
    curves = [fsc(*(half.double() for half in halves)) for halves in (one, other)]
    last = max(resolution_shell(curve) for curve in curves)
    if last < 2:
        raise ValueError("the half maps of neither way agree to any resolution: there is nothing to compare")
    common = fsc(one[0].double() + one[1], other[0].double() + other[1])
    upper = slice((last + 1) // 2, last + 1)
    ssnr = [_ssnr(curve[upper]) for curve in curves]
    ratio = float((ssnr[1] / ssnr[0]).mean())
    return EqualWays(float(common[1 : last + 1].mean()), min(ratio, 1 / ratio), last)


def _ssnr(curve: Tensor) -> Tensor:
    positive = torch.clamp(curve, 1e-3, _HIGHEST)
    return positive / (1 - positive)
