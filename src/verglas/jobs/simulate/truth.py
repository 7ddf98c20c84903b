"""The truth of simulated data as STAR files, in RELION's own columns and signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.simulate.settings import SessionSettings

if TYPE_CHECKING:
    from verglas.jobs.simulate.movie import MovieTruth


def write_movie_truth(path: Path, settings: SessionSettings, movie_name: str, truth: MovieTruth) -> None:
    """Tables general, micrograph, particles, global_shift, local_motion_model, hot_pixels of one movie.

    Coordinates are pixels of the unbinned, motion-corrected micrograph (motion is zero at the first frame).
    Shifts are those to be applied to the frames, as motion correction writes them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        _general(settings, movie_name),
        StarTable.from_columns("micrograph", micrograph_columns([movie_name], [truth])),
        StarTable.from_columns("particles", _particles(movie_name, truth)),
        _global_shift(truth),
        _local_model(truth),
        _frames(truth),
        _tracks(truth),
        _pixels("hot_pixels", truth.camera.hot_yx),
        _pixels("dead_pixels", truth.camera.dead_yx),
    ]
    write_star(path, [table for table in tables if len(table)])


def _general(settings: SessionSettings, movie_name: str) -> StarTable:
    height, width = settings.shape_yx
    return StarTable.from_columns(
        "general",
        {
            "rlnImageSizeX": width,
            "rlnImageSizeY": height,
            "rlnImageSizeZ": settings.frames,
            "rlnMicrographMovieName": movie_name,
            "rlnMicrographBinning": 1.0,
            "rlnMicrographOriginalPixelSize": settings.pixel_size_angst,
            "rlnMicrographDoseRate": settings.dose_per_frame_e_a2,
            "rlnMicrographPreExposure": 0.0,
            "rlnVoltage": settings.voltage_kv,
            "rlnMicrographStartFrame": 1,
            "rlnMotionModelVersion": 1,
        },
        is_list=True,
    )


def micrograph_columns(names: Sequence[str], truths: Sequence[MovieTruth]) -> dict[str, list[Any]]:
    """One row per movie: defocus, ice, what kind of movie it is."""
    scopes = [truth.microscope for truth in truths]
    return {
        "rlnMicrographName": list(names),
        "rlnOpticsGroup": [1] * len(names),
        "rlnDefocusU": [scope.defocus_u_angst for scope in scopes],
        "rlnDefocusV": [scope.defocus_v_angst for scope in scopes],
        "rlnCtfAstigmatism": [scope.defocus_u_angst - scope.defocus_v_angst for scope in scopes],
        "rlnDefocusAngle": [scope.defocus_angle_deg for scope in scopes],
        "rlnPhaseShift": [scope.phase_shift_deg for scope in scopes],
        "verglasIceThicknessAngst": [truth.ice_thickness_angst for truth in truths],
        "verglasMovieKind": [truth.kind for truth in truths],
    }


def _particles(movie_name: str, truth: MovieTruth) -> dict[str, Any]:
    field, scope = truth.field, truth.microscope
    count = len(field.centres_yx)
    return {
        "rlnCoordinateX": field.centres_yx[:, 1],
        "rlnCoordinateY": field.centres_yx[:, 0],
        "rlnMicrographName": [movie_name] * count,
        "rlnOpticsGroup": [1] * count,
        "rlnClassNumber": field.views + 1,
        "rlnAngleRot": field.eulers_deg[:, 0],
        "rlnAngleTilt": field.eulers_deg[:, 1],
        "rlnAnglePsi": field.eulers_deg[:, 2],
        "rlnOriginXAngst": [0.0] * count,
        "rlnOriginYAngst": [0.0] * count,
        "rlnDefocusU": scope.defocus_u_angst + field.defocus_offsets_angst,
        "rlnDefocusV": scope.defocus_v_angst + field.defocus_offsets_angst,
        "rlnDefocusAngle": [scope.defocus_angle_deg] * count,
    }


def _global_shift(truth: MovieTruth) -> StarTable:
    shifts = truth.motion.global_xy
    columns = {
        "rlnMicrographFrameNumber": range(1, len(shifts) + 1),
        "rlnMicrographShiftX": shifts[:, 0],
        "rlnMicrographShiftY": shifts[:, 1],
    }
    return StarTable.from_columns("global_shift", columns)


def _frames(truth: MovieTruth) -> StarTable:
    b_factors = truth.frame_b_factors_a2
    columns = {
        "rlnMicrographFrameNumber": range(1, len(b_factors) + 1),
        "verglasFrameBfactor": list(b_factors),
    }
    return StarTable.from_columns("frames", columns)


def _tracks(truth: MovieTruth) -> StarTable:
    """Where particles (numbered from 1) are seen, in pixels from where they were in the first frame."""
    if truth.tracks_yx is None:
        return StarTable.from_columns("tracks", {"verglasParticle": []})
    count, frames, _ = truth.tracks_yx.shape
    columns = {
        "verglasParticle": [particle + 1 for particle in range(count) for _ in range(frames)],
        "rlnMicrographFrameNumber": list(range(1, frames + 1)) * count,
        "verglasDisplacementX": truth.tracks_yx[..., 1].ravel(),
        "verglasDisplacementY": truth.tracks_yx[..., 0].ravel(),
    }
    return StarTable.from_columns("tracks", columns)


def _local_model(truth: MovieTruth) -> StarTable:
    coefficients = truth.motion.local.ravel()
    columns = {"rlnMotionModelCoeffsIdx": range(len(coefficients)), "rlnMotionModelCoeff": coefficients}
    return StarTable.from_columns("local_motion_model", columns)


def _pixels(name: str, places_yx: Any) -> StarTable:
    columns = {"rlnCoordinateX": places_yx[:, 1], "rlnCoordinateY": places_yx[:, 0]}
    return StarTable.from_columns(name, columns)


class Microscope(Protocol):
    """What an optics table says of how images were taken."""

    @property
    def pixel_size_angst(self) -> float: ...
    @property
    def voltage_kv(self) -> float: ...
    @property
    def cs_mm(self) -> float: ...
    @property
    def amplitude_contrast(self) -> float: ...


def optics_table(
    settings: Microscope, columns: Mapping[str, Any], last: Mapping[str, Any] | None = None
) -> StarTable:
    """The optics table of simulated images; `columns` after the pixel size, `last` at the end."""
    return StarTable.from_columns(
        "optics",
        {
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnOpticsGroup": [1],
            "rlnMicrographOriginalPixelSize": [settings.pixel_size_angst],
            **{label: [value] for label, value in columns.items()},
            "rlnVoltage": [settings.voltage_kv],
            "rlnSphericalAberration": [settings.cs_mm],
            "rlnAmplitudeContrast": [settings.amplitude_contrast],
            **{label: [value] for label, value in (last or {}).items()},
        },
    )


def join_truth(directory: Path, settings: SessionSettings, files: Sequence[Path]) -> None:
    """`micrographs.star` and `particles.star` of a session from the truth of its movies."""
    from verglas.formats.star import concatenate

    stars = [read_star(file) for file in files]
    pixel = {"rlnMicrographPixelSize": settings.pixel_size_angst}
    optics = optics_table(settings, pixel)
    micrographs = concatenate([star["micrograph"] for star in stars]).named("micrographs")
    write_star(directory / "micrographs.star", [optics, micrographs])
    lists = [star["particles"] for star in stars if "particles" in star]
    if lists:
        write_star(directory / "particles.star", [optics, concatenate(lists)])
