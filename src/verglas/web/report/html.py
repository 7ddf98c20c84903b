"""The session report: one self-contained HTML page, also for print; no scripts."""

from __future__ import annotations

import base64
from html import escape

from verglas.web.pictures.images import sprite
from verglas.web.report.facts import Classes, ReportFacts, clock
from verglas.web.report.plots import histogram_svg, time_svg

MOST_REASONS, MOST_JOBS, MOST_PROBLEMS = 7, 10, 2
MOST_LETTERS = 120  # of a reason, of a job's settings
_CSS = """
@page { size: A4; margin: 9mm }
body { font: 10.5px/1.35 system-ui, sans-serif; color: #1d2733; margin: 20px auto; max-width: 190mm }
h1 { font-size: 17px; margin: 0 }
h2 { font-size: 12px; margin: 9px 0 3px; border-bottom: 1px solid #ccd5de }
@media print {
  body { margin: 0; max-width: none; font-size: 9.4px; line-height: 1.25 } h2 { margin: 5px 0 2px }
}
table { border-collapse: collapse }
td, th { text-align: left; padding: 0 10px 0 0; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.row { display: flex; flex-wrap: wrap; gap: 2px 22px }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 22px }
.tile, .soft { color: #4b5a69 } .tile b { font-size: 15px; display: block; color: #1d2733 }
.plots { display: grid; grid-template-columns: repeat(4, 1fr); gap: 2px 4px }
.plots svg { width: 100%; height: auto; display: block }
ol { margin: 0; padding-left: 18px } img { max-width: 100%; display: block }
p { margin: 2px 0 } p.methods { border-left: 3px solid #0072b2; padding-left: 8px }
code { font: 0.92em ui-monospace, monospace }
"""


def report_html(facts: ReportFacts) -> str:
    """All of the facts, on what prints as one sheet of A4."""
    parts = [
        _head(facts),
        _totals(facts),
        _plots(facts),
        _extremes(facts),
        _classes(facts.classes),
        _settings(facts),
        f"<h2>A paragraph for Methods</h2><p class=methods>{escape(facts.methods)}</p>",
    ]
    body = "\n".join(part for part in parts if part)
    title = escape(f"Session report: {facts.title}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_CSS}</style>{body}</html>"
    )


def _head(facts: ReportFacts) -> str:
    given = "".join(f"<span><b>{escape(key)}</b> {escape(text)}</span>" for key, text in facts.particulars)
    where = f"<div class=soft>{escape(facts.root)} · {escape(facts.made)}</div>"
    return f"<h1>{escape(facts.title)}</h1>{where}<div class=row>{given}</div>"


def _totals(facts: ReportFacts) -> str:
    tiles = "".join(
        f"<div class=tile><b>{escape(value)}</b>{escape(name)}</div>" for name, value in facts.totals
    )
    return f"<h2>Totals</h2><div class=row>{tiles}</div>{_reasons(facts)}{_problems(facts)}"


def _reasons(facts: ReportFacts) -> str:
    accepted = facts.accepted
    if accepted is None:
        return ""
    rows = [("accepted", accepted.accepted), *accepted.reasons[:MOST_REASONS]]
    rest = sum(count for _, count in accepted.reasons[MOST_REASONS:])
    rows += [("other reasons", rest)] if rest else []
    rows += [("not processed yet", accepted.unexplained)] if accepted.unexplained else []
    cells = "".join(f"<tr><td class=n>{count:,}<td>{escape(why[:MOST_LETTERS])}" for why, count in rows)
    return f"<h2>Accepted, and what was set aside by reason</h2><table>{cells}</table>"


def _problems(facts: ReportFacts) -> str:
    return "".join(
        f"<p><b>{escape(name)} failed:</b> {escape(why[:MOST_LETTERS])}</p>"
        for name, why in facts.problems[:MOST_PROBLEMS]
    )


def _plots(facts: ReportFacts) -> str:
    if not facts.series:
        return ""
    shown = "".join(
        time_svg(facts.times_s, each.values, each.label, facts.pauses) + histogram_svg(each.values)
        for each in facts.series
    )
    pauses = ", ".join(f"{clock(a)} to {clock(b)}" for a, b in facts.pauses[:12])
    told = f"<p class=soft>No new micrographs (grey): {pauses}.</p>" if pauses else ""
    title = "The session in time, and how often each value occurs"
    return f"<h2>{title}</h2><div class=plots>{shown}</div>{told}"


def _extremes(facts: ReportFacts) -> str:
    if not facts.best:
        return ""
    columns = "".join(
        f"<div><b>{title} by CTF fit</b><ol>{''.join(f'<li>{escape(text)}' for text in chosen)}</ol></div>"
        for title, chosen in (("Best", facts.best), ("Worst", facts.worst))
        if chosen
    )
    return f"<h2>Best and worst micrographs</h2><div class=two>{columns}</div>"


def _classes(classes: Classes | None) -> str:
    if classes is None:
        return ""
    png, _ = sprite(classes.images, 64)
    data = base64.b64encode(png).decode()
    text = f"{classes.count} classes, iteration {classes.iteration}"
    text += f", {classes.empty} empty" if classes.empty else ""
    text += f", best {classes.best_angst:.1f} Å" if classes.best_angst else ""
    picture = f'<img alt="class averages" src="data:image/png;base64,{data}">'
    return f"<h2>Classes</h2><div class=soft>{escape(classes.model)}: {text}</div>{picture}"


def _settings(facts: ReportFacts) -> str:
    shown = facts.jobs[-MOST_JOBS:]
    left_out = len(facts.jobs) - len(shown)
    rows = "".join(
        f"<tr><td>{escape(job.name.rstrip('/'))}<td>{escape(job.status.lower())}"
        f"<td><code>{escape(settings_line(job.changed))}</code>"
        for job in shown
    )
    more = f"<div class=soft>and {left_out} earlier jobs</div>" if left_out else ""
    return (
        f"<h2>Settings (those that differ from the defaults) and versions</h2><table>{rows}</table>{more}"
        f"<div class=soft>{escape(facts.versions)}</div>"
    )


def settings_line(changed: dict[str, str]) -> str:
    """ "nr_classes 50, tau_fudge 2", cut where the line ends."""
    line = ", ".join(f"{key} {value}" for key, value in changed.items()) or "as they are"
    return line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} …"
