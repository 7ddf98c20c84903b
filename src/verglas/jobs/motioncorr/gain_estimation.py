"""Gains from lists of movies: estimating one, and finding the orientation of a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.gain import Gain, orient, read_gain
from verglas.formats.movies import Movie, UnreadableMovie, open_movie

if TYPE_CHECKING:
    from verglas.motion.gain import GainEstimate, GainFit

ENOUGH_MOVIES = 100
ENOUGH_COUNTS = 400.0  # per pixel: 5 % error of each factor
MOVIES_TO_LOOK_AT = 3


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a gain over the movies, and how well it fits."""

    rotation: int  # --gain_rot
    flip: int  # --gain_flip
    fit: GainFit

    def __str__(self) -> str:
        return (
            f"gain_rot {self.rotation} gain_flip {self.flip}:"
            f" correlation {self.fit.correlation:+.4f} ({self.fit.z:+.0f} standard errors)"
        )


def movie_sum(movie: Movie) -> np.ndarray:  # (y, x) float64
    """Sum of all raw frames."""
    total = np.zeros(movie.shape_yx)
    for frame in movie.frames(dtype=None):
        total += frame
    return total


def readable(
    paths: Sequence[str], warn: Callable[[str], None], eer_grouping: int = 32
) -> Iterator[tuple[Movie, np.ndarray]]:
    """Movies and their sums; those that cannot be read are left out with a word."""
    for path in paths:
        try:
            movie = open_movie(path, eer_grouping=eer_grouping)
            yield movie, movie_sum(movie)
        except UnreadableMovie as error:
            warn(f"left out: {error}")


def estimate_gain(paths: Sequence[str], warn: Callable[[str], None], eer_grouping: int = 32) -> GainEstimate:
    """A gain from the movies themselves. Raises ValueError if none can be read."""
    from verglas.motion.gain import GainEstimate

    estimate: GainEstimate | None = None
    for movie, total in readable(paths, warn, eer_grouping):
        if estimate is None:
            estimate = GainEstimate(movie.shape_yx)
        try:
            estimate.add(total, movie.n_frames)
        except ValueError as error:
            warn(f"left out: {movie.path}: {error}")
    if estimate is None:
        raise ValueError(f"none of {len(paths)} movies could be read")
    return estimate


def gain_orientations(gain: Gain, total: np.ndarray) -> list[Orientation]:
    """The orientations whose shape fits the movies, best first (all eight of a square sensor)."""
    from verglas.motion.gain import gain_fit

    found = []
    for flip in (0, 2):  # a flip upside down is one left to right and half a turn
        for rotation in range(4):
            factors = orient(gain.factors, rotation, flip)
            if factors.shape == total.shape:
                found.append(Orientation(rotation, flip, gain_fit(total, factors)))
    return sorted(found, key=lambda orientation: -orientation.fit.correlation)


def find_orientation(
    gain_path: str, movie_paths: Sequence[str], warn: Callable[[str], None], eer_grouping: int = 32
) -> list[Orientation]:
    """Orientations of a gain file by the first readable movies. Raises ValueError if none fits."""
    total: np.ndarray | None = None
    looked_at, kind = 0, "mrc"
    for movie, movie_total in readable(movie_paths, warn, eer_grouping):
        if total is not None and total.shape != movie_total.shape:
            continue
        total = movie_total if total is None else total + movie_total
        kind, looked_at = movie.kind, looked_at + 1
        if looked_at == MOVIES_TO_LOOK_AT:
            break
    if total is None:
        raise ValueError(f"none of {len(movie_paths)} movies could be read")
    gain = read_gain(gain_path, movie_kind=kind)
    found = gain_orientations(gain, total)
    if not found:
        raise ValueError(
            f"{gain_path} has {gain.shape_yx[1]} x {gain.shape_yx[0]} pixels, the movies"
            f" {total.shape[1]} x {total.shape[0]}: no orientation fits"
        )
    return found
