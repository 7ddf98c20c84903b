"""Auto-picking as a job: files as RELION's, incremental, bad micrographs set aside."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.autopick.job import AutoPicking
from verglas.jobs.autopick.options import AutoPickOptions
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList

DIRECTORY = "AutoPick/job003/"
LIST = "CtfFind/job002/micrographs_ctf.star"
OPTIONS = AutoPickOptions(fn_input_autopick=LIST, do_log=True, log_diam_min=110, log_diam_max=140)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / DIRECTORY).mkdir(parents=True)
    (tmp_path / "CtfFind/job002").mkdir(parents=True)
    (tmp_path / "MotionCorr/job001/Movies").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def name_of(index: int) -> str:
    return f"MotionCorr/job001/Movies/m{index}.mrc"


def micrograph(index: int, particles: int = 9, size: int = 512) -> np.ndarray:
    """Discs of 65 px on a grid, dark on noise; 2 Å pixels."""
    random = np.random.default_rng(index)
    image = random.standard_normal((size, size)).astype(np.float32)
    y, x = np.mgrid[:size, :size]
    for k in range(particles):
        cy, cx = 100 + 150 * (k // 3), 100 + 150 * (k % 3)
        image -= 1.5 * (np.hypot(x - cx, y - cy) < 32)
    return image


def write_list(names: list[str]) -> None:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [2.0],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = {"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)}
    table = StarTable.from_columns
    write_star(LIST, [table("optics", optics), table("micrographs", rows)])


def run(options: AutoPickOptions = OPTIONS, is_continue: bool = False) -> list[str]:
    words = AutoPicking.command_line(options, DIRECTORY, is_continue)
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    AutoPicking(AutoPicking.program.parse(words), context).run()
    return lines


def picks_of(index: int) -> Path:
    return Path(f"{DIRECTORY}Movies/m{index}_autopick.star")


def test_files_and_columns_are_relions(project: Path) -> None:
    for index in range(2):
        write_mrc(name_of(index), micrograph(index), 2.0)
    write_list([name_of(0), name_of(1)])
    run()
    assert Path(f"{DIRECTORY}coords_suffix_autopick.star").read_text() == f"{LIST}\n"
    table = read_star(picks_of(0))[""]
    assert table.labels == (
        "rlnCoordinateX",
        "rlnCoordinateY",
        "rlnAutopickFigureOfMerit",
        "rlnClassNumber",
        "rlnAnglePsi",
    )
    assert len(table) == 9
    fom = table.floats("rlnAutopickFigureOfMerit")
    assert (np.diff(fom) <= 0).all()
    summary = read_star(f"{DIRECTORY}summary.star")[""]
    assert summary.labels == ("rlnMicrographName", "rlnAutopickFigureOfMerit", "rlnGroupNrParticles")
    assert summary.ints("rlnGroupNrParticles").tolist() == [9, 9]
    assert summary.floats("rlnAutopickFigureOfMerit")[0] == pytest.approx(fom.mean(), abs=1e-5)
    files = read_star(f"{DIRECTORY}autopick.star")["coordinate_files"]
    assert files.strings("rlnMicrographCoordinates")[1] == str(picks_of(1))
    assert Path(f"{DIRECTORY}logfile.pdf").read_bytes().startswith(b"%PDF")


def test_expected_outputs_exist_afterwards(project: Path) -> None:
    write_mrc(name_of(0), micrograph(0), 2.0)
    write_list([name_of(0)])
    run()
    for node in AutoPicking.expected_outputs(OPTIONS, DIRECTORY):
        assert Path(node.name).exists()


def test_a_repeat_picks_only_new_micrographs(project: Path) -> None:
    write_mrc(name_of(0), micrograph(0), 2.0)
    write_list([name_of(0)])
    run()
    before = picks_of(0).stat().st_mtime_ns
    write_mrc(name_of(1), micrograph(1), 2.0)
    write_list([name_of(1), name_of(0)])
    lines = run(is_continue=True)
    assert " 1 to process, 1 finished before, 2 in all" in lines
    assert picks_of(0).stat().st_mtime_ns == before
    names = read_star(f"{DIRECTORY}summary.star")[""].strings("rlnMicrographName")
    assert names == [name_of(1), name_of(0)]


def test_a_micrograph_without_particles_is_finished(project: Path) -> None:
    noise = np.random.default_rng(9).standard_normal((512, 512)).astype(np.float32)
    write_mrc(name_of(0), noise, 2.0)
    write_list([name_of(0)])
    strict = OPTIONS.changed(log_adjust_thr=1.0)
    run(strict)
    assert picks_of(0).stat().st_size == 0
    assert read_star(f"{DIRECTORY}summary.star")[""].ints("rlnGroupNrParticles").tolist() == [0]
    assert " 0 to process, 1 finished before, 1 in all" in run(strict, is_continue=True)


def test_bad_micrographs_are_set_aside_with_their_reason(project: Path) -> None:
    good = micrograph(0)
    write_mrc(name_of(0), good, 2.0)
    Path(name_of(1)).write_bytes(b"")
    Path(name_of(2)).write_bytes(Path(name_of(0)).read_bytes()[:5000])
    broken = good.copy()
    broken[3, 4] = np.nan
    write_mrc(name_of(3), broken, 2.0)
    write_mrc(name_of(4), np.stack([good, good]), 2.0)
    write_mrc(name_of(5), np.full((512, 512), 3.0, np.float32), 2.0)
    write_list([name_of(index) for index in range(7)])
    run()
    reasons = dict(SetAsideList.read(Path(DIRECTORY)).reasons())
    assert set(reasons) == {name_of(index) for index in range(1, 7)}
    assert "not finite" in reasons[name_of(3)]
    assert "holds 2 images; expected one micrograph" in reasons[name_of(4)]
    assert "no contrast" in reasons[name_of(5)]
    assert "No such file" in reasons[name_of(6)]
    summary = read_star(f"{DIRECTORY}summary.star")[""]
    assert summary.strings("rlnMicrographName") == [name_of(0)]


def test_a_repaired_micrograph_is_tried_again(project: Path) -> None:
    Path(name_of(0)).write_bytes(b"")
    write_list([name_of(0)])
    with pytest.raises(JobFailed, match="none of 1 micrographs has a result: 1 set aside"):
        run()
    with pytest.raises(NothingToDo, match="nothing new: of 1 micrographs 1 set aside"):
        run(is_continue=True)
    write_mrc(name_of(0), micrograph(0), 2.0)
    run(is_continue=True)
    assert len(read_star(picks_of(0))[""]) == 9
    assert not SetAsideList.read(Path(DIRECTORY)).entries


def test_thresholds_move_without_picking_again(project: Path) -> None:
    write_mrc(name_of(0), micrograph(0), 2.0)
    write_list([name_of(0)])
    run()
    os.unlink(name_of(0))
    fewer = OPTIONS.changed(log_adjust_thr=-2.0, do_read_fom_maps=True)
    run(fewer, is_continue=True)
    candidates = read_star(f"{DIRECTORY}Movies/m0_candidates.star")
    threshold = candidates["picking"].number("verglasPickingThreshold")
    picked = read_star(picks_of(0))[""].floats("rlnAutopickFigureOfMerit")
    wanted = candidates["candidates"].floats("rlnAutopickFigureOfMerit")
    assert len(picked) == (wanted >= threshold - 2.0).sum() > 9


def test_missing_and_empty_lists_are_waited_for(project: Path) -> None:
    with pytest.raises(NothingToDo, match="does not exist yet"):
        run()
    Path(LIST).write_bytes(b"")
    with pytest.raises(NothingToDo, match="is empty"):
        run()


def test_an_unknown_optics_group_sets_aside(project: Path) -> None:
    write_mrc(name_of(0), micrograph(0), 2.0)
    write_list([name_of(0)])
    text = Path(LIST).read_text()
    Path(LIST).write_text(text.replace(f"{name_of(0)}            1", f"{name_of(0)}            2"))
    with pytest.raises(JobFailed, match="optics group 2"):
        run()
    reasons = dict(SetAsideList.read(Path(DIRECTORY)).reasons())
    assert reasons[name_of(0)] == "optics group 2 is not in the optics table"


def test_a_list_that_is_no_star_fails(project: Path) -> None:
    Path(LIST).write_text("data_micrographs\n\nloop_\n_rlnMicrographName #1\na b c\n")
    with pytest.raises(JobFailed):
        run()


def test_options_become_relions_flags() -> None:
    words = AutoPicking.command_line(OPTIONS, DIRECTORY, False)
    text = " ".join(words)
    for part in (
        "--odir AutoPick/job003/ --pickname autopick",
        "--LoG --LoG_diam_min 110",
        "--LoG_diam_max 140",
        "--lowpass 20",
        "--LoG_adjust_threshold 0",
    ):
        assert part in text
    assert "--threshold" not in words
    helix = AutoPickOptions(
        fn_input_autopick="a.star",
        fn_refs_autopick="r.mrcs",
        do_pick_helical_segments=True,
        helical_nr_asu=5,
        helical_rise=4.75,
    )
    words = AutoPicking.command_line(helix, DIRECTORY, True)
    assert words[words.index("--min_distance") + 1] == "23.75"
    assert "--only_do_unfinished" in words
    maps = helix.changed(do_write_fom_maps=True)
    assert "--only_do_unfinished" not in AutoPicking.command_line(maps, DIRECTORY, True)


def test_helices_need_templates_and_a_step(project: Path) -> None:
    """They are not picked as something else."""
    helix = AutoPickOptions(fn_input_autopick=LIST, fn_refs_autopick="r.mrcs", do_pick_helical_segments=True)
    assert "Helical rise" in AutoPicking.check(helix)[0]
    assert not AutoPicking.check(helix.changed(helical_nr_asu=5, helical_rise=4.75))
    words = [*AutoPicking.command_line(OPTIONS, DIRECTORY, False), "--helix"]
    context = RunContext(Path(DIRECTORY), say=str, warn=str)
    with pytest.raises(JobFailed, match="templates"):
        AutoPicking(AutoPicking.program.parse(words), context).run()


def test_form_refuses_what_cannot_work() -> None:
    assert AutoPicking.check(AutoPickOptions()) == [
        "Input micrographs for autopick: is empty",
        "2D references: is empty (or choose another method)",
    ]
    wrong = OPTIONS.changed(log_diam_min=200, log_diam_max=100)
    assert AutoPicking.check(wrong) == ["Min. diameter for LoG filter is larger than the maximum"]
