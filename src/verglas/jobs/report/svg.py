"""Plots as SVG text: sharp on paper, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from verglas.jobs.report.plot import BAND, BARS, DASHED, LOG, POINTS, Plot, Series

WIDTH, HEIGHT = 250.0, 124.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 15.0, 27.0
_LEGEND = 8.0  # height of its line
# the page's own colour, thinner where less matters: light and dark pages alike
_SOFT = 'fill-opacity="0.75"'
_AXIS = 'stroke="currentColor" stroke-opacity="0.5"'
_GRID = 'stroke="currentColor" stroke-opacity="0.12"'
Scale = Callable[[float], float]


def plot_svg(plot: Plot) -> str:
    """Axes with ticks and units, and everything drawn between them; "" where there is nothing."""
    series = [each.thinned() for each in plot.series]
    if not any(len(each.x) for each in series):
        return ""
    height = WIDTH if plot.equal else HEIGHT
    bottom, legend = height - _BOTTOM, _legend(series)
    top = _TOP + (_LEGEND if legend else 0)
    x = _scale(plot.x_limits, _LEFT, WIDTH - _RIGHT, plot.x_as == LOG)
    y = _scale(plot.y_limits, bottom, top, False)
    parts = [
        f'<text x="2" y="9" font-weight="600">{escape(plot.title)}</text>',
        *(_shade(x(a), x(b), top, bottom) for a, b in plot.shades),
        *_axes(plot, x, y, top, bottom),
        *(_drawn(each, x, y, bottom) for each in series),
        *(_mark(y(value), text) for value, text in plot.marks),
        legend,
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" font-family="system-ui" font-size="7.5" fill="currentColor" '
        f'role="img"><title>{escape(plot.title)}</title>{"".join(parts)}</svg>'
    )


def _scale(limits: tuple[float, float], begin: float, end: float, log: bool) -> Scale:
    low, high = (math.log(value) for value in limits) if log else limits
    span = (high - low) or 1.0

    def scaled(value: float) -> float:
        at = (math.log(max(value, 1e-300)) if log else value) - low
        return begin + min(max(at / span, -0.02), 1.02) * (end - begin)

    return scaled


def _axes(plot: Plot, x: Scale, y: Scale, top: float, bottom: float) -> list[str]:
    right, middle = WIDTH - _RIGHT, (_LEFT + WIDTH - _RIGHT) / 2
    lines = [f'<path d="M{_LEFT} {y(v):.1f}H{right}" {_GRID}/>' for v, _ in plot.y_ticks()]
    lines.append(f'<path d="M{_LEFT} {top}V{bottom}H{right}" fill="none" {_AXIS}/>')
    texts = [
        f'<text x="{_LEFT - 3}" y="{y(v) + 2.5:.1f}" text-anchor="end" {_SOFT}>{t}</text>'
        for v, t in plot.y_ticks()
    ]
    texts += [
        f'<text x="{x(v):.1f}" y="{bottom + 9}" text-anchor="middle" {_SOFT}>{t}</text>'
        for v, t in plot.x_ticks()
    ]
    texts.append(
        f'<text x="{middle}" y="{bottom + 20}" text-anchor="middle">{escape(plot.x_label)}</text>'
        f'<text transform="translate(7 {(bottom + top) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(plot.y_label)}</text>"
    )
    return lines + texts


def _drawn(series: Series, x: Scale, y: Scale, bottom: float) -> str:
    places = [(x(a), y(b)) for a, b in zip(series.x.tolist(), series.y.tolist())]
    if not places:
        return ""
    if series.kind == POINTS:
        radius = 1.2 if len(places) > 60 else 1.9
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}"/>' for a, b in places)
        return f'<g fill="{series.colour}">{dots}</g>'
    if series.kind == BARS:
        wide = 0.9 * (places[1][0] - places[0][0]) if len(places) > 1 else 8.0
        bars = "".join(
            f'<rect x="{a - wide / 2:.1f}" y="{b:.1f}" width="{wide:.1f}" height="{max(0.0, bottom - b):.1f}"/>'
            for a, b in places
        )
        return f'<g fill="{series.colour}">{bars}</g>'
    if series.kind == BAND and series.other is not None:
        back = [(x(a), y(b)) for a, b in zip(series.x.tolist(), series.other.tolist())][::-1]
        return f'<polygon points="{_points(places + back)}" fill="{series.colour}" fill-opacity="0.18"/>'
    dash = ' stroke-dasharray="4 3"' if series.kind == DASHED else ""
    return f'<polyline points="{_points(places)}" fill="none" stroke="{series.colour}"{dash}/>'


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in places)


def _shade(left: float, right: float, top: float, bottom: float) -> str:
    """A grey stretch from one edge of the plot to the other."""
    width = max(0.0, right - left)
    return f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}" fill-opacity="0.12"/>'


def _mark(at: float, text: str) -> str:
    line = f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" {_AXIS} stroke-dasharray="3 2"/>'
    return f'{line}<text x="{_LEFT + 3}" y="{at - 2:.1f}">{escape(text)}</text>'


def _legend(series: list[Series]) -> str:
    named = [each for each in series if each.name]
    if len(named) < 2:
        return ""
    spans = "".join(f'<tspan fill="{each.colour}" dx="5">■ {escape(each.name)}</tspan>' for each in named)
    return f'<text x="{_LEFT - 5}" y="{_TOP + 3}" font-size="6.8">{spans}</text>'
