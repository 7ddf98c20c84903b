"""Names of a run's files (pipeline.md §5.7)."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verglas.em.state.model import State


def root_of_run(optimiser: str) -> str:
    """The root name of the run that an `_itNNN_optimiser.star` belongs to; "" for another file."""
    found = re.fullmatch(r"(.+)_it\d{3}_optimiser\.star", optimiser)
    return found[1] if found else ""


def newest_iteration(root: str) -> str:
    """The optimiser file of the newest complete iteration of a run, by that of its end; "" if there is none."""
    last = Path(f"{root}_optimiser.star")
    if last.exists():
        return str(last)
    found = sorted(
        last.parent.glob(f"{glob.escape(last.stem.removesuffix('_optimiser'))}_it???_optimiser.star")
    )
    return str(found[-1]) if found else ""


@dataclass(frozen=True)
class RunNames:
    """Root name of a run ("Class2D/job006/run") and the names of an iteration's files."""

    root: str
    solvent_mask: str = "None"
    pooled: int = 1  # --pool times threads: what RELION would hold at a time

    def iteration(self, number: int) -> str:
        return f"{self.root}_it{number:03d}"

    def base(self, state: State) -> str:
        """What an iteration's files begin with; those of the one that joins two halves have no number."""
        return self.root if state.joined else self.iteration(state.iteration)

    def models(self, state: State) -> list[str]:
        """What the files of each model begin with: one, or one of each half-set."""
        base = self.base(state)
        if len(state.models) == 1 or state.joined:
            return [base]
        return [f"{base}_half{half + 1}" for half in range(len(state.models))]

    def moments(self, number: int) -> str:
        """Momentum of a VDAM run (a numpy archive of ours)."""
        return f"{self.iteration(number)}_moments.npz"

    def unfiltered(self, half: int) -> str:
        """The half map without prior of the last iteration."""
        return f"{self.root}_half{half + 1}_class001_unfil.mrc"


def references(base: str, dims: int, n_classes: int) -> list[str]:
    """How model_classes names the references."""
    if dims == 2:
        return [f"{k + 1:06d}@{base}_classes.mrcs" for k in range(n_classes)]
    return [f"{base}_class{k + 1:03d}.mrc" for k in range(n_classes)]
