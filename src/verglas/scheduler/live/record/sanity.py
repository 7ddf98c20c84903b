"""Do the first movies fit what was said about them? Findings in words, each with what to do.

Looks at counts against dose, gain against the pixel pattern of raw frames, frame counts and shapes,
super-resolution, and the pixel size in the header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.formats.movies import Movie, MovieInfo, UnreadableMovie, open_movie

if TYPE_CHECKING:
    import numpy as np

    from verglas.formats.gain_check import GainMatch

SURE = 8.0  # significance of a gain match that counts as proof
PHYSICAL = {(4092, 5760): "K3", (3710, 3838): "K2", (4096, 4096): "Falcon", (3838, 3710): "K2"}
HARDWARE_FRAMES = 100  # of an EER movie that are looked at together
MOST_FRAMES = 12  # of a movie that are read


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    about: str  # dose, gain, frames, shape, pixel
    good: bool
    text: str


@dataclass(frozen=True)
class Stated:
    """What the session believes about its movies; 0 or empty where nothing was said."""

    pixel_size_angst: float = 0.0
    dose_per_frame_e_a2: float = 0.0
    bin_factor: float = 1.0
    eer_grouping: int = 1
    gain: str = ""
    gain_rot: int = 0
    gain_flip: int = 0

    @classmethod
    def of(cls, facts: Mapping[str, float | str]) -> Stated:
        """From the facts of `live start`."""

        def number(key: str, default: float = 0.0) -> float:
            return float(facts.get(key, default))

        return cls(
            number("pixel-size"),
            number("dose-per-frame"),
            number("bin", 1.0),
            int(number("eer-grouping", 1)),
            str(facts.get("gain", "")),
            int(number("gain-rot")),
            int(number("gain-flip")),
        )


def check_inputs(paths: Sequence[Path], stated: Stated) -> list[Finding]:
    """Look at the first movies (three are enough). Movies that cannot be read are left out."""
    movies = []
    for path in paths:
        try:
            movies.append(open_movie(path, eer_grouping=max(1, stated.eer_grouping)))
        except (UnreadableMovie, OSError, ValueError):
            continue
    if not movies:
        return [Finding("frames", False, "none of the first movies can be read")]
    infos = [movie.info for movie in movies]
    total, mean = _sum_of_frames(movies)
    findings = [*_frames(infos), *_pixel(infos[0], stated), *_super_resolution(infos[0], stated)]
    findings += _dose(infos[0], stated, mean)
    if stated.gain:
        findings += _gain(total, infos[0], stated)
    return findings


def find_gain_turn(paths: Sequence[Path], gain: str) -> GainMatch | None:
    """Rotation and flip of a gain by the pixel pattern of raw frames; None if there is no proof."""
    movies = []
    for path in paths:
        try:
            movies.append(open_movie(path, eer_grouping=HARDWARE_FRAMES))
        except (UnreadableMovie, OSError):
            continue
    if not movies:
        return None
    total, _ = _sum_of_frames(movies)
    matches = _matches(total, movies[0].info, gain)
    return matches[0] if matches and matches[0].significance >= SURE else None


def _sum_of_frames(movies: Sequence[Movie]) -> tuple[np.ndarray, float]:
    """Sum of frames of all movies of the first one's shape, and the mean count of a frame's pixel."""
    import numpy as np

    shape = movies[0].shape_yx
    total, count = np.zeros(shape, np.float32), 0
    for movie in movies:
        if movie.shape_yx != shape:
            continue
        for frame in movie.frames(0, min(movie.n_frames, MOST_FRAMES)):
            total += frame
            count += 1
    return total, float(total.mean(dtype=np.float64)) / max(1, count)


def _frames(infos: Sequence[MovieInfo]) -> list[Finding]:
    found = []
    first = infos[0]
    lengths = {info.n_frames for info in infos}
    if len(lengths) > 1 and first.kind != "eer":
        text = f"the first movies have {', '.join(map(str, sorted(lengths)))} frames: give --frames"
        found.append(Finding("frames", False, text))
    else:
        found.append(Finding("frames", True, f"{first.n_frames} frames"))
    shapes = {info.shape_yx for info in infos}
    text = " and ".join(f"{width} x {height}" for height, width in sorted(shapes))
    found.append(Finding("shape", len(shapes) == 1, f"{text} pixels"))
    return found


def _pixel(first: MovieInfo, stated: Stated) -> list[Finding]:
    header, said = first.pixel_size_angst, stated.pixel_size_angst
    if header <= 0.05 or said <= 0 or abs(header - 1) < 1e-6:
        return []  # nothing said, or the 1 that programs write who do not know
    ratio = header / said
    if abs(ratio - 1) < 0.02:
        return [Finding("pixel", True, f"pixel size {said:.4g} Å as in the header")]
    text = f"the header says {header:.4g} Å per pixel, the session {said:.4g} Å"
    if abs(ratio - 2) < 0.05 or abs(ratio - 0.5) < 0.02:
        text += ": a factor of two, as between super-resolution and physical pixels"
    return [Finding("pixel", False, text + "; give --pixel-size")]


def _super_resolution(first: MovieInfo, stated: Stated) -> list[Finding]:
    height, width = first.shape_yx
    camera = next((name for (h, w), name in PHYSICAL.items() if {height, width} == {2 * h, 2 * w}), None)
    if camera is None or first.kind == "eer":
        return []
    if stated.bin_factor >= 2:
        return [Finding("shape", True, f"super-resolution frames of a {camera}, binned by 2")]
    text = (
        f"{width} x {height} pixels are super-resolution frames of a {camera}: give --bin 2, and see that "
        f"the pixel size ({stated.pixel_size_angst:.4g} Å) is that of the super-resolution pixel"
    )
    return [Finding("shape", False, text)]


def _dose(first: MovieInfo, stated: Stated, mean: float) -> list[Finding]:
    """Counts per Å² against the stated dose; only counting cameras count electrons."""
    pixel, dose = stated.pixel_size_angst, stated.dose_per_frame_e_a2
    if pixel <= 0 or mean <= 0:
        return []
    counted = mean / pixel**2
    said = f"{mean:.3g} counts per pixel and frame are {counted:.3g} per Å²"
    if dose <= 0:
        text = f"{said}; no dose is known: for a counting camera give --dose-per-frame {counted:.2g}"
        return [Finding("dose", False, text)]
    ratio = counted / dose
    if 0.6 <= ratio <= 1.4:
        return [Finding("dose", True, f"{said}, stated are {dose:.3g} e/Å²")]
    text = f"{said}, but {dose:.3g} e/Å² are stated"
    guesses = {
        float(first.n_frames): "that is the dose of one frame for the stated total",
        1.0 / first.n_frames: "the stated dose looks like that of the whole exposure",
        4.0: "a factor of four, as if super-resolution pixels were taken for physical ones",
        0.25: "a factor of four, as if physical pixels were taken for super-resolution ones",
    }
    for factor, guess in guesses.items():
        if abs(ratio / factor - 1) < 0.35:
            return [Finding("dose", False, f"{text}: {guess}")]
    return [Finding("dose", False, f"{text}; right only if the camera does not count electrons")]


def _matches(total: np.ndarray, first: MovieInfo, gain: str) -> list[GainMatch]:
    from verglas.formats.gain import read_gain
    from verglas.formats.gain_check import match_gain
    from verglas.formats.mrc_header import UnreadableImage

    try:
        known = read_gain(gain, movie_kind=first.kind)
    except (UnreadableImage, OSError):
        return []
    if float(known.factors.std()) == 0 or float(total.std()) == 0:
        return []  # nothing to tell orientations apart
    return match_gain(known, total)


def _gain(total: np.ndarray, first: MovieInfo, stated: Stated) -> list[Finding]:
    matches = _matches(total, first, stated.gain)
    name = Path(stated.gain).name
    if not matches:
        text = f"{name} cannot be read, is the same everywhere, or fits in no orientation"
        return [Finding("gain", False, text)]
    best = matches[0]
    if best.significance < SURE:
        text = (
            f"the frames show no trace of {name} in any orientation ({best.significance:.1f} σ): they are "
            "gain-corrected already, or it is another camera's"
        )
        return [Finding("gain", False, text)]
    proof = f"{best.significance:.0f} σ"
    if best.is_reciprocal:
        text = (
            f"{name} holds sensitivities: frames have to be divided by it, not multiplied ({proof}); "
            "give its reciprocal"
        )
        return [Finding("gain", False, text)]
    if (best.rotation, best.flip) != (stated.gain_rot, stated.gain_flip):
        text = (
            f"{name} fits the frames with rotation {best.rotation} and flip {best.flip} ({proof}), not with "
            f"{stated.gain_rot} and {stated.gain_flip}: give --gain-rot {best.rotation} "
            f"--gain-flip {best.flip}"
        )
        return [Finding("gain", False, text)]
    return [Finding("gain", True, f"{name} fits the pixel pattern of the frames ({proof})")]
