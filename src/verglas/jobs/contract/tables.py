"""Reading the lists that jobs hand to each other, and turning rows into tables and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verglas.formats.star import StarError, StarFile, StarTable, read_star
from verglas.formats.star.neutral import neutral
from verglas.jobs.contract.base import JobFailed, NothingToDo

Row = dict[str, Any]
_OLD_NAMES = ("", "images")  # of lists before RELION 3.1
_OLD_ITEMS = ("rlnImageName", "rlnMicrographName", "rlnMicrographMovieName")


def read_list(path: str | os.PathLike[str], *blocks: str) -> tuple[StarFile, StarTable]:
    """A STAR file and the first of `blocks` in it.

    Raises NothingToDo while the file is missing or its list is empty, JobFailed where it is no STAR
    file, lacks the block or has no name.
    """
    if not os.fspath(path):
        raise JobFailed("the name of an input list is empty: give it (--i for most programs)")
    if not Path(path).exists():
        raise NothingToDo(f"{path} does not exist yet")
    try:
        star = read_star(path)
    except StarError as error:
        raise JobFailed(str(error)) from error
    if not len(star):
        raise NothingToDo(f"{path} is empty")
    for block in blocks:
        table = star.get(block)
        if table is not None:
            if not len(table):
                raise NothingToDo(f"{path} lists nothing yet")
            return star, table
    if list(star) == ["optics"]:  # a table without rows is not written
        raise NothingToDo(f"{path} lists nothing yet")
    old = "optics" not in star and star.first.name in _OLD_NAMES
    if old and any(label in star.first for label in _OLD_ITEMS):
        raise JobFailed(before_optics_groups(path))
    found = ", ".join(f"data_{name}" for name in star)
    raise JobFailed(f"{path}: expected a table data_{' or data_'.join(blocks)}, found {found}")


def before_optics_groups(path: str | os.PathLike[str]) -> str:
    """What to do with a list that has no optics table."""
    return (
        f"{path} has no optics table: a file of RELION 3.0 or older; "
        f"verglas star convert --i {path} --o new.star writes it anew"
    )


def read_items(path: str | os.PathLike[str], name: str = "") -> tuple[StarFile, StarTable]:
    """A STAR file and the table of its items: of this name, else the first that is not the optics."""
    if name:
        return read_list(path, name.removeprefix("data_"))
    if not Path(path).exists():
        raise NothingToDo(f"{path} does not exist")
    star = read_star(path)
    table = next((table for table in star.values() if table.name != "optics"), None)
    if table is None:
        raise NothingToDo(f"{path} holds no rows")
    return star, table


def with_common_columns(tables: Sequence[StarTable]) -> list[StarTable]:
    """Tables with the columns that all of them have, in the first one's order."""
    if not tables:
        return []
    common = [label for label in tables[0].labels if all(label in table for table in tables)]
    return [table.select(common) for table in tables]


def rows_of(table: StarTable) -> list[Row]:
    """One dict of texts per row."""
    columns = [table.strings(label) for label in table.labels]
    return [dict(zip(table.labels, values)) for values in zip(*columns)]


def table_of(name: str, rows: Sequence[Mapping[str, Any]], missing: str | float | None = None) -> StarTable:
    """A loop table from rows; columns in order of first appearance.

    `missing` stands where a row has none, or else what is neutral for the label.
    """
    labels = list(dict.fromkeys(label for row in rows for label in row))
    columns = {}
    for label in labels:
        filler = neutral(label) if missing is None else missing
        columns[label] = [row.get(label, filler) for row in rows]
    return StarTable.from_columns(name, columns)


def optics_by_group(star: StarFile) -> dict[int, Row]:
    """Optics rows by group number. Raises JobFailed when the file has no optics table."""
    optics = star.get("optics")
    if optics is None:
        raise JobFailed(before_optics_groups(star.path))
    return {int(row["rlnOpticsGroup"]): row for row in rows_of(optics)}


def output_root(name: str, directory: str | os.PathLike[str], *, without_dots: bool = False) -> Path:
    """Where a micrograph's outputs go: directory + its path without job prefix and extension.

    `MotionCorr/job002/Movies/a.mrc` in `CtfFind/job003` becomes `CtfFind/job003/Movies/a` (pipeline.md
    §1.7). Motion correction, and it alone, turns dots of the base name into underscores. Raises
    ValueError for a name that would leave the directory.
    """
    post = after_job(name)
    folder, _, base = post.rpartition("/")
    if os.path.isabs(post) or ".." in post.split("/"):
        raise ValueError(f"{name} lies outside the project; import it first")
    stem = base.rsplit(".", 1)[0]
    if without_dots:
        stem = stem.replace(".", "_")
    return Path(os.path.join(directory, folder, stem))  # one path made: this runs for every movie


def after_job(name: str) -> str:
    """The part of a path after `jobNNN/`, or all of it."""
    parts = name.split("/")
    for index, part in enumerate(parts[:-1]):
        if index > 0 and part.startswith("job") and part[3:6].isdigit():
            return "/".join(parts[index + 1 :])
    return name


def reuse_rows(path: Path, block: str, key: str, skip: Iterable[str]) -> dict[str, Row]:
    """Rows of the previous output by name, except those made anew: a repeat reads only new files."""
    if not path.exists():
        return {}
    try:
        table = read_star(path).get(block)
    except StarError:
        return {}
    if table is None:
        return {}
    made_anew = set(skip)
    return {row[key]: row for row in rows_of(table) if row[key] not in made_anew}
