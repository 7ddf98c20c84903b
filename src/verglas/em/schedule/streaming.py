"""An update of a map that follows its particles: who is searched, over which poses (docs/streaming-refinement.md).

New particles are searched over all orientations at the steps that the user asked for, then around what was found,
down to the step that the accuracy allows. Old ones are searched around their last orientations at that step,
those first whose last search is longest ago: as many as `again` says for each new one, so that an update costs
the same however many there are. With one for each, a particle is searched again by the time that the particles
have doubled in number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from verglas.em.operands.operands import coarse_image_size
from verglas.em.schedule.steps import BARE_STEP_ANGST, FINE_ENOUGH
from verglas.em.state.model import UNKNOWN_ACCURACY, State
from verglas.em.state.particles import Ints
from verglas.em.state.sampling import DIRECTION_STEP_DEG, Sampling
from verglas.em.state.settings import EmSettings, HalvesSettings, StreamingSettings

ORDERS_AT_ONCE = (
    2  # by which a local search goes finer than what found its centre: it reaches 3σ, 6 of its steps
)
FINEST_ORDER = 7


@dataclass(frozen=True)
class Plan:
    """Particles of an update; all are usable."""

    fresh: Ints  # new ones, or old ones whose image is another
    globally: Ints  # old ones over all orientations
    locally: Ints  # old ones around their last orientations

    @property
    def everywhere(self) -> Ints:
        """Who is searched over all orientations."""
        return np.sort(np.concatenate([self.fresh, self.globally]))

    @property
    def searched(self) -> Ints:
        return np.sort(np.concatenate([self.fresh, self.globally, self.locally]))


def plan_of(
    settings: StreamingSettings, fresh: Ints, old: Ints, searched: Ints, junk: npt.NDArray[np.bool_]
) -> Plan:
    """Who of the old is searched again beside the `fresh`; `searched` (n,): the update that did so last.

    `junk` (n,): who was judged to be none, for which nothing but a search over all orientations can speak.
    """
    count = min(len(old), math.ceil(settings.again * len(fresh)))
    chosen = old[np.lexsort((old, searched[old]))][:count]
    step = round(1 / settings.globally) if settings.globally > 0 else len(chosen) + 1
    everywhere = (np.arange(len(chosen)) % step == step - 1) | junk[chosen]
    return Plan(fresh, np.sort(chosen[everywhere]), np.sort(chosen[~everywhere]))


def passes(halves: HalvesSettings, state: State) -> list[Sampling]:
    """The samplings that new particles go through; old ones join at the last, which is local."""
    first = replace(state.sampling.as_asked(), local_sigma_deg=(0.0, 0.0, 0.0))
    last = max(_needed_order(halves, state), first.healpix_order)
    orders = [*range(first.healpix_order + ORDERS_AT_ONCE, last, ORDERS_AT_ONCE), last]
    found = [first]
    for order in orders:
        found.append(_local(state, found[-1], order))
    return found


def in_detail(settings: EmSettings, state: State, sampling: Sampling) -> State:
    """The state with a sampling, and images no larger than its fine steps can tell apart.

    Finer detail is misplaced by half a step at the particle's rim: it would speak against the right pose.
    """
    finest = replace(sampling, healpix_order=sampling.healpix_order + sampling.oversampling)
    model = state.model
    size = coarse_image_size(settings, finest, model, 1.0, model.box_size)
    models = (replace(each, current_size=min(each.current_size, size)) for each in state.models)
    return replace(state, sampling=sampling, models=tuple(models))


def _needed_order(halves: HalvesSettings, state: State) -> int:
    """The order whose fine step is below three quarters of the accuracy, as auto-refine ends with."""
    if state.accuracy_rot_deg >= UNKNOWN_ACCURACY:
        return 0
    needed = FINE_ENOUGH * state.accuracy_rot_deg
    for order in range(FINEST_ORDER + 1):
        step = DIRECTION_STEP_DEG / 2**order / 2**state.sampling.oversampling
        if step < needed or step / 2 < halves.least_step_deg:
            return order
    return FINEST_ORDER


def _local(state: State, before: Sampling, order: int) -> Sampling:
    """A search around what the sampling `before` found."""
    turn = DIRECTION_STEP_DEG / 2**order
    finer = 2**before.oversampling
    step = min(BARE_STEP_ANGST, FINE_ENOUGH * state.accuracy_shift_angst) * finer
    step = min(step, before.offset_step_angst)
    reach = max(1.5 * step, before.fine_offset_step_angst)
    return replace(
        before,
        healpix_order=order,
        psi_step_deg=turn,
        offset_step_angst=step,
        offset_range_angst=reach,
        local_sigma_deg=(2 * turn / finer,) * 3,
    )
