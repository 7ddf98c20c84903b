"""How much of a refinement is still to come, and what run.out says about it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

A_STEP = 3  # iterations of auto-refine with one angular step, as a rule
ALIKE = 0.5  # FSC up to which two maps count as the same
AT_THE_END = 2  # that settle with the last step


def iterations_left(settings: EmSettings, state: State) -> int:
    """Iterations to come; of an automatic refinement an estimate from the step that the accuracies ask for."""
    from verglas.em.schedule.steps import FINE_ENOUGH
    from verglas.em.state.model import UNKNOWN_ACCURACY

    if settings.halves is None:
        return max(0, settings.n_iterations - state.iteration)
    if state.joined:
        return 0
    if state.fine_enough:
        return AT_THE_END
    known = 0 < state.accuracy_rot_deg < UNKNOWN_ACCURACY
    step = state.sampling.fine_angular_step_deg
    finer = step / (FINE_ENOUGH * state.accuracy_rot_deg) if known else 4.0
    halvings = max(0, math.ceil(math.log2(finer))) if finer > 0 else 0
    return min(A_STEP * halvings + A_STEP + AT_THE_END, settings.n_iterations - state.iteration)


def time_line(settings: EmSettings, state: State, seconds: float) -> str:
    """A line about the minutes to come if all iterations take as long as the last one."""
    left = iterations_left(settings, state)
    if not left:
        return ""
    guess = "about " if settings.halves is not None else ""
    return (
        f" Iteration {state.iteration} took {_duration(seconds)}; {guess}{left} more "
        f"iteration{'s' if left > 1 else ''} to come: {_duration(left * seconds)} if they take as long"
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def share_line(state: State) -> str:
    """The classes of an iteration by their shares and resolutions; "" for one class."""
    from verglas.em.maximise.resolution import class_resolutions

    model = state.model
    if model.n_classes < 2:
        return ""
    shares = [f"{k + 1}: {100 * w:.1f} %" for k, w in enumerate(model.class_weights)]
    reached = [f"{k + 1}: {each:.3g}" for k, each in enumerate(class_resolutions(model)[0])]
    return f" Classes: {', '.join(shares)}; resolutions (A) {', '.join(reached)}"


def likeness_line(state: State) -> str:
    """At the end: which two maps are most alike, up to which resolution; "" for fewer than two."""
    from verglas.fourier import crop_spectrum, forward
    from verglas.maps.shell_correlation import first_shell_below, fsc_of_spectra

    model = state.model
    size = model.current_size or model.box_size
    spectra = {
        k: crop_spectrum(forward(model.references[k], 3), size, 3)
        for k in range(model.n_classes)
        if model.class_weights[k] > 0
    }
    best, shell = (0, 0), 0
    for k, other in itertools.combinations(spectra, 2):
        found = first_shell_below(fsc_of_spectra(spectra[k], spectra[other]), ALIKE)
        reached = size // 2 if found is None else found
        if reached > shell:
            best, shell = (k, other), reached
    if not shell:
        return ""
    return (
        f" Classes {best[0] + 1} and {best[1] + 1} are most alike: FSC {ALIKE} at "
        f"{model.extent_angst / shell:.3g} A"
    )


def final_lines(root: str, state: State) -> list[str]:
    """RELION's last words of an automatic refinement (pipeline.md §7.5)."""
    reached = state.model.current_resolution
    resolution = f"{1 / reached:.6g}" if reached > 0 else "none"
    return [
        " Auto-refine: Refinement has converged, stopping now... ",
        f" Auto-refine: + Final reconstruction from all particles is saved as: {root}_class001.mrc",
        f" Auto-refine: + Final model parameters are stored in: {root}_model.star",
        f" Auto-refine: + Final data parameters are stored in: {root}_data.star",
        f" Auto-refine: + Final resolution (without masking) is: {resolution}",
        f" Auto-refine: + The half-maps for post-processing: {root}_half1_class001_unfil.mrc and "
        f"{root}_half2_class001_unfil.mrc; a mask around the particle gives a better estimate",
    ]
