"""A report as one self-contained page, also for print; no scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from verglas.formats.png import data_url
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
from verglas.jobs.report.svg import plot_svg

SHORT = 30  # letters of a cell that stays on one line
_CSS = """
@page { size: A4; margin: 10mm }
body { font: 11px/1.4 system-ui, sans-serif; color: #1d2733; background: #fff; margin: 20px auto; max-width: 190mm;
  padding: 0 10px }
h1 { font-size: 18px; margin: 0 }
h2 { font-size: 12.5px; margin: 12px 0 4px; border-bottom: 1px solid #ccd5de; break-after: avoid }
table { border-collapse: collapse; margin: 2px 0 }
td, th { text-align: left; padding: 0 12px 0 0; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; color: #4b5a69 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.n, .k { white-space: nowrap }
tr.marked td { color: #b03000; font-weight: 600 }
.row { display: flex; flex-wrap: wrap; gap: 2px 22px }
.tile, .soft { color: #4b5a69 } .tile b { font-size: 16px; display: block; color: #1d2733 }
.plots { display: grid; gap: 4px 8px; break-inside: avoid-page }
.plots svg { width: 100%; height: auto; display: block }
figure { margin: 4px 0; break-inside: avoid } figcaption { color: #4b5a69 }
.pictures { display: flex; flex-wrap: wrap; gap: 6px } img { max-width: 100%; display: block }
p { margin: 3px 0 } p.quote { border-left: 3px solid #0072b2; padding-left: 8px } p.bad { color: #b03000 }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 9.4px; line-height: 1.28 } h2 { margin: 7px 0 2px }
}
@media (max-width: 600px) { .plots { grid-template-columns: 1fr !important } }
"""


def report_html(report: Report) -> str:
    """The page."""
    title = escape(report.title)
    given = "".join(f"<span><b>{escape(key)}</b> {escape(text)}</span>" for key, text in report.particulars)
    head = f"<h1>{title}</h1><div class=soft>{escape(report.soft)}</div><div class=row>{given}</div>"
    body = "\n".join(_section(each) for each in report.sections)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_CSS}</style>{head}\n{body}</html>\n"
    )


def _section(section: Section) -> str:
    return f"<h2>{escape(section.title)}</h2>" + "".join(_block(each) for each in section.blocks)


def _block(block: Block) -> str:
    return _MAKERS[type(block)](block)


def _tiles(block: Tiles) -> str:
    cells = "".join(
        f"<div class=tile><b>{escape(value)}</b>{escape(name)}</div>" for value, name in block.tiles
    )
    return f"<div class=row>{cells}</div>"


def _facts(block: Facts) -> str:
    rows = "".join(f"<tr><td><b>{escape(name)}</b><td>{escape(value)}" for name, value in block.facts)
    return f"<table>{rows}</table>"


def _table(block: Table) -> str:
    heads = "".join(_cell("th", head, n in block.numbers) for n, head in enumerate(block.heads))
    rows = "".join(
        f"<tr{' class=marked' if number in block.marked else ''}>" + _row(row, block.numbers)
        for number, row in enumerate(block.rows)
    )
    more = f"<p class=soft>{escape(block.more)}</p>" if block.more else ""
    return f"<table>{f'<tr>{heads}' if heads else ''}{rows}</table>{more}"


def _row(row: Sequence[str], numbers: Sequence[int]) -> str:
    return "".join(_cell("td", text, n in numbers) for n, text in enumerate(row))


def _cell(tag: str, text: str, is_number: bool) -> str:
    kind = "n" if is_number else "k" if len(text) <= SHORT else ""
    return f"<{tag}{f' class={kind}' if kind else ''}>{escape(text)}"


def _text(block: Text) -> str:
    return f"<p{f' class={block.kind}' if block.kind else ''}>{escape(block.text)}</p>"


def _plots(block: Plots) -> str:
    columns = f"grid-template-columns: repeat({block.columns}, 1fr)"
    return f'<div class=plots style="{columns}">{"".join(plot_svg(each) for each in block.plots)}</div>'


def _picture(block: Picture) -> str:
    caption = f"<figcaption>{escape(block.caption)}</figcaption>" if block.caption else ""
    image = f'<img alt="{escape(block.caption)}" src="{data_url(block.image)}" style="width: 100%">'
    return f'<figure style="width: {100 * block.width - 1:.0f}%">{image}{caption}</figure>'


def _pictures(block: Pictures) -> str:
    return f"<div class=pictures>{''.join(_picture(each) for each in block.pictures)}</div>"


_MAKERS: dict[type, Callable[[Any], str]] = {
    Tiles: _tiles,
    Facts: _facts,
    Table: _table,
    Text: _text,
    Plots: _plots,
    Picture: _picture,
    Pictures: _pictures,
}
