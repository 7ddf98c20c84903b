"""The session report: one self-contained HTML page, also for print; no scripts."""

from __future__ import annotations

import base64
from datetime import datetime
from html import escape
from typing import Any

import numpy as np

from verglas import __version__
from verglas.formats.stack import read_images
from verglas.formats.star import StarError, read_star
from verglas.project.project import Project
from verglas.project.results.acquisition import acquisition
from verglas.project.results.classes import averages, gallery, model_lists
from verglas.project.results.micrographs import (
    MicrographTable,
    micrograph_lists,
    micrograph_table,
)
from verglas.project.summary import job_summaries
from verglas.web.confinement import confined
from verglas.web.pictures import sprite
from verglas.web.plots import histogram_svg, time_svg

_COLUMNS = (
    ("defocus_u_angst", "Defocus", "µm", 1e-4),
    ("astigmatism_angst", "Astigmatism", "Å", 1.0),
    ("fit_resolution_angst", "CTF fit", "Å", 1.0),
    ("motion_angst", "Total motion", "Å", 1.0),
    ("ice", "Ice ring", "", 1.0),
    ("picks", "Picks", "", 1.0),
)
_CSS = """
@page { size: A4; margin: 12mm }
body { font: 12px/1.45 system-ui, sans-serif; color: #1d2733; margin: 24px auto; max-width: 190mm }
h1 { font-size: 20px; margin: 0 0 2px }
h2 { font-size: 13px; margin: 16px 0 6px; border-bottom: 1px solid #ccd5de }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: 2px 8px 2px 0; vertical-align: top }
th { font-weight: 600; color: #4b5a69; width: 11em }
.row { display: flex; flex-wrap: wrap; gap: 10px } .big { font-size: 18px; font-weight: 600 }
.tile { margin-right: 26px } .tile span { display: block; color: #5c6b7a }
img { max-width: 100%; background: #000 } svg { background: #fff }
p.methods { border-left: 3px solid #0072b2; padding-left: 10px }
"""


def report_html(project: Project, sample: str = "", microscope: str = "") -> str:
    """Totals, what was set aside and why, time plots, best and worst, classes, settings, Methods."""
    lists = micrograph_lists(project)
    table = micrograph_table(project, lists[0]) if lists else None
    taken = acquisition(project)
    parts = [_head(project, sample, microscope, taken), _totals(project, table)]
    if table is not None and table.names:
        parts += [_plots(table), _extremes(table)]
    parts += [
        _classes(project),
        _jobs(project),
        _methods(project, sample, microscope, taken, table),
    ]
    body = "\n".join(part for part in parts if part)
    title = escape(f"Session report: {project.root.name}")
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_CSS}</style>{body}"


def _head(project: Project, sample: str, microscope: str, taken: dict[str, Any]) -> str:
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    facts = [("Sample", sample), ("Microscope", microscope), *taken.items()]
    rows = "".join(f"<tr><th>{escape(k)}<td>{escape(str(v))}" for k, v in facts if v)
    where = f"{escape(str(project.root))} · {now}"
    return f"<h1>{escape(project.root.name)}</h1><div>{where}</div><table>{rows}</table>"


def _totals(project: Project, table: MicrographTable | None) -> str:
    jobs = job_summaries(project)
    failed = sum(job.status == "Failed" for job in jobs)
    tiles = [("jobs", str(len(jobs))), ("failed jobs", str(failed))]
    if table is not None:
        tiles.insert(0, ("micrographs", f"{len(table.names):,}"))
        if "picks" in table.columns:
            tiles.insert(1, ("picks", f"{int(np.nansum(table.columns['picks'])):,}"))
    aside = _set_aside(project)
    shown = "".join(
        f"<div class=tile><b class=big>{value}</b><span>{name}</span></div>"
        for name, value in tiles
    )
    rows = "".join(f"<tr><td>{escape(name)}<td>{escape(why)}" for name, why in aside[:20])
    listed = f"<h2>Set aside: {len(aside)}</h2><table>{rows}</table>" if aside else ""
    return f"<h2>Totals</h2><div class=row>{shown}</div>{listed}"


def _set_aside(project: Project) -> list[tuple[str, str]]:
    """Inputs that jobs put aside, with the reason, from the newest job of each."""
    found: list[tuple[str, str]] = []
    for name in project.graph().processes:
        path = project.root / name / "set_aside.star"
        try:
            listed = read_star(path).first
            names, reasons = (listed.strings(label) for label in listed.labels[:2])
            found += zip(names, reasons)
        except (OSError, StarError):
            continue
    return found


def _plots(table: MicrographTable) -> str:
    shown = []
    times = table.columns["time_s"]
    for key, title, unit, scale in _COLUMNS:
        values = table.columns.get(key)
        if values is None or not np.isfinite(values).any() or not np.nanmax(np.abs(values)) > 0:
            continue
        label = f"{title} ({unit})" if unit else title
        shown.append(time_svg(times, values * scale, label) + histogram_svg(values * scale, label))
    return f"<h2>The session in time</h2><div class=row>{''.join(shown)}</div>"


def _extremes(table: MicrographTable) -> str:
    values = table.columns.get("fit_resolution_angst")
    if values is None:
        return ""
    order = [row for row in np.argsort(values, kind="stable") if np.isfinite(values[row])]
    rows = ""
    for title, chosen in (("Best", order[:5]), ("Worst", order[-5:][::-1])):
        names = "".join(
            f"<li>{escape(table.names[row])}: {values[row]:.2f} Å</li>" for row in chosen
        )
        rows += f"<td><b>{title} by CTF fit</b><ol>{names}</ol>"
    return f"<h2>Best and worst micrographs</h2><table><tr>{rows}</table>"


def _classes(project: Project) -> str:
    for model in model_lists(project)[:1]:
        try:
            shown = gallery(project, model)
            rows = sorted(shown.classes, key=lambda row: -row.share)[:40]
            images = averages(project, rows)
            real = [(str(confined(project, row.image.partition("@")[2])), index)
                    for row, (_, index) in zip(rows, images)]  # fmt: skip
        except (OSError, StarError):
            continue
        if not real:
            continue
        png, _ = sprite(read_images(real), 64)
        data = base64.b64encode(png).decode()
        best = min((row.resolution_angst for row in rows if row.resolution_angst), default=None)
        text = f"{len(shown.classes)} classes, iteration {shown.iteration}"
        text += f", best {best:.1f} Å" if best else ""
        picture = f'<img alt="class averages" src="data:image/png;base64,{data}">'
        return f"<h2>Classes</h2><div>{escape(model)}: {text}</div>{picture}"
    return ""


def _jobs(project: Project) -> str:
    rows = "".join(
        f"<tr><td>{escape(job.name)}<td>{escape(job.status)}<td>{escape(job.reason[:160])}"
        for job in job_summaries(project)
    )
    return f"<h2>Jobs</h2><table>{rows}</table><div>verglas {__version__}</div>"


def _methods(
    project: Project,
    sample: str,
    microscope: str,
    taken: dict[str, Any],
    table: MicrographTable | None,
) -> str:
    folders = [name.split("/")[0] for name in project.graph().processes]
    words = [f"{len(table.names):,} micrographs" if table else "Micrographs"]
    words.append(f"of {sample}" if sample else "")
    words.append(f"were collected on a {microscope}" if microscope else "were collected")
    at = [f"{key.lower()} {value}" for key, value in taken.items()]
    words.append(f"({'; '.join(at)})" if at else "")
    steps = [text for folder, text in _STEPS.items() if folder in folders]
    text = " ".join(word for word in words if word) + ". "
    if steps:
        text += f"They were processed in verglas {__version__}: {', '.join(steps)}."
    return f"<h2>A paragraph for Methods</h2><p class=methods>{escape(text)}</p>"


_STEPS = {
    "MotionCorr": "beam-induced motion was corrected and dose weighting applied",
    "CtfFind": "contrast transfer functions were estimated",
    "AutoPick": "particles were picked automatically",
    "ManualPick": "picks were edited by hand",
    "Extract": "particles were extracted",
    "Class2D": "and classified in two dimensions by regularised-likelihood expectation maximisation",
    "Select": "classes were selected",
    "Class3D": "3D classes were refined",
    "Refine3D": "and a map was refined with independent half sets",
}
