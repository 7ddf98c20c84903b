"""The session report as a PDF: one sheet of A4, drawn from the same facts as the page."""

from __future__ import annotations

import io
import textwrap
import threading
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.web.pictures.grey import full_range
from verglas.web.report.facts import Classes, ReportFacts, Series, clock
from verglas.web.report.html import MOST_PROBLEMS, MOST_REASONS, settings_line
from verglas.web.report.plots import BLUE, MAX_POINTS, clock_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE_INCH = (8.27, 11.69)
_LEFT, _RIGHT, _TOP = 0.06, 0.94, 0.965
_SMALL, _LINE = 6.6, 0.0105  # type size in points, height of its line as a share of the page
_LETTERS = 158  # of small type across the page
_TILES = 20
_MOST_JOBS = 10
_SOFT = "#4b5a69"
_one_at_a_time = threading.Lock()  # the font cache of matplotlib is not made for threads


def report_pdf(facts: ReportFacts) -> bytes:
    """A PDF file of one page; what does not fit is cut and counted."""
    with _one_at_a_time:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure

        figure = Figure(figsize=_PAGE_INCH)
        sheet = _Sheet(figure)
        _write(sheet, facts)
        out = io.BytesIO()
        FigureCanvasPdf(figure)
        figure.savefig(out, format="pdf", metadata={"Title": f"Session report: {facts.title}"})
        return out.getvalue()


class _Sheet:
    """A page filled from the top; `y` is where the next line stands, as a share of its height."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.y = _TOP

    def heading(self, text: str) -> None:
        self.y -= 0.012
        self.figure.text(_LEFT, self.y, text, fontsize=8.5, fontweight="bold", va="top")
        self.y -= 0.013
        self.figure.add_artist(_rule(self.y))
        self.y -= 0.003

    def lines(self, text: str, most: int = 99, *, colour: str = "black", left: float = _LEFT) -> None:
        wrapped = textwrap.wrap(text, _LETTERS)
        for line in wrapped[:most]:
            self.figure.text(left, self.y, line, fontsize=_SMALL, va="top", color=colour)
            self.y -= _LINE

    def axes(self, left: float, width: float, height: float) -> Any:
        return self.figure.add_axes((left, self.y - height, width, height))


def _write(sheet: _Sheet, facts: ReportFacts) -> None:
    sheet.figure.text(_LEFT, sheet.y, facts.title, fontsize=14, fontweight="bold", va="top")
    sheet.y -= 0.022
    sheet.lines(f"{facts.root} · {facts.made}", 1, colour=_SOFT)
    sheet.lines("    ".join(f"{key}: {text}" for key, text in facts.particulars), 3)
    sheet.heading("Totals")
    sheet.lines("      ".join(f"{value} {name}" for name, value in facts.totals), 2)
    _reasons(sheet, facts)
    _plots(sheet, facts)
    if facts.best:
        sheet.heading("Best and worst micrographs by CTF fit")
        for best, worst in zip_longest(facts.best, facts.worst, fillvalue=""):
            sheet.figure.text(0.5, sheet.y, worst, fontsize=_SMALL, va="top")
            sheet.lines(best, 1)
    if facts.classes is not None:
        _classes(sheet, facts.classes)
    _settings(sheet, facts)
    sheet.heading("A paragraph for Methods")
    sheet.lines(facts.methods, 7)


def _reasons(sheet: _Sheet, facts: ReportFacts) -> None:
    accepted = facts.accepted
    if accepted is not None:
        sheet.heading("Accepted, and what was set aside by reason")
        sheet.lines(f"{accepted.accepted:,}  accepted")
        for why, count in accepted.reasons[:MOST_REASONS]:
            sheet.lines(f"{count:,}  {why}", 1)
        rest = sum(count for _, count in accepted.reasons[MOST_REASONS:])
        for why, count in (("other reasons", rest), ("not processed yet", accepted.unexplained)):
            if count:
                sheet.lines(f"{count:,}  {why}")
    for name, why in facts.problems[:MOST_PROBLEMS]:
        sheet.lines(f"{name} failed: {why}", 1, colour="#b00020")


def _plots(sheet: _Sheet, facts: ReportFacts) -> None:
    if not facts.series:
        return
    sheet.heading("The session in time, and how often each value occurs")
    width, height, gap = 0.135, 0.05, 0.03
    for first in range(0, len(facts.series), 3):
        sheet.y -= 0.012
        for column, series in enumerate(facts.series[first : first + 3]):
            left = _LEFT + 0.025 + column * 0.30
            _time_plot(sheet.axes(left, width, height), facts, series)
            _histogram(sheet.axes(left + width + gap / 2, width * 0.8, height), series)
        sheet.y -= height + 0.016
    if facts.pauses:
        told = ", ".join(f"{clock(a)} to {clock(b)}" for a, b in facts.pauses[:12])
        sheet.lines(f"No new micrographs (grey): {told}", 1, colour=_SOFT)


def _time_plot(axes: Any, facts: ReportFacts, series: Series) -> None:
    known = np.isfinite(facts.times_s) & np.isfinite(series.values)
    step = max(1, int(known.sum()) // MAX_POINTS)
    times, values = facts.times_s[known][::step], series.values[known][::step]
    axes.plot(times, values, ".", color=BLUE, markersize=1.6, rasterized=len(values) > 400)
    for begin, end in facts.pauses:
        axes.axvspan(begin, end, color="#dfe5eb", linewidth=0)
    axes.set_title(series.label, fontsize=_SMALL, loc="left", pad=2)
    if len(times):
        ends = [float(times.min()), float(times.max())]
        axes.set_xticks(ends, list(clock_range(*ends)))
    _quiet(axes)


def _histogram(axes: Any, series: Series) -> None:
    values = series.values[np.isfinite(series.values)]
    low, high = np.percentile(values, [0.5, 99.5])
    axes.hist(values, bins=40, range=(low, max(high, low + 1e-9)), color=BLUE)
    axes.set_yticks([])
    _quiet(axes)


def _quiet(axes: Any) -> None:
    axes.tick_params(labelsize=5.2, length=2, pad=1, width=0.4)
    axes.locator_params(axis="y", nbins=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.4)


def _classes(sheet: _Sheet, classes: Classes) -> None:
    sheet.heading("Classes")
    best = f", best {classes.best_angst:.1f} Å" if classes.best_angst else ""
    told = f"{classes.model}: {classes.count} classes, iteration {classes.iteration}{best}"
    sheet.lines(told, 1, colour=_SOFT)
    count, side = len(classes.images), classes.images.shape[-1]
    rows = -(-count // _TILES)
    mosaic = np.full((rows * side, _TILES * side), 255, np.uint8)
    for index, image in enumerate(classes.images):
        row, column = divmod(index, _TILES)
        place = (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
        mosaic[place] = full_range(image)
    width = _RIGHT - _LEFT
    height = width * rows / _TILES * _PAGE_INCH[0] / _PAGE_INCH[1]
    axes = sheet.axes(_LEFT, width, height)
    axes.imshow(mosaic, cmap="gray", vmin=0, vmax=255, aspect="auto")
    axes.set_axis_off()
    sheet.y -= height


def _settings(sheet: _Sheet, facts: ReportFacts) -> None:
    sheet.heading("Settings (those that differ from the defaults) and versions")
    shown = facts.jobs[-_MOST_JOBS:]
    for job in shown:
        line = f"{job.name.rstrip('/')}  {job.status.lower()}  {settings_line(job.changed)}"
        sheet.lines(line, 1)
    if len(shown) < len(facts.jobs):
        sheet.lines(f"and {len(facts.jobs) - len(shown)} earlier jobs", colour=_SOFT)
    sheet.lines(facts.versions, 1, colour=_SOFT)


def _rule(y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([_LEFT, _RIGHT], [y, y], color="#ccd5de", linewidth=0.6)
