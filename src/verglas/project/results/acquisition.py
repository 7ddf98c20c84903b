"""How the movies were taken, from the optics table and the settings of the jobs."""

from __future__ import annotations

from typing import Any

from verglas.formats.star import StarError, read_star
from verglas.project.job_star import read_settings
from verglas.project.project import Project
from verglas.project.results.micrographs import micrograph_lists

_OPTICS = (
    ("rlnVoltage", "Voltage", "kV"),
    ("rlnSphericalAberration", "Spherical aberration", "mm"),
    ("rlnAmplitudeContrast", "Amplitude contrast", ""),
    ("rlnMicrographOriginalPixelSize", "Pixel size", "Å"),
    ("rlnMicrographPixelSize", "Pixel size of the sums", "Å"),
)


def acquisition(project: Project) -> dict[str, Any]:
    """Title -> value with unit; what is not known is absent."""
    found: dict[str, Any] = {}
    for path in micrograph_lists(project)[:1]:
        try:
            optics = read_star(project.root / path).get("optics")
        except (OSError, StarError):
            continue
        for label, title, unit in _OPTICS:
            if optics is not None and label in optics and len(optics):
                found[title] = f"{optics.number(label):g} {unit}".strip()
    dose = _dose(project)
    if dose:
        found["Dose per frame"] = f"{dose} e/Å²"
    return found


def _dose(project: Project) -> str:
    for name in project.graph().processes:
        if name.startswith("MotionCorr/"):
            try:
                return read_settings(project.root / name).options.get("dose_per_frame", "")
            except (OSError, StarError):
                continue
    return ""
