"""The part of the sphere of directions that a global search covers (refinement.md §2.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import torch
from torch import Tensor

from verglas.geometry.euler import euler_matrices, view_vectors

Mates = Callable[[Tensor], Tensor]  # directions (..., 3) -> their symmetry mates (..., g, 3)

_BORDER_DEG = 1e-9
_GREEDY_LIMIT = 4000
# A direction without symmetry of its own in any group: the interior point of units that have no table.
_INTERIOR_DEG = (17.0, 11.0)
_T_NORMALS = ((-0.942809, 0.0, 0.0), (0.471405, 0.272165, 0.7698), (0.471404, 0.816497, 0.0))
_O_NORMALS = ((0.0, -1.0, 1.0), (1.0, 1.0, 0.0), (-1.0, 1.0, 0.0))
_I_NORMALS = ((0.0, 1.0, 0.0), (-0.49999998, -0.80901701, 0.30901699), (0.49999998, -0.80901701, 0.30901699))
_I_TILTS_DEG = {"I": 0.0, "I2": 0.0, "I1": 90.0, "I3": 31.7174745559, "I4": -31.7174745559}


def contains(name: str, rot_tilt_deg: Tensor, mates: Mates) -> Tensor:
    """Which directions (rot, tilt) (..., 2) in degrees belong to the unit of a group, borders included.

    Groups of rotations follow RELION's table. Groups with mirrors have none that fits the way such operators
    act on directions, so of each orbit the member nearest to a fixed interior point is kept.
    """
    rot, tilt = rot_tilt_deg.double().unbind(-1)
    cyclic = re.fullmatch(r"([CD])(\d+)", name)
    if cyclic:
        return _cyclic(cyclic[1], int(cyclic[2]), rot, tilt)
    if name == "T":
        return _between(rot, 90, 150) & _positive(rot_tilt_deg, _T_NORMALS)
    if name == "O":
        return _between(rot, 45, 135) & (tilt <= 90 + _BORDER_DEG) & _positive(rot_tilt_deg, _O_NORMALS)
    if name in _I_TILTS_DEG:
        turn = euler_matrices([0.0, _I_TILTS_DEG[name], 0.0])
        return _positive(rot_tilt_deg, [(turn @ torch.tensor(n).double()).tolist() for n in _I_NORMALS])
    return _nearest_to_interior(rot_tilt_deg, mates)


def _cyclic(family: str, n: int, rot: Tensor, tilt: Tensor) -> Tensor:
    if family == "C":
        return _between(rot, -180 / n, 180 / n)
    upper = tilt <= 90 + _BORDER_DEG
    return upper if n == 1 else upper & _between(rot, 90 - 180 / n, 90 + 180 / n)


def _between(rot: Tensor, low: float, high: float) -> Tensor:
    """rot in [low, high], where rot may be given modulo 360."""
    above = torch.remainder(rot - low + _BORDER_DEG, 360.0)
    return above <= high - low + 2 * _BORDER_DEG


def _positive(rot_tilt_deg: Tensor, normals: object) -> Tensor:
    directions = view_vectors(rot_tilt_deg)
    sides = directions @ torch.as_tensor(normals, dtype=torch.float64, device=directions.device).T
    return (sides >= -math.radians(_BORDER_DEG)).all(-1)


def _nearest_to_interior(rot_tilt_deg: Tensor, mates: Mates) -> Tensor:
    directions = view_vectors(rot_tilt_deg)
    interior = view_vectors(_INTERIOR_DEG).to(directions.device)
    return directions @ interior >= (mates(directions) @ interior).amax(-1) - 1e-12


def without_duplicates(directions: Tensor, order: int, mates: Mates) -> Tensor:
    """Rows (n,) of kept directions: a greedy pass drops those next to a symmetry mate of an earlier kept one.

    Border pixels may survive the unit's test twice. Grids of 4000 directions and more are left as they are,
    as RELION does: there the doubled border is a negligible part.
    """
    if len(directions) >= _GREEDY_LIMIT:
        return torch.arange(len(directions))
    closest = math.cos(max_pixel_radius(order) / 2)
    images = mates(directions)  # (n, g, 3)
    near = (torch.einsum("igx,jx->igj", images, directions) > closest)[:, 1:].any(1)
    kept: list[int] = []
    dropped = torch.zeros(len(directions), dtype=torch.bool)
    for row in range(len(directions)):
        if not dropped[row]:
            kept.append(row)
            dropped |= near[row]
    return torch.tensor(kept, dtype=torch.int64)


def max_pixel_radius(order: int) -> float:
    """Largest distance in radians of a HEALPix pixel's centre from its corners."""
    n = 2**order
    phi = math.pi / (4 * n)
    ring = math.sqrt(5 / 9)
    corner = (ring * math.cos(phi), ring * math.sin(phi), 2 / 3)
    z = 1 - (1 - 1 / n) ** 2 / 3
    other = (math.sqrt(1 - z * z), 0.0, z)
    return math.acos(sum(a * b for a, b in zip(corner, other, strict=True)))
