"""Names of figures that earlier pages asked for, beside those of the vocabulary (jobs/select/figures.py).

Pages and scripts of the releases before know lists of micrographs by these; answers carry both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")
FORMER = {
    "motion_angst": "motion_total_angst",
    "fit_resolution_angst": "ctf_resolution_angst",
    "fit_score": "ctf_merit",
    "ice": "ice_ring",
}


def with_former(values: Mapping[str, Value], prefix: str = "") -> dict[str, Value]:
    """The values under both names."""
    old = {prefix + name: values[prefix + key] for name, key in FORMER.items() if prefix + key in values}
    return {**values, **old}


def present(name: str) -> str:
    """The name that a figure has now."""
    return FORMER.get(name, name)
