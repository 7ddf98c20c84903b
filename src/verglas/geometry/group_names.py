"""Names of point groups and the axes that generate them (refinement.md §3.2)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

Vector = tuple[float, float, float]
_Z: Vector = (0.0, 0.0, 1.0)
# The published axes carry 6-9 digits; these are the same ones exactly: groups close in double precision.
_GOLDEN = (1 + math.sqrt(5)) / 2


@dataclass(frozen=True)
class Generators:
    """What generates a group: rotation axes (fold, axis), mirror planes by their normals, an inversion."""

    order: int
    rotations: tuple[tuple[int, Vector], ...] = ()
    mirrors: tuple[Vector, ...] = ()
    inversion: bool = False


def generators(name: str) -> Generators:
    """Generators of a group of RELION's naming: C4, Cs, D7, C3h, T, Oh, I2, I3h ...; ValueError otherwise."""
    word = name.strip().upper()
    if word in _FIXED:
        return _FIXED[word]
    match = re.fullmatch(r"([CDS])(\d+)([VH]?)", word)
    if match is None or int(match[2]) < 1:
        raise ValueError(f"unknown point group {name!r}: {_KNOWN}")
    family, n, suffix = match[1], int(match[2]), match[3]
    if family == "S":
        return _improper(name, n, suffix)
    rotations: tuple[tuple[int, Vector], ...] = ((n, _Z),)
    if family == "D":
        rotations += ((2, (1.0, 0.0, 0.0)),)
    mirrors = _mirrors(family, suffix)
    order = n * (2 if family == "D" else 1) * (2 if suffix else 1)
    return Generators(order, rotations, mirrors)


def _mirrors(family: str, suffix: str) -> tuple[Vector, ...]:
    if not suffix:
        return ()
    if suffix == "H":
        return (_Z,)
    return ((0.0, 1.0, 0.0),) if family == "C" else ((1.0, 0.0, 0.0),)


def _improper(name: str, n: int, suffix: str) -> Generators:
    if suffix or n % 2:
        raise ValueError(f"unknown point group {name!r}: S groups have an even number and no suffix")
    return Generators(n, ((n // 2, _Z),), inversion=True)


def _unit(x: float, y: float, z: float) -> Vector:
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


_T = Generators(12, ((3, _Z), (2, _unit(0.0, math.sqrt(2), 1.0))))
_O = Generators(24, ((3, _unit(1.0, 1.0, 1.0)), (4, _Z)))
# Icosahedra: I2 has 2-fold axes along x, y, z and a 5-fold in the xz plane; the others are I2 turned about y.
_I2 = ((2, _Z), (5, _unit(1.0, 0.0, _GOLDEN)), (3, _unit(0.0, 1.0, _GOLDEN**2)))
_TO_FIVEFOLD = math.atan2(1.0, _GOLDEN)  # angle of that 5-fold from z: 31.717 degrees


def _turned(vector: Vector, angle: float) -> Vector:
    """A vector rotated about y by -angle (z towards -x for positive angles)."""
    x, y, z = vector
    return math.cos(angle) * x - math.sin(angle) * z, y, math.sin(angle) * x + math.cos(angle) * z


def _icosahedral(angle: float, mirror: bool) -> Generators:
    axes = tuple((n, _turned(axis, angle)) for n, axis in _I2)
    planes = (_turned((1.0, 0.0, 0.0), angle),) if mirror else ()
    return Generators(120 if mirror else 60, axes, planes)


_FIXED = {
    "CI": Generators(2, inversion=True),
    "CS": Generators(2, mirrors=(_Z,)),
    "T": _T,
    "TD": Generators(24, _T.rotations, (_unit(1.0, math.sqrt(3), 0.0),)),
    "TH": Generators(24, ((3, _Z), (2, _unit(0.0, -math.sqrt(2), -1.0))), inversion=True),
    "O": _O,
    "OH": Generators(48, _O.rotations, (_unit(0.0, 1.0, 1.0),)),
}
for _suffix, _angle in (
    ("", 0.0),
    ("2", 0.0),
    ("1", -math.pi / 2),
    ("3", _TO_FIVEFOLD),
    ("4", -_TO_FIVEFOLD),
):
    _FIXED[f"I{_suffix}"] = _icosahedral(_angle, mirror=False)
    _FIXED[f"I{_suffix}H"] = _icosahedral(_angle, mirror=True)

_KNOWN = "known are C1, Cn, Ci, Cs, Cnv, Cnh, S2n, Dn, Dnv, Dnh, T, Td, Th, O, Oh, I, I1-I4 and I1h-I4h"
