"""Rounding half away from zero, as refinement.md means it (Python and torch round half to even).

It matters: on a lattice padded twice, every odd radius lies exactly between two shells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def nearest(value: float) -> int:
    """The nearest integer; halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def nearest_shells(radii: Tensor) -> Tensor:
    """Shells of radii >= 0, int64; halves go up."""
    return torch.floor(radii + 0.5).long()
