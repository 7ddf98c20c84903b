"""Whether a map that gets more particles gets better: alerts, in words."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.outlook.forecast import NEAR_NYQUIST, Update

WORSE = 1.08  # times the best resolution so far, in two updates running
DOUBLED, NO_BETTER = 2.0, 1.005  # so many times the particles, and no better than so many times


def worse(updates: Sequence[Update]) -> str:
    """What got worse; "" if nothing did."""
    if len(updates) < 3:
        return ""
    best = min(updates[:-1], key=lambda each: each.resolution_angst)
    limit = WORSE * best.resolution_angst
    if not all(each.resolution_angst > limit and each.particles >= best.particles for each in updates[-2:]):
        return ""
    now = updates[-1]
    return (
        f"the map got worse: {best.resolution_angst:.1f} Å with {best.particles:,.0f} particles, "
        f"{now.resolution_angst:.1f} Å with {now.particles:,.0f}"
    )


def stalled(updates: Sequence[Update], nyquist_angst: float) -> str:
    """That twice the particles brought nothing, where there was something to gain; "" otherwise."""
    if not updates or updates[-1].resolution_angst <= NEAR_NYQUIST * nyquist_angst:
        return ""
    now = updates[-1]
    before = [each for each in updates if DOUBLED * each.particles <= now.particles]
    if not before:
        return ""
    then = min(each.resolution_angst for each in before[-3:])
    if now.resolution_angst * NO_BETTER < then:
        return ""
    return (
        f"the map stalls at {now.resolution_angst:.1f} Å: {before[-1].particles:,.0f} particles were as good as "
        f"{now.particles:,.0f}. Junk, a mixture of states, or a wrong symmetry may hold it back"
    )
