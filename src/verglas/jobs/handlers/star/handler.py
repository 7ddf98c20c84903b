"""Editing STAR files: what relion_star_handler does, one operation after another in its order.

Reading compares, joins or splits; otherwise rows are chosen, values changed, columns added and removed,
and the file is written with all tables that were not touched.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from verglas.formats.star import StarFile, StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments
from verglas.jobs.contract.tables import read_items
from verglas.jobs.handlers.star.columns import centred, operated, with_column
from verglas.jobs.handlers.star.compare import compared
from verglas.jobs.handlers.star.histogram import Histogram
from verglas.jobs.joinstar.job import join_lists
from verglas.jobs.select.rows import (
    remove_duplicates,
    select_text,
    select_values,
    split,
    without_outliers,
    without_repeats,
)

Say = Callable[[str], None]


def handle_star(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, StarError, OSError."""
    if not flags["--i"].split():
        raise JobFailed("--i names no file")
    if flags["--combine"]:
        _combine(flags, say)
        return
    star, table = read_items(flags["--i"], flags["--i_tablename"])
    if flags["--compare"]:
        _compare(flags, star, table, say)
    elif flags["--split"]:
        _split(flags, star, table, say)
    elif flags["--hist_column"]:
        _histogram(flags, table, say)
    else:
        changed = _changed_columns(flags, star, _kept_rows(flags, star, table, say))
        _write(flags, star, changed, flags["--o"], say)


def _combine(flags: Arguments, say: Say) -> None:
    stars = [read_items(name, flags["--i_tablename"]) for name in flags["--i"].split()]
    optics, joined, dropped = join_lists(stars)
    for label in dropped:
        say(f" WARNING: {label} is left out: not all files have it")
    if flags["--check_duplicates"]:
        unique = without_repeats(joined, flags["--check_duplicates"])
        if len(unique) < len(joined):
            number = len(joined) - len(unique)
            say(f" {number} duplicates of {flags['--check_duplicates']} were left out")
        joined = unique
    write_star(flags["--o"], [joined] if flags["--ignore_optics"] else [*optics, joined])
    say(f" Written: {flags['--o']} ({len(joined)} rows from {len(stars)} files)")


def _compare(flags: Arguments, star: StarFile, table: StarTable, say: Say) -> None:
    other_star, other = read_items(flags["--compare"], flags["--i_tablename"])
    labels = [flags[f"--label{n}"] for n in (1, 2, 3) if flags[f"--label{n}"]]
    found = compared(table, other, labels, flags["--max_dist"])
    say(f"{len(found.both)} entries occur in both input STAR files.")
    say(f"{len(found.only_first)} entries occur only in the 1st input STAR file.")
    say(f"{len(found.only_second)} entries occur only in the 2nd input STAR file.")
    _write(flags, star, found.both, inserted(flags["--o"], "_both"), say)
    _write(flags, star, found.only_first, inserted(flags["--o"], "_only1"), say)
    _write(flags, other_star, found.only_second, inserted(flags["--o"], "_only2"), say)


def _split(flags: Arguments, star: StarFile, table: StarTable, say: Say) -> None:
    size, number = flags["--size_split"], flags["--nr_split"]
    if size <= 0 and number <= 0:
        raise JobFailed("give the number of parts (--nr_split) or their size (--size_split)")
    seed = None
    if flags["--random_order"]:
        seed = flags["--random_seed"]
        if seed < 0:
            seed = secrets.randbits(31)
            say(f" --random_seed {seed}")
    parts = list(split(table, size, number if size <= 0 else None, seed))
    if size > 0 and number > 0:
        parts = parts[:number]
    for index, part in enumerate(parts, start=1):
        _write(flags, star, part, inserted(flags["--o"], f"_split{index}"), say)


def _histogram(flags: Arguments, table: StarTable, say: Say) -> None:
    label = flags["--hist_column"]
    histogram = Histogram.of(
        table.floats(label),
        flags["--hist_bins"],
        flags["--hist_min"],
        flags["--hist_max"],
        in_percent=flags["--in_percent"],
        cumulative=flags["--show_cumulative"],
    )
    for line in histogram.lines():
        say(line)
    path = Path(flags["--o"]).with_suffix(".eps")
    histogram.plot(path, label)
    say(f" Written: {path}")


def _kept_rows(flags: Arguments, star: StarFile, table: StarTable, say: Say) -> StarTable:
    kept = table
    if flags["--select"]:
        kept = select_values(kept, flags["--select"], flags["--minval"], flags["--maxval"])
    if flags["--select_by_str"]:
        kept = select_text(
            kept, flags["--select_by_str"], flags["--select_include"], flags["--select_exclude"]
        )
    if flags["--discard_on_stats"]:
        kept = without_outliers(kept, flags["--discard_label"], flags["--discard_sigma"])
    if flags["--remove_duplicates"] > 0:
        pixel = flags["--image_angpix"]
        if pixel <= 0 and "optics" not in star:
            pixel = flags["--angpix"]
        kept = remove_duplicates(star, kept, flags["--remove_duplicates"], pixel)
    if len(kept) != len(table):
        say(f" {len(kept)} of {len(table)} rows are kept")
    return kept


def _changed_columns(flags: Arguments, star: StarFile, table: StarTable) -> StarTable:
    for flag in ("--operate", "--operate2", "--operate3"):
        if flags[flag]:
            numbers = flags["--multiply_by"], flags["--add_to"]
            table = operated(table, flags[flag], flags["--set_to"], *numbers)
    if flags["--center"]:
        centre = [flags[f"--center_{axis}"] for axis in "XYZ"]
        table = centred(star, table, centre, flags["--angpix"])
    if flags["--remove_column"]:
        table = table.without([flags["--remove_column"]])
    if flags["--add_column"]:
        values = flags["--add_column_value"], flags["--copy_column_from"]
        table = with_column(table, flags["--add_column"], *values)
    return table


def _write(flags: Arguments, star: StarFile, table: StarTable, path: str, say: Say) -> None:
    tables = [table if other.name == table.name else other for other in star.values()]
    write_star(path, [table] if flags["--ignore_optics"] else tables)
    say(f" Written: {path} ({len(table)} rows)")


def inserted(path: str, text: str) -> str:
    """A text put before the extension: `a/b.star` -> `a/b_both.star`."""
    name = Path(path)
    return str(name.with_name(f"{name.stem}{text}{name.suffix}"))
