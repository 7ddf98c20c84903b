"""A plot drawn on axes of matplotlib, as svg.py draws it on a page."""

from __future__ import annotations

from typing import Any

from verglas.jobs.report.plot import BAND, BARS, DASHED, LOG, POINTS, Plot, Series

_GRID, _SHADE = "#e6ebf0", "#dfe5eb"


def draw_plot(axes: Any, plot: Plot, font_points: float) -> None:
    """Axes with ticks and units, and everything between them."""
    for begin, end in plot.shades:
        axes.axvspan(begin, end, color=_SHADE, linewidth=0)
    for each in plot.series:
        _draw(axes, each.thinned())
    for value, text in plot.marks:
        axes.axhline(value, color="#4b5a69", linewidth=0.5, linestyle="--")
        axes.annotate(
            text, (0.02, value), xycoords=("axes fraction", "data"), fontsize=font_points - 1.2, va="bottom"
        )
    if plot.x_as == LOG:
        axes.set_xscale("log")
    axes.set_xlim(*plot.x_limits)
    axes.set_ylim(*plot.y_limits)
    for set_ticks, ticks in ((axes.set_xticks, plot.x_ticks()), (axes.set_yticks, plot.y_ticks())):
        set_ticks([value for value, _ in ticks], [text for _, text in ticks])
    axes.minorticks_off()
    axes.set_title(plot.title, fontsize=font_points, loc="left", pad=2)
    axes.set_xlabel(plot.x_label, fontsize=font_points - 1, labelpad=1)
    axes.set_ylabel(plot.y_label, fontsize=font_points - 1, labelpad=1)
    if sum(bool(each.name) for each in plot.series) > 1:
        axes.legend(fontsize=font_points - 1.4, frameon=False, handlelength=1.2, borderpad=0)
    _quiet(axes)


def _draw(axes: Any, series: Series) -> None:
    look = {"color": series.colour, "label": series.name or None}
    if series.kind == POINTS:
        size = 1.6 if len(series.x) > 60 else 2.6
        axes.plot(series.x, series.y, ".", markersize=size, rasterized=len(series.x) > 400, **look)
    elif series.kind == BARS:
        width = 0.9 * (series.x[1] - series.x[0]) if len(series.x) > 1 else 0.8
        axes.bar(series.x, series.y, width, linewidth=0, **look)
    elif series.kind == BAND:
        axes.fill_between(series.x, series.y, series.other, alpha=0.18, linewidth=0, **look)
    else:
        axes.plot(series.x, series.y, "--" if series.kind == DASHED else "-", linewidth=0.8, **look)


def _quiet(axes: Any) -> None:
    axes.tick_params(labelsize=5.2, length=2, pad=1, width=0.4)
    axes.grid(axis="y", color=_GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.4)
