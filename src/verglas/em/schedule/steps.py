"""How the steps of the pose grid follow what is known: coarser for classifications, finer automatically.

Coarser sampling (`--allow_coarser_sampling`, refinement.md §5.7) never remembers: every iteration chooses
anew from the user's own steps. Automatic sampling (`--auto_sampling`, §5.4, §7.1) only ever refines.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verglas.em.operands.operands import particle_diameter_angst
from verglas.em.state.model import UNKNOWN_ACCURACY, Model, State
from verglas.em.state.sampling import DIRECTION_STEP_DEG, Sampling
from verglas.em.state.settings import EmSettings, HalvesSettings

NEEDED = 0.8  # of the accuracy: a step above it loses information (coarser sampling)
FINE_ENOUGH = 0.75  # of the accuracy: a step below it gains nothing (automatic sampling)
BARE_STEP_ANGST = 1.5  # refinement.md §12 no. 6: meant as pixels, compared in Å
FIRST_LOCAL_ORDER = 4  # orders from here on are for local searches
GRADIENT_EVERY = 10  # mini-batches between changes of the steps
FIRST_MAP_ORDER = 2  # the finest of a map from nothing: 7.5 degrees after oversampling
FIRST_MAP_NEEDED = 0.6  # of the step that its resolution needs
SETTLED = 0.40  # of a fine step: changes below it do not matter
MARGIN = 1.03
PSI_LOCAL_STEP_DEG = DIRECTION_STEP_DEG / 2**FIRST_LOCAL_ORDER


def coarser_sampling(settings: EmSettings, state: State) -> Sampling:
    """The coarsest steps that the accuracies allow, never finer than the user's (§5.7)."""
    sampling = state.sampling.as_asked()
    known = max(state.accuracy_rot_deg, state.accuracy_shift_angst) < UNKNOWN_ACCURACY
    if settings.n_classes < 2 or not known:
        return sampling
    finer = 2**sampling.oversampling
    turn = NEEDED * state.accuracy_rot_deg
    move = min(NEEDED * state.accuracy_shift_angst * finer, 0.95 * sampling.offset_range_angst)
    sampling = replace(sampling, offset_step_angst=max(sampling.offset_step_angst, move))
    if sampling.dims == 2:
        return replace(sampling, psi_step_deg=max(sampling.psi_step_deg, turn * finer))
    for order in range(sampling.healpix_order):
        if DIRECTION_STEP_DEG / 2**order / finer < turn:
            return replace(sampling, healpix_order=order, psi_step_deg=DIRECTION_STEP_DEG / 2**order)
    return sampling


def finer_sampling(settings: EmSettings, state: State, number: int) -> State:
    """The state with finer steps where resolution and assignments have settled (§5.4)."""
    gradient = settings.gradient is not None
    if number < 2 or (gradient and number % GRADIENT_EVERY):
        return state
    settled = state.resolution_stalled >= 1 and (gradient or state.hidden_stalled >= 1)
    if not settled or _fine_enough(state) or _enough_for_first_map(settings, state):
        return state
    sampling = state.sampling
    order, psi = sampling.healpix_order + 1, sampling.psi_step_deg / 2
    if sampling.dims == 3:
        psi = DIRECTION_STEP_DEG / 2**order
    if psi <= PSI_LOCAL_STEP_DEG or (order >= FIRST_LOCAL_ORDER and sampling.dims == 3):
        return state
    step, reach = _offsets(state)
    if sampling.dims == 3:
        sampling = replace(sampling, healpix_order=order)
    finer = replace(sampling, psi_step_deg=psi, offset_step_angst=step, offset_range_angst=reach)
    return _from_here(replace(state, sampling=finer))


def _enough_for_first_map(settings: EmSettings, state: State) -> bool:
    """A first map does not need finer steps: they would cost eight times the time each (docs/initial-model.md)."""
    if not settings.denovo:
        return False
    needed = resolution_needs_deg(settings, state.model)
    fine = state.sampling.fine_angular_step_deg
    return state.sampling.healpix_order >= FIRST_MAP_ORDER or fine <= FIRST_MAP_NEEDED * needed


def refined_sampling(settings: EmSettings, halves: HalvesSettings, state: State) -> State:
    """The state of an auto-refine with finer steps where that may tell more, or marked fine enough (§5.4)."""
    sampling, model = state.sampling, state.model
    order = sampling.healpix_order + 1
    needed = resolution_needs_deg(settings, model) < sampling.fine_angular_step_deg
    by_resolution = halves.resolution_decides and needed and order != settings.first_local_order
    if not (state.resolution_stalled >= 1 or by_resolution):
        return state
    if not (state.hidden_stalled >= 1 or halves.ignore_angles):
        return state
    if _is_enough(halves, state):
        return replace(state, fine_enough=True)
    step, reach = _offsets(state)
    turn = DIRECTION_STEP_DEG / 2**order
    finer = replace(
        sampling, healpix_order=order, psi_step_deg=turn, offset_step_angst=step, offset_range_angst=reach
    )
    if order >= settings.first_local_order:
        finer = replace(finer, local_sigma_deg=(2 * finer.fine_angular_step_deg,) * 3)
    return _from_here(replace(state, sampling=finer, fine_enough=False))


def _is_enough(halves: HalvesSettings, state: State) -> bool:
    """Whether the sampling need not be refined: by the accuracy, unless the user says otherwise."""
    step = state.sampling.fine_angular_step_deg
    if 0 < halves.fine_step_deg < step:
        return False
    return _fine_enough(state) or step / 2 < halves.least_step_deg


def _from_here(state: State) -> State:
    """Counters and smallest changes begin anew with a new sampling."""
    return replace(
        state,
        resolution_stalled=0,
        hidden_stalled=0,
        best_change_classes=9999999.0,
        best_change_angles_deg=UNKNOWN_ACCURACY,
        best_change_offsets_angst=UNKNOWN_ACCURACY,
    )


def _fine_enough(state: State) -> bool:
    known = state.accuracy_rot_deg < UNKNOWN_ACCURACY
    return not known or (state.sampling.fine_angular_step_deg < FINE_ENOUGH * state.accuracy_rot_deg)


def _offsets(state: State) -> tuple[float, float]:
    """New step and range of the offsets, Å; the old ones where the step would grow."""
    sampling = state.sampling
    finer = 2**sampling.oversampling
    step = min(BARE_STEP_ANGST, FINE_ENOUGH * state.accuracy_shift_angst) * finer
    reach = min(1.3 * sampling.offset_range_angst, 5 * state.change_offsets_angst)
    reach = max(reach, 1.5 * step)
    if reach > 4 * step:
        reach /= 2
    if reach > 4 * step:
        step = reach / 4
    if step > sampling.offset_step_angst:
        return sampling.offset_step_angst, sampling.offset_range_angst
    return step, reach


def with_settled(state: State) -> State:
    """The state with its count of iterations whose assignments did not change less than before (§5.1)."""
    classes, turn, move = (state.change_classes, state.change_angles_deg, state.change_offsets_angst)
    sampling = state.sampling
    stalled = (
        MARGIN * classes >= state.best_change_classes
        and (turn / sampling.fine_angular_step_deg < SETTLED or MARGIN * turn >= state.best_change_angles_deg)
        and (
            move / sampling.fine_offset_step_angst < SETTLED
            or MARGIN * move >= state.best_change_offsets_angst
        )
    )
    return replace(
        state,
        hidden_stalled=state.hidden_stalled + 1 if stalled else 0,
        best_change_classes=min(classes, state.best_change_classes),
        best_change_angles_deg=min(turn, state.best_change_angles_deg),
        best_change_offsets_angst=min(move, state.best_change_offsets_angst),
    )


def fitted_directions(model: Model, n_directions: int) -> Model:
    """The model with priors of `n_directions` directions; flat within each class where the grid is new."""
    if model.direction_weights.shape[1] == n_directions:
        return model
    flat = np.repeat(model.class_weights[:, None] / n_directions, n_directions, 1)
    return replace(model, direction_weights=flat)


def resolution_needs_deg(settings: EmSettings, model: Model) -> float:
    """The angular step that the current resolution needs at the particle's rim."""
    diameter = particle_diameter_angst(settings, model)
    resolution = 1 / model.current_resolution if model.current_resolution > 0 else 999.0
    return float(360 / np.ceil(np.pi * diameter / resolution))
