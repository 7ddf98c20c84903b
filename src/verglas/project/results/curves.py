"""Curves and orientations of 3D results: FSC, spectra, angular distribution."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verglas.formats.star import StarError, StarFile
from verglas.project.confinement import read_table
from verglas.project.project import Project
from verglas.project.results.directions import directions_of, mates

_MOST_DIRECTIONS = 4_000_000


def fsc_curves(project: Project, path: str) -> list[dict[str, Any]]:
    """Every FSC or SSNR-like curve of a model or postprocess file against 1/Å."""
    star = read_table(project, path)
    found = []
    for name, table in star.items():
        x = next((key for key in ("rlnResolution", "rlnSpectralIndex") if key in table), None)
        for key, shown in _CURVES.items():
            if x and key in table and len(table) > 1:
                curve = table.floats(key)
                found.append({"name": f"{name} {shown}", "x": table.floats(x).tolist(), "y": _finite(curve)})
    return found


def angles(project: Project, path: str, n_bins: int = 36) -> dict[str, Any]:
    """How many particles look along each direction: counts over equal-area cells of rot and tilt.

    Rows are equal steps of cos(tilt) from 1 to -1, columns equal steps of rot from -180. Each particle counts
    at all `mates` directions that the symmetry of its map makes equivalent.
    """
    table = _particles(read_table(project, path))
    rot, tilt = table.floats("rlnAngleRot"), table.floats("rlnAngleTilt")
    symmetry = symmetry_of(project, path)
    order = mates(np.eye(3)[:1], symmetry).shape[1]
    step = max(1, len(rot) * order // _MOST_DIRECTIONS)  # beyond, every so-manieth is enough
    spread = mates(directions_of(rot[::step], tilt[::step]), symmetry).reshape(-1, 3)
    rows = np.clip(((1 - spread[:, 2]) / 2 * n_bins).astype(int), 0, n_bins - 1)
    around = (np.rad2deg(np.arctan2(spread[:, 1], spread[:, 0])) + 180) % 360
    columns = np.clip((around / 360 * 2 * n_bins).astype(int), 0, 2 * n_bins - 1)
    counts = np.zeros((n_bins, 2 * n_bins), int)
    np.add.at(counts, (rows, columns), step)
    return {"counts": counts.tolist(), "particles": len(rot), "symmetry": symmetry, "mates": order}


def symmetry_of(project: Project, data: str) -> str:
    """The point group that a refinement imposed, from the sampling file beside its particles; else C1."""
    path = data.replace("_data.star", "_sampling.star")
    if path == data:
        return "C1"
    try:
        return read_table(project, path)["sampling_general"].string("rlnSymmetryGroup")
    except (OSError, StarError):
        return "C1"


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
