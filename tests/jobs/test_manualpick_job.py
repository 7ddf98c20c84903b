"""Manual picking: a repeat never touches what a person did."""

from __future__ import annotations

from pathlib import Path

import pytest

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import NothingToDo, RunContext
from verglas.jobs.manualpick.files import picks_path, read_picks, write_picks, write_selection
from verglas.jobs.manualpick.job import ManualPicking
from verglas.jobs.manualpick.options import ManualPickOptions

DIRECTORY = Path("ManualPick/job003")
LIST = "mics.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_list(count: int) -> None:
    names = [f"MotionCorr/job002/Movies/m{k}.mrc" for k in range(count)]
    optics = {"rlnOpticsGroupName": ["a"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]}
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * count}
    table = StarTable.from_columns
    write_star(LIST, [table("optics", optics), table("micrographs", rows)])


def run() -> list[str]:
    words = ManualPicking.command_line(ManualPickOptions(fn_in=LIST), f"{DIRECTORY}/", False)
    lines: list[str] = []
    context = RunContext(DIRECTORY, say=lines.append, warn=lines.append)
    ManualPicking(ManualPicking.program.parse(words), context).run()
    return lines


def selected() -> list[str]:
    table = read_star(DIRECTORY / "micrographs_selected.star")["micrographs"]
    return [Path(name).name for name in table.strings("rlnMicrographName")]


def test_outputs_and_columns(project: Path) -> None:
    write_list(2)
    run()
    for node in ManualPicking.expected_outputs(ManualPickOptions(), f"{DIRECTORY}/"):
        assert Path(node.name).exists()
    name = "MotionCorr/job002/Movies/m1.mrc"
    write_picks(DIRECTORY, name, [(10.25, 20.5), (30.0, 40.0)])
    path = picks_path(DIRECTORY, name)
    assert path == DIRECTORY / "Movies/m1_manualpick.star"
    table = read_star(path)[""]
    assert table.labels == (
        "rlnCoordinateX",
        "rlnCoordinateY",
        "rlnClassNumber",
        "rlnAnglePsi",
        "rlnAutopickFigureOfMerit",
    )
    assert table.floats("rlnAutopickFigureOfMerit").tolist() == [-999.0, -999.0]
    assert read_picks(DIRECTORY, name) == [(10.25, 20.5), (30.0, 40.0)]


def test_a_repeat_adds_new_micrographs_and_keeps_the_rest(project: Path) -> None:
    write_list(3)
    run()
    name = "MotionCorr/job002/Movies/m1.mrc"
    write_picks(DIRECTORY, name, [(1.0, 2.0)])
    write_selection(DIRECTORY, LIST, {"MotionCorr/job002/Movies/m0.mrc"})
    before = picks_path(DIRECTORY, name).stat().st_mtime_ns
    write_list(4)
    lines = run()
    assert selected() == ["m1.mrc", "m2.mrc", "m3.mrc"]
    assert picks_path(DIRECTORY, name).stat().st_mtime_ns == before
    assert " 3 of 4 micrographs selected, 1 particles picked in 1" in lines
    files = read_star(DIRECTORY / "manualpick.star")["coordinate_files"]
    assert files.strings("rlnMicrographName") == [name]


def test_waits_for_its_input(project: Path) -> None:
    with pytest.raises(NothingToDo):
        run()
