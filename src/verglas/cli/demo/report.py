"""`report.html` and `demo.json`: figures and the pictures behind them, in one file each."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verglas import __version__
from verglas.cli.demo.maps import MapResults
from verglas.cli.demo.measure import Figure
from verglas.cli.demo.plan import PARTICLE_DIAMETER_ANGST, DemoPlan
from verglas.formats.atomic import write_text
from verglas.formats.mrc import read_mrc
from verglas.formats.png import data_url, write_png
from verglas.formats.star import read_star
from verglas.maps.pictures import (
    binned,
    contact_sheet,
    enlarged,
    scale_bar_angst,
    to_grey,
    with_circles,
    with_scale_bar,
)

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a2530}
table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:left}
img{max-width:100%;image-rendering:pixelated;border:1px solid #9ab}
.missed{color:#b03000;font-weight:600}figure{margin:1.5rem 0}figcaption{color:#456}
"""


def write_report(
    folder: Path,
    project: Path,
    plan: DemoPlan,
    figures: Sequence[Figure],
    rounds: Sequence[dict[str, Any]],
    maps: MapResults | None = None,
) -> None:
    """Write demo.json, report.html and the pictures beside them."""
    pictures = {
        "micrograph.png": micrograph_picture(project, plan),
        "ctf.png": ctf_picture(project),
        "classes.png": class_picture(project, plan),
    }
    if maps is not None:
        pictures["maps.png"] = maps.picture
    for name, picture in pictures.items():
        write_png(folder / name, picture)
    values = [
        {"name": f.name, "value": f.value, "unit": f.unit, "bound": f.bound, "good": f.good} for f in figures
    ]
    record = {"version": __version__, "figures": values, "rounds": list(rounds)}
    write_text(folder / "demo.json", json.dumps(record, indent=1) + "\n")
    write_text(folder / "report.html", _page(plan, figures, rounds, pictures))


def micrograph_picture(project: Path, plan: DemoPlan) -> np.ndarray:
    """The first aligned micrograph with its picks."""
    table = read_star(project / "CtfFind/job003/micrographs_ctf.star")["micrographs"]
    name = table.strings("rlnMicrographName")[0]
    factor = max(1, plan.session.size // 700)
    image = to_grey(binned(read_mrc(project / name).data, factor))
    picks = project / "AutoPick/job004/Movies" / f"{Path(name).stem}_autopick.star"
    star = read_star(picks)
    if not len(star):
        return image
    xy = np.stack([star.first.floats(f"rlnCoordinate{axis}") for axis in "XY"], axis=1)
    radius = PARTICLE_DIAMETER_ANGST / 2 / plan.session.pixel_size_angst / factor
    circled = with_circles(image, xy / factor, radius)
    return with_scale_bar(circled, plan.session.pixel_size_angst * factor)


def ctf_picture(project: Path) -> np.ndarray:
    """Half fit, half data of the first micrograph."""
    table = read_star(project / "CtfFind/job003/micrographs_ctf.star")["micrographs"]
    path = table.strings("rlnCtfImage")[0].removesuffix(":mrc")
    return to_grey(read_mrc(project / path).data, sigma_contrast=0)


def class_picture(project: Path, plan: DemoPlan) -> np.ndarray:
    """Class averages, most populated first, with a scale bar on the sheet."""
    root = project / f"Class2D/job006/run_it{plan.iterations:03d}"
    averages = read_mrc(f"{root}_classes.mrcs")
    shares = read_star(f"{root}_model.star")["model_classes"].floats("rlnClassDistribution")
    sheet = contact_sheet(np.atleast_3d(averages.data)[np.argsort(-shares)], columns=6)
    tile = averages.data.shape[-1]
    return with_scale_bar(enlarged(sheet, 2), averages.pixel_size_angst / 2, 2 * tile)


def _page(
    plan: DemoPlan,
    figures: Sequence[Figure],
    rounds: Sequence[dict[str, Any]],
    pictures: dict[str, np.ndarray],
) -> str:
    pixel = plan.session.pixel_size_angst
    bars = [scale_bar_angst(width * pixel) for width in (plan.session.size, plan.box)]
    captions = {
        "micrograph.png": f"An aligned micrograph with its picks; bar {bars[0]:g} Å.",
        "ctf.png": "Thon rings: the fitted CTF on the left, the spectrum on the right.",
        "classes.png": f"2D class averages, the most populated first; bar {bars[1]:g} Å.",
        "maps.png": "From above: the first map, made from nothing; the refined map; the true structure. Two central "
        "sections and the surface.",
    }
    session = plan.session
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>verglas demo</title>"
        f"<style>{_STYLE}</style><h1>verglas demo</h1><p>{session.movies} simulated movies of "
        f"{session.frames} frames, {session.size} x {session.size} pixels of "
        f"{session.pixel_size_angst} Å, {plan.n_particles} particles of the 20S proteasome (3c91); "
        f"processed by a schedule of {len(plan.chain(1))} jobs that ran twice.</p>",
        "<h2>Against the truth</h2><table>",
    ]
    for figure in figures:
        mark = "" if figure.good else " class=missed"
        sign = "≤" if figure.at_most else "≥"
        parts.append(
            f"<tr{mark}><td>{html.escape(figure.name)}<td>{figure.value:.3g} {figure.unit}"
            f"<td>{sign} {figure.bound:g} {figure.unit}"
        )
    parts.append("</table><h2>Rounds</h2><table><tr><th>round<th>job<th>what<th>seconds")
    parts += [
        f"<tr><td>{entry['round']}<td>{html.escape(entry['job'])}"
        f"<td>{html.escape(entry['what'])}<td>{entry['seconds']:.1f}"
        for entry in rounds
    ]
    parts.append("</table>")
    for name, picture in pictures.items():
        parts.append(
            f"<figure><img alt='{name}' src='{data_url(picture)}'>"
            f"<figcaption>{captions[name]}</figcaption></figure>"
        )
    return "\n".join(parts) + "</html>\n"
