"""How several ranks become one: their sums are added in ascending order, their particles' rows merged.

The engine knows only this interface; MPI and files are the caller's business. Whatever carries the numbers,
the order of additions is fixed, so that results do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from verglas.em.state.particles import Assignments, Ints

Packed = npt.NDArray[np.float64]
ROW_FIELDS = (
    "rot_deg",
    "tilt_deg",
    "psi_deg",
    "origin_yx_angst",
    "class_index",
    "norm",
    "log_likelihood",
    "p_max",
    "n_significant",
)


class Packable(Protocol):
    """Sums that can be flattened and set again."""

    def pack(self) -> Packed: ...
    def unpack(self, numbers: Packed) -> None: ...


class Ranks(Protocol):
    """The processes of a run, seen from one of them."""

    rank: int
    size: int

    def add(self, sums: Packable, members: Sequence[int]) -> None:
        """Replace the sums of every rank by the total over the ranks `members`, which ascend."""
        ...

    def merge(self, found: Assignments, rows: Ints) -> None:
        """Give every rank the rows that the others worked on; `rows` are this rank's."""
        ...


class Alone:
    """The only rank."""

    rank, size = 0, 1

    def add(self, sums: Packable, members: Sequence[int]) -> None:
        """Nothing to add."""

    def merge(self, found: Assignments, rows: Ints) -> None:
        """Nothing to merge."""


def ranks_of_half(half: int, ranks: Ranks, n_halves: int) -> range:
    """The ranks that work on a half-set: every second one; all of them where there is one set, or one rank."""
    if n_halves == 1 or ranks.size == 1:
        return range(ranks.size)
    return range(half, ranks.size, n_halves)


def share_of_half(order: Ints, half: int, ranks: Ranks, n_halves: int) -> Ints:
    """This rank's share of the particles of a half-set; none of them if it works on the other."""
    members = ranks_of_half(half, ranks, n_halves)
    if ranks.rank not in members:
        return order[:0]
    return share(order, members.index(ranks.rank), len(members))


def share(order: Ints, rank: int, size: int) -> Ints:
    """The particles of one rank (or device): a contiguous run."""
    return order[len(order) * rank // size : len(order) * (rank + 1) // size]


def pack_rows(found: Assignments, rows: Ints) -> dict[str, npt.NDArray[np.generic]]:
    """The rows of some particles, to be sent."""
    return {"rows": rows} | {name: getattr(found, name)[rows] for name in ROW_FIELDS}


def unpack_rows(found: Assignments, packed: dict[str, npt.NDArray[np.generic]]) -> None:
    """Put received rows in their place."""
    for name in ROW_FIELDS:
        getattr(found, name)[packed["rows"]] = packed[name]
