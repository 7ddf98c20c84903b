"""Join star files: particles, micrographs or movies of several jobs in one list (pipeline.md §4.15)."""

from __future__ import annotations

from typing import Any, ClassVar

from verglas.formats.star import StarFile, StarTable, concatenate, write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import MICROGRAPHS, MOVIES, PARTICLES, Node
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import before_optics_groups, read_list, rows_of, with_common_columns
from verglas.jobs.joinstar.options import JoinStarOptions
from verglas.jobs.select.rows import without_repeats

_NODES = {"particles": PARTICLES, "mics": MICROGRAPHS, "movies": MOVIES}
_BLOCKS = {"particles": "particles", "mics": "micrographs", "movies": "movies"}
_NAMES = {"particles": "rlnImageName", "mics": "rlnMicrographName", "movies": "rlnMicrographMovieName"}
_EXTRA = (
    Flag("--i", "", "Input files, separated by blanks", required=True),
    Flag("--o", "", "Output file", required=True),
    Flag("--combine", True, "Join the input files (always on)"),
    Flag("--check_duplicates", "", "Column whose values may occur once only"),
)


class JoinStarFiles(Job):
    """Rows of all files, optics groups merged, later duplicates left out."""

    type: ClassVar[JobType] = JobType("JoinStar", "relion.joinstar", 13, "Join star files")
    Options = JoinStarOptions
    program: ClassVar[Program] = Program.of(
        "joinstar",
        JoinStarOptions,
        _EXTRA,
        relion_name="relion_star_handler",
        summary="join lists of particles, micrographs or movies",
    )

    @classmethod
    def expected_outputs(cls, options: JoinStarOptions, directory: str) -> list[Node]:
        kind = options.kind()
        return [Node(f"{directory}join_{kind}.star", _NODES[kind])] if kind else []

    @classmethod
    def output_flags(cls, options: JoinStarOptions, directory: str, is_continue: bool) -> list[str]:
        kind = options.kind() or "particles"
        output = f"{directory}join_{kind}.star"
        files = " ".join(options.files())
        return ["--combine", "--i", files, "--check_duplicates", _NAMES[kind], "--o", output]

    @classmethod
    def check(cls, options: JoinStarOptions) -> list[str]:
        if options.kind() is None:
            return ["choose exactly one of particles, micrographs and movies"]
        if len(options.files()) < 2:
            return ["give at least two files to join"]
        return []

    def run(self) -> None:
        stars = [read_list(name, *_BLOCKS.values()) for name in self.arguments["--i"].split()]
        _check_kind(stars, self.arguments["--check_duplicates"])
        optics, joined, dropped = join_lists(stars)
        for lost in dropped:
            self.context.warn(f" WARNING: {lost} is left out: not all files have it")
        label = self.arguments["--check_duplicates"]
        if label:
            unique = without_repeats(joined, label)
            if len(unique) < len(joined):
                number = len(joined) - len(unique)
                self.context.say(f" {number} duplicates of {label} were left out")
            joined = unique
        write_star(self.arguments["--o"], [*optics, joined])
        self.context.say(f" {len(joined)} rows from {len(stars)} files")


def _check_kind(stars: list[tuple[StarFile, StarTable]], label: str) -> None:
    """Every file must list what the others list. Raises JobFailed naming the one that does not."""
    for star, table in stars:
        if label and label not in table:
            raise JobFailed(
                f"{star.path} does not belong here: it is a list of {table.name} without {label}, which "
                "tells the items apart"
            )


def join_lists(stars: list[tuple[StarFile, StarTable]]) -> tuple[list[StarTable], StarTable, list[str]]:
    """The optics table (none or one), the rows of all lists, and columns that not all lists have."""
    with_optics = ["optics" in star for star, _ in stars]
    if any(with_optics) and not all(with_optics):
        old = stars[with_optics.index(False)][0]
        raise JobFailed(before_optics_groups(old.path))
    optics, tables = merged_optics(stars)
    joined = concatenate(with_common_columns(tables))
    labels = dict.fromkeys(label for table in tables for label in table.labels)
    return optics, joined, [label for label in labels if label not in joined]


def merged_optics(stars: list[tuple[StarFile, StarTable]]) -> tuple[list[StarTable], list[StarTable]]:
    """One optics table for all files; groups that agree in everything but the number are one.

    Two groups of one name that differ keep both, the later one renamed with its number.
    """
    merged: list[dict[str, Any]] = []
    files: list[str] = []  # where each of them is from
    tables = []
    for star, table in stars:
        optics = star.get("optics")
        if optics is None:
            tables.append(table)
            continue
        numbers = {int(row["rlnOpticsGroup"]): _number_in(merged, row) for row in rows_of(optics)}
        files += [star.path] * (len(merged) - len(files))
        groups = [numbers[group] for group in table.ints("rlnOpticsGroup").tolist()]
        tables.append(table.with_columns({"rlnOpticsGroup": groups}))
    return ([optics_table(merged, files)] if merged else []), tables


def _number_in(merged: list[dict[str, Any]], row: dict[str, Any]) -> int:
    """Number of this optics group in the merged table, which grows when it is new."""

    def facts(other: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in other.items() if k != "rlnOpticsGroup"}

    for known in merged:
        if facts(known) == facts(row):
            return int(known["rlnOpticsGroup"])
    number = len(merged) + 1
    new = {**row, "rlnOpticsGroup": number}
    if any(known["rlnOpticsGroupName"] == row["rlnOpticsGroupName"] for known in merged):
        new["rlnOpticsGroupName"] = f"{row['rlnOpticsGroupName']}-{number}"
    merged.append(new)
    return number
