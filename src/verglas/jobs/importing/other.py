"""Import of everything that is not raw data: a copy under the job directory (pipeline.md §4.1)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from verglas.formats.atomic import atomic_write, write_text
from verglas.formats.star import StarError, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.nodes import COORDINATES, HALF_MAP, Node
from verglas.jobs.contract.program import Arguments
from verglas.jobs.importing.options import OTHER_TYPES, ImportOptions
from verglas.jobs.importing.raw_files import find_raw_files
from verglas.jobs.volumes.half_maps import other_half


def other_outputs(options: ImportOptions, directory: str) -> list[Node]:
    """Expected outputs of an import of another node type."""
    node_type = OTHER_TYPES[options.node_type][0]
    base = Path(options.fn_in_other).name
    if node_type is COORDINATES:
        return [Node(f"{directory}coords_suffix{_suffix(options.fn_in_other)}", COORDINATES)]
    if node_type is HALF_MAP:
        return [Node(directory + name, HALF_MAP) for name in (base, other_half(base))]
    return [Node(directory + base, node_type)]


def import_other(arguments: Arguments, context: RunContext) -> None:
    """Copy the file(s) into the job directory. Raises NothingToDo when there is none yet."""
    source = arguments["--i"]
    if arguments["--do_coordinates"]:
        _import_coordinates(source, context)
    elif arguments["--do_halfmaps"]:
        for name in (source, other_half(source)):
            _copy(Path(name), context.directory)
    elif arguments["--do_particles"]:
        _import_particles(Path(source), arguments["--particles_optics_group_name"], context)
    else:
        _copy(Path(source), context.directory)


def _copy(source: Path, directory: Path) -> None:
    if not source.exists():
        raise NothingToDo(f"{source} does not exist yet")
    with open(source, "rb") as read, atomic_write(directory / source.name) as write:
        shutil.copyfileobj(read, write, 1 << 22)


def _import_coordinates(wildcard: str, context: RunContext) -> None:
    """Copy every matching file under the name that a micrograph in its place would get.

    Sub-folders stay, so that files of equal names do not meet. The suffix file names what they belong to.
    """
    found = find_raw_files(wildcard, context.directory)
    if not found:
        raise NothingToDo(f"no coordinate file matches {wildcard}")
    for raw in found:
        inside = Path(raw.name)
        if not inside.is_relative_to(context.directory):
            inside = context.directory / inside
        inside.parent.mkdir(parents=True, exist_ok=True)
        _copy(raw.path, inside.parent)
    prefix = wildcard[: wildcard.rindex("*")]
    write_text(context.directory / f"coords_suffix{_suffix(wildcard)}", f"{prefix}*.mrc\n")
    context.say(f" {len(found)} coordinate files")


def _import_particles(source: Path, group_name: str, context: RunContext) -> None:
    """A copy; with a new name for its single optics group where one is given."""
    if not source.exists():
        raise NothingToDo(f"{source} does not exist yet")
    if not group_name:
        _copy(source, context.directory)
        return
    try:
        star = read_star(source)
    except StarError as error:
        raise JobFailed(str(error)) from error
    optics = star.get("optics")
    if optics is None or len(optics) != 1:
        count = 0 if optics is None else len(optics)
        raise JobFailed(f"{source} has {count} optics groups; renaming needs exactly one")
    renamed: dict[str, Any] = {"rlnOpticsGroupName": [group_name]}
    tables = [optics.with_columns(renamed) if t.name == "optics" else t for t in star.values()]
    write_star(context.directory / source.name, tables)


def _suffix(wildcard: str) -> str:
    """What follows the * in a coordinate wildcard: `_pick.star` of `Micrographs/*_pick.star`."""
    if "*" not in wildcard:
        raise JobFailed(f"coordinates need a wildcard with * before the suffix, got {wildcard!r}")
    return wildcard.rsplit("*", 1)[1]
