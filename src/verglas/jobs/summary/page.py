"""The page `summary.html` of a micrograph job: one self-contained file that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from verglas.jobs.report.plot import Floats, histogram
from verglas.jobs.report.svg import plot_svg
from verglas.jobs.summary.plots import shown, track_plot

_SET_ASIDE_SHOWN = 500
_STYLE = """
:root{color-scheme:light dark;--ink:#1b2733;--soft:#64748b;--mark:#2a6f97;--line:#d5dde5}
@media(prefers-color-scheme:dark){:root{--ink:#e3e9ef;--soft:#93a3b4;--mark:#7cc0e8;
--line:#3a4653}body{background:#12181f}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);margin:1.5rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}.soft{color:var(--soft)}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:right;
border-bottom:1px solid var(--line)}td:first-child,th:first-child{text-align:left}
.aside td{text-align:left;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 1.5rem}
.track{fill:none;stroke:var(--mark);stroke-width:1.2}
.shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}
figure{margin:0}figure img,figure svg{max-width:100%;width:100%;border-radius:4px}
figcaption{font-size:.8rem;overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Shot:
    """A micrograph shown by its pictures; `pictures` is HTML of our own making."""

    name: str
    facts: Sequence[tuple[str, float]]
    pictures: str


def page(
    title: str,
    count: int,
    columns: Mapping[str, Floats],  # title of the value -> one value per micrograph
    shots: Mapping[str, Sequence[Shot]],  # heading -> micrographs
    set_aside: Sequence[tuple[str, str]],  # (name, reason)
    stamp: str,
) -> str:
    """The whole page. `stamp` is kept in its first line: what it was made from."""
    parts = [
        f"<!doctype html><!-- {stamp} -->",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{count} micrographs, {len(set_aside)} set aside</p>',
    ]
    if count:
        parts += [_statistics(columns), "<h2>In the order of the list</h2>"]
        for name, values in columns.items():
            parts.append('<div class="pair">')
            parts += [plot_svg(track_plot(values, name)), plot_svg(histogram(values, name, name))]
            parts.append("</div>")
    for heading, chosen in shots.items():
        if chosen:
            parts.append(f'<h2>{escape(heading)}</h2><div class="shots">')
            parts += [_figure(shot) for shot in chosen]
            parts.append("</div>")
    parts.append(_set_aside_table(set_aside))
    return "\n".join([*parts, "</body></html>", ""])


def _statistics(columns: Mapping[str, Floats]) -> str:
    rows = []
    for name, values in columns.items():
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        low, middle, high = np.percentile(finite, [10, 50, 90])
        numbers = (middle, low, high, finite.min(), finite.max())
        cells = "".join(f"<td>{shown(number)}</td>" for number in numbers)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    heads = "".join(f"<th>{head}</th>" for head in ("", "median", "10 %", "90 %", "lowest", "highest"))
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


def _figure(shot: Shot) -> str:
    facts = ", ".join(f"{escape(name)} {shown(value)}" for name, value in shot.facts)
    return (
        f"<figure>{shot.pictures}<figcaption>{escape(shot.name)}<br>"
        f'<span class="soft">{facts}</span></figcaption></figure>'
    )


def _set_aside_table(set_aside: Sequence[tuple[str, str]]) -> str:
    if not set_aside:
        return '<h2>Set aside</h2><p class="soft">nothing</p>'
    rows = [
        f"<tr><td>{escape(name)}</td><td>{escape(reason)}</td></tr>"
        for name, reason in set_aside[:_SET_ASIDE_SHOWN]
    ]
    more = len(set_aside) - len(rows)
    note = f'<p class="soft">and {more} more in set_aside.star</p>' if more > 0 else ""
    return f'<h2>Set aside</h2><table class="aside">{"".join(rows)}</table>{note}'
