"""Import: names inside the project, complete files only, reasons for the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.movies_write import write_movie_tiff
from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.coordinates.source import CoordinateSource
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
        "rlnOpticsGroupName",
        "rlnOpticsGroup",
        "rlnMicrographOriginalPixelSize",
        "rlnVoltage",
        "rlnSphericalAberration",
        "rlnAmplitudeContrast",
    )
    assert optics.floats("rlnMicrographOriginalPixelSize")[0] == 0.885


def test_the_expected_output_is_what_is_written(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs")
    movie(project / "Micrographs" / "a.mrcs", (16, 20))
    for folder, file in (("Movies", "movies.star"), ("Micrographs", "micrographs.star")):
        is_multiframe = folder == "Movies"
        options = ImportOptions(fn_in_raw=f"{folder}/*.mrcs", is_multiframe=is_multiframe)
        assert [n.name for n in ImportJob.expected_outputs(options, DIRECTORY)] == [DIRECTORY + file]
        run(options)
        assert Path(DIRECTORY, file).exists()


@pytest.mark.parametrize("relative", [True, False])
def test_files_outside_are_linked_under_the_job(project: Path, relative: bool) -> None:
    movie(project.parent / "raw" / "day1" / "x.mrcs")
    movie(project.parent / "raw" / "day2" / "x.mrcs", seed=2)
    root = "../raw" if relative else str(project.parent / "raw")
    run(ImportOptions(fn_in_raw=f"{root}/**/*.mrcs"))
    assert names() == ["Import/job001/raw_001/day1/x.mrcs", "Import/job001/raw_001/day2/x.mrcs"]
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


def test_one_odd_file_in_front_does_not_decide_for_all(project: Path) -> None:
    movie(project / "Movies" / "a.mrcs", shape=(3, 18, 20))
    for name in "bc":
        movie(project / "Movies" / f"{name}.mrcs")
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert names() == ["Movies/b.mrcs", "Movies/c.mrcs"]
    assert "most files have 20 x 16" in aside()["Movies/a.mrcs"]


def test_integrated_images_beside_movies_are_set_aside(project: Path) -> None:
    for number in range(3):
        movie(project / f"Data/FoilHole_{number}.mrc", (16, 20))
    movie(project / "Data/FoilHole_0_Fractions.mrc", (8, 16, 20))
    run(ImportOptions(fn_in_raw="Data/*.mrc"))
    assert names() == ["Data/FoilHole_0_Fractions.mrc"]
    assert "1 frame where the others have 8" in aside()["Data/FoilHole_2.mrc"]


def test_a_movie_is_no_micrograph(project: Path) -> None:
    movie(project / "Mics" / "a.mrc", (16, 20))
    movie(project / "Mics" / "b.mrc", (8, 16, 20))
    write_movie_tiff(project / "Mics" / "c.mrc", [np.zeros((16, 20), np.uint8)])
    run(ImportOptions(fn_in_raw="Mics/*.mrc", is_multiframe=False))
    assert names("micrographs", "rlnMicrographName") == ["Mics/a.mrc"]
    assert "8 frames: a movie" in aside()["Mics/b.mrc"]
    assert "a TIFF file; micrographs are MRC" in aside()["Mics/c.mrc"]


def test_names_that_no_list_can_hold_are_refused_one_by_one(project: Path) -> None:
    for name in (b"a.mrcs", b"lat\xe9.mrcs", b"two\nlines.mrcs", b"tab\t.mrcs"):
        movie(project / "Movies" / os.fsdecode(name))
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"))
    assert names() == ["Movies/a.mrcs"]
    reasons = aside()
    assert set(reasons) == {r"Movies/lat\xe9.mrcs", r"Movies/two\nlines.mrcs", r"Movies/tab\t.mrcs"}
    assert "not UTF-8" in reasons[r"Movies/lat\xe9.mrcs"]
    assert "line ends" in reasons[r"Movies/two\nlines.mrcs"]
    run(ImportOptions(fn_in_raw="Movies/*.mrcs"), is_continue=True)
    assert len(aside()) == 3


@pytest.mark.parametrize("wildcard", ["day[1]/*.mrcs", "day[1]/a[2].mrcs", "day[1]/a[2]*", "*/a[2].mrcs"])
def test_brackets_of_a_name_that_exists_are_taken_literally(project: Path, wildcard: str) -> None:
    movie(project / "day[1]" / "a[2].mrcs")
    run(ImportOptions(fn_in_raw=wildcard))
    assert names() == ["day[1]/a[2].mrcs"]


def test_brackets_choose_where_no_name_has_them(project: Path) -> None:
    for name in "abc":
        movie(project / "Movies" / f"{name}.mrcs")
    run(ImportOptions(fn_in_raw="Movies/[ac].mrcs"))
    assert names() == ["Movies/a.mrcs", "Movies/c.mrcs"]


def test_coordinates_of_one_name_do_not_overwrite_each_other(project: Path) -> None:
    for grid in ("grid1", "grid2"):
        for number in ("0001", "0002"):
            path = project.parent / f"picks/Mics/{grid}/{number}.box"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number} 1 4 4\n")
    wildcard = f"{project.parent}/picks/Mics/*/*.box"
    run(ImportOptions(do_raw=False, do_other=True, fn_in_other=wildcard))
    assert len(list(Path(DIRECTORY).rglob("*/*.box"))) == 4
    mics = ["Mics/grid1/0001.mrc", "Mics/grid2/0002.mrc"]
    source = CoordinateSource.of_suffix(DIRECTORY, ".box").of_micrographs(mics, print)
    for name in mics:
        found = source.path_of(name)
        assert found is not None and found.read_text().startswith(Path(name).stem)
        assert found.parent.name == Path(name).parent.name


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
        do_raw=False,
        do_other=True,
        fn_in_other="run_half1_class001_unfil.mrc",
        node_type="Unfiltered half-map (unfil.mrc)",
    )
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
