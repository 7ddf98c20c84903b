"""Following filaments through a score map: from sure points along the ridge, both ways.

A point above the high threshold starts a filament, which is followed step by step in the direction in which
the mean score ahead is largest, as long as that stays above the low threshold and the path bends no more
than allowed. What lies within a diameter of a filament belongs to it, so a crossing ends the weaker one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from verglas.picking.picks import Array

SLACK_RAD = np.deg2rad(3)  # of a single step, beyond what the curvature allows: noise moves the ridge
SEED_ANGLES = 36
TURNS = 11  # directions tried at every step
END = 0.7  # of the median score along a filament, where it ends
MOST_STEPS = 20000  # of one filament in one direction


@dataclass(frozen=True, slots=True)
class FilamentSettings:
    """Lengths in pixels of the score map."""

    radius_px: float  # half the diameter of the tube
    max_curvature: float  # 1/px
    least_length_px: float
    high: float  # score of a point that starts a filament
    low: float  # mean score ahead with which it goes on


@dataclass(frozen=True, slots=True, eq=False)
class Filament:
    """A smoothed path in steps of at most one pixel."""

    xy: Array  # (n, 2)
    score: float  # mean along the path

    @property
    def track(self) -> Array:  # (n,) length from the start
        return np.concatenate([[0], np.cumsum(np.hypot(*np.diff(self.xy, axis=0).T))])

    def every(self, step_px: float) -> tuple[Array, Array, Array]:
        """Places (m, 2), directions (m,) in radians and lengths (m,) at equal steps from the start."""
        track = self.track
        at = np.arange(0.5 * (track[-1] % step_px), track[-1], step_px)
        x, y = (np.interp(at, track, axis) for axis in self.xy.T)
        slope_x, slope_y = (np.interp(at, track, np.gradient(axis)) for axis in self.xy.T)
        return np.stack([x, y], 1), np.arctan2(slope_y, slope_x), at - at[0]


def trace_filaments(
    score: Array,  # (y, x); -inf where nothing may be found
    seeds_xy: Array,  # (n, 2) maxima of the score, best first
    settings: FilamentSettings,
) -> list[Filament]:
    """Filaments of at least the least length, best first."""
    tracer = _Tracer(score, settings)
    found = [tracer.filament(seed) for seed in np.asarray(seeds_xy, float)]
    kept = [filament for filament in found if filament is not None]
    return sorted(kept, key=lambda filament: -filament.score)


class _Tracer:
    """A score map, and what of it belongs to filaments already."""

    def __init__(self, score: Array, settings: FilamentSettings) -> None:
        self.settings = settings
        self.outside = -10 * settings.high
        self.taken = ~np.isfinite(score)
        self.score = np.where(self.taken, self.outside, score).astype(np.float64)
        self.smooth = ndimage.gaussian_filter(self.score, 0.25 * settings.radius_px)

    def filament(self, seed: Array) -> Filament | None:
        """The filament through a seed; None if it is taken, too weak or too short."""
        column, row = np.rint(seed).astype(int)
        if self.taken[row, column] or self.score[row, column] < self.settings.high:
            return None
        path = self._path(seed)
        length = float(np.hypot(*np.diff(path, axis=0).T).sum()) if len(path) > 1 else 0.0
        long_enough = length >= self.settings.least_length_px
        self.taken |= _near(path, self.taken.shape, (1 + long_enough) * self.settings.radius_px)
        if not long_enough:
            return None
        smoothed = _smoothed(path, self.settings)
        return Filament(smoothed, float(self._at(self.score, smoothed).mean()))

    def _path(self, seed: Array) -> Array:  # (n, 2), at least the seed
        angle = self._seed_angle(seed)
        forth, back = self._follow(seed, angle), self._follow(seed, angle + np.pi)
        path = np.array([*back[::-1], seed, *forth])
        along = self._at(self.smooth, path)
        # beyond its end a filament is followed into noise until what lies ahead is too weak
        good = np.flatnonzero(along >= max(self.settings.low, END * float(np.median(along))))
        path = path[good[0] : good[-1] + 1] if len(good) else seed[None]
        return _straight_enough(path, seed, self.settings)

    def _seed_angle(self, seed: Array) -> float:
        """Direction in which the line through the seed scores best."""
        reach = np.arange(-4 * self.settings.radius_px, 4 * self.settings.radius_px + 1)
        angles = np.arange(SEED_ANGLES) * np.pi / SEED_ANGLES
        lines = seed + reach[:, None] * _units(angles)[:, None]
        return float(angles[self._at(self.smooth, lines).mean(axis=1).argmax()])

    def _follow(self, start: Array, angle: float) -> list[Array]:
        """Points in steps of one pixel from a start, which is not among them."""
        settings = self.settings
        ahead = np.arange(1, max(4, round(3 * settings.radius_px)) + 1)[:, None]
        turns = np.linspace(-1, 1, TURNS) * (settings.max_curvature + SLACK_RAD)
        points: list[Array] = []
        here = start
        for _ in range(MOST_STEPS):
            directions = _units(angle + turns)
            means = self._at(self.smooth, here + ahead * directions[:, None]).mean(axis=1)
            best = int(means.argmax())
            here = here + directions[best]
            if means[best] < settings.low or self._is_taken(here):
                break
            angle += float(turns[best])
            points.append(here)
        return points

    def _is_taken(self, xy: Array) -> bool:
        """Whether a place belongs to a filament, or lies outside."""
        column, row = np.rint(xy).astype(int)
        height, width = self.taken.shape
        return not (0 <= column < width and 0 <= row < height) or bool(self.taken[row, column])

    def _at(self, image: Array, xy: Array) -> Array:
        """Linear interpolation at (..., 2) x, y."""
        places = np.moveaxis(xy[..., ::-1], -1, 0)
        return np.asarray(ndimage.map_coordinates(image, places, order=1, cval=self.outside))


def _straight_enough(path: Array, seed: Array, settings: FilamentSettings) -> Array:
    """The part about the seed that bends nowhere more than allowed, measured over two diameters."""
    reach = max(4, round(4 * settings.radius_px))
    if len(path) < 2 * reach:
        return path
    slope = np.gradient(_smoothed(path, settings), axis=0)
    heading = np.unwrap(np.arctan2(slope[:, 1], slope[:, 0]))
    turned = np.abs(heading[reach:] - heading[:-reach])
    bent = np.flatnonzero(turned > settings.max_curvature * reach + SLACK_RAD) + reach // 2
    here = int(np.hypot(*(path - seed).T).argmin())
    before, after = bent[bent < here], bent[bent >= here]
    first = int(before.max()) + 1 if len(before) else 0
    last = int(after.min()) if len(after) else len(path)
    return path[first : max(last, first + 1)]


def _smoothed(path: Array, settings: FilamentSettings) -> Array:
    """The path without what noise does to it over a diameter; it goes on beyond its ends as it came."""
    sigma = max(1.0, 2 * settings.radius_px)
    beyond = min(len(path) - 1, int(4 * sigma))
    longer = np.pad(path, ((beyond, beyond), (0, 0)), mode="reflect", reflect_type="odd")
    smooth: Array = ndimage.gaussian_filter1d(longer, sigma, axis=0, mode="nearest")
    return smooth[beyond : beyond + len(path)]


def _near(path: Array, shape: tuple[int, ...], distance: float) -> Array:  # (y, x) bool
    off = np.ones(shape, bool)
    columns, rows = np.rint(path).astype(int).T
    off[rows, columns] = False
    return np.asarray(ndimage.distance_transform_edt(off) <= distance)


def _units(angles: Array) -> Array:  # (n,) -> (n, 2)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)
