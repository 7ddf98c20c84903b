"""`live_NAME.html`: the session in one page that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from verglas import __version__
from verglas.formats.atomic import write_text
from verglas.jobs.select.figures import KINDS
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.status import LiveStatus, read_status

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a2530}
table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:left}
svg{background:#f5f8fa;border:1px solid #9ab;margin:.3rem}figure{display:inline-block;margin:0}
figcaption{color:#456;font-size:14px}
"""
_WIDTH, _HEIGHT = 300, 120
MOST_POINTS = 1500
MOST_ROWS = 500


def write_report(folder: LiveFolder, ledger: Ledger) -> Path:
    """Write the page; returns its path."""
    status = read_status(folder)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(folder.name)}</title>"
        f"<style>{_STYLE}</style><h1>Live session {html.escape(folder.name)}</h1>"
        f"<p>{html.escape(status.line)}. verglas {__version__}. Movies: "
        f"<code>{html.escape(status.source)}</code>",
        _totals(status),
        "<h2>Along the session</h2>",
        *(_plot(ledger.movies, kind.key, kind.title, kind.unit) for kind in KINDS),
        _asides(ledger.movies, status),
    ]
    write_text(folder.report_file, "\n".join(filter(None, parts)) + "</html>\n")
    return folder.report_file


def _totals(status: LiveStatus) -> str:
    rows = [
        ("Movies taken", status.found),
        ("Accepted", status.accepted),
        ("Set aside by thresholds, by hand or by 2D classes", status.set_aside),
        ("Could not be processed", status.failed),
        ("Particles", status.particles),
        ("Median time from complete file to particles", f"{status.latency_s:.1f} s"),
        ("Thresholds", status.thresholds or "none"),
    ]
    cells = "".join(f"<tr><td>{name}<td>{html.escape(str(value))}" for name, value in rows)
    stages = "".join(
        f"<tr><td>{each.name}<td>{each.job}<td>{each.done}<td>{each.aside}<td>{each.mean_s:.2f} s"
        for each in status.stages
    )
    return (
        f"<table>{cells}</table><h2>Stages</h2><table><tr><th>stage<th>job<th>done"
        f"<th>set aside<th>time per movie{stages}</table>"
    )


def _plot(movies: Sequence[Movie], key: str, title: str, unit: str) -> str:
    """Value against movie number as a small picture; nothing where no movie has the figure."""
    points = [(movie.number, movie.figures[key]) for movie in movies if key in movie.figures]
    if len(points) < 2:
        return ""
    points = points[:: max(1, len(points) // MOST_POINTS)]
    low, high = min(value for _, value in points), max(value for _, value in points)
    span, last = (high - low) or 1.0, max(2, points[-1][0])
    dots = "".join(
        f"<circle r=1.5 cx={4 + number / last * (_WIDTH - 8):.1f} "
        f"cy={_HEIGHT - 4 - (value - low) / span * (_HEIGHT - 8):.1f} />"
        for number, value in points
    )
    median = sorted(value for _, value in points)[len(points) // 2]
    caption = f"{title}: {low:.4g} to {high:.4g} {unit}, median {median:.4g}"
    return (
        f"<figure><svg width={_WIDTH} height={_HEIGHT} fill='#1b6ca8'>{dots}</svg>"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _asides(movies: Sequence[Movie], status: LiveStatus) -> str:
    rows = [(movie.name, movie.aside_stage, movie.aside) for movie in movies if movie.is_aside]
    rows += [(name, "not taken", why) for name, why in status.not_taken]
    if not rows:
        return "<h2>Set aside</h2><p>Nothing was set aside because it could not be processed.</p>"
    shown = "".join(
        f"<tr><td>{html.escape(name)}<td>{stage}<td>{html.escape(why)}"
        for name, stage, why in rows[:MOST_ROWS]
    )
    more = f"<p>and {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return f"<h2>Set aside</h2><table><tr><th>movie<th>where<th>why{shown}</table>{more}"
