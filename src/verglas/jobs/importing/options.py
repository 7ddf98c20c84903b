"""Options of the Import job (pipeline.md §4.1)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import (
    COORDINATES,
    HALF_MAP,
    MAP,
    MASK,
    MICROGRAPHS,
    PARTICLES,
    REFERENCES_2D,
    NodeType,
)
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions

# the form's menu -> (node type, program flag)
OTHER_TYPES: dict[str, tuple[NodeType, str]] = {
    "Particle coordinates (*.box, *_pick.star)": (COORDINATES, "--do_coordinates"),
    "Particles STAR file (.star)": (PARTICLES, "--do_particles"),
    "2D references (.star or .mrcs)": (REFERENCES_2D, "--do_other"),
    "Micrographs STAR file (.star)": (MICROGRAPHS, "--do_other"),
    "3D reference (.mrc)": (MAP, "--do_other"),
    "3D mask (.mrc)": (MASK, "--do_other"),
    "Unfiltered half-map (unfil.mrc)": (HALF_MAP, "--do_halfmaps"),
}
_RAW: dict[str, Any] = {"tab": "Movies/mics", "flag_if": lambda options: options.do_raw}
_OTHER: dict[str, Any] = {"tab": "Others", "flag_if": lambda options: options.do_other}


class ImportOptions(QueueOptions):
    """Movies or micrographs by wildcard, or one file of another kind."""

    do_raw: bool = option(
        True, label="Import raw movies/micrographs?", tab="Movies/mics", on_continue="locked",
        help="Import movies or micrographs.",
    )  # fmt: skip
    fn_in_raw: str = option(
        "Micrographs/*.tif", label="Raw input files:", flag="--i",
        pattern="Movie or Image (*.{mrc,mrcs,tif,tiff,eer})",
        help="Wildcard; ** matches any depth of folders. Absolute paths, ../ and links are fine: files "
        "outside the project are linked under the Import job.",
        **_RAW,
    )  # fmt: skip
    is_multiframe: bool = option(
        True, label="Are these multi-frame movies?", help="Movies, or single frames.", **_RAW
    )
    optics_group_name: str = option(
        "opticsGroup1", label="Optics group name:", flag="--optics_group_name",
        help="Name of the optics group: letters, digits, hyphen.", **_RAW,
    )  # fmt: skip
    fn_mtf: str = option(
        "", label="MTF of the detector:", flag="--optics_group_mtf", pattern="STAR Files (*.star)",
        help="MTF STAR file of the detector.", **_RAW,
    )  # fmt: skip
    angpix: float = option(
        1.4, label="Pixel size (Angstrom):", unit="Å", flag="--angpix", minimum=0.5, maximum=3,
        step=0.1, help="Pixel size of the raw data.", **_RAW,
    )  # fmt: skip
    kV: float = option(
        300, label="Voltage (kV):", unit="kV", flag="--kV", minimum=50, maximum=500, step=10,
        help="Acceleration voltage.", **_RAW,
    )  # fmt: skip
    Cs: float = option(
        2.7, label="Spherical aberration (mm):", unit="mm", flag="--Cs", minimum=0, maximum=8,
        step=0.1, help="Spherical aberration of the objective lens.", **_RAW,
    )  # fmt: skip
    Q0: float = option(
        0.1, label="Amplitude contrast:", flag="--Q0", minimum=0, maximum=0.3, step=0.01,
        help="Amplitude contrast as a fraction.", **_RAW,
    )  # fmt: skip
    beamtilt_x: float = option(
        0.0, label="Beamtilt in X (mrad):", unit="mrad", flag="--beamtilt_x", minimum=-1, maximum=1,
        step=0.1, help="Known beam tilt along X.", **_RAW,
    )  # fmt: skip
    beamtilt_y: float = option(
        0.0, label="Beamtilt in Y (mrad):", unit="mrad", flag="--beamtilt_y", minimum=-1, maximum=1,
        step=0.1, help="Known beam tilt along Y.", **_RAW,
    )  # fmt: skip
    do_other: bool = option(
        False, label="Import other node types?", tab="Others", on_continue="locked",
        help="Import anything else.",
    )  # fmt: skip
    fn_in_other: str = option(
        "ref.mrc", label="Input file:", flag="--i", pattern="Input file (*.*)",
        help="File, or wildcard with * directly before the suffix for coordinates.", **_OTHER,
    )  # fmt: skip
    node_type: str = option(
        next(iter(OTHER_TYPES)), label="Node type:", choices=tuple(OTHER_TYPES),
        help="What is being imported.", **_OTHER,
    )  # fmt: skip
    optics_group_particles: str = option(
        "", label="Rename optics group for particles:", flag="--particles_optics_group_name",
        help="New name of the single optics group of an imported particle file.", **_OTHER,
    )  # fmt: skip
