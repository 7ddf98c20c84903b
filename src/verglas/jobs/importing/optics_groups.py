"""Optics groups from beam shifts: of movies beside which EPU or SerialEM left a file, or by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verglas.formats.epu import UnreadableEpu, read_epu_image, xml_of_movie
from verglas.formats.mdoc import UnreadableMdoc, mdoc_of_movie, read_mdoc
from verglas.formats.star import StarFile, StarTable, read_star, write_star
from verglas.jobs.contract.micrograph_names import MicrographNames
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.tables import before_optics_groups, rows_of
from verglas.jobs.importing.shift_files import Shift


def beam_shift_of(movie: Path) -> Shift | None:
    """Beam shift (EPU) or image shift (SerialEM) of a movie; None if nothing beside it says so."""
    xml = xml_of_movie(movie)
    if xml is not None:
        try:
            return read_epu_image(xml).beam_shift
        except UnreadableEpu:
            return None
    mdoc = mdoc_of_movie(movie)
    if mdoc is None:
        return None
    try:
        section = read_mdoc(mdoc).section_of(movie.name)
    except UnreadableMdoc:
        return None
    return section.image_shift if section is not None else None


@dataclass(frozen=True)
class Grouping:
    """Group (from 1) of each named image, and how it came about."""

    groups: dict[str, int]
    tolerance: float
    without: tuple[str, ...] = ()  # images of which no shift is known: they keep group 1

    @property
    def count(self) -> int:
        return max(self.groups.values(), default=1)


def group_by_shift(
    names: Sequence[str], shift_of: Callable[[str], Shift | None], tolerance: float | None = None
) -> Grouping:
    """Clusters of the shifts; `tolerance` (in their unit) is found from them if not given."""
    from verglas.optics.groups import cluster_shifts, natural_tolerance

    known = {name: shift for name in dict.fromkeys(names) if (shift := shift_of(name)) is not None}
    radius = natural_tolerance(list(known.values())) if tolerance is None else tolerance
    numbers = cluster_shifts(list(known.values()), radius)
    groups = {name: number + 1 for name, number in zip(known, numbers)}
    missing = tuple(name for name in dict.fromkeys(names) if name not in known)
    return Grouping({**groups, **dict.fromkeys(missing, 1)}, radius, missing)


def assign_groups(
    path: Path, output: Path, shifts: Mapping[str, Shift], tolerance: float | None = None
) -> Grouping:
    """Write a movies, micrographs or particles file with one optics group per beam-shift position.

    `shifts` go by names of images, with as much of their path as is known. Each group gets the optics row its
    images had, under a name of its own. Raises LookupError if the file has no optics table or no images,
    AmbiguousMicrograph where a shift may belong to two images.
    """
    star = read_star(path)
    table = _images(star, path)
    label = "rlnMicrographName" if "rlnMicrographName" in table else "rlnMicrographMovieName"
    names = table.strings(label)
    found = MicrographNames(shifts).matched(names)
    shift_of = {image: shifts[key] for key, image in found.names.items()}
    grouping = group_by_shift(names, shift_of.get, tolerance)
    optics, numbers = _new_optics(star, table, names, grouping)
    changed = table.with_columns({"rlnOpticsGroup": numbers})
    tables = [
        optics if each.name == "optics" else changed if each.name == table.name else each
        for each in star.values()
    ]
    write_star(output, tables)
    return grouping


def _images(star: StarFile, path: Path) -> StarTable:
    if "optics" not in star:
        raise LookupError(before_optics_groups(path))
    for name in ("particles", "micrographs", "movies"):
        if name in star and len(star[name]):
            return star[name]
    raise LookupError(f"{path} lists no movies, micrographs or particles")


def _new_optics(
    star: StarFile, table: StarTable, names: Sequence[str], grouping: Grouping
) -> tuple[StarTable, list[int]]:
    """One row per (old group, cluster), numbered by first appearance; every image's new number."""
    old = {int(row["rlnOpticsGroup"]): row for row in rows_of(star["optics"])}
    numbers: list[int] = []
    rows: dict[tuple[int, int], int] = {}
    for group, name in zip(table.ints("rlnOpticsGroup").tolist(), names):
        key = (group, grouping.groups[name])
        numbers.append(rows.setdefault(key, len(rows) + 1))
    made = []
    several = len(rows) > 1
    for (group, cluster), number in rows.items():
        row = dict(old[group])
        row["rlnOpticsGroup"] = str(number)
        if several:
            row["rlnOpticsGroupName"] = f"{row.get('rlnOpticsGroupName', 'opticsGroup')}-{cluster}"
        made.append(row)
    return optics_table(made), numbers
