"""Subset selection: classes, values, statistics, subsets, duplicates; and joining lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.tables import read_list
from verglas.jobs.joinstar.job import JoinStarFiles, join_lists
from verglas.jobs.joinstar.options import JoinStarOptions
from verglas.jobs.select.job import SubsetSelection
from verglas.jobs.select.options import SelectOptions

DIRECTORY = "Select/job002/"
OPTICS = {
    "rlnOpticsGroupName": ["opticsGroup1"],
    "rlnOpticsGroup": [1],
    "rlnMicrographOriginalPixelSize": [1.5],
    "rlnImagePixelSize": [3.0],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / DIRECTORY).mkdir(parents=True)
    (tmp_path / "Class2D/job001").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(options: SelectOptions) -> list[str]:
    assert not SubsetSelection.check(options)
    words = SubsetSelection.command_line(options, DIRECTORY, False)
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    SubsetSelection(SubsetSelection.program.parse(words), context).run()
    return lines


def classification(n_classes: int = 3, n_particles: int = 30) -> str:
    """A finished Class2D of blobs: class 1 sharp and centred, 2 off-centre, 3 noise."""
    root = "Class2D/job001/run_it025"
    y, x = np.indices((32, 32)) - 16
    blob = np.exp(-(y**2 + x**2) / 30)
    noise = np.random.default_rng(0).normal(size=(32, 32))
    images = np.stack([blob, np.roll(blob, 6, axis=1), noise]).astype(np.float32)[:n_classes]
    write_mrc(f"{root}_classes.mrcs", images, 3.0)
    names = [f"{i:06d}@{root}_classes.mrcs" for i in range(1, n_classes + 1)]
    general = {"rlnPixelSize": 3.0, "rlnOriginalImageSize": 32, "rlnNrClasses": n_classes}
    classes = {
        "rlnReferenceImage": names,
        "rlnClassDistribution": [0.5, 0.3, 0.2][:n_classes],
        "rlnEstimatedResolution": [10.0, 15.0, 40.0][:n_classes],
    }
    groups = {
        "rlnGroupNumber": [1, 2, 3],
        "rlnGroupName": ["a", "b", "c"],
        "rlnGroupNrParticles": [10, 10, 10],
        "rlnGroupScaleCorrection": [0.5, 1.5, 1.0],
    }
    write_star(
        f"{root}_model.star",
        [
            StarTable.from_columns("model_general", general, is_list=True),
            StarTable.from_columns("model_classes", classes),
            StarTable.from_columns("model_groups", groups),
        ],
    )
    particles(f"{root}_data.star", n_particles, n_classes)
    return f"{root}_model.star"


def particles(path: str, n: int, n_classes: int = 3, first: int = 1) -> None:
    columns = {
        "rlnImageName": [f"{i:06d}@stack.mrcs" for i in range(first, first + n)],
        "rlnMicrographName": ["mic.mrc"] * n,
        "rlnCoordinateX": [10.0 * i for i in range(n)],
        "rlnCoordinateY": [5.0] * n,
        "rlnOpticsGroup": [1] * n,
        "rlnClassNumber": [i % n_classes + 1 for i in range(n)],
        "rlnGroupNumber": [i % 3 + 1 for i in range(n)],
        "rlnMaxValueProbDistribution": [(i % 7) / 7 for i in range(n)],
    }
    tables = [StarTable.from_columns("optics", OPTICS), StarTable.from_columns("particles", columns)]
    write_star(path, tables)


def kept(name: str = "particles.star") -> StarTable:
    return read_star(DIRECTORY + name)["particles"]


def test_classes_by_number(project: Path) -> None:
    options = SelectOptions(fn_model=classification(), select_classes="1,3")
    run(options)
    assert set(kept().ints("rlnClassNumber").tolist()) == {1, 3}
    assert len(kept()) == 20
    for node in SubsetSelection.expected_outputs(options, DIRECTORY):
        assert Path(node.name).exists()
    averages = next(iter(read_star(f"{DIRECTORY}class_averages.star").values()))
    assert averages.strings("rlnReferenceImage") == [
        f"00000{i}@Select/job002/class_averages.mrcs" for i in (1, 2)
    ]
    backup = next(iter(read_star(f"{DIRECTORY}backup_selection.star").values()))
    assert backup.ints("rlnSelected").tolist() == [1, 0, 1]


@pytest.mark.parametrize("text", ["0", "4", "a", "3-1", "1,,2"])
def test_a_class_that_is_none_is_named(project: Path, text: str) -> None:
    with pytest.raises(JobFailed, match="classes"):
        run(SelectOptions(fn_model=classification(), select_classes=text))


def test_without_a_list_the_job_waits_for_a_person(project: Path) -> None:
    options = SelectOptions(fn_model=classification())
    assert SubsetSelection.is_interactive(options)
    with pytest.raises(NothingToDo, match="waiting for you"):
        run(options)
    table = StarTable.from_columns("", {"rlnSelected": [0, 1, 0]})
    write_star(f"{DIRECTORY}backup_selection.star", [table])
    run(options)
    assert set(kept().ints("rlnClassNumber").tolist()) == {2}


def test_the_rank_keeps_the_sharp_centred_class_and_explains_itself(project: Path) -> None:
    run(SelectOptions(fn_model=classification(), do_class_ranker=True, rank_threshold=0.8))
    assert set(kept().ints("rlnClassNumber").tolist()) == {1}
    ranks = read_star(f"{DIRECTORY}class_ranks.star")["ranks"]
    scores = ranks.floats("rlnClassScore")
    assert scores[0] > scores[1] > scores[2]
    options = SelectOptions(fn_model=classification(), do_class_ranker=True, rank_threshold=0.8)
    run(options.changed(select_nr_parts=15))
    assert set(kept().ints("rlnClassNumber").tolist()) == {1, 2}


def test_regrouping_joins_micrographs_of_similar_scale(project: Path) -> None:
    model = classification()
    run(SelectOptions(fn_model=model, select_classes="1-3", do_regroup=True, nr_groups=2))
    groups = dict(zip(kept().strings("rlnImageName"), kept().strings("rlnGroupName")))
    assert "rlnGroupNumber" not in kept()
    assert len(set(groups.values())) == 2
    assert groups["000001@stack.mrcs"] != groups["000002@stack.mrcs"]  # scales 0.5 and 1.5


def test_values_within_limits_are_kept(project: Path) -> None:
    particles("p.star", 30)
    options = SelectOptions(
        fn_data="p.star",
        do_select_values=True,
        select_label="rlnCoordinateX",
        select_minval="50",
        select_maxval="100",
    )
    run(options)
    assert kept().floats("rlnCoordinateX").tolist() == [50, 60, 70, 80, 90, 100]
    with pytest.raises(JobFailed, match="no column rlnNone"):
        run(options.changed(select_label="rlnNone"))


def test_subsets_cover_everything_once(project: Path) -> None:
    particles("p.star", 25)
    options = SelectOptions(fn_data="p.star", do_split=True, split_size=10, do_random=True)
    run(options)
    nodes = SubsetSelection.actual_outputs(options, DIRECTORY)
    assert [Path(node.name).name for node in nodes] == [
        "particles_split1.star",
        "particles_split2.star",
        "particles_split3.star",
    ]
    parts = [kept(Path(node.name).name).strings("rlnImageName") for node in nodes]
    assert [len(part) for part in parts] == [10, 10, 5]
    assert len({name for part in parts for name in part}) == 25
    run(options.changed(nr_split=2))
    assert len(list(Path(DIRECTORY).glob("particles_split*.star"))) == 2


def test_of_close_particles_the_most_probable_stays(project: Path) -> None:
    particles("p.star", 7)  # 15 Å apart, probability rising
    run(SelectOptions(fn_data="p.star", do_remove_duplicates=True, duplicate_threshold=20))
    assert kept().strings("rlnImageName") == [f"00000{i}@stack.mrcs" for i in (1, 3, 5, 7)]


def test_outlying_images_are_dropped(project: Path) -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(40, 16, 16)).astype(np.float32)
    images[7] *= 30
    write_mrc("stack.mrcs", images, 3.0)
    particles("p.star", 40)
    run(SelectOptions(fn_data="p.star", do_discard=True))
    assert "000008@stack.mrcs" not in kept().strings("rlnImageName")
    assert len(kept()) == 39


def test_contradictory_choices_are_refused() -> None:
    assert SubsetSelection.check(SelectOptions())
    assert SubsetSelection.check(SelectOptions(fn_data="a.star"))
    assert SubsetSelection.check(SelectOptions(fn_data="a", fn_mic="b", do_split=True))
    assert SubsetSelection.check(SelectOptions(fn_data="a", do_split=True, do_discard=True))


def test_joining_merges_optics_groups_and_drops_duplicates(project: Path) -> None:
    particles("a.star", 5)
    particles("b.star", 5, first=4)
    second = {**OPTICS, "rlnMicrographOriginalPixelSize": [2.0]}
    particles("c.star", 2, first=100)
    table = read_star("c.star")["particles"]
    write_star("c.star", [StarTable.from_columns("optics", second), table])
    options = JoinStarOptions(do_part=True, fn_part1="a.star", fn_part2="b.star", fn_part3="c.star")
    assert not JoinStarFiles.check(options)
    words = JoinStarFiles.command_line(options, DIRECTORY, False)
    context = RunContext(Path(DIRECTORY), say=lambda line: None)
    JoinStarFiles(JoinStarFiles.program.parse(words), context).run()
    joined = read_star(f"{DIRECTORY}join_particles.star")
    assert len(joined["particles"]) == 8 + 2
    assert joined["optics"].strings("rlnOpticsGroupName") == ["opticsGroup1", "opticsGroup1-2"]
    assert joined["particles"].ints("rlnOpticsGroup").tolist() == [1] * 8 + [2, 2]
    assert [name for name, _ in options.input_names()] == ["a.star", "b.star", "c.star"]


def optics_file(name: str, **columns: object) -> str:
    optics = {"rlnOpticsGroupName": [name], "rlnOpticsGroup": [1], "rlnImagePixelSize": [1.1]}
    optics |= {label: [value] for label, value in columns.items()}
    rows = {"rlnImageName": [f"000001@{name}.mrcs"], "rlnOpticsGroup": [1]}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", rows)]
    write_star(f"{name}.star", tables)
    return f"{name}.star"


def joined_optics(*files: str) -> StarTable:
    return join_lists([read_list(file, "particles") for file in files])[0][0]


def test_what_one_list_lacks_becomes_what_changes_nothing(project: Path) -> None:
    plain = optics_file("plain")
    full = optics_file(
        "full",
        rlnMagMat00=1.01,
        rlnMagMat01=0.02,
        rlnMagMat10=-0.02,
        rlnMagMat11=0.99,
        rlnOddZernike=[1.0, 2.0, 3.0],
        rlnMtfFileName="k3.star",
        rlnBeamTiltX=0.3,
        rlnMicrographOriginalPixelSize=0.55,
    )
    for files in ((plain, full), (full, plain)):
        optics = joined_optics(*files)
        at = files.index(plain)
        matrix = [optics.floats(f"rlnMagMat{place}")[at] for place in ("00", "01", "10", "11")]
        assert matrix == [1, 0, 0, 1]
        assert optics.strings("rlnOddZernike")[at] == "[0.0,0.0,0.0]"
        assert optics.strings("rlnMtfFileName")[at] == ""
        assert optics.floats("rlnBeamTiltX")[at] == 0
        assert optics.floats("rlnMicrographOriginalPixelSize")[at] == 1.1


def test_a_column_that_nothing_can_stand_for_refuses_the_join(project: Path) -> None:
    plain, sized = optics_file("plain"), optics_file("sized", rlnImageSize=64)
    with pytest.raises(JobFailed, match=r"rlnImageSize is in group sized of sized\.star, not in group"):
        joined_optics(plain, sized)


def test_the_wrong_file_of_a_join_is_named(project: Path) -> None:
    good = optics_file("good")
    optics = {"rlnOpticsGroupName": ["g"], "rlnOpticsGroup": [1]}
    rows = {"rlnMicrographMovieName": ["a.tif"], "rlnOpticsGroup": [1]}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("movies", rows)]
    write_star("wrong.star", tables)
    options = JoinStarOptions(do_part=True, fn_part1=good, fn_part2="wrong.star")
    with pytest.raises(JobFailed, match=r"wrong\.star does not belong here: it is a list of movies"):
        words = JoinStarFiles.command_line(options, DIRECTORY, False)
        context = RunContext(Path(DIRECTORY), say=print, warn=print)
        JoinStarFiles(JoinStarFiles.program.parse(words), context).run()


def test_an_old_list_says_how_to_convert_it(project: Path) -> None:
    Path("old.star").write_text("data_\n\nloop_\n_rlnImageName #1\n000001@a.mrcs\n\n")
    with pytest.raises(JobFailed, match=r"verglas star convert --i old\.star --o new\.star"):
        read_list("old.star", "particles")


def test_joining_needs_one_kind_and_two_files() -> None:
    assert JoinStarFiles.check(JoinStarOptions())
    assert JoinStarFiles.check(JoinStarOptions(do_part=True, do_mic=True))
    assert JoinStarFiles.check(JoinStarOptions(do_part=True, fn_part1="a.star"))
