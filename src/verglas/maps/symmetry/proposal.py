"""Which point groups a map may have: a score for each, to which resolution it holds, and a statement.

The score compares the FSC of the map with its turned copies with two bounds in every shell: what an arbitrary turn
reaches (0) and what the map's own noise lets even a true symmetry reach (1). So shape alone, which every turn of a
round particle has, counts for nothing, and a symmetry that only holds at low resolution falls behind where
the map is still good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.geometry import PointGroup
from verglas.maps.symmetry.evidence import Evidence, Particle, gather, particle_of
from verglas.maps.symmetry.families import contains_group, maximal
from verglas.maps.symmetry.search import COARSE_SIDE, MIDDLE_SIDE, Axes, climb, grid_of, polish, starts
from verglas.maps.symmetry.self_rotation import SelfRotation, TurnTable
from verglas.maps.symmetry.turns import Turns, turns_of

CYCLIC = tuple(f"C{n}" for n in range(2, 13))
GROUPS = (*CYCLIC, *(f"D{n}" for n in range(2, 13)), "T", "O", "I")
HOLDS, POSSIBLE = 0.75, 0.4  # scores from which a group holds, and may hold
POLISH_SIDE = 48
_STARTS, _TURNS = 3, 6  # fewer than where the group is known: there are 25 of them
_TABLE_ORDER = 3
_WORTH_POLISHING = 0.3
AS_GOOD = 0.93  # of the score of a part: a larger group must reach it to be proposed instead
_LEAST_RANGE = 0.2  # between chance and quality: shells where they are nearer decide nothing


@dataclass(frozen=True, eq=False)
class Proposal:
    """One point group judged."""

    name: str
    score: float  # 1: as symmetric as the map's noise allows; 0: as any turn; nan where nothing can be told
    holds_to_angst: float  # the resolution up to which the copies agree; inf if nowhere
    statement: str
    axes: Axes
    proposed: bool = False


def propose_symmetries(
    volume: Tensor,
    pixel_size_angst: float,
    *,
    quality: Tensor | None = None,
    resolution_angst: float | None = None,
    names: Sequence[str] = GROUPS,
) -> list[Proposal]:
    """Point groups of a cubic map (N, N, N) made without symmetry, the proposed one first, then by score.

    `quality` (N//2+1,) is the share of the map's power that is signal, 2 FSC/(1 + FSC) of half maps; without it the
    noise of the solvent tells, and where that was flattened the map is taken to be right up to
    `resolution_angst` (by default as far as it has power), which the statements say. C1 is always in the list.
    Raises ValueError for a map without positive values.
    """
    groups = {name: PointGroup.of(name) for name in names}
    particle = particle_of(volume, pixel_size_angst)
    radius = particle.radius_px
    found = _search(volume, groups, particle)
    best = max(found, key=lambda name: found[name].score * math.sqrt(groups[name].order))
    centre = polish(volume, turns_of(groups[best]), found[best], POLISH_SIDE, radius).centre_px
    evidence = gather(volume, pixel_size_angst, centre, particle, quality, resolution_angst)
    judged = []
    for name, group in groups.items():
        turns, axes = turns_of(group), replace(found[name], centre_px=centre)
        one = _judged(name, evidence, turns, axes)
        if one.score >= _WORTH_POLISHING:
            axes = polish(volume, turns, axes, POLISH_SIDE, radius)
            one = max(one, _judged(name, evidence, turns, axes), key=lambda each: each.score)
        judged.append(one)
    return _stated(judged, evidence, Axes(torch.eye(3, dtype=torch.float64), centre, 1.0))


def _search(volume: Tensor, groups: dict[str, PointGroup], particle: Particle) -> dict[str, Axes]:
    turns, centre = {name: turns_of(group) for name, group in groups.items()}, particle.centre_px
    coarse = SelfRotation.of(volume, COARSE_SIDE, centre, particle.radius_px)
    table = TurnTable.of(coarse, {f for turn in turns.values() for f in turn.fractions}, _TABLE_ORDER)
    copy = SelfRotation.of(volume, MIDDLE_SIDE, centre, particle.radius_px)
    found = {}
    for name, group in groups.items():
        frames = starts(table, group, grid_of(group), _STARTS)
        frame, score = climb(copy, turns[name], frames, most=_TURNS)
        found[name] = Axes(frame, centre, score)
    return found


def _judged(name: str, evidence: Evidence, turns: Turns, axes: Axes) -> Proposal:
    """The score of one group, still without a statement."""
    curve = evidence.curve(turns, axes)
    shells = _deciding(evidence)
    if not len(shells):
        return Proposal(name, math.nan, math.inf, "", axes)
    chance, quality = evidence.chance[shells], evidence.quality[shells]
    weights = shells.double()
    reached, allowed = curve[shells] - chance, quality - chance
    score = float((weights * reached).sum() / (weights * allowed).sum())
    below = (
        (_with_neighbours(weights * reached) < 0.5 * _with_neighbours(weights * allowed)).nonzero().flatten()
    )
    last = int(shells[-1]) if not len(below) else int(shells[int(below[0])]) - 1
    holds = evidence.extent_angst / last if last > 0 and (not len(below) or int(below[0]) > 0) else math.inf
    return Proposal(name, max(0.0, min(1.0, score)), holds, "", axes)


def _with_neighbours(values: Tensor) -> Tensor:
    """Sums of each value and those beside it: one shell alone, of few frequencies, ends no symmetry."""
    padded = torch.nn.functional.pad(values, [1, 1])
    return padded[:-2] + padded[1:-1] + padded[2:]


def _deciding(evidence: Evidence) -> Tensor:
    """Shells in which the map could tell a symmetry from an arbitrary turn."""
    shells = torch.arange(1, evidence.last_shell + 1)
    return shells[(evidence.quality - evidence.chance)[shells] > _LEAST_RANGE]


def _stated(judged: list[Proposal], evidence: Evidence, axes: Axes) -> list[Proposal]:
    """With statements, C1 and the order of the list."""
    deciding = _deciding(evidence)
    if not len(deciding):
        nothing = "not excluded: the map decides nothing, at no resolution does it tell a turn from chance"
        judged = [replace(one, statement=nothing) for one in judged]
        return [Proposal("C1", math.nan, math.inf, "proposed for want of evidence", axes, True), *judged]
    limit = evidence.extent_angst / int(deciding[-1])  # beyond, the map tells no turn from another
    chosen = _chosen(judged)
    name = "C1" if chosen is None else chosen.name
    if chosen is not None:  # whose axes hold those of its parts, if a search of their own missed them
        parts = [one for one in judged if contains_group(name, one.name) and one.score < chosen.score]
        judged = [
            replace(one, score=chosen.score, holds_to_angst=chosen.holds_to_angst) if one in parts else one
            for one in judged
        ]
    stated = [
        replace(one, statement=_statement(one, name, limit, evidence), proposed=one is chosen)
        for one in judged
    ]
    stated.append(Proposal("C1", 1.0, limit, _about_c1(name, judged), axes, chosen is None))
    return sorted(stated, key=lambda one: (not one.proposed, -one.score))


def _chosen(judged: list[Proposal]) -> Proposal | None:
    """The largest group that holds as well as its parts do; of rivals, none part of another, the best."""
    holding = [one for one in judged if one.score >= HOLDS]
    fair = [
        one.name
        for one in holding
        if all(one.score >= AS_GOOD * part.score for part in holding if contains_group(one.name, part.name))
    ]
    rivals = maximal(fair)
    return max((one for one in holding if one.name in rivals), key=lambda one: one.score, default=None)


def _statement(one: Proposal, chosen: str, limit_angst: float, evidence: Evidence) -> str:
    caveat = (
        ""
        if evidence.quality_known
        else " (no solvent noise to judge by: the map is taken to be right so far)"
    )
    holds, limit = f"{one.holds_to_angst:.1f} Å", f"{limit_angst:.1f} Å"
    if one.name == chosen:
        return f"proposed: holds to {holds} of {limit}{caveat}"
    if contains_group(chosen, one.name):
        return f"part of {chosen}"
    if one.score >= HOLDS and contains_group(one.name, chosen):
        return f"not excluded: holds to {holds}, but {chosen} holds better: a pseudo-symmetry?"
    if one.score >= HOLDS:
        return f"not excluded: holds to {holds}, too, but not together with {chosen}"
    if _may_hold(one):
        return f"not excluded: holds to {holds} of {limit}{caveat}; a pseudo-symmetry would, too"
    return f"excluded beyond {holds}" if math.isfinite(one.holds_to_angst) else "excluded"


def _may_hold(one: Proposal) -> bool:
    return one.score >= POSSIBLE and math.isfinite(one.holds_to_angst)


def _about_c1(chosen: str, judged: list[Proposal]) -> str:
    if chosen != "C1":
        return f"never excluded: what breaks {chosen} may be smaller than the map shows"
    possible = [one.name for one in judged if _may_hold(one)]
    if possible:
        return f"proposed: nothing holds as far as the map does; not excluded: {', '.join(possible)}"
    return "proposed: no other group holds"
