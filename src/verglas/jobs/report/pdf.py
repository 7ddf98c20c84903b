"""A report as a PDF: sheets of A4, from the same data as the page."""

from __future__ import annotations

import io
import textwrap
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from verglas.jobs.report.document import (
    Block,
    Facts,
    Picture,
    Pictures,
    Plots,
    Report,
    Section,
    Table,
    Text,
    Tiles,
)
from verglas.jobs.report.pdf_plot import draw_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE_INCH = (8.27, 11.69)
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.06, 0.94, 0.965, 0.035
_WIDTH = _RIGHT - _LEFT
_SMALL, _LINE = 6.6, 0.0107  # type size in points, height of its line as a share of the page
_LETTERS = 150  # of small type across the page
_ASPECT = _PAGE_INCH[0] / _PAGE_INCH[1]
_HEADING, _PLOT = 0.03, 0.085
_COLOURS = {"soft": "#4b5a69", "bad": "#b03000"}
_one_at_a_time = threading.Lock()  # the font cache of matplotlib is not made for threads


def report_pdf(report: Report) -> bytes:
    """A PDF file; blocks that do not fit on a sheet begin the next one."""
    with _one_at_a_time:
        from matplotlib.backends.backend_pdf import PdfPages

        sheets = _Sheets()
        _write(sheets, report)
        out = io.BytesIO()
        with PdfPages(out, metadata={"Title": report.title, "CreationDate": None}) as pages:
            for figure in sheets.figures:
                pages.savefig(figure)
        return out.getvalue()


class _Sheets:
    """Pages filled from the top; `y` is where the next line stands, as a share of the page's height."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.turn()

    def turn(self) -> None:
        """The next page."""
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=_PAGE_INCH)
        self.figures.append(self.figure)
        self.y = _TOP

    def need(self, height: float) -> None:
        """A new page where so much does not fit on this one."""
        if self.y - height < _BOTTOM and self.y < _TOP:
            self.turn()

    def line(self, text: str, left: float = _LEFT, **look: Any) -> None:
        """One line of small type, without moving on."""
        self.figure.text(left, self.y, text, **{"fontsize": _SMALL, "va": "top", **look})

    def lines(self, text: str, **look: Any) -> None:
        for part in textwrap.wrap(text, _LETTERS):
            self.need(_LINE)
            self.line(part, **look)
            self.y -= _LINE

    def axes(self, left: float, width: float, height: float) -> Any:
        return self.figure.add_axes((left, self.y - height, width, height))


def _write(sheets: _Sheets, report: Report) -> None:
    sheets.line(report.title, fontsize=14, fontweight="bold")
    sheets.y -= 0.024
    sheets.lines(report.soft, color=_COLOURS["soft"])
    sheets.lines("    ".join(f"{key}: {text}" for key, text in report.particulars))
    for section in report.sections:
        _section(sheets, section)


def _section(sheets: _Sheets, section: Section) -> None:
    sheets.need(_HEADING + sum(_least(block) for block in section.blocks[:2]))
    sheets.y -= 0.012
    sheets.line(section.title, fontsize=8.5, fontweight="bold")
    sheets.y -= 0.0135
    sheets.figure.add_artist(_rule(sheets.y))
    sheets.y -= 0.0035
    for block in section.blocks:
        _MAKERS[type(block)](sheets, block)


def _least(block: Block) -> float:
    """How much of it stands on one sheet with its heading, at least."""
    if isinstance(block, Plots):
        return _PLOT + 0.042
    if isinstance(block, Pictures):
        return max(map(_height, block.pictures)) + 2 * _LINE
    return _height(block) + 2 * _LINE if isinstance(block, Picture) else 2 * _LINE


def _tiles(sheets: _Sheets, block: Tiles) -> None:
    sheets.lines("      ".join(f"{value} {name}" for value, name in block.tiles), fontsize=7.5)


def _facts(sheets: _Sheets, block: Facts) -> None:
    for name, value in block.facts:
        sheets.lines(f"{name}:  {value}")


def _table(sheets: _Sheets, block: Table) -> None:
    rows = [block.heads, *block.rows] if block.heads else list(block.rows)
    lefts = _columns(rows)
    for number, row in enumerate(rows, -1 if block.heads else 0):
        parts = [textwrap.wrap(text, _letters(lefts, n)) or [""] for n, text in enumerate(row)]
        sheets.need(_LINE * max(map(len, parts)))
        look = {"fontweight": "bold"} if number < 0 else {}
        if number in block.marked:
            look = {"color": _COLOURS["bad"]}
        for place in range(max(map(len, parts))):
            for left, part in zip(lefts, parts):
                if place < len(part):
                    sheets.line(part[place], left, **look)
            sheets.y -= _LINE
    if block.more:
        sheets.lines(block.more, color=_COLOURS["soft"])


def _columns(rows: Sequence[Sequence[str]]) -> list[float]:
    """Where columns begin: each as wide as its longest text, the last one what is left."""
    widths = [min(60, max(len(row[n]) for row in rows if n < len(row))) + 2 for n in range(len(rows[0]))]
    scale = min(1.0, (_LETTERS - 20) / max(1, sum(widths[:-1])))
    lefts = [_LEFT]
    for width in widths[:-1]:
        lefts.append(lefts[-1] + width * scale * _WIDTH / _LETTERS)
    return lefts


def _letters(lefts: Sequence[float], n: int) -> int:
    end = lefts[n + 1] if n + 1 < len(lefts) else _RIGHT
    return max(8, int((end - lefts[n]) / _WIDTH * _LETTERS))


def _text(sheets: _Sheets, block: Text) -> None:
    sheets.lines(block.text, color=_COLOURS.get(block.kind, "black"))


def _plots(sheets: _Sheets, block: Plots) -> None:
    shown = [each for each in block.plots if any(len(series.thinned().x) for series in each.series)]
    gap = 0.055
    width = (_WIDTH - (block.columns - 1) * gap - 0.03) / block.columns
    for first in range(0, len(shown), block.columns):
        row = shown[first : first + block.columns]
        height = width * _ASPECT if any(each.equal for each in row) else _PLOT
        sheets.need(height + 0.042)
        sheets.y -= 0.014
        for column, plot in enumerate(row):
            draw_plot(sheets.axes(_LEFT + 0.03 + column * (width + gap), width, height), plot, _SMALL)
        sheets.y -= height + 0.028


def _picture(sheets: _Sheets, block: Picture) -> None:
    _pictures(sheets, Pictures([block]))


def _pictures(sheets: _Sheets, block: Pictures) -> None:
    row: list[Picture] = []
    for picture in block.pictures:
        if row and sum(each.width for each in row) + picture.width > 1.001:
            _row_of_pictures(sheets, row)
            row = []
        row.append(picture)
    _row_of_pictures(sheets, row)


def _row_of_pictures(sheets: _Sheets, row: Sequence[Picture]) -> None:
    heights = [_height(each) for each in row]
    sheets.need(max(heights) + 2 * _LINE)
    left, captions = _LEFT, []
    for picture, height in zip(row, heights):
        axes = sheets.axes(left, picture.width * _WIDTH * 0.985, height)
        axes.imshow(picture.image, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="none")
        axes.set_axis_off()
        captions.append((left, textwrap.wrap(picture.caption, max(10, int(picture.width * _LETTERS)))))
        left += picture.width * _WIDTH
    sheets.y -= max(heights) + 0.003
    for place in range(max((len(lines) for _, lines in captions), default=0)):
        for at, lines in captions:
            if place < len(lines):
                sheets.line(lines[place], at, color=_COLOURS["soft"])
        sheets.y -= _LINE


def _height(picture: Picture) -> float:
    high, wide = picture.image.shape[:2]
    return picture.width * _WIDTH * 0.985 * high / wide * _ASPECT


def _rule(y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([_LEFT, _RIGHT], [y, y], color="#ccd5de", linewidth=0.6)


_MAKERS: dict[type[Block], Callable[[_Sheets, Any], None]] = {
    Tiles: _tiles,
    Facts: _facts,
    Table: _table,
    Text: _text,
    Plots: _plots,
    Picture: _picture,
    Pictures: _pictures,
}
