"""The file itself: a numpy structured array, one row per particle, `uid` naming it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from verglas.formats.atomic import atomic_write


class CsError(ValueError):
    """A `.cs` file or a combination of them that is not what was expected."""


def read_cs(path: str | os.PathLike[str]) -> np.ndarray:
    """The structured array of a `.cs` file (rows,); raises OSError, and CsError naming the file."""
    with open(path, "rb") as handle:
        try:
            dataset = np.lib.format.read_array(handle, allow_pickle=False)
        except (ValueError, EOFError) as reason:
            raise CsError(f"{path}: not a complete .cs file: {reason}") from None
    if dataset.dtype.names is None or "uid" not in dataset.dtype.names:
        raise CsError(f"{path}: expected a table with a column uid, found {dataset.dtype}")
    return np.atleast_1d(dataset)


def write_cs(path: str | os.PathLike[str], dataset: np.ndarray) -> None:
    """Write a structured array atomically, as cryoSPARC reads it."""
    with atomic_write(path) as out:
        np.lib.format.write_array(out, np.ascontiguousarray(dataset), version=(1, 0), allow_pickle=False)


def join_by_uid(main: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """`main` with the columns it lacks from passthrough files, matched by uid, in main's order.

    Raises CsError if a particle is missing from a passthrough file or is there twice.
    """
    for other in others:
        main = _joined(main, other)
    return main


def _joined(main: np.ndarray, other: np.ndarray) -> np.ndarray:
    added = [name for name in other.dtype.names or () if name not in (main.dtype.names or ())]
    rows = rows_of_uids(other["uid"], main["uid"])
    joined = np.empty(len(main), dtype_with(main.dtype, [(name, other.dtype[name]) for name in added]))
    for name in main.dtype.names or ():
        joined[name] = main[name]
    for name in added:
        joined[name] = other[name][rows]
    return joined


def rows_of_uids(there: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Row in `there` of every wanted uid; raises CsError for missing and repeated ones."""
    order = np.argsort(there, kind="stable")
    ordered = there[order]
    if np.any(ordered[1:] == ordered[:-1]):
        raise CsError("a uid is in the passthrough file twice")
    places = np.minimum(np.searchsorted(ordered, wanted), max(len(ordered) - 1, 0))
    missing = len(wanted) if not len(ordered) else int(np.sum(ordered[places] != wanted))
    if missing:
        raise CsError(f"{missing} of {len(wanted)} particles have no row in the passthrough file")
    return order[places]


def dtype_with(dtype: np.dtype, added: Sequence[tuple[str, np.dtype]]) -> np.dtype:
    """A structured dtype with fields appended."""
    fields = [(name, dtype[name]) for name in dtype.names or ()]
    return np.dtype([*fields, *added])
