"""How the movies were taken, from the optics table and the settings of the jobs."""

from __future__ import annotations

from typing import Any

from verglas.formats.star import StarError
from verglas.project.confinement import read_table
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
            optics = read_table(project, path).get("optics")
        except (OSError, StarError):
            continue
        for label, title, unit in _OPTICS:
            if optics is not None and label in optics and len(optics):
                found[title] = f"{optics.number(label):g} {unit}".strip()
    if found.get("Pixel size of the sums") == found.get("Pixel size"):
        found.pop("Pixel size of the sums", None)  # not binned
    dose = _dose(project)
    if dose:
        found["Dose"] = dose
    return found


def _dose(project: Project) -> str:
    """In all, if a motion-corrected micrograph says how many frames there were; else per frame."""
    for path in micrograph_lists(project)[:1]:
        try:
            table = read_table(project, path)["micrographs"]
            first = table.string("rlnMicrographName", 0) if len(table) else ""
            general = read_table(project, first.replace(".mrc", ".star"))["general"]
            rate = general.number("rlnMicrographDoseRate")
            frames = general.integer("rlnImageSizeZ")
        except (OSError, StarError):
            continue
        return f"{rate * frames:g} e/Å² in {frames} frames" if rate > 0 else ""
    per_frame = _dose_option(project)
    return f"{per_frame} e/Å² per frame" if per_frame else ""


def _dose_option(project: Project) -> str:
    for name in project.graph().processes:
        try:
            options = read_settings(project.root / name).options
        except (OSError, StarError):
            continue
        if "dose_per_frame" in options:
            return options["dose_per_frame"]
    return ""
