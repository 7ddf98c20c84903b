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


def auto_refine_lines(state: State) -> list[str]:
    """RELION's lines at the begin of an iteration of auto-refine, about the one before (pipeline.md §7.5)."""
    reached = state.model.current_resolution
    return [
        f"Auto-refine: Iteration= {state.iteration + 1}",
        f"Auto-refine: Resolution= {1 / reached if reached > 0 else 999.0:.6g} (no gain for "
        f"{state.resolution_stalled} iter) ",
        f"Auto-refine: Changes in angles= {state.change_angles_deg:.6g} degrees; and in offsets= "
        f"{state.change_offsets_angst:.6g} Angstroms (no gain for {state.hidden_stalled} iter) ",
    ]


def auto_sampling_lines(state: State) -> list[str]:
    """And about the steps that were chosen for it."""
    sampling = state.sampling
    return [
        f"Auto-refine: Angular step= {sampling.fine_angular_step_deg:.6g} degrees; local searches= "
        f"{'true' if sampling.is_local else 'false'}",
        f"Auto-refine: Offset search range= {sampling.offset_range_angst:.6g} Angstroms; offset step= "
        f"{sampling.fine_offset_step_angst:.6g} Angstroms",
    ]


def half_map_lines(join_angst: float) -> list[str]:
    """RELION's lines before the maximisation of two half-sets."""
    lines = ["Calculating gold-standard FSC ..."]
    if join_angst <= 0:
        return lines
    return [
        f"Averaging half-reconstructions up to {join_angst:.6g} Angstrom resolution to prevent diverging "
        "orientations ...",
        "Note that only for higher resolutions the FSC-values are according to the gold-standard!",
        *lines,
    ]


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
