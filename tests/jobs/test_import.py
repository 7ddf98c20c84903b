"""Import: names inside the project, complete files only, reasons for the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.importing.job import ImportJob
from verglas.jobs.importing.options import ImportOptions

DIRECTORY = "Import/job001/"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / DIRECTORY).mkdir(parents=True)
    monkeypatch.chdir(root)
    return root


def movie(path: Path, shape: tuple[int, ...] = (3, 16, 20), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).poisson(1.0, shape).astype(np.int16)
    write_mrc(path, data, 1.0)
    return path


def run(options: ImportOptions, is_continue: bool = False) -> list[str]:
    words = ImportJob.command_line(options, DIRECTORY, is_continue)
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    ImportJob(ImportJob.program.parse(words), context).run()
    return lines


def names(block: str = "movies", label: str = "rlnMicrographMovieName") -> list[str]:
    return read_star(f"{DIRECTORY}{block}.star")[block].strings(label)


def aside() -> dict[str, str]:
    return dict(SetAsideList.read(Path(DIRECTORY)).reasons())


def test_movies_of_the_project_keep_their_names(project: Path) -> None:
    movie(project / "Movies" / "b.mrcs")
    movie(project / "Movies" / "a.mrcs", seed=1)
    run(ImportOptions(fn_in_raw="Movies/*.mrcs", angpix=0.885, kV=200, Cs=1.4))
    assert names() == ["Movies/a.mrcs", "Movies/b.mrcs"]
    optics = read_star(f"{DIRECTORY}movies.star")["optics"]
    assert optics.labels == (
        "rlnOpticsGroupName", "rlnOpticsGroup", "rlnMicrographOriginalPixelSize", "rlnVoltage",
        "rlnSphericalAberration", "rlnAmplitudeContrast",
    )  # fmt: skip
    assert optics.floats("rlnMicrographOriginalPixelSize")[0] == 0.885


def test_the_expected_output_is_what_is_written(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs")
    for is_multiframe, file in ((True, "movies.star"), (False, "micrographs.star")):
        options = ImportOptions(fn_in_raw="Movies/*.mrcs", is_multiframe=is_multiframe)
        assert [n.name for n in ImportJob.expected_outputs(options, DIRECTORY)] == [
            DIRECTORY + file
        ]
        run(options)
        assert Path(DIRECTORY, file).exists()


@pytest.mark.parametrize("relative", [True, False])
def test_files_outside_are_linked_under_the_job(project: Path, relative: bool) -> None:
    movie(project.parent / "raw" / "day1" / "x.mrcs")
    movie(project.parent / "raw" / "day2" / "x.mrcs", seed=2)
    root = "../raw" if relative else str(project.parent / "raw")
    run(ImportOptions(fn_in_raw=f"{root}/**/*.mrcs"))
    assert names() == [
        "Import/job001/raw_001/day1/x.mrcs", "Import/job001/raw_001/day2/x.mrcs",
    ]  # fmt: skip
    assert all(Path(name).is_symlink() and Path(name).exists() for name in names())


def test_an_absolute_wildcard_into_the_project_needs_no_link(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs")
    run(ImportOptions(fn_in_raw=f"{project}/Movies/*.mrcs"))
    assert names() == ["Movies/a.mrcs"]


def test_linked_movies_are_normal_and_a_dangling_link_is_named(project: Path) -> None:
    target = movie(project.parent / "raw" / "a.mrcs")
    (project / "Movies").mkdir()
    (project / "Movies" / "a.mrcs").symlink_to(target)
    (project / "Movies" / "b.mrcs").symlink_to("/nowhere/b.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert names() == ["Movies/a.mrcs"]
    assert "/nowhere/b.mrcs" in aside()["Movies/b.mrcs"]


def test_a_repeat_appends_what_is_new_and_keeps_what_is_gone(project: Path) -> None:
    options = ImportOptions(fn_in_raw="Movies/*.mrcs")
    movie(project / "Movies" / "m.mrcs")
    run(options)
    before = Path(f"{DIRECTORY}movies.star").stat().st_mtime_ns
    run(options, is_continue=True)
    assert Path(f"{DIRECTORY}movies.star").stat().st_mtime_ns == before
    movie(project / "Movies" / "a.mrcs")
    (project / "Movies" / "m.mrcs").unlink()
    run(options, is_continue=True)
    assert names() == ["Movies/m.mrcs", "Movies/a.mrcs"]


def test_another_optics_group_gets_a_number_of_its_own(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    movie(project / "Movies" / "b.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs", optics_group_name="second"), is_continue=True)
    star = read_star(f"{DIRECTORY}movies.star")
    assert star["optics"].strings("rlnOpticsGroupName") == ["opticsGroup1", "second"]
    assert star["movies"].ints("rlnOpticsGroup").tolist() == [1, 2]


def test_unfinished_names_are_never_taken(project: Path) -> None:
    for name in (".a.mrcs", "b.mrcs.part", "c.tmp", "d.filepart", ".e.mrcs.Xa8Qz1"):
        movie(project / "Movies" / "x.mrcs").rename(project / "Movies" / name)
    with pytest.raises(NothingToDo, match="no file matches"):
        run(ImportOptions(fn_in_raw="Movies/*"))


def test_a_truncated_movie_waits_with_its_reason_and_comes_when_complete(project: Path) -> None:
    options = ImportOptions(fn_in_raw="Movies/*.mrcs")
    movie(project / "Movies" / "a.mrcs")
    whole = movie(project / "Movies" / "b.mrcs").read_bytes()
    (project / "Movies" / "b.mrcs").write_bytes(whole[:-100])
    (project / "Movies" / "c.mrcs").touch()
    run(options)
    assert names() == ["Movies/a.mrcs"]
    assert "100" in aside()["Movies/b.mrcs"] or "bytes" in aside()["Movies/b.mrcs"]
    assert "empty" in aside()["Movies/c.mrcs"]
    (project / "Movies" / "b.mrcs").write_bytes(whole)
    run(options, is_continue=True)
    assert names() == ["Movies/a.mrcs", "Movies/b.mrcs"]
    assert list(aside()) == ["Movies/c.mrcs"]


def test_a_file_of_another_shape_is_set_aside(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs")
    movie(project / "Movies" / "b.mrcs", shape=(3, 18, 20))
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert names() == ["Movies/a.mrcs"]
    assert "20 x 18" in aside()["Movies/b.mrcs"]


def test_two_files_with_one_output_name_do_not_collide(project: Path) -> None:
    movie(project / "Movies" / "a.1.mrcs")
    movie(project / "Movies" / "a_1.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert len(names()) == 1
    assert "two files" in next(iter(aside().values()))


def test_names_with_blanks_and_quotes_survive(project: Path) -> None:
    movie(project / "Movies" / "a b #1.mrcs")
    movie(project / "Movies" / "it's.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert names() == ["Movies/a b #1.mrcs", "Movies/it's.mrcs"]


def test_empty_and_contradictory_options_are_refused() -> None:
    assert ImportJob.check(ImportOptions(fn_in_raw=""))
    assert ImportJob.check(ImportOptions(do_other=True))
    assert ImportJob.check(ImportOptions(optics_group_name="a b"))
    assert not ImportJob.check(ImportOptions())


def test_half_maps_come_as_a_pair(project: Path) -> None:
    for half in "12":
        write_mrc(f"run_half{half}_class001_unfil.mrc", np.zeros((4, 4, 4), np.float32), 1.0)
    options = ImportOptions(
        do_raw=False, do_other=True, fn_in_other="run_half1_class001_unfil.mrc",
        node_type="Unfiltered half-map (unfil.mrc)",
    )  # fmt: skip
    run(options)
    for node in ImportJob.expected_outputs(options, DIRECTORY):
        assert Path(node.name).exists()


def test_coordinates_and_a_missing_reference(project: Path) -> None:
    os.makedirs("Micrographs")
    Path("Micrographs/a_pick.star").write_text("data_\n\nloop_ \n_rlnCoordinateX #1 \n1.0 \n\n")
    options = ImportOptions(do_raw=False, do_other=True, fn_in_other="Micrographs/*_pick.star")
    run(options)
    assert Path(f"{DIRECTORY}coords_suffix_pick.star").exists()
    assert Path(f"{DIRECTORY}Micrographs/a_pick.star").exists()
    missing = ImportOptions(
        do_raw=False, do_other=True, fn_in_other="none.mrc", node_type="3D reference (.mrc)"
    )
    with pytest.raises(NothingToDo, match=r"none\.mrc"):
        run(missing)
    wrong = options.changed(fn_in_other="Micrographs/a_pick.star")
    with pytest.raises(JobFailed, match=r"wildcard with \*"):
        run(wrong)
