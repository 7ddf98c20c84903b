"""Which point group of rotations is part of which, by their names, up to orientation."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = {
    "T": {"C1", "C2", "C3", "D2", "T"},
    "O": {"C1", "C2", "C3", "C4", "D2", "D3", "D4", "T", "O"},
    "I": {"C1", "C2", "C3", "C5", "D2", "D3", "D5", "T", "I"},
}


def contains_group(group: str, part: str) -> bool:
    """Whether every map of the one symmetry has the other, too, its axes laid suitably."""
    group, part = _plain(group), _plain(part)
    if group in _PARTS:
        return part in _PARTS[group]
    if part in _PARTS:
        return False
    (family, n), (other, m) = _family(group), _family(part)
    if family == "C":
        return other == "C" and n % m == 0
    if other == "C":
        return n % m == 0 or m == 2
    return n % m == 0


def maximal(names: Iterable[str]) -> list[str]:
    """Those that are part of no other one."""
    given = list(names)
    return [one for one in given if not any(one != other and contains_group(other, one) for other in given)]


def _plain(name: str) -> str:
    word = name.strip().upper()
    return "I" if re.fullmatch(r"I[1-4]?", word) else word


def _family(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"([CD])(\d+)", name)
    if match is None:
        raise ValueError(f"{name} is no group of rotations")
    return match[1], int(match[2])
