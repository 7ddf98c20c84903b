"""Which particle of a list is which of the list before, and to which half-set it belongs for ever."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable
from verglas.jobs.contract.tables import after_job
from verglas.jobs.refine.files.half_sets import SUBSET
from verglas.jobs.refine.images.stacks import split_name

Ints = npt.NDArray[np.int64]
Stamp = tuple[int, int]  # size and time of change (ns) of a stack; -1, -1: it is not there


def keys_of(table: StarTable) -> list[str]:
    """What a particle is known by: its place on a micrograph; without one its image's name.

    Extracted again with another box it is the same particle. The n-th of several in one place is known by n, too.
    """
    labels = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    if all(label in table for label in labels):
        names = [after_job(name) for name in table.strings(labels[0])]
        places = zip(names, table.floats(labels[1]), table.floats(labels[2]))
        keys = [f"{name} {x:.2f} {y:.2f}" for name, x, y in places]
    else:
        keys = list(table.strings("rlnImageName"))
    seen: Counter[str] = Counter()
    for row, key in enumerate(keys):
        seen[key] += 1
        if seen[key] > 1:
            keys[row] = f"{key} #{seen[key]}"
    return keys


def halves_of(table: StarTable, keys: Sequence[str], known: Ints) -> Ints:
    """The half-set (0 or 1) of each particle: as it is `known` (-1: not yet), as the list says, or by its key.

    By its key a particle that comes back is where it was, and no list has to be complete.
    """
    drawn = [hashlib.blake2b(key.encode(), digest_size=1).digest()[0] & 1 for key in keys]
    half = np.array(drawn, np.int64).reshape(len(keys))
    if SUBSET in table:
        listed = np.asarray(table.ints(SUBSET), np.int64)
        half = np.where((listed == 1) | (listed == 2), listed - 1, half)
    return np.where(known >= 0, known, half)


def stacks_of(names: Sequence[str]) -> list[str]:
    """The stack of each image."""
    return [split_name(name)[1] for name in names]


def stamp_of(path: str) -> Stamp:
    """What tells that a stack is still the one that was read."""
    try:
        found = Path(path).stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
