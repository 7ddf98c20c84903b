"""Half-sets of particles: those of the list, or drawn (refinement.md §1.14, §4.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.refine.files.particles import ParticleList

SUBSET = "rlnRandomSubset"
Ints = npt.NDArray[np.int64]


def with_halves(listed: ParticleList, path: str, seed: int | None = None) -> ParticleList:
    """The list with a half-set for each particle, drawn with `seed` where it has none.

    Raises JobFailed where only some have one, or a half has no particles. Without a seed they must be there.
    """
    table = listed.table
    if SUBSET in table:
        half = _given(table, path)
    elif seed is None:
        raise JobFailed(f"{path} has no {SUBSET}, which says to which half-set each particle belongs")
    else:
        half = _drawn(table, np.random.default_rng(seed))
    for number in (0, 1):
        if not (half == number).any():
            raise JobFailed(
                f"{path}: none of the {len(half)} particles belongs to half-set {number + 1}: two half-sets "
                f"are refined, so each needs particles ({SUBSET} 1 and 2)"
            )
    return replace(listed, particles=replace(listed.particles, half=half))


def _given(table: StarTable, path: str) -> Ints:
    subset = np.asarray(table.ints(SUBSET), np.int64)
    other = np.flatnonzero((subset != 1) & (subset != 2))
    if len(other):
        raise JobFailed(
            f"{path}: {len(other)} of {len(subset)} particles have no half-set: {SUBSET} of "
            f"{table.strings('rlnImageName')[other[0]]} is {subset[other[0]]}, expected 1 or 2 (remove the column "
            "to have new halves drawn)"
        )
    return subset - 1


def _drawn(table: StarTable, rng: np.random.Generator) -> Ints:
    """Halves of equal size; segments of a filament stay together, because they overlap."""
    if "rlnHelicalTubeID" not in table or "rlnMicrographName" not in table:
        return rng.permutation(len(table)) % 2
    names = [*zip(table.strings("rlnMicrographName"), table.ints("rlnHelicalTubeID").tolist())]
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    filament = np.array([known[name] for name in names])
    counts = np.bincount(filament)
    half, sizes = np.zeros(len(counts), np.int64), [0, 0]
    for one in rng.permutation(len(counts)):
        half[one] = int(sizes[1] < sizes[0])
        sizes[half[one]] += counts[one]
    return half[filament]
