"""Plots of one measured value over all micrographs, as SVG text: cheap, sharp, nothing to load.

However many micrographs there are, at most `MOST_POINTS` are drawn: beyond that, runs of micrographs are
shown by their median and the range from the 10th to the 90th percentile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 400
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460.0, 130.0, 58.0, 20.0, 8.0
_PLOT_HEIGHT = _HEIGHT - _BOTTOM - _TOP

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """A value in the order of the micrographs: `low` and `high` are None while nothing is binned."""

    position: Floats  # number of the micrograph, from 1
    middle: Floats
    low: Floats | None
    high: Floats | None

    @classmethod
    def of(cls, values: Floats, most: int = MOST_POINTS) -> Track:
        """Values that are no finite numbers are left out."""
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite) <= most:
            return cls(np.asarray(finite + 1.0, np.float64), values[finite], None, None)
        parts = np.array_split(finite, most)
        ranges = np.array([np.percentile(values[part], [10, 50, 90]) for part in parts])
        position = np.array([part.mean() + 1 for part in parts])
        return cls(position, ranges[:, 1], ranges[:, 0], ranges[:, 2])


def limits(values: Floats) -> tuple[float, float]:
    """The range to show: of the finite values, without the outermost 1 % where those lie far away."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, [1, 99])
    spare = max(high - low, abs(high) * 1e-6, 1e-12)
    return max(float(finite.min()), low - spare), min(float(finite.max()), high + spare)


def histogram_counts(values: Floats) -> tuple[Floats, Floats]:
    """(counts, edges) within `limits`; up to 50 bins; values beyond count in the outer bins."""
    finite = values[np.isfinite(values)]
    low, high = limits(values)
    bins = min(50, max(5, len(finite) // 4))
    if not high > low:
        high = low + 1.0
    counts, edges = np.histogram(np.clip(finite, low, high), bins, (low, high))
    return counts.astype(float), edges


def track_svg(values: Floats, title: str) -> str:
    """The value against the number of the micrograph."""
    track, (low, high) = Track.of(values), limits(values)
    x = _LEFT + (_WIDTH - _LEFT - 6) * (track.position - 0.5) / max(1, len(values))
    marks = []
    if track.low is not None and track.high is not None:
        upper = _points(x, _height_of(track.high, low, high))
        lower = _points(x[::-1], _height_of(track.low, low, high)[::-1])
        marks.append(f'<polygon class="band" points="{upper} {lower}"/>')
        middle = _points(x, _height_of(track.middle, low, high))
        marks.append(f'<polyline class="line" points="{middle}"/>')
    else:
        places = zip(x, _height_of(track.middle, low, high))
        marks += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.8"/>' for a, b in places]
    return _frame(marks, title, (low, high), ("1", str(len(values))))


def histogram_svg(values: Floats, title: str) -> str:
    """How often which value occurs."""
    counts, edges = histogram_counts(values)
    width = (_WIDTH - _LEFT - 6) / len(counts)
    top = max(float(counts.max()), 1.0)
    bars = [
        f'<rect x="{_LEFT + n * width:.1f}" y="{_TOP + _PLOT_HEIGHT * (1 - count / top):.1f}" '
        f'width="{max(1.0, width - 1):.1f}" height="{_PLOT_HEIGHT * count / top:.1f}"/>'
        for n, count in enumerate(counts)
    ]
    return _frame(bars, f"Histogram of {title}", (0, top), (shown(edges[0]), shown(edges[-1])))


def shown(value: float) -> str:
    """A number as people write it: no exponent for what fits without."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def _height_of(values: Floats, low: float, high: float) -> Floats:
    share = (np.clip(values, low, high) - low) / max(high - low, 1e-30)
    result: Floats = _TOP + _PLOT_HEIGHT * (1 - share)
    return result


def _points(x: Floats, y: Floats) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))


def _frame(marks: list[str], title: str, y_range: tuple[float, float], x_range: tuple[str, str]) -> str:
    bottom = _HEIGHT - _BOTTOM
    labels = [
        f'<text x="{_LEFT - 5}" y="{_TOP + 9}" text-anchor="end">{shown(y_range[1])}</text>',
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">{shown(y_range[0])}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 5}">{x_range[0]}</text>',
        f'<text x="{_WIDTH - 6}" y="{_HEIGHT - 5}" text-anchor="end">{x_range[1]}</text>',
        f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - 6}"/>',
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img"><title>{title}</title>'
        + "".join([*marks, *labels])
        + "</svg>"
    )
