"""One simulated movie of a session: frames to a file, truth beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.jobs.simulate.model import PACKAGED_SYMMETRY, load_model
from verglas.jobs.simulate.settings import SessionSettings

if TYPE_CHECKING:
    import numpy as np

    from verglas.simulate.detector import Camera
    from verglas.simulate.motion import Motion
    from verglas.simulate.movie import Exposure
    from verglas.simulate.optics import Microscope
    from verglas.simulate.specimen import FieldTruth, Specimen

_CAMERA, _MOVIE, _VIEWS, _OWN = 0, 1, 2, 3  # what a random sequence is for, beside the session's seed
JUNK = ("empty", "contaminated", "blurred")


@dataclass(frozen=True, slots=True)
class MovieTask:
    """Movie `index` (from 0) of a session, to be written to `movie`, its truth to `truth`."""

    settings: SessionSettings
    index: int
    movie: str
    truth: str


@dataclass(frozen=True, slots=True)
class MovieTruth:
    """All that is known about one movie."""

    microscope: Microscope
    field: FieldTruth
    motion: Motion
    camera: Camera
    kind: str  # "good", or one of JUNK
    ice_thickness_angst: float
    tracks_yx: np.ndarray | None = None  # (n, frames, 2) pixels: where particles of the field go
    frame_b_factors_a2: tuple[float, ...] = ()


def write_movie(task: MovieTask, device: str = "cpu") -> str:
    """Simulate and write one movie, then its truth; returns the movie's path.

    The same settings and index give the same file, whatever was simulated before. The truth is written
    last: where it exists, the movie is complete.
    """
    settings = task.settings
    frames, truth = simulate_movie(settings, task.index, device)
    _write_frames(Path(task.movie), frames, settings)
    from verglas.jobs.simulate.truth import write_movie_truth

    write_movie_truth(Path(task.truth), settings, Path(task.movie).name, truth)
    return task.movie


@dataclass(frozen=True, slots=True)
class Scene:
    """A field of view before it is exposed; `rng` is where its random sequence stands."""

    specimen: Specimen
    exposure: Exposure
    truth: MovieTruth
    rng: np.random.Generator
    tracks_yx: np.ndarray | None = None  # of all particles, those around the field too


def simulate_movie(
    settings: SessionSettings, index: int, device: str = "cpu"
) -> tuple[Iterable[np.ndarray], MovieTruth]:
    """Raw frames (made as they are taken) and truth of movie `index` of a session."""
    from verglas.simulate.movie import expose_movie

    scene = movie_scene(settings, index, device)
    truth = scene.truth
    frames = expose_movie(
        scene.specimen,
        settings.shape_yx,
        scene.exposure,
        truth.motion,
        truth.camera,
        scene.rng,
        scene.tracks_yx,
    )
    return frames, truth


def movie_scene(settings: SessionSettings, index: int, device: str = "cpu") -> Scene:
    """What movie `index` of a session shows; the same whatever was simulated before."""
    import torch

    from verglas.simulate.movie import Exposure
    from verglas.simulate.specimen import make_specimen

    torch.set_num_threads(1)  # one process per core does the sharing out
    rng = _generator(settings, _MOVIE, index)
    kind = _kind(settings, index)
    microscope = _microscope(settings, rng)
    ice = settings.ice_thickness_angst
    ice *= settings.early_ice_factor if 3 * index < settings.movies else 1.0
    motion = _motion(settings, kind, rng)
    field = _field(settings, kind, motion)
    background = _background(settings, kind, ice, rng)
    specimen = make_specimen([_projector(settings, device)], field, background, microscope, rng)
    exposure = Exposure(
        settings.frames,
        settings.dose_per_frame_e_a2,
        settings.pixel_size_angst,
        voltage_kv=settings.voltage_kv,
        damage=settings.damage,
        mtf=settings.mtf,
        frame_b_factors_a2=settings.frame_b_factors_a2,
    )
    camera = session_camera(settings)
    tracks = _tracks(settings, index, specimen, motion)
    known = None if tracks is None else tracks[: len(specimen.truth.centres_yx)]
    truth = MovieTruth(
        microscope, specimen.truth, motion, camera, kind, ice, known, settings.frame_b_factors_a2
    )
    return Scene(specimen, exposure, truth, rng, tracks)


def _tracks(settings: SessionSettings, index: int, specimen: Specimen, motion: Motion) -> np.ndarray | None:
    """Where particles that move by themselves go; None where they go with the field."""
    if specimen.apart is None:
        return None
    from verglas.simulate.own_motion import OwnMotionSettings, field_tracks, own_tracks

    centres = specimen.apart.centres_yx
    reach = settings.own_motion_reach_angst / settings.pixel_size_angst
    own = own_tracks(
        centres,
        settings.frames,
        OwnMotionSettings(settings.own_motion_pixels, reach),
        _generator(settings, _OWN, index),
    )
    return field_tracks(motion, centres, settings.shape_yx) + own


def session_camera(settings: SessionSettings) -> Camera:
    """The camera of a session: the same for all its movies."""
    from verglas.simulate.detector import random_camera

    return random_camera(
        settings.shape_yx,
        _generator(settings, _CAMERA),
        gain_spread=settings.gain_spread,
        hot=settings.hot_pixels,
        dead=settings.dead_pixels,
    )


def session_views(settings: SessionSettings) -> tuple[tuple[float, float], ...]:
    """The views (rot, tilt) that truth classes 1, 2 ... of a session stand for; empty for uniform."""
    symmetry = settings.symmetry or ("C1" if settings.model else PACKAGED_SYMMETRY)
    return chosen_views(settings.views, symmetry)


def chosen_views(count: int, symmetry: str) -> tuple[tuple[float, float], ...]:
    """`count` views (rot, tilt) in degrees for a model of this symmetry; a spiral for C1."""
    if count < 1:
        return ()
    from verglas.simulate.views import spiral_views, spread_views

    if symmetry.upper() == "C1":
        views = spiral_views(count)
    else:
        views = spread_views(count, symmetry_matrices(symmetry))
    return tuple((float(rot), float(tilt)) for rot, tilt in views)


def symmetry_matrices(symmetry: str) -> list[Any]:
    """Rotations (3, 3) of a point group by its name."""
    from verglas.geometry.symmetry import PointGroup

    return list(PointGroup.of(symmetry).operators.numpy())


def _generator(settings: SessionSettings, *purpose: int) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=purpose))


def _kind(settings: SessionSettings, index: int) -> str:
    """Which movies are junk: spread evenly, the first one never."""
    before, after = int(settings.junk_share * index), int(settings.junk_share * (index + 1))
    return JUNK[before % len(JUNK)] if after > before else "good"


def _microscope(settings: SessionSettings, rng: np.random.Generator) -> Microscope:
    from verglas.simulate.optics import Microscope

    mean = rng.uniform(settings.defocus_min_angst, settings.defocus_max_angst)
    difference = rng.uniform(0, settings.astigmatism_angst)
    return Microscope(
        voltage_kv=settings.voltage_kv,
        cs_mm=settings.cs_mm,
        amplitude_contrast=settings.amplitude_contrast,
        defocus_u_angst=mean + difference / 2,
        defocus_v_angst=mean - difference / 2,
        defocus_angle_deg=rng.uniform(-90, 90),
        phase_shift_deg=settings.phase_shift_deg,
        b_factor_a2=settings.b_factor_a2,
    )


def _motion(settings: SessionSettings, kind: str, rng: np.random.Generator) -> Motion:
    """The track of the settings if they name one, else a random one."""
    from verglas.simulate.motion import random_motion

    if settings.tracks is not None:
        return read_motion(settings.tracks, settings.frames)
    return random_motion(
        settings.frames,
        rng,
        drift_pixels=settings.drift_pixels * (8 if kind == "blurred" else 1),
        local_pixels=settings.local_pixels,
        jitter_pixels=0.15 if settings.drift_pixels > 0 else 0.0,
    )


def read_motion(path: str, frames: int) -> Motion:
    """Global shifts and local model of a motion-correction STAR file (or of a truth file).

    The first `frames` frames are taken, shifts relative to the first one. Raises ValueError if the file has
    fewer.
    """
    import numpy as np

    from verglas.formats.star import read_star
    from verglas.simulate.motion import Motion

    star = read_star(path)
    shifts = star["global_shift"]
    if len(shifts) < frames:
        raise ValueError(f"{path}: shifts of {len(shifts)} frames, {frames} are needed")
    columns = ("rlnMicrographShiftX", "rlnMicrographShiftY")
    track = np.stack([shifts.floats(label)[:frames] for label in columns], axis=1)
    local = np.zeros((2, 18))
    if "local_motion_model" in star:
        local = star["local_motion_model"].floats("rlnMotionModelCoeff").reshape(2, 18).copy()
    return Motion(track - track[0], local)


def _field(settings: SessionSettings, kind: str, motion: Motion) -> Any:
    import numpy as np

    from verglas.simulate.specimen import FieldSettings

    reach = float(np.abs(motion.global_xy).max()) + 4 * settings.local_pixels
    reach += 3 * settings.own_motion_pixels
    return FieldSettings(
        settings.shape_yx,
        0 if kind in ("empty", "contaminated") else settings.particles,
        settings.distance_angst,
        tilt_deg=settings.tilt_deg,
        views_deg=session_views(settings),
        jitter_deg=settings.jitter_deg,
        margin=max(32, int(reach) + 8),
        apart=settings.own_motion_pixels > 0,
    )


def _background(settings: SessionSettings, kind: str, ice_angst: float, rng: np.random.Generator) -> Any:
    from verglas.simulate.background import BackgroundSettings

    carbon = rng.uniform() < settings.carbon_movies
    return BackgroundSettings(
        ice_thickness_angst=ice_angst * (3 if kind == "contaminated" else 1),
        ice_gradient=settings.ice_gradient,
        ice_noise=settings.ice_noise,
        carbon_share=settings.carbon_share if carbon else 0.0,
        crystals=settings.crystals + (25 if kind == "contaminated" else 0),
    )


def _projector(settings: SessionSettings, device: str) -> Any:
    from verglas.simulate.projection import AtomProjector, ProjectionSettings

    model = load_model(settings.model, assembly=settings.assembly)
    box = int(model.diameter_angst() / settings.pixel_size_angst) // 2 * 2 + 8
    return AtomProjector(model, ProjectionSettings(box, settings.pixel_size_angst), device)


def _write_frames(path: Path, frames: Iterable[np.ndarray], settings: SessionSettings) -> None:
    """Counts to a movie file of the session's format."""
    import numpy as np

    from verglas.formats.eer import events_of_counts
    from verglas.formats.movies_write import write_movie_eer, write_movie_mrc, write_movie_tiff

    os.makedirs(path.parent, exist_ok=True)
    if settings.format == "eer":
        rng = _generator(settings, _MOVIE, 0)
        events = (events_of_counts(frame, rng) for frame in frames)
        write_movie_eer(path, events, settings.shape_yx)
        return
    largest, kind = _pixel_type(settings)
    small = (np.minimum(frame, largest).astype(kind) for frame in frames)
    if settings.format == "tif":
        write_movie_tiff(path, small, compression=settings.compression)
    else:
        write_movie_mrc(path, small, settings.pixel_size_angst, dtype=kind)


def _pixel_type(settings: SessionSettings) -> tuple[int, str]:
    """The largest count and the type of a stored pixel: bytes as long as counts fit well into them."""
    expected = settings.dose_per_frame_e_a2 * settings.pixel_size_angst**2
    if settings.format == "tif":
        return (255, "uint8") if expected < 100 else (65535, "uint16")
    return (127, "uint8") if expected < 50 else (65535, "uint16")
