"""Columns of extracted particles: CTF of the micrograph, optics of the images (pipeline.md §5.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.tables import rows_of

if TYPE_CHECKING:
    from verglas.optics import CtfParameters
    from verglas.particles.extraction import ExtractionSettings

_OF_MICROGRAPH = (
    "rlnCtfMaxResolution",
    "rlnCtfFigureOfMerit",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
)


def ctf_columns(row: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The CTF columns of `count` particles of a micrograph; none if the micrograph has no CTF."""
    if "rlnDefocusU" not in row:
        return {}
    columns: dict[str, Any] = {label: [float(row[label])] * count for label in _OF_MICROGRAPH if label in row}
    columns["rlnCtfBfactor"] = [float(row.get("rlnCtfBfactor", 0))] * count
    columns["rlnCtfScalefactor"] = [float(row.get("rlnCtfScalefactor", 1))] * count
    columns["rlnPhaseShift"] = [float(row.get("rlnPhaseShift", 0))] * count
    return columns


def ctf_parameters(row: Mapping[str, Any], optics: Mapping[str, Any]) -> CtfParameters:
    """The CTF of a micrograph. Raises ValueError if the list has none."""
    from verglas.optics import CtfParameters

    if "rlnDefocusU" not in row:
        raise ValueError("the list has no CTF for this micrograph; run CTF estimation first")
    return CtfParameters.of(
        float(row["rlnDefocusU"]),
        float(row["rlnDefocusV"]),
        float(row["rlnDefocusAngle"]),
        voltage_kv=float(optics["rlnVoltage"]),
        cs_mm=float(optics["rlnSphericalAberration"]),
        amplitude_contrast=float(optics["rlnAmplitudeContrast"]),
        phase_shift_deg=float(row.get("rlnPhaseShift", 0)),
    )


def particle_optics(
    optics: StarTable, settings: ExtractionSettings, angpix: Callable[[dict[str, Any]], float]
) -> StarTable:
    """The optics table of the particles: micrograph pixel size out, image size and pixel size in."""
    rows = []
    for row in rows_of(optics):
        pixel = angpix(row) * settings.pixel_factor
        kept = {label: value for label, value in row.items() if label != "rlnMicrographPixelSize"}
        kept |= {"rlnImagePixelSize": pixel, "rlnImageSize": settings.output_px, "rlnImageDimensionality": 2}
        if settings.ctf == "multiply":
            kept["rlnCtfDataAreCtfPremultiplied"] = 1
        rows.append(kept)
    return optics_table(rows)
