"""A plot as data, with the ticks of its axes: page and PDF draw the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8796a5"
MOST_POINTS = 1500
NUMBER, TIME, LOG = "number", "time", "log"  # what an axis of x is
POINTS, LINE, DASHED, BARS, BAND = "points", "line", "dashed", "bars", "band"
_STEPS_S = (10, 30, 60, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)


@dataclass(frozen=True, eq=False)
class Series:
    """Values over x; a band lies between `y` and `other`."""

    name: str
    x: Floats
    y: Floats
    kind: str = POINTS
    colour: str = BLUE
    other: Floats | None = None

    def thinned(self) -> Series:
        """Finite points only, every n-th of very many."""
        known = np.isfinite(self.x) & np.isfinite(self.y)
        step = max(1, int(known.sum()) // MOST_POINTS) if self.kind == POINTS else 1
        other = self.other[known][::step] if self.other is not None else None
        return Series(self.name, self.x[known][::step], self.y[known][::step], self.kind, self.colour, other)


@dataclass(frozen=True, eq=False)
class Plot:
    """Labels have units. `shades` are stretches of x, `marks` lines across at values of y with their words."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_as: str = NUMBER
    shades: Sequence[tuple[float, float]] = ()
    marks: Sequence[tuple[float, str]] = ()
    y_range: tuple[float, float] | None = None
    equal: bool = False  # one scale for both axes

    @property
    def x_limits(self) -> tuple[float, float]:
        """Of all that is drawn; for logarithmic axes of positive values."""
        low, high = _limits([each.x for each in self.series], 0.02 if self.equal else 0.0, self.x_as == LOG)
        steps = [each.x[1] - each.x[0] for each in self.series if each.kind == BARS and len(each.x) > 1]
        half = max(steps, default=0.0) / 2  # bars are as wide as the distance of their middles
        return low - half, high + half

    @property
    def y_limits(self) -> tuple[float, float]:
        if self.y_range is not None:
            return self.y_range
        values = [each.y for each in self.series]
        values += [each.other for each in self.series if each.other is not None]
        low, high = _limits(values, 0.04, False)
        return (0.0, high) if any(each.kind == BARS for each in self.series) else (low, high)

    def x_ticks(self) -> list[tuple[float, str]]:
        low, high = self.x_limits
        if self.x_as == TIME:
            return time_ticks(low, high)
        return log_ticks(low, high) if self.x_as == LOG else ticks(low, high)

    def y_ticks(self) -> list[tuple[float, str]]:
        return ticks(*self.y_limits, 4)


def histogram(values: Floats, title: str, label: str) -> Plot:
    """How often each value occurs."""
    counts, edges = histogram_counts(values)
    return Plot(title, label, "number", [Series("", (edges[1:] + edges[:-1]) / 2, counts, BARS)])


def histogram_counts(values: Floats) -> tuple[Floats, Floats]:
    """(counts, edges) within `limits`; up to 50 bins; values beyond count in the outer bins."""
    finite = values[np.isfinite(values)]
    low, high = limits(values)
    bins = min(50, max(5, len(finite) // 4))
    if not high > low:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(np.clip(finite, low, high), bins, (low, high))
    return counts.astype(float), edges


def limits(values: Floats) -> tuple[float, float]:
    """The range to show: of the finite values, without the outermost 1 % where those lie far away."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, [1, 99])
    spare = max(high - low, abs(high) * 1e-6, 1e-12)
    return max(float(finite.min()), low - spare), min(float(finite.max()), high + spare)


def roomy(values: Floats) -> tuple[float, float]:
    """`limits` with a little room, for an axis."""
    low, high = limits(values)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round values between two, with their words."""
    raw = (high - low) / most
    if not raw > 0 or not math.isfinite(raw):
        return [(low, shown(low))]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    values = [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, shown(value)) for value in values]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """1, 2 and 5 times powers of ten, or the powers alone where those are many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(exponents) < 4 else (1,)
    values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [(value, shown(value)) for value in values if low * 0.999 <= value <= high * 1.001]


def time_ticks(low_s: float, high_s: float, most: int = 4) -> list[tuple[float, str]]:
    """Round times of day; with the date where there are several days; one tick for a moment."""
    step = next((step for step in _STEPS_S if (high_s - low_s) / step <= most), _STEPS_S[-1])
    offset = datetime.fromtimestamp(low_s).astimezone().utcoffset()
    shift = offset.total_seconds() if offset else 0.0
    first = math.ceil((low_s + shift) / step)
    values = [n * step - shift for n in range(first, math.floor((high_s + shift) / step) + 1)]
    days = datetime.fromtimestamp(low_s).date() != datetime.fromtimestamp(high_s).date()
    form = "%d %b %H:%M" if days else "%H:%M:%S" if step < 60 and high_s > low_s else "%H:%M"
    return [(value, f"{datetime.fromtimestamp(value):{form}}") for value in values or [low_s]]


def shown(value: float) -> str:
    """A number on an axis: 12k, 3.5M, 0.25."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    return "0" if size < 1e-12 else f"{value:.4g}"


def _limits(values: Sequence[Floats], room: float, positive: bool) -> tuple[float, float]:
    known = np.concatenate([each[np.isfinite(each)] for each in values]) if values else np.zeros(0)
    known = known[known > 0] if positive else known
    if not len(known):
        return (1.0, 10.0) if positive else (0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if low == high:
        return (low / 2, high * 2) if positive else (low - 0.5, high + 0.5)
    return low - room * (high - low), high + room * (high - low)
