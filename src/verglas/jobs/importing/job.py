"""Import: raw movies or micrographs by wildcard, or one file of another kind (pipeline.md §4.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from verglas.formats.movies import MovieInfo, UnreadableMovie, check_movie
from verglas.formats.movies_base import PACKED_NOTE
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import Job, JobType, NothingToDo
from verglas.jobs.contract.nodes import MICROGRAPHS, MOVIES, Node
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.set_aside import SetAside, SetAsideList
from verglas.jobs.contract.tables import rows_of
from verglas.jobs.importing.completeness import CompletenessCheck
from verglas.jobs.importing.options import OTHER_TYPES, ImportOptions
from verglas.jobs.importing.other import import_other, other_outputs
from verglas.jobs.importing.raw_files import RawFile, find_raw_files, link_into_project

_EXTRA = (
    Flag("--odir", "", "Output directory", required=True),
    Flag("--ofile", "", "Name of the output file"),
    Flag("--continue", False, "Keep the names of the existing list and append new ones"),
    Flag("--do_movies", False, "Import movies"),
    Flag("--do_micrographs", False, "Import micrographs"),
    Flag("--do_coordinates", False, "Import coordinates"),
    Flag("--do_particles", False, "Import a particle STAR file"),
    Flag("--do_halfmaps", False, "Import half maps"),
    Flag("--do_other", False, "Import a file of another kind"),
)


_SAMPLE = 5  # files taken before that new ones are compared with


class ImportJob(Job):
    """Lists what is there; a repeat keeps the list and appends what is new."""

    type: ClassVar[JobType] = JobType("Import", "relion.import", 0, "Import", incremental=True, list_rank=2)
    Options = ImportOptions
    program: ClassVar[Program] = Program.of(
        "import",
        ImportOptions,
        _EXTRA,
        relion_name="relion_import",
        summary="list movies or micrographs, or take other files into the project",
    )

    @classmethod
    def expected_outputs(cls, options: ImportOptions, directory: str) -> list[Node]:
        if options.do_other:
            return other_outputs(options, directory)
        if options.is_multiframe:
            return [Node(f"{directory}movies.star", MOVIES)]
        return [Node(f"{directory}micrographs.star", MICROGRAPHS)]

    @classmethod
    def output_flags(cls, options: ImportOptions, directory: str, is_continue: bool) -> list[str]:
        if options.do_other:
            mode = OTHER_TYPES[options.node_type][1]
        else:
            mode = "--do_movies" if options.is_multiframe else "--do_micrographs"
        first = cls.expected_outputs(options, directory)[0].name.removeprefix(directory)
        flags = [mode, "--odir", directory, "--ofile", first]
        return [*flags, "--continue"] if is_continue and options.do_raw else flags

    @classmethod
    def check(cls, options: ImportOptions) -> list[str]:
        complaints = []
        if options.do_raw == options.do_other:
            complaints.append("choose either raw movies/micrographs or another node type")
        if not (options.fn_in_raw if options.do_raw else options.fn_in_other):
            complaints.append("the input field is empty")
        if options.do_raw and not re.fullmatch(r"[A-Za-z0-9-]+", options.optics_group_name):
            complaints.append(
                f"optics group name {options.optics_group_name!r}: only letters, digits and hyphen"
            )
        return complaints

    @classmethod
    def outside_files(cls, options: ImportOptions) -> list[str]:
        return [options.fn_in_raw if options.do_raw else options.fn_in_other]

    def run(self) -> None:
        if self.arguments["--do_movies"] or self.arguments["--do_micrographs"]:
            self._import_raw()
        else:
            import_other(self.arguments, self.context)

    def _import_raw(self) -> None:
        wildcard = self.arguments["--i"]
        directory = self.context.directory
        found = find_raw_files(wildcard, directory)
        known = self._known_names()
        if not found and not known:
            raise NothingToDo(f"no file matches {wildcard}")
        new = [raw for raw in found if raw.name not in known]
        aside = SetAsideList.read(directory)
        aside.keep_only({raw.name for raw in new})
        taken = self._take_complete(new, aside, {RawFile(name, directory).output_root for name in known})
        aside.write()
        for reason, names in aside.grouped().items():
            others = f" and {len(names) - 1} others" if len(names) > 1 else ""
            self.context.warn(f" WARNING: {names[0]}{others} not taken: {reason}")
        if not known and not taken:
            raise NothingToDo(
                f"{len(found)} files match {wildcard}, none can be taken yet: {aside.commonest()}"
            )
        if taken or not self._list_path.exists():
            self._write_list(known, taken)
        total = len(known) + len(taken)
        self.context.say(f" {len(taken)} new, {len(known)} known before, {total} in all")

    def _take_complete(self, new: list[RawFile], aside: SetAsideList, roots: set[str]) -> list[RawFile]:
        """The new files that are complete and whose outputs would collide with no other's."""
        due = [raw for raw in new if not aside.still_holds(raw.name, raw.path)]
        check = CompletenessCheck(self._known_infos(), bool(self.arguments["--do_movies"]))
        self.context.progress.start("Looking at new files ...", len(due))
        taken, packed = [], 0
        for count, (raw, outcome) in enumerate(check.judge(due), start=1):
            if not isinstance(outcome, SetAside) and raw.output_root in roots:
                outcome = SetAside(f"outputs named {raw.output_root} would belong to two files")
            if isinstance(outcome, SetAside):
                aside.add(raw.name, raw.path, str(outcome))
            else:
                aside.remove(raw.name)
                roots.add(raw.output_root)
                link_into_project(raw)
                taken.append(raw)
                packed += outcome.packed
            self.context.progress.update(count)
        if packed:
            self.context.say(f" {packed} movies hold {PACKED_NOTE}")
        return taken

    @property
    def _list_path(self) -> Path:
        return self.context.directory / self.arguments["--ofile"]

    @property
    def _block_and_label(self) -> tuple[str, str]:
        if self.arguments["--do_movies"]:
            return "movies", "rlnMicrographMovieName"
        return "micrographs", "rlnMicrographName"

    def _known_names(self) -> dict[str, int]:
        """Names already listed, with their optics group (only when the job goes on)."""
        if not self.arguments["--continue"] or not self._list_path.exists():
            return {}
        block, label = self._block_and_label
        table = read_star(self._list_path)[block]
        return dict(zip(table.strings(label), table.ints("rlnOpticsGroup").tolist()))

    def _known_infos(self) -> list[MovieInfo]:
        """Shapes and frames of the first listed files that can still be read."""
        found = []
        for name in list(self._known_names())[:_SAMPLE]:
            with suppress(UnreadableMovie, OSError):
                found.append(check_movie(Path(name)))
        return found

    def _write_list(self, known: dict[str, int], taken: Sequence[RawFile]) -> None:
        """Optics table and list; a known optics group keeps its number, another name adds one."""
        block, label = self._block_and_label
        groups, number = self._optics(known)
        names = [*known, *(raw.name for raw in taken)]
        numbers = [*known.values(), *([number] * len(taken))]
        rows = StarTable.from_columns(block, {label: names, "rlnOpticsGroup": numbers})
        write_star(self._list_path, [groups, rows])

    def _optics(self, known: dict[str, int]) -> tuple[StarTable, int]:
        """The optics table with this import's group in it, and the group's number."""
        new = self._optics_row()
        rows: list[dict[str, Any]] = []
        if known:
            rows = rows_of(read_star(self._list_path)["optics"])
        for row in rows:
            if row["rlnOpticsGroupName"] == new["rlnOpticsGroupName"]:
                number = int(row["rlnOpticsGroup"])
                rows[rows.index(row)] = {**new, "rlnOpticsGroup": number}
                return optics_table(rows), number
        new["rlnOpticsGroup"] = len(rows) + 1
        return optics_table([*rows, new]), len(rows) + 1

    def _optics_row(self) -> dict[str, Any]:
        """This import's optics group, columns in RELION's order (pipeline.md §5.2)."""
        arguments = self.arguments
        row: dict[str, Any] = {"rlnOpticsGroupName": arguments["--optics_group_name"], "rlnOpticsGroup": 1}
        if arguments["--optics_group_mtf"]:
            row["rlnMtfFileName"] = arguments["--optics_group_mtf"]
        row["rlnMicrographOriginalPixelSize"] = float(arguments["--angpix"])
        if self.arguments["--do_micrographs"]:
            row["rlnMicrographPixelSize"] = float(arguments["--angpix"])
        row["rlnVoltage"] = float(arguments["--kV"])
        row["rlnSphericalAberration"] = float(arguments["--Cs"])
        row["rlnAmplitudeContrast"] = float(arguments["--Q0"])
        tilt_x, tilt_y = float(arguments["--beamtilt_x"]), float(arguments["--beamtilt_y"])
        if abs(tilt_x) + abs(tilt_y) > 0.001:
            row.update(rlnBeamTiltX=tilt_x, rlnBeamTiltY=tilt_y)
        return row
