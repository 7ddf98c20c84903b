"""`report.html` and `demo.json`: figures and the pictures behind them, in one file each.

The report is that of the project (project/report), with what only the demo knows: the truth.
"""

from __future__ import annotations

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
from verglas.formats.png import write_png
from verglas.formats.star import read_star
from verglas.jobs.report.document import Picture, Pictures, Rank, Section, Table, Text
from verglas.jobs.report.html import report_html
from verglas.maps.pictures import binned, contact_sheet, enlarged, to_grey, with_circles, with_scale_bar
from verglas.project.project import Project
from verglas.project.report.facts import report_facts
from verglas.project.report.sections import project_report

_WIDTHS = {"ctf.png": 0.4, "maps.png": 0.6}  # shares of the page


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
    sections = [_truth(plan, figures), _pictures(pictures), _rounds(rounds)]
    report = project_report(report_facts(Project(project)), sections, "verglas demo")
    write_text(folder / "report.html", report_html(report))


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


def _truth(plan: DemoPlan, figures: Sequence[Figure]) -> Section:
    session = plan.session
    told = (
        f"{session.movies} simulated movies of {session.frames} frames, {session.size} x {session.size} pixels of "
        f"{session.pixel_size_angst} Å, {plan.n_particles} particles of the 20S proteasome (3c91); processed by a "
        f"schedule of {len(plan.chain(1))} jobs that ran twice."
    )
    rows = [
        [
            each.name,
            f"{each.value:.3g} {each.unit}",
            f"{'≤' if each.at_most else '≥'} {each.bound:g} {each.unit}",
        ]
        for each in figures
    ]
    missed = [n for n, each in enumerate(figures) if not each.good]
    return Section(
        "Against the truth", [Text(told), Table(["", "is", "wanted"], rows, (1, 2), missed)], Rank.RESULT
    )


def _pictures(pictures: dict[str, np.ndarray]) -> Section:
    """Those that the report of a project does not have."""
    captions = {
        "ctf.png": "Thon rings: the fitted CTF on the left, the spectrum on the right.",
        "maps.png": "From above: the first map, made from nothing; the refined map; the true structure. Two central "
        "sections and the surface.",
    }
    shown = [
        Picture(pictures[name], text, _WIDTHS[name]) for name, text in captions.items() if name in pictures
    ]
    return Section("In pictures", [Pictures(shown)], Rank.MAP)


def _rounds(rounds: Sequence[dict[str, Any]]) -> Section:
    rows = [
        [str(entry["round"]), entry["job"], entry["what"], f"{entry['seconds']:.1f} s"] for entry in rounds
    ]
    return Section("Rounds", [Table(["round", "job", "what", "time"], rows, (3,))], Rank.HISTORY)
