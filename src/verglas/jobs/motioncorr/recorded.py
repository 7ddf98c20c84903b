"""What motion correction wrote about a movie, read back: enough to read its frames the same way again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarError, StarFile, StarTable, read_star
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.motioncorr.gain_input import load_defects, load_gain
from verglas.jobs.motioncorr.metadata import NOT_USED

if TYPE_CHECKING:
    from verglas.formats.movies import Movie
    from verglas.motion.devices.frames import CorrectedFrames
    from verglas.motion.local_motion import LocalMotion

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RecordedMotion:
    """One movie as motion correction left it; lengths in pixels of the recorded movie."""

    path: str  # of the metadata
    movie_name: str
    shape_yx: tuple[int, int]
    n_frames: int
    first_frame: int  # counted from 0
    shifts_yx: Floats  # (n_frames, 2); nan where a frame was not used
    pixel_size_angst: float
    binning: float
    voltage_kv: float
    dose_per_frame_e_a2: float
    pre_exposure_e_a2: float
    gain_name: str
    defect_name: str
    eer_upsampling: int
    eer_grouping: int
    coefficients_yx: Floats | None  # (2, 18) of the local model
    hot_pixels_yx: npt.NDArray[np.int64]

    @property
    def local(self) -> LocalMotion | None:
        from verglas.motion.local_motion import LocalMotion

        return None if self.coefficients_yx is None else LocalMotion(self.coefficients_yx)

    def used(self, first: int = 1, last: int = -1) -> range:
        """Frames (from 0) that have a shift, within first..last (from 1; not positive: to the end)."""
        known = np.flatnonzero(np.isfinite(self.shifts_yx[:, 0]))
        if not len(known):
            raise SetAside(f"{self.path} has no frame with a shift")
        stop = min(int(known[-1]) + 1, last if last > 0 else self.n_frames)
        start = max(int(known[0]), first - 1)
        if stop <= start:
            raise SetAside(
                f"{self.path} has shifts of frames {known[0] + 1} to {known[-1] + 1}, wanted are {first} to {last}"
            )
        return range(start, stop)

    def displacements(self, places_yx: Floats, frames: range, *, with_local: bool = True) -> Floats:
        """Where what lies at places (P, 2) of the corrected sum is seen in frames: (P, F, 2) from there."""
        moved = -np.broadcast_to(self.shifts_yx[frames.start : frames.stop], (len(places_yx), len(frames), 2))
        if self.local is None or not with_local:
            return np.array(moved)
        fractions = places_yx / np.array(self.shape_yx) - 0.5
        times = np.arange(frames.start, frames.stop) - self.first_frame
        found: Floats = moved - self.local.at(fractions, times.astype(float))
        return found

    def doses(self, frames: range) -> Floats:
        """Exposure before each frame, e/Å²."""
        return self.pre_exposure_e_a2 + self.dose_per_frame_e_a2 * np.arange(
            frames.start, frames.stop, dtype=np.float64
        )

    def open(self) -> Movie:
        """The movie, checked against what was recorded. Raises SetAside with what differs."""
        from verglas.formats.movies import UnreadableMovie, open_movie

        if not Path(self.movie_name).exists():
            raise SetAside(f"the movie {self.movie_name} named in {self.path} does not exist")
        try:
            movie = open_movie(
                self.movie_name, eer_grouping=self.eer_grouping, eer_upsampling=self.eer_upsampling
            )
        except UnreadableMovie as error:
            raise SetAside(str(error)) from error
        if movie.shape_yx != self.shape_yx:
            raise SetAside(
                f"{self.movie_name} has {movie.shape_yx[1]} x {movie.shape_yx[0]} pixels, "
                f"{self.path} says {self.shape_yx[1]} x {self.shape_yx[0]}"
            )
        if movie.n_frames != self.n_frames:
            raise SetAside(f"{self.movie_name} has {movie.n_frames} frames, {self.path} says {self.n_frames}")
        return movie

    def frames(self, movie: Movie, frames: range) -> CorrectedFrames[Any]:
        """Frames with gain, defects and hot pixels put right as they were then. Raises SetAside."""
        from verglas.motion.devices.frames import FrameOptions
        from verglas.motion.devices.frames_cpu import CpuFrames

        gain, defects = None, np.zeros(self.shape_yx, bool)
        try:
            if self.gain_name:
                gain = load_gain(self.gain_name, movie, 0, 0).factors
            if self.defect_name:
                defects |= load_defects(self.defect_name, self.shape_yx)
        except (OSError, ValueError) as error:
            raise SetAside(f"gain or defects of {self.path} cannot be used: {error}") from error
        inside = ((self.hot_pixels_yx >= 0) & (self.hot_pixels_yx < self.shape_yx)).all(axis=1)
        defects[tuple(self.hot_pixels_yx[inside].T)] = True
        options = FrameOptions(gain, defects, find_hot_pixels=False, single_pass=True)
        return CpuFrames(movie, frames, options)


def read_motion(path: str) -> RecordedMotion:
    """Read a metadata STAR of motion correction. Raises SetAside naming what is wrong with it."""
    if not Path(path).exists():
        raise SetAside(f"the motion metadata {path} does not exist")
    try:
        star = read_star(path)
        return _recorded(path, star)
    except (StarError, KeyError, ValueError) as error:
        raise SetAside(f"the motion metadata {path} cannot be read: {error}") from error


def _recorded(path: str, star: StarFile) -> RecordedMotion:
    general, shifts = star["general"], star["global_shift"]
    track = np.stack([shifts.floats("rlnMicrographShiftY"), shifts.floats("rlnMicrographShiftX")], 1)
    track = np.where(track > NOT_USED + 1, track, np.nan)
    n_frames = general.integer("rlnImageSizeZ")
    if len(track) != n_frames:
        raise ValueError(f"{len(track)} shifts for {n_frames} frames")
    coefficients = None
    if _number(general, "rlnMotionModelVersion", 0) == 1:
        along_x, along_y = star["local_motion_model"].floats("rlnMotionModelCoeff").reshape(2, 18)
        coefficients = np.stack([along_y, along_x])
    return RecordedMotion(
        path,
        general.string("rlnMicrographMovieName"),
        (general.integer("rlnImageSizeY"), general.integer("rlnImageSizeX")),
        n_frames,
        int(_number(general, "rlnMicrographStartFrame", 1)) - 1,
        track,
        general.number("rlnMicrographOriginalPixelSize"),
        _number(general, "rlnMicrographBinning", 1.0),
        _number(general, "rlnVoltage", 300.0),
        _number(general, "rlnMicrographDoseRate", 0.0),
        _number(general, "rlnMicrographPreExposure", 0.0),
        _text(general, "rlnMicrographGainName"),
        _text(general, "rlnMicrographDefectFile"),
        int(_number(general, "rlnEERUpsampling", 1)),
        int(_number(general, "rlnEERGrouping", 32)),
        coefficients,
        _hot_pixels(star),
    )


def _hot_pixels(star: StarFile) -> npt.NDArray[np.int64]:
    table = star.get("hot_pixels")
    if table is None or not len(table):
        return np.zeros((0, 2), np.int64)
    places = np.stack([table.floats("rlnCoordinateY"), table.floats("rlnCoordinateX")], 1)
    return places.astype(np.int64)


def _number(table: StarTable, label: str, default: float) -> float:
    return table.number(label) if label in table else default


def _text(table: StarTable, label: str) -> str:
    return table.string(label) if label in table else ""
