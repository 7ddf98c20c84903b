"""`verglas live snapshot NAME`: what is accepted now, as ordinary Select jobs that never change."""

from __future__ import annotations

import json

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarFile, read_star, write_star
from verglas.jobs.chain import EXTRACTION, LISTS, SELECTION
from verglas.project.change import Change
from verglas.project.editing import give_alias
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.made_jobs import ALL_ROWS, Writer, enter_made, enter_map
from verglas.scheduler.live.record.map_state import MapState
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.class_choice import chosen_particles

FROZEN_MAP = "map.mrc"


def take_snapshot(project: Project, folder: LiveFolder, name: str) -> list[str]:
    """Freeze the accepted micrographs, their particles in chosen classes (all while none is chosen), and the map.

    The names of the new jobs in words. Raises LookupError if the session has no lists yet, AliasError for
    a name that cannot be an alias.
    """
    jobs = folder.order().jobs
    micrographs = _listed(project, jobs[SELECTION] + LISTS[SELECTION], "micrographs")
    source, particles, which = _particles(project, folder, micrographs)
    made, state = [], MapState.read(folder)
    with project.change(f"snapshot {name}") as change:
        for field, where, star, what in (
            ("fn_mic", jobs[SELECTION] + LISTS[SELECTION], micrographs, "micrographs"),
            ("fn_data", source, particles, "particles"),
        ):
            job_name = _enter(change, field, where, f"{what}.star", star)
            give_alias(change, job_name, f"{name}_{what}")
            made.append((job_name, what, len(star[what])))
        if state.map and (project.root / state.map).exists():
            note = f"verglas live snapshot: frozen copy of {state.map}"
            frozen = enter_map(change, FROZEN_MAP, read_mrc(project.root / state.map), state.map, note)
            made.append((frozen.removesuffix(FROZEN_MAP), "map", state.particles or state.listed))
            give_alias(change, made[-1][0], f"{name}_map")
        _note(change, folder, name, made)
    words = {"map": f"particles in the map, {state.symmetry}", "particles": f"particles {which}".rstrip()}
    return [f"{job} ({name}_{what}): {count} {words.get(what, what)}" for job, what, count in made]


def _listed(project: Project, source: str, block: str) -> StarFile:
    if not (project.root / source).exists():
        raise LookupError(f"{source} does not exist yet: the session has no {block}")
    star = read_star(project.root / source)
    if block not in star:
        raise LookupError(f"{source} lists no {block} yet")
    return star


def _particles(project: Project, folder: LiveFolder, micrographs: StarFile) -> tuple[str, StarFile, str]:
    """Their list, the rows to freeze, and which they are in words."""
    names = set(micrographs["micrographs"].strings("rlnMicrographName"))
    chosen = chosen_particles(project, folder, names)
    if chosen is not None:
        numbers = ", ".join(map(str, ClassState.read(folder).chosen))
        return *chosen, f"in the chosen classes {numbers}"
    source = folder.order().jobs[EXTRACTION] + LISTS[EXTRACTION]
    return source, _listed(project, source, "particles"), ""


def _enter(change: Change, field: str, source: str, name: str, star: StarFile) -> str:
    """A Select job that keeps every row."""
    texts = {field: source, **ALL_ROWS}
    files: dict[str, Writer] = {name: lambda path, _: write_star(path, list(star.values()))}
    return enter_made(change, SELECTION, texts, files, f"verglas live snapshot: frozen copy of {source}")


def _note(change: Change, folder: LiveFolder, name: str, made: list[tuple[str, str, int]]) -> None:
    path = folder.path / "snapshots.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = {what: {"job": job, "count": count} for job, what, count in made}
    change.write(str(path.relative_to(folder.root)), json.dumps(known, indent=1).encode())
