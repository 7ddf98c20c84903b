"""A new list beside what is known: which particles are new, which have gone, which images are others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.refine.files.particles import ParticleList
from verglas.jobs.refine.streaming.identity import Ints, Stamp, halves_of, keys_of, stacks_of, stamp_of
from verglas.jobs.refine.streaming.record import CTF, Known, ctf_columns

if TYPE_CHECKING:
    from verglas.em.state.particles import OpticsGroup, Particles

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """The list, and behind it the images that have to be taken out of the sums as they were added.

    `particles` are both; arrays have a row for each of them.
    """

    listed: ParticleList  # with half-sets
    known: Known  # of the list
    particles: Particles
    poses: Ints  # row of the record whose pose each begins with; -1: none
    record: Ints  # row of the record that says how its image was added; -1: it is not in the sums
    changed: Bools  # known, but its image or CTF is another
    readable: bool  # whether all images that are in the sums are as they were

    @property
    def n_listed(self) -> int:
        return len(self.listed.particles)

    @property
    def gone(self) -> Ints:
        """Rows to be taken out of the sums for good."""
        return np.arange(self.n_listed, len(self.particles))


def match(listed: ParticleList, before: Known | None, added: Bools) -> Match:
    """Lay a list beside the particles of the last update, of which `added` are in the sums.

    Raises JobFailed where box or pixel size are not those that the map was begun with.
    """
    keys = keys_of(listed.table)
    place = {} if before is None else {key: row for row, key in enumerate(before.keys)}
    row = np.array([place.get(key, -1) for key in keys], np.int64)
    half = halves_of(listed.table, keys, np.full(len(keys), -1) if before is None else _of(before.half, row))
    listed = replace(listed, particles=replace(listed.particles, half=half))
    known = _known(listed, keys)
    if before is None:
        same = np.zeros(len(keys), bool)
        return Match(listed, known, listed.particles, row, np.full(len(keys), -1), same, True)
    _check_sizes(before.optics, known.optics)
    same = _unchanged(before, known, row)
    readable = _readable(before, known, np.nonzero(added)[0])
    # where one image of the sums is no longer what it was, all are added anew, and none is taken out
    record = np.where(same & readable, row, -1)
    extra = np.setdiff1d(np.nonzero(added)[0], record) if readable else row[:0]
    particles = with_others(listed.particles, before, extra)
    none = np.full(len(extra), -1)
    return Match(
        listed,
        known,
        particles,
        np.concatenate([row, none]),
        np.concatenate([record, extra]),
        np.concatenate([(row >= 0) & ~same, np.zeros(len(extra), bool)]),
        readable,
    )


def _of(values: Ints, rows: Ints) -> Ints:
    """Values of known rows; -1 for the others."""
    return np.where(rows >= 0, values[np.maximum(rows, 0)], -1) if len(values) else np.full(len(rows), -1)


def _known(listed: ParticleList, keys: list[str]) -> Known:
    particles = listed.particles
    assert particles.half is not None
    return Known(
        tuple(keys),
        particles.names,
        particles.half,
        particles.optics_group,
        ctf_columns(particles),
        particles.optics,
        particles.group_names,
        {path: stamp_of(path) for path in sorted(set(stacks_of(particles.names)))},
    )


def _check_sizes(before: tuple[OpticsGroup, ...], now: tuple[OpticsGroup, ...]) -> None:
    known = {group.name: group for group in before}
    for group in now:
        old = known.get(group.name)
        if old is None:
            continue
        for what, unit in (("box_size", "px"), ("pixel_size_angst", "A")):
            was, found = getattr(old, what), getattr(group, what)
            if was != found:
                raise JobFailed(
                    f"optics group {group.name}: {what.split('_')[0]} size {found:g} {unit}, but the map was begun "
                    f"with {was:g} {unit}: extract with that size, or begin a new job"
                )


def _unchanged(before: Known, now: Known, row: Ints) -> Bools:
    """Whether a known particle has the image and the CTF that it was added with."""
    where = np.maximum(row, 0)
    named = np.array([before.names[k] for k in where], dtype=np.str_) == np.array(now.names, dtype=np.str_)
    ctf = (before.ctf[where] == now.ctf).all(1) if len(row) else np.zeros(0, bool)
    stacks = stacks_of(now.names)
    changed = {path for path in now.stamps if before.stamps.get(path, now.stamps[path]) != now.stamps[path]}
    fresh = np.array([path not in changed for path in stacks], bool)
    return (row >= 0) & named & ctf & fresh


def _readable(before: Known, now: Known, added: Ints) -> bool:
    """Whether what is in the sums can be taken out: the same stacks and the same optics."""
    known = {group.name: group for group in now.optics}
    groups = np.unique(before.group[added]) if len(added) else ()
    if any(known.get(before.optics[k].name, before.optics[k]) != before.optics[k] for k in groups):
        return False
    stacks = set(stacks_of([before.names[k] for k in added]))
    return all(_stamp(path, now) == before.stamps[path] for path in stacks)


def _stamp(path: str, now: Known) -> Stamp:
    return now.stamps.get(path) or stamp_of(path)


def with_others(particles: Particles, before: Known, rows: Ints) -> Particles:
    """Particles, and behind them some of the record, with the CTF that they were added with."""
    if not len(rows):
        return particles
    place = {group.name: number for number, group in enumerate(particles.optics)}
    missing = [group for group in before.optics if group.name not in place]
    place |= {group.name: len(particles.optics) + number for number, group in enumerate(missing)}
    group = np.array([place[before.optics[k].name] for k in before.group[rows]], np.int64)
    ctf = before.ctf[rows]
    more: dict[str, Any] = {name: ctf[:, number] for number, name in enumerate(CTF)}
    assert particles.half is not None
    more |= {"optics_group": group, "half": before.half[rows], "scale_group": np.zeros(len(rows), np.int64)}
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(particles, name), values]) for name, values in more.items()
    }
    return replace(
        particles,
        names=(*particles.names, *(before.names[k] for k in rows)),
        optics=(*particles.optics, *missing),
        psi_prior_deg=None,
        **joined,
    )
