"""Small plots as SVG text, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

import numpy as np

WIDTH, HEIGHT, PAD = 250, 92, 26
BLUE = "#0072b2"
MAX_POINTS = 1500


def time_svg(
    times_s: np.ndarray, values: np.ndarray, label: str, pauses: Sequence[tuple[float, float]] = ()
) -> str:
    """Values against the time of day; every n-th if there are many; pauses are grey."""
    known = np.isfinite(times_s) & np.isfinite(values)
    times, shown = times_s[known], values[known]
    if not len(shown):
        return ""
    step = max(1, len(shown) // MAX_POINTS)
    x = _scaled(times[::step], PAD, WIDTH - 4)
    y = _scaled(shown[::step], HEIGHT - 16, 16)
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.2"/>' for a, b in zip(x, y))
    limits = float(times.min()), float(times.max())
    grey = "".join(_pause_svg(pause, limits) for pause in pauses)
    begin, end = clock_range(*limits)
    return _frame(f'{grey}<g fill="{BLUE}">{dots}</g>', label, shown, begin, end)


def clock_range(begin_s: float, end_s: float) -> tuple[str, str]:
    """Both ends of a stretch of time so that they can be told apart; with the day if it is not one."""
    begin, end = datetime.fromtimestamp(begin_s), datetime.fromtimestamp(end_s)
    if begin.date() != end.date():
        return f"{begin:%d %b %H:%M}", f"{end:%d %b %H:%M}"
    if end_s - begin_s >= 120:
        return f"{begin:%H:%M}", f"{end:%H:%M}"
    return f"{begin:%H:%M:%S}", f"{end:%H:%M:%S}" if int(end_s) > int(begin_s) else ""


def histogram_svg(values: np.ndarray, n_bins: int = 40) -> str:
    """How often each value occurs; the outermost 0.5 % are left out of the range."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    low, high = np.percentile(known, [0.5, 99.5])
    counts, edges = np.histogram(known, n_bins, (low, max(high, low + 1e-9)))
    wide = (WIDTH - 4 - PAD) / n_bins
    tall = (HEIGHT - 32) / max(1, counts.max())
    bars = "".join(
        f'<rect x="{PAD + i * wide:.1f}" y="{HEIGHT - 16 - n * tall:.1f}" width="{wide * 0.9:.1f}" '
        f'height="{n * tall:.1f}"/>'
        for i, n in enumerate(counts)
    )
    return _frame(f'<g fill="{BLUE}">{bars}</g>', "", None, f"{edges[0]:.3g}", f"{edges[-1]:.3g}")


def _pause_svg(pause: tuple[float, float], limits: tuple[float, float]) -> str:
    """A grey stretch from one edge of the plot to the other."""
    low, high = limits
    span = max(high - low, 1e-12)
    left, right = (PAD + (t - low) / span * (WIDTH - 4 - PAD) for t in pause)
    height = HEIGHT - 30
    return f'<rect x="{left:.1f}" y="14" width="{right - left:.1f}" height="{height}" fill="#dfe5eb"/>'


def _frame(inside: str, label: str, values: np.ndarray | None, begin: str, end: str) -> str:
    axis = f'<path d="M{PAD} 14V{HEIGHT - 16}H{WIDTH - 4}" fill="none" stroke="#8796a5"/>'
    texts = f'<text x="{PAD}" y="10" font-weight="600">{escape(label)}</text>'
    texts += f'<text x="{PAD}" y="{HEIGHT - 4}">{begin}</text>'
    texts += f'<text x="{WIDTH - 4}" y="{HEIGHT - 4}" text-anchor="end">{end}</text>'
    if values is not None:
        texts += f'<text x="{PAD - 2}" y="22" text-anchor="end">{values.max():.3g}</text>'
        texts += f'<text x="{PAD - 2}" y="{HEIGHT - 16}" text-anchor="end">{values.min():.3g}</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui" font-size="8" fill="#4b5a69">{axis}{inside}{texts}</svg>'
    )


def _scaled(values: np.ndarray, begin: float, end: float) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return begin + (values - low) / max(high - low, 1e-12) * (end - begin)
