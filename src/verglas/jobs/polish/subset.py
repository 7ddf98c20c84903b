"""Some of the particles of a list, with what is known about them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from verglas.em.state.particles import Assignments, Particles

Ints = npt.NDArray[np.int64]
_KEPT = ("optics", "group_names")  # of all particles


def particles_of(particles: Particles, rows: Ints) -> Particles:
    """The facts of some rows."""
    changed: dict[str, Any] = {"names": tuple(particles.names[row] for row in rows)}
    for each in fields(particles):
        value = getattr(particles, each.name)
        if each.name not in (*_KEPT, "names") and value is not None:
            changed[each.name] = value[rows]
    return replace(particles, **changed)


def assignments_of(found: Assignments, rows: Ints) -> Assignments:
    """What a refinement found about some rows."""
    values = {name: value[rows] for name, value in vars(found).items() if name != "set_aside"}
    return Assignments(**values)
