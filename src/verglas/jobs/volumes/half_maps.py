"""Two half maps: found by one of their names, read, and checked that they are two independent maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.volumes.reading import Volume, check_same_grid, read_volume


def other_half(name: str) -> str:
    """The other half map's name. Raises JobFailed when its base name says neither half1 nor half2."""
    path = Path(name)
    for one, other in (("half1", "half2"), ("half2", "half1")):
        if one in path.name:
            return str(path.with_name(path.name.replace(one, other)))
    raise JobFailed(f"half map {name!r}: the name must contain half1 or half2")


def both_names(one: str, other: str = "") -> tuple[str, str]:
    """The names of half 1 and half 2 from either of them (or both, in their order)."""
    if other:
        return one, other
    found = sorted((one, other_half(one)), key=lambda name: "half2" in Path(name).name)
    return found[0], found[1]


def read_half_maps(one: str, other: str = "", pixel_size_angst: float = -1.0) -> tuple[Volume, Volume]:
    """Half 1 and half 2. Raises NothingToDo while one is missing, JobFailed where they are no pair."""
    names = both_names(one, other)
    if Path(names[0]).exists() and Path(names[1]).exists() and Path(names[0]).samefile(names[1]):
        raise JobFailed(f"the half maps {names[0]} and {names[1]} are one file: half 2 is missing")
    first, second = (read_volume(name, pixel_size_angst, "half map") for name in names)
    check_same_grid(second, first, "half map")
    if np.array_equal(first.data, second.data):
        raise JobFailed(f"the half maps {names[0]} and {names[1]} hold the same values")
    for half in (first, second):
        if not half.data.any():
            raise JobFailed(f"the half map {half.path} is empty: all values are 0")
    return first, second
