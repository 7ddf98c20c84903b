"""One micrograph: its CTF fit, its drift, the jobs that picked on it and their picks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.star import StarError
from verglas.jobs.autopick.results import first_table
from verglas.jobs.contract.micrograph_names import MicrographNames
from verglas.jobs.contract.nodes import COORDINATES
from verglas.jobs.contract.tables import output_root
from verglas.jobs.coordinates.reading import FOM, X, Y, names_in, read_coordinates
from verglas.jobs.coordinates.source import CoordinateSource
from verglas.jobs.manualpick.files import PICK_NAME, picks_path
from verglas.jobs.registry import job_type
from verglas.project.confinement import LARGEST_TABLE, read_small_text, read_table, regular_file
from verglas.project.names import folder_of, owner_of
from verglas.project.project import Project

_FILES = "rlnMicrographCoordinates"


@dataclass(frozen=True)
class PickSource:
    """Coordinates that some job has, by the node that other jobs would use."""

    node: str
    job: str
    shown: str
    editable: bool  # a Manual picking job: the page may change it


def pick_sources(project: Project) -> list[PickSource]:
    """Every coordinates node that is on disc, newest first."""
    graph = project.graph()
    makers = {node: maker for maker, node in graph.outputs}
    found = []
    for node in graph.nodes.values():
        job = makers.get(node.name, owner_of(node.name) or "")
        if node.type == COORDINATES and project.exists(node.name):
            shown = graph.processes[job].shown_name if job in graph.processes else node.name
            manual = job_type(folder_of(job)).interactive
            found.append(PickSource(node.name, job, shown, manual))
    return found[::-1]


def picks(project: Project, node: str, micrograph: str) -> dict[str, Any]:
    """x, y, figure of merit (or None) of a micrograph's picks; candidates below the threshold too.

    `threshold` is the least figure of merit that the picking job took, where it wrote candidates.
    """
    path = picks_file(project, node, micrograph)
    empty: dict[str, Any] = {"x": [], "y": [], "fom": None, "threshold": None}
    if path is None or not (project.root / path).exists():
        return empty
    candidates = candidates_of(project, path)
    if candidates is not None:
        lowest = _lowest_fom(project, path)
        return candidates if lowest is None else {**candidates, "threshold": lowest}
    real = regular_file(project, path, LARGEST_TABLE)
    names = names_in(real)
    if names and not MicrographNames([micrograph]).matched(names).names:
        return empty
    table = read_coordinates(real, micrograph)
    if table is None:
        return empty
    fom = table.floats(FOM) if FOM in table else None
    known = fom is not None and bool((fom > -900).all())
    return {
        "x": table.floats(X).tolist(),
        "y": table.floats(Y).tolist(),
        "fom": fom.tolist() if known and fom is not None else None,
        "threshold": None,
    }


def candidates_of(project: Project, path: str) -> dict[str, Any] | None:
    """What Auto-picking considered, from the file beside its picks; None without one.

    `threshold` is what the picker found by itself; options may have moved it for the picks.
    """
    if not path.endswith("_autopick.star"):
        return None
    beside = path.removesuffix("_autopick.star") + "_candidates.star"
    try:
        star = read_table(project, beside)
        table = star["candidates"]
        threshold = star["picking"].number("verglasPickingThreshold")
    except (OSError, StarError):
        return None
    return {
        "x": table.floats(X).tolist(),
        "y": table.floats(Y).tolist(),
        "fom": table.floats(FOM).tolist(),
        "threshold": threshold,
    }


def _lowest_fom(project: Project, path: str) -> float | None:
    """Least figure of merit among the picks; None without any."""
    table = first_table(regular_file(project, path, LARGEST_TABLE))
    return float(table.floats(FOM).min()) if table is not None and len(table) else None


def picks_file(project: Project, node: str, micrograph: str) -> str | None:
    """The coordinate file of a micrograph, relative to the root; None if the node has none for it."""
    folder, _, base = node.rpartition("/")
    if base.startswith("coords_suffix_"):
        suffix = base.removeprefix("coords_suffix").removesuffix(".star") + ".star"
        source = CoordinateSource.of_suffix(f"{folder}/", suffix)
    elif job_type(folder_of(node)).interactive:
        return str(picks_path(Path(folder), micrograph, PICK_NAME))
    else:
        listed = first_table(regular_file(project, node, LARGEST_TABLE))
        if listed is None or _FILES not in listed:
            return node
        names = listed.strings("rlnMicrographName")
        named = MicrographNames([micrograph]).matched(names).names.get(micrograph)
        return None if named is None else dict(zip(names, listed.strings(_FILES)))[named]
    found = source.path_of(micrograph)
    return str(found) if found else None


def drift(project: Project, micrograph: str) -> dict[str, list[float]] | None:
    """Global shifts per frame (pixels of the micrograph); None where motion correction left none."""
    path = micrograph.rsplit(".", 1)[0] + ".star"
    try:
        table = read_table(project, path)["global_shift"]
        return {
            "frame": table.floats("rlnMicrographFrameNumber").tolist(),
            "x": table.floats("rlnMicrographShiftX").tolist(),
            "y": table.floats("rlnMicrographShiftY").tolist(),
        }
    except (OSError, StarError):
        return None


def ctf_profile(project: Project, list_path: str, micrograph: str) -> dict[str, list[float]] | None:
    """Rotationally averaged spectrum, squared CTF and their agreement against 1/Å; None without."""
    job = owner_of(list_path)
    if job is None:
        return None
    root = output_root(micrograph, job)
    try:
        table = read_table(project, f"{root}_ctf.star")["ctf_profile"]
        return {
            "frequency": table.floats("rlnResolution").tolist(),
            "spectrum": table.floats("verglasEquiPhaseAverage").tolist(),
            "ctf": table.floats("verglasSquaredCtf").tolist(),
            "agreement": table.floats("verglasFitCorrelation").tolist(),
        }
    except (OSError, StarError):
        return _avrot(project, str(root))


def _avrot(project: Project, root: str) -> dict[str, list[float]] | None:
    """CTFFIND's text file: six lines of numbers below comments."""
    for ending in ("_ctffind4_avrot.txt", "_avrot.txt"):
        try:
            lines = read_small_text(project, f"{root}{ending}").splitlines()
            rows = [np.array(line.split(), float) for line in lines if not line.startswith("#")]
        except (OSError, ValueError):
            continue
        if len(rows) >= 5:
            return {
                "frequency": rows[0].tolist(),  # 1/Å
                "spectrum": rows[2].tolist(),
                "ctf": (rows[3] ** 2).tolist(),
                "agreement": rows[4].tolist(),
            }
    return None
