"""Who is told what a refinement is doing, and RELION's lines about it (pipeline.md §7.5)."""

from __future__ import annotations

from typing import Protocol

from verglas.em.operands.operands import particle_diameter_angst
from verglas.em.poses.grid import PoseSet
from verglas.em.schedule.steps import resolution_needs_deg
from verglas.em.state.model import State
from verglas.em.state.settings import EmSettings


class Watcher(Protocol):
    """Told what a refinement is doing; draws bars, prints RELION's lines, looks for an abort request."""

    def start(self, title: str, total: int) -> None: ...
    def update(self, done: int) -> None: ...
    def say(self, line: str) -> None: ...


class SilentWatcher:
    """A watcher that shows nothing."""

    def start(self, title: str, total: int) -> None:
        pass

    def update(self, done: int) -> None:
        pass

    def say(self, line: str) -> None:
        pass


def sampling_lines(settings: EmSettings, state: State, poses: PoseSet) -> list[str]:
    """RELION's lines about resolution and sampling before an expectation step (pipeline.md §7.5)."""
    model, grid, sampling = state.model, poses, state.sampling
    resolution = 1 / model.current_resolution if model.current_resolution > 0 else 999.0
    diameter = particle_diameter_angst(settings, model)
    needed = resolution_needs_deg(settings, model)
    lines = [
        f"CurrentResolution= {resolution:.6g} Angstroms, which requires orientationSampling of at "
        f"least {needed:.6g} degrees for a particle of diameter {diameter:.6g} Angstroms"
    ]
    shifts, turns = len(grid.coarse_shifts_angst), grid.n_orientations
    for level in range(sampling.oversampling + 1):
        more_turns, more_shifts = (grid.children, grid.shift_children) if level else (1, 1)
        points = model.n_classes * turns * shifts * more_turns * more_shifts
        lines += [
            f"Oversampling= {level} NrHiddenVariableSamplingPoints= {points}",
            f"OrientationalSampling= {sampling.angular_step_deg / 2**level:.6g} "
            f"NrOrientations= {turns * more_turns}",
            f"TranslationalSampling= {sampling.offset_step_angst / 2**level:.6g} "
            f"NrTranslations= {shifts * more_shifts}",
            "=============================",
        ]
    return lines
