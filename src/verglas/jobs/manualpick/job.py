"""Manual picking: a person picks particles and micrographs; the job keeps the lists in order."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from verglas.formats.atomic import write_text
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import Job, JobType
from verglas.jobs.contract.nodes import COORDINATES, MICROGRAPHS, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import read_list
from verglas.jobs.manualpick.files import (
    PICK_NAME,
    SELECTED,
    deselected,
    picks_path,
    read_picks,
    write_selection,
)
from verglas.jobs.manualpick.options import ManualPickOptions

_PAGE = "micrographs are shown by `verglas gui`"
_EXTRA = (
    Flag("--odir", "ManualPick/", "Output directory"),
    Flag("--pickname", PICK_NAME, "Rootname of the coordinate files"),
    Flag("--selection", "", "List of selected micrographs"),
    Flag("--allow_save", False, unneeded=_PAGE),
    Flag("--fast_save", False, unneeded=_PAGE),
    Flag("--open_simultaneous", 10, unneeded=_PAGE),
    Flag("--coord_scale", 1.0, unneeded=_PAGE),
)


class ManualPicking(Job):
    """Makes the lists that a person's picking fills; a repeat adds new micrographs and keeps the rest."""

    type: ClassVar[JobType] = JobType(
        "ManualPick", "relion.manualpick", 3, "Manual picking", interactive=True, list_rank=4
    )
    Options = ManualPickOptions
    program: ClassVar[Program] = Program.of(
        "manualpick",
        ManualPickOptions,
        _EXTRA,
        relion_name="relion_manualpick",
        summary="lists for picking by hand in `verglas gui`",
    )

    @classmethod
    def expected_outputs(cls, options: ManualPickOptions, directory: str) -> list[Node]:
        label = f"{COORDINATES.label}.manualpick" + (".helixstartend" * options.do_startend)
        return [
            Node(f"{directory}coords_suffix_{PICK_NAME}.star", COORDINATES, label),
            Node(f"{directory}{SELECTED}", MICROGRAPHS),
        ]

    @classmethod
    def output_flags(cls, options: ManualPickOptions, directory: str, is_continue: bool) -> list[str]:
        flags = ["--odir", directory, "--pickname", PICK_NAME, "--allow_save", "--fast_save"]
        return [*flags, "--selection", f"{directory}{SELECTED}"]

    @classmethod
    def check(cls, options: ManualPickOptions) -> list[str]:
        return [] if options.fn_in else ["Input micrographs: is empty"]

    def run(self) -> None:
        """Write selection, suffix file and the list of coordinate files; picks stay untouched."""
        directory, micrographs = self.context.directory, self.arguments["--i"]
        _, table = read_list(micrographs, "micrographs")
        directory.mkdir(parents=True, exist_ok=True)
        count = write_selection(directory, micrographs, deselected(directory))
        write_text(directory / f"coords_suffix_{PICK_NAME}.star", f"{micrographs}\n")
        names = table.strings("rlnMicrographName")
        picked = [name for name in names if read_picks(directory, name)]
        self._write_list(directory, picked)
        total = sum(len(read_picks(directory, name)) for name in picked)
        self.context.say(
            f" {count} of {len(names)} micrographs selected, {total} particles picked in {len(picked)}"
        )

    @staticmethod
    def _write_list(directory: Path, picked: list[str]) -> None:
        columns = {
            "rlnMicrographName": picked,
            "rlnMicrographCoordinates": [str(picks_path(directory, name)) for name in picked],
        }
        write_star(directory / f"{PICK_NAME}.star", [StarTable.from_columns("coordinate_files", columns)])
