"""Signs in two half maps that they are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.maps.postprocessing.half_map_curves import HalfMapCurves
from verglas.maps.shell_correlation import fsc

SOLVENT_FSC = 0.05  # mean over the last third of shells; noise of independent halves averages to 0.00 ± 0.01
RANDOM_FSC = 0.1  # with random phases, at the resolution
_LEAST_SOLVENT = 0.1  # of the inscribed sphere, for the solvent to say anything


@dataclass(frozen=True)
class Leak:
    """One finding: what kind, how much, and what to do."""

    kind: str
    value: float
    text: str


def map_leaks(first: Tensor, second: Tensor, mask: Tensor, curves: HalfMapCurves) -> list[Leak]:
    """Correlated noise in the solvent, and a mask that correlates by itself.

    Particles in both halves bring their noise into both maps: it shows where no particle is, and beyond the
    resolution. `curves` are those of the masked maps.
    """
    found = []
    shell = min(curves.final_shell, len(curves.randomised) - 1)
    random = float(curves.randomised[shell])
    if curves.random_from and random > RANDOM_FSC:
        text = (
            f"the mask alone correlates the halves by {random:.2f} at the resolution (with random phases): "
            "extend it, or give it a softer edge"
        )
        found.append(Leak("tight mask", random, text))
    solvent = 1 - mask
    share = float(solvent.mean())
    if share >= _LEAST_SOLVENT:
        last = _last_third(fsc(first * solvent, second * solvent))
        if last > SOLVENT_FSC:
            text = (
                f"in the solvent, where no particle is, the halves correlate by {last:.2f} at the highest "
                "frequencies: noise is in both, so particles (or their neighbours) are in both"
            )
            found.append(Leak("noise in both halves", last, text))
    return found


def _last_third(curve: Tensor) -> float:
    return float(curve[2 * len(curve) // 3 :].mean())


def same_map(first: Tensor, second: Tensor) -> Leak | None:
    """Whether two half maps are one map, or multiples of one another."""
    a, b = (half.double() - half.double().mean() for half in (first, second))
    norm = float((a.square().sum() * b.square().sum()).sqrt())
    correlation = float((a * b).sum()) / norm if norm > 0 else 1.0
    if correlation < 1 - 1e-6 or not torch.isfinite(torch.tensor(correlation)):
        return None
    return Leak("one map twice", correlation, "the two half maps are one map: give the other one")
