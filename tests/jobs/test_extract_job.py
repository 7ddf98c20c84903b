"""Particle extraction as a job: RELION's files, incremental, bad coordinates and micrographs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import read_mrc, read_mrc_header, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.extract.job import ParticleExtraction
from verglas.jobs.extract.options import ExtractOptions

DIRECTORY = "Extract/job004/"
LIST = "CtfFind/job002/micrographs_ctf.star"
PICKS = "AutoPick/job003/"
OPTIONS = ExtractOptions(star_mics=LIST, coords_suffix=f"{PICKS}coords_suffix_autopick.star", extract_size=64)
XY = [(60.7, 70.2), (100.0, 90.5), (3.0, 140.0)]
CTF = {
    "rlnCtfMaxResolution": 4.5,
    "rlnCtfFigureOfMerit": 0.2,
    "rlnDefocusU": 15000.0,
    "rlnDefocusV": 14500.0,
    "rlnDefocusAngle": 20.0,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in (DIRECTORY, "CtfFind/job002", f"{PICKS}Movies", "MotionCorr/job001/Movies"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    Path(f"{PICKS}coords_suffix_autopick.star").write_text(f"{LIST}\n")
    return tmp_path


def name_of(index: int) -> str:
    return f"MotionCorr/job001/Movies/m{index}.mrc"


def make_micrograph(index: int) -> None:
    random = np.random.default_rng(index)
    image = 50 + 4 * random.standard_normal((160, 200))
    write_mrc(name_of(index), image.astype(np.float32), 1.5)


def write_list(count: int) -> None:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMtfFileName": ["mtf.star"],
        "rlnMicrographOriginalPixelSize": [0.75],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMicrographPixelSize": [1.5],
    }
    rows = {"rlnMicrographName": [name_of(k) for k in range(count)], "rlnOpticsGroup": [1] * count}
    rows |= {label: [value] * count for label, value in CTF.items()}
    table = StarTable.from_columns
    write_star(LIST, [table("optics", optics), table("micrographs", rows)])


def write_picks(index: int, xy: list[tuple[float, float]], fom: float = 5.0) -> None:
    count = len(xy)
    columns = {
        "rlnCoordinateX": [x for x, _ in xy],
        "rlnCoordinateY": [y for _, y in xy],
        "rlnAutopickFigureOfMerit": [fom + k for k in range(count)],
        "rlnClassNumber": [0] * count,
        "rlnAnglePsi": [0.0] * count,
    }
    write_star(f"{PICKS}Movies/m{index}_autopick.star", [StarTable.from_columns("", columns)])


def run(
    options: ExtractOptions = OPTIONS, is_continue: bool = False, extra: tuple[str, ...] = ()
) -> list[str]:
    words = [*ParticleExtraction.command_line(options, DIRECTORY, is_continue), *extra]
    lines: list[str] = []
    context = RunContext(Path(DIRECTORY), say=lines.append, warn=lines.append)
    ParticleExtraction(ParticleExtraction.program.parse(words), context).run()
    return lines


def particles() -> StarTable:
    return read_star(f"{DIRECTORY}particles.star")["particles"]


def aside() -> dict[str, str]:
    return dict(SetAsideList.read(Path(DIRECTORY)).reasons())


def test_files_and_columns_are_relions(project: Path) -> None:
    for index in range(2):
        make_micrograph(index)
        write_picks(index, XY)
    write_list(2)
    run()
    star = read_star(f"{DIRECTORY}particles.star")
    assert star["optics"].labels == (
        "rlnOpticsGroupName",
        "rlnOpticsGroup",
        "rlnMtfFileName",
        "rlnMicrographOriginalPixelSize",
        "rlnVoltage",
        "rlnSphericalAberration",
        "rlnAmplitudeContrast",
        "rlnImagePixelSize",
        "rlnImageSize",
        "rlnImageDimensionality",
    )
    table = star["particles"]
    assert table.labels == (
        "rlnCoordinateX",
        "rlnCoordinateY",
        "rlnAutopickFigureOfMerit",
        "rlnClassNumber",
        "rlnAnglePsi",
        "rlnImageName",
        "rlnMicrographName",
        "rlnOpticsGroup",
        "rlnCtfMaxResolution",
        "rlnCtfFigureOfMerit",
        "rlnDefocusU",
        "rlnDefocusV",
        "rlnDefocusAngle",
        "rlnCtfBfactor",
        "rlnCtfScalefactor",
        "rlnPhaseShift",
    )
    assert len(table) == 6
    assert table.strings("rlnImageName")[4] == f"000002@{DIRECTORY}Movies/m1.mrcs"
    header = read_mrc_header(f"{DIRECTORY}Movies/m1.mrcs")
    assert (header.n_images, header.shape_yx, header.pixel_size_angst) == (3, (64, 64), 1.5)
    assert read_star(f"{DIRECTORY}Movies/m0_extract.star")["images"].labels == table.labels


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_preprocess") is None, reason="RELION is not installed")
def test_relion_writes_the_same_list_and_the_same_pixels(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, XY)
    write_list(1)
    run()
    command = ParticleExtraction.command_line(OPTIONS, "Extract/relion/", False)
    subprocess.run(["relion_preprocess", *command], check=True, capture_output=True)
    theirs = Path("Extract/relion/particles.star").read_text().replace("Extract/relion", "X")
    ours = Path(f"{DIRECTORY}particles.star").read_text().replace(DIRECTORY.rstrip("/"), "X")
    assert ours == theirs
    np.testing.assert_allclose(
        read_mrc(f"{DIRECTORY}Movies/m0.mrcs").data, read_mrc("Extract/relion/Movies/m0.mrcs").data, atol=1e-4
    )


def test_rescaled_optics_and_radius(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, XY)
    write_list(1)
    options = OPTIONS.changed(do_rescale=True, rescale=32, do_float16=True)
    assert options.background_radius_px == 12  # 0.75 x 64 / 2 x 32 / 64
    run(options)
    optics = read_star(f"{DIRECTORY}particles.star")["optics"]
    assert optics.number("rlnImagePixelSize") == 3.0
    assert optics.integer("rlnImageSize") == 32
    stack = read_mrc_header(f"{DIRECTORY}Movies/m0.mrcs")
    assert (stack.mode, stack.shape_yx) == (12, (32, 32))


def test_a_repeat_extracts_only_what_is_new(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, XY)
    write_list(1)
    run()
    stack = Path(f"{DIRECTORY}Movies/m0.mrcs")
    before = stack.stat().st_mtime_ns
    make_micrograph(1)
    write_picks(1, XY[:2])
    write_list(2)
    assert " 1 to process, 1 finished before, 2 in all" in run(is_continue=True)
    assert stack.stat().st_mtime_ns == before
    assert len(particles()) == 5


def test_no_coordinates_are_finished_until_they_change(project: Path) -> None:
    make_micrograph(0)
    Path(f"{PICKS}Movies/m0_autopick.star").write_bytes(b"")
    write_list(1)
    for is_continue in (False, True):
        with pytest.raises(NothingToDo, match="coordinates of 1 micrographs hold no particle"):
            run(is_continue=is_continue)
    assert "particles" not in read_star(f"{DIRECTORY}particles.star")
    write_picks(0, XY)
    import os
    import time

    later = time.time() + 10
    os.utime(f"{PICKS}Movies/m0_autopick.star", (later, later))
    run(is_continue=True)
    assert len(particles()) == 3


def test_micrographs_without_a_coordinate_file_are_skipped_and_named(project: Path) -> None:
    for index in range(2):
        make_micrograph(index)
    write_picks(0, XY)
    write_list(2)
    lines = run()
    assert any(f"no coordinates for 1 of 2 micrographs, first {name_of(1)}" in text for text in lines)
    assert len(particles()) == 3


def test_bad_input_is_set_aside_and_the_rest_goes_on(project: Path) -> None:
    for index in range(6):
        make_micrograph(index)
        write_picks(index, XY)
    Path(name_of(1)).write_bytes(Path(name_of(1)).read_bytes()[:4000])
    write_picks(2, [(5000.0, 5000.0)])
    Path(f"{PICKS}Movies/m3_autopick.star").write_text(
        "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n 10 nan\n"
    )
    Path(f"{PICKS}Movies/m4_autopick.star").write_text("data_\n\nloop_\n_rlnFoo #1\n 10\n")
    flat = np.full((160, 200), 5.0, np.float32)
    write_mrc(name_of(5), flat, 1.5)
    write_list(6)
    run()
    reasons = aside()
    assert set(reasons) == {name_of(index) for index in range(1, 6)}
    assert "picked on another binning" in reasons[name_of(2)]
    assert "row 1 has rlnCoordinateY nan" in reasons[name_of(3)]
    assert "no table with rlnCoordinateX and rlnCoordinateY" in reasons[name_of(4)]
    assert "no variance" in reasons[name_of(5)]
    assert len(particles()) == 3


def test_repaired_coordinates_are_tried_again(project: Path) -> None:
    import os
    import time

    make_micrograph(0)
    write_picks(0, [(5000.0, 5000.0)])
    write_list(1)
    with pytest.raises(JobFailed, match=r"none of 1 micrographs has a result: 1 set aside, all 1 co"):
        run()
    assert name_of(0) in aside()
    with pytest.raises(NothingToDo, match="nothing new: of 1 micrographs 1 set aside, all 1 coord"):
        run(is_continue=True)
    write_picks(0, XY)
    later = time.time() + 10
    os.utime(f"{PICKS}Movies/m0_autopick.star", (later, later))
    run(is_continue=True)
    assert not aside()
    assert len(particles()) == 3


def test_a_particle_outside_is_left_out_and_said(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, [*XY, (900.0, 20.0)])
    write_list(1)
    lines = run()
    assert any("1 of 4 coordinates lie outside" in text for text in lines)
    assert len(particles()) == 3


def test_minimum_figure_of_merit_is_strict(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, XY, fom=5.0)  # 5, 6, 7
    write_list(1)
    run(OPTIONS.changed(do_fom_threshold=True, minimum_pick_fom=6.0))
    assert particles().floats("rlnAutopickFigureOfMerit").tolist() == [7.0]


def test_lists_of_relion_4_and_5(project: Path) -> None:
    make_micrograph(0)
    write_picks(0, XY)
    write_list(1)
    columns = {
        "rlnMicrographName": [name_of(0)],
        "rlnMicrographCoordinates": [f"{PICKS}Movies/m0_autopick.star"],
    }
    write_star(f"{PICKS}autopick.star", [StarTable.from_columns("coordinate_files", columns)])
    options = OPTIONS.changed(coords_suffix=f"{PICKS}autopick.star")
    assert "--coord_list" in ParticleExtraction.command_line(options, DIRECTORY, False)
    run(options)
    assert len(particles()) == 3


def test_missing_lists_are_waited_for(project: Path) -> None:
    write_list(1)
    options = OPTIONS.changed(coords_suffix=f"{PICKS}autopick.star")
    with pytest.raises(NothingToDo, match=r"autopick\.star does not exist yet"):
        run(options)


def test_form_refuses_what_cannot_work() -> None:
    assert ParticleExtraction.check(ExtractOptions()) == [
        "micrograph STAR file: is empty",
        "Input coordinates: is empty",
    ]
    both = OPTIONS.changed(
        do_reextract=True, fndata_reextract="a.star", do_reset_offsets=True, do_recenter=True
    )
    assert len(ParticleExtraction.check(both)) == 1
    assert "even numbers" in ParticleExtraction.check(OPTIONS.changed(extract_size=65))[0]


TWO_GROUPS = {
    "rlnOpticsGroupName": ["fine", "coarse"],
    "rlnOpticsGroup": [1, 2],
    "rlnMtfFileName": ["mtf.star"] * 2,
    "rlnMicrographOriginalPixelSize": [0.5, 0.75],
    "rlnVoltage": [300.0, 200.0],
    "rlnSphericalAberration": [2.7, 1.4],
    "rlnAmplitudeContrast": [0.1, 0.07],
    "rlnMicrographPixelSize": [1.0, 1.5],
}


def write_list_of_two_groups(indices: list[int]) -> None:
    """Micrographs of even number are in the fine group, the others in the coarse one."""
    rows: dict[str, list[object]] = {
        "rlnMicrographName": [name_of(k) for k in indices],
        "rlnOpticsGroup": [1 + k % 2 for k in indices],
    }
    rows |= {label: [value] * len(indices) for label, value in CTF.items()}
    table = StarTable.from_columns
    write_star(LIST, [table("optics", TWO_GROUPS), table("micrographs", rows)])


def two_groups() -> None:
    """Four micrographs with their picks, two of each pixel size."""
    random = np.random.default_rng(5)
    for index in range(4):
        image = 50 + 4 * random.standard_normal((160, 200))
        write_mrc(name_of(index), image.astype(np.float32), [1.0, 1.5][index % 2])
        write_picks(index, XY)
    write_list_of_two_groups([0, 1, 2, 3])


@pytest.mark.parametrize(("rescale", "flags"), [(64, ()), (48, ()), (32, ("--premultiply_ctf",))])
def test_micrographs_of_two_pixel_sizes_keep_their_own(
    project: Path, rescale: int, flags: tuple[str, ...]
) -> None:
    """The list says both pixel sizes, and every particle is what its group alone would give."""
    two_groups()
    options = OPTIONS.changed(do_rescale=rescale != 64, rescale=rescale)
    run(options, extra=flags)
    star = read_star(f"{DIRECTORY}particles.star")
    factor = 64 / rescale
    optics, table = star["optics"], star["particles"]
    assert optics.strings("rlnOpticsGroupName") == ["fine", "coarse"]
    assert optics.floats("rlnImagePixelSize") == pytest.approx([factor, 1.5 * factor], rel=1e-6)
    assert set(optics.ints("rlnImageSize").tolist()) == {rescale}
    assert table.ints("rlnOpticsGroup").tolist() == [1] * 3 + [2] * 3 + [1] * 3 + [2] * 3
    together = [read_mrc(f"{DIRECTORY}Movies/m{index}.mrcs") for index in range(4)]
    assert [stack.pixel_size_angst for stack in together] == pytest.approx(
        [factor, 1.5 * factor] * 2, rel=1e-5
    )
    for group in (0, 1):
        write_list_of_two_groups([group, group + 2])
        run(options, extra=flags)
        for index in (group, group + 2):
            alone = read_mrc(f"{DIRECTORY}Movies/m{index}.mrcs")
            np.testing.assert_array_equal(alone.data, together[index].data)


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_preprocess") is None, reason="RELION is not installed")
def test_two_pixel_sizes_as_relion(project: Path) -> None:
    two_groups()
    options = OPTIONS.changed(do_rescale=True, rescale=32)
    run(options)
    command = ParticleExtraction.command_line(options, "Extract/relion/", False)
    subprocess.run(["relion_preprocess", *command], check=True, capture_output=True)
    theirs = Path("Extract/relion/particles.star").read_text().replace("Extract/relion", "X")
    ours = Path(f"{DIRECTORY}particles.star").read_text().replace(DIRECTORY.rstrip("/"), "X")
    assert ours == theirs
    for index in range(4):
        np.testing.assert_allclose(
            read_mrc(f"{DIRECTORY}Movies/m{index}.mrcs").data,
            read_mrc(f"Extract/relion/Movies/m{index}.mrcs").data,
            atol=1e-4,
        )
