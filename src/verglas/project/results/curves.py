"""Curves and orientations of 3D results: FSC, spectra, angular distribution."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verglas.formats.star import StarError, StarFile
from verglas.project.confinement import read_table
from verglas.project.project import Project


def fsc_curves(project: Project, path: str) -> list[dict[str, Any]]:
    """Every FSC or SSNR-like curve of a model or postprocess file against 1/Å."""
    star = read_table(project, path)
    found = []
    for name, table in star.items():
        x = next((key for key in ("rlnResolution", "rlnSpectralIndex") if key in table), None)
        for key, shown in _CURVES.items():
            if x and key in table and len(table) > 1:
                curve = table.floats(key)
                found.append(
                    {"name": f"{name} {shown}", "x": table.floats(x).tolist(), "y": _finite(curve)}
                )
    return found


def angles(project: Project, path: str, n_bins: int = 36) -> dict[str, Any]:
    """How many particles look along each direction: counts over equal-area cells of rot and tilt.

    Rows are equal steps of cos(tilt) from 1 to -1, columns equal steps of rot from -180.
    """
    table = _particles(read_table(project, path))
    rot = (table.floats("rlnAngleRot") + 180) % 360
    tilt = np.deg2rad(table.floats("rlnAngleTilt"))
    rows = np.clip(((1 - np.cos(tilt)) / 2 * n_bins).astype(int), 0, n_bins - 1)
    columns = np.clip((rot / 360 * 2 * n_bins).astype(int), 0, 2 * n_bins - 1)
    counts = np.zeros((n_bins, 2 * n_bins), int)
    np.add.at(counts, (rows, columns), 1)
    return {"counts": counts.tolist(), "particles": len(rot)}


def model_of_map(project: Project, path: str) -> str | None:
    """The file whose curves belong to a map: the model of its iteration, or postprocess.star."""
    folder, _, name = path.rpartition("/")
    found = _CLASS_MAP.fullmatch(name)
    if found:
        wanted = f"{folder}/{found['root']}_model.star"
    elif name.startswith("postprocess"):
        wanted = f"{folder}/postprocess.star"
    else:
        return None
    return wanted if project.exists(wanted) else None


_CLASS_MAP = re.compile(r"(?P<root>run(_ct\d+)?(_it\d{3,})?(_half[12])?)_class\d{3}(_unfil)?\.mrc")
_CURVES = {
    "rlnGoldStandardFsc": "gold-standard FSC",
    "rlnFourierShellCorrelation": "FSC",
    "rlnFourierShellCorrelationCorrected": "FSC, corrected",
    "rlnFourierShellCorrelationUnmaskedMaps": "FSC, unmasked",
    "rlnFourierShellCorrelationMaskedMaps": "FSC, masked",
    "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps": "FSC, phases randomised",
    "rlnSsnrMap": "SSNR",
}


def _particles(star: StarFile) -> Any:
    for table in star.values():
        if "rlnAngleTilt" in table:
            return table
    raise StarError("the file has no orientations (rlnAngleRot, rlnAngleTilt)", star.path)


def _finite(values: np.ndarray) -> list[float | None]:
    return [float(each) if np.isfinite(each) else None for each in values]
