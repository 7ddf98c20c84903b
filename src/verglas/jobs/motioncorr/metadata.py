"""The metadata STAR of one corrected movie (pipeline.md §5.3): written, and read back for the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable, read_star, write_star

if TYPE_CHECKING:
    from verglas.motion.results import Motion

NOT_USED = -9999.0  # shift of a frame outside the range that was asked for
POLYNOMIAL = 1  # rlnMotionModelVersion of the third-order model; 0: none


@dataclass(frozen=True)
class MovieFacts:
    """What the metadata says about a movie besides its motion."""

    movie_name: str
    pixel_size_angst: float
    voltage_kv: float
    dose_per_frame_e_a2: float
    pre_exposure_e_a2: float
    bin_factor: float
    gain_name: str = ""
    defect_name: str = ""
    eer_upsampling: int | None = None  # of an EER movie
    eer_grouping: int | None = None


def write_metadata(path: Path, facts: MovieFacts, motion: Motion) -> None:
    """Write the tables general, global_shift, local_motion_model, hot_pixels, local_shift."""
    tables = [
        StarTable.from_columns("general", _general(facts, motion), is_list=True),
        _global_shift(motion),
        *_local_model(motion),
        *_positions("hot_pixels", motion.hot_pixels_yx),
        *_local_shift(motion),
    ]
    write_star(path, tables)


def _general(facts: MovieFacts, motion: Motion) -> Mapping[str, Any]:
    general: dict[str, Any] = {
        "rlnImageSizeX": motion.shape_yx[1],
        "rlnImageSizeY": motion.shape_yx[0],
        "rlnImageSizeZ": motion.n_frames,
        "rlnMicrographMovieName": facts.movie_name,
    }
    if facts.gain_name:
        general["rlnMicrographGainName"] = facts.gain_name
    if facts.defect_name:
        general["rlnMicrographDefectFile"] = facts.defect_name
    general |= {
        "rlnMicrographBinning": facts.bin_factor,
        "rlnMicrographOriginalPixelSize": facts.pixel_size_angst,
        "rlnMicrographDoseRate": facts.dose_per_frame_e_a2,
        "rlnMicrographPreExposure": facts.pre_exposure_e_a2,
        "rlnVoltage": facts.voltage_kv,
        "rlnMicrographStartFrame": motion.first_frame + 1,
    }
    if facts.eer_grouping is not None:
        general["rlnEERUpsampling"] = facts.eer_upsampling
        general["rlnEERGrouping"] = facts.eer_grouping
    general["rlnMotionModelVersion"] = 0 if motion.local is None else POLYNOMIAL
    return general


def _global_shift(motion: Motion) -> StarTable:
    shifts = [(NOT_USED, NOT_USED)] * motion.n_frames
    first = motion.first_frame
    shifts[first : first + len(motion.shifts_yx)] = motion.shifts_yx.tolist()
    return StarTable.from_columns(
        "global_shift",
        {
            "rlnMicrographFrameNumber": list(range(1, motion.n_frames + 1)),
            "rlnMicrographShiftX": [x for _, x in shifts],
            "rlnMicrographShiftY": [y for y, _ in shifts],
        },
    )


def _local_model(motion: Motion) -> list[StarTable]:
    if motion.local is None:
        return []
    along_y, along_x = motion.local.coefficients_yx
    columns = {
        "rlnMotionModelCoeffsIdx": list(range(36)),
        "rlnMotionModelCoeff": [*along_x.tolist(), *along_y.tolist()],
    }
    return [StarTable.from_columns("local_motion_model", columns)]


def _positions(name: str, positions_yx: Any) -> list[StarTable]:
    if not len(positions_yx):
        return []
    columns = {
        "rlnCoordinateX": positions_yx[:, 1].astype(float),
        "rlnCoordinateY": positions_yx[:, 0].astype(float),
    }
    return [StarTable.from_columns(name, columns)]


def _local_shift(motion: Motion) -> list[StarTable]:
    rows = motion.patch_shifts
    if not rows:
        return []
    columns = {
        "rlnMicrographFrameNumber": [motion.first_frame + row.frame + 1 for row in rows],
        "rlnCoordinateX": [row.centre_yx[1] for row in rows],
        "rlnCoordinateY": [row.centre_yx[0] for row in rows],
        "rlnMicrographShiftX": [row.shift_yx[1] for row in rows],
        "rlnMicrographShiftY": [row.shift_yx[0] for row in rows],
    }
    return [StarTable.from_columns("local_shift", columns)]


def read_statistics(path: Path, early_dose_e_a2: float) -> tuple[float, float, float]:
    """Accumulated motion (total, early, late) in Angstrom of a movie that was corrected before."""
    import numpy as np

    from verglas.motion.statistics import motion_statistics

    star = read_star(path)
    general, shifts = star["general"], star["global_shift"]
    track = np.stack([shifts.floats("rlnMicrographShiftY"), shifts.floats("rlnMicrographShiftX")], axis=1)
    used = track[:, 0] > NOT_USED + 1
    found = motion_statistics(
        track[used],
        general.number("rlnMicrographOriginalPixelSize"),
        general.number("rlnMicrographDoseRate"),
        general.number("rlnMicrographPreExposure"),
        general.integer("rlnMicrographStartFrame") - 1,
        early_dose_e_a2,
    )
    return found.total_angst, found.early_angst, found.late_angst
