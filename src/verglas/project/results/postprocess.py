"""What a post-processing found: its number and the reason for it, the Guinier plot, what not to trust."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verglas.formats.star import StarFile, StarTable
from verglas.jobs.contract.control_files import RUN_ERR, RUN_OUT
from verglas.project.confinement import read_small_text, read_table
from verglas.project.names import owner_of
from verglas.project.project import Project

RESOLVED = 0.143
_WARNING = "WARNING: "
_FIGURES = {
    "resolution_angst": "rlnFinalResolution",
    "b_factor_angst2": "rlnBfactorUsedForSharpening",
    "random_from_angst": "rlnRandomiseFrom",
    "slope": "rlnFittedSlopeGuinierPlot",
    "intercept": "rlnFittedInterceptGuinierPlot",
    "correlation": "rlnCorrelationFitGuinierPlot",
}
_NAMES = {"mask": "rlnMaskName", "half1": "rlnUnfilteredMapHalf1", "half2": "rlnUnfilteredMapHalf2"}
_GUINIER = {
    "half maps": "rlnLogAmplitudesOriginal",
    "weighted by FSC": "rlnLogAmplitudesWeighted",
    "MTF-corrected": "rlnLogAmplitudesMTFCorrected",
    "sharpened": "rlnLogAmplitudesSharpened",
}
_EMPTY = -90.0  # RELION's word for the logarithm of nothing is -99


def postprocess(project: Project, path: str) -> dict[str, Any]:
    """Figures, words and Guinier curves of a postprocess.star. Raises OSError, StarError, KeyError."""
    star = read_table(project, path)
    general = star["general"]
    found: dict[str, Any] = {key: _number(general, label) for key, label in _FIGURES.items()}
    found |= {key: general.string(label) if label in general else "" for key, label in _NAMES.items()}
    return {
        **found,
        "reason": _reason(star, found["resolution_angst"]),
        "distrust": _distrust(project, path),
        "guinier": _guinier(star),
    }


def _number(table: StarTable, label: str) -> float | None:
    if label not in table:
        return None
    value = float(table.floats(label)[0])
    return value if np.isfinite(value) else None


def _reason(star: StarFile, resolution_angst: float | None) -> str:
    """Which curve gave the number, and how."""
    if "fsc" not in star or resolution_angst is None:
        return ""
    table = star["fsc"]
    final, unmasked = "rlnFourierShellCorrelationCorrected", "rlnFourierShellCorrelationUnmaskedMaps"
    if final not in table:
        return f"the FSC falls below {RESOLVED} after {resolution_angst:.2f} Å"
    curve = table.floats(final)
    if not bool((curve[1:] < RESOLVED).any()):
        return f"the FSC stays above {RESOLVED} up to Nyquist: smaller pixels would show more"
    if unmasked in table and np.allclose(curve, table.floats(unmasked), atol=1e-6):
        return f"the FSC of the unmasked halves falls below {RESOLVED} after {resolution_angst:.2f} Å"
    return (
        f"the FSC of the masked halves, freed of what the mask itself correlates (with random phases), falls "
        f"below {RESOLVED} after {resolution_angst:.2f} Å"
    )


def _distrust(project: Project, path: str) -> list[str]:
    """What the job said is not to be trusted, from its last run."""
    job = owner_of(path)
    if job is None:
        return []
    for name in (RUN_ERR, RUN_OUT):
        try:
            lines = read_small_text(project, f"{job}{name}").splitlines()
        except OSError:
            continue
        found = [line.split(_WARNING, 1)[1].strip() for line in lines if _WARNING in line]
        if found:
            return list(dict.fromkeys(found))
    return []


def _guinier(star: StarFile) -> list[dict[str, Any]]:
    """Logarithms of amplitudes against 1/d² (1/Å²)."""
    if "guinier" not in star:
        return []
    table = star["guinier"]
    x = table.floats("rlnResolutionSquared")
    return [
        {"name": name, "x": x.tolist(), "y": _known(table.floats(label))}
        for name, label in _GUINIER.items()
        if label in table
    ]


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [float(each) if np.isfinite(each) and each > _EMPTY else None for each in values]
