"""Refinements of maps with input that is not right: told before the first iteration, or doubted with a figure."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from maps_runs import AUTO, BOX, PIXEL, map_of_blobs, refine, simulate
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star

N = 24
CLASSES = [word for word in AUTO if word not in ("--auto_refine", "--split_random_halves", "--firstiter_cc")]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate(N)
    return tmp_path


def ball(radius: float, centre: int = 0) -> np.ndarray:
    axis = np.arange(BOX) - BOX // 2 - centre
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return (z * z + y * y + x * x < radius**2).astype(np.float32)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert refine(*AUTO, "--o", "job/run", "--iter", "1", *words) == 1
    said = capsys.readouterr()
    assert "Expectation" not in said.out
    return said.err


def with_subsets(values: list[int]) -> None:
    table = read_star("particles.star")["particles"].with_columns({"rlnRandomSubset": values})
    write_star("particles.star", [read_star("particles.star")["optics"], table])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sym", "X3"], "unknown point group 'X3': known are C1, Cn"),
        (["--relax_sym", "Q"], "unknown point group 'Q'"),
        (["--K", "2"], "half-sets are refined with one 3D reference"),
        (["--denovo_3dref"], "leave out --ref, or this flag"),
        (["--ref", "none.mrc"], "none.mrc"),
        (["--ref", "None"], "half-sets are refined with one 3D reference"),
        (["--solvent_mask", "none.mrc"], "the mask cannot be read"),
        (["--sigma_tilt", "3"], "--sigma_tilt alone"),
        (["--sigma_ang", "3"], "has no rlnAngleRot"),
    ],
)
def test_impossible_requests_are_refused(words, told, capsys):
    assert told in refused(capsys, *words)


@pytest.mark.parametrize(
    ("mask", "pixel", "told"),
    [
        (2 * ball(9), PIXEL, "values outside [0, 1]: from 0 to 2"),
        (0 * ball(9), PIXEL, "is empty"),
        (np.where(ball(9) > 0, np.nan, 0), PIXEL, "not finite"),
        (ball(9)[:-2, :-2, :-2], PIXEL, "is 22 x 22 x 22 px, the references are 24 x 24 x 24 px"),
        (ball(9), 3.0, "has pixels of 3 A, the references of 6 A"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_refused(mask, pixel, told, capsys):
    write_mrc("mask.mrc", mask.astype(np.float32), pixel)
    assert told in refused(capsys, "--solvent_mask", "mask.mrc")


def test_a_mask_beside_the_particle_is_doubted_with_a_figure(capsys):
    write_mrc("mask.mrc", ball(4, centre=7), PIXEL)
    assert refine(*AUTO, "--o", "job/run", "--iter", "1", "--solvent_mask", "mask.mrc") == 0
    assert "% of the reference's power" in capsys.readouterr().err
    write_mrc("mask.mrc", ball(11), PIXEL)
    assert refine(*AUTO, "--o", "job/run", "--iter", "1", "--solvent_mask", "mask.mrc") == 0
    assert "reference's power" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("subsets", "told"),
    [
        ([1, 2] * (N // 2 - 1) + [1, 0], "1 of 24 particles have no half-set: rlnRandomSubset of 000024@"),
        ([2] * N, "none of the 24 particles belongs to half-set 1"),
    ],
)
def test_half_sets_that_are_not_whole_are_refused(subsets, told, capsys):
    with_subsets(subsets)
    assert told in refused(capsys)


def test_half_sets_of_the_list_are_kept_and_those_drawn_come_back_with_the_seed():
    given = [1] * (N // 3) + [2] * (N - N // 3)
    assert refine(*AUTO, "--o", "drawn/run", "--iter", "1") == 0
    assert refine(*AUTO, "--o", "again/run", "--iter", "1") == 0
    drawn, again = (
        read_star(f"{name}/run_it001_data.star")["particles"].ints("rlnRandomSubset").tolist()
        for name in ("drawn", "again")
    )
    assert drawn == again and sorted(drawn) == [1] * (N // 2) + [2] * (N // 2) and drawn != sorted(drawn)
    with_subsets(given)
    assert refine(*AUTO, "--o", "given/run", "--iter", "1") == 0
    assert read_star("given/run_it001_data.star")["particles"].ints("rlnRandomSubset").tolist() == given


def test_segments_of_a_filament_stay_in_one_half():
    table = read_star("particles.star")["particles"]
    tubes = [1 + i // 3 for i in range(N)]
    table = table.with_columns({"rlnHelicalTubeID": tubes, "rlnMicrographName": ["mic.mrc"] * N})
    write_star("particles.star", [read_star("particles.star")["optics"], table])
    assert refine(*AUTO, "--o", "job/run", "--iter", "1") == 0
    halves = read_star("job/run_it001_data.star")["particles"].ints("rlnRandomSubset")
    assert all(len(set(halves[3 * k : 3 * k + 3])) == 1 for k in range(N // 3))
    assert sorted(np.bincount(halves)[1:]) == [N // 2, N // 2]


@pytest.mark.parametrize("damage", ["nan", "inverted", "other size"])
def test_references_are_judged_and_brought_to_the_particles_frame(damage, capsys):
    truth = 0.05 * map_of_blobs()
    wrong = {
        "nan": np.where(truth > truth.max() / 2, np.nan, truth),
        "inverted": -truth,
        "other size": np.pad(truth, 4),
    }[damage]
    write_mrc("wrong.mrc", wrong.astype(np.float32), PIXEL)
    if damage == "other size":
        assert refine(*AUTO, "--o", "job/run", "--iter", "1", "--ref", "wrong.mrc") == 0
        assert "(32 px of 6 A) is brought to the particles' 24 px" in capsys.readouterr().out
    else:
        told = {"nan": "not finite", "inverted": "multiply it by -1"}[damage]
        assert told in refused(capsys, "--ref", "wrong.mrc")


def test_files_of_two_runs_are_not_gone_on_with(capsys):
    assert refine(*AUTO, "--o", "one/run", "--iter", "1") == 0
    table = read_star("particles.star")["particles"]
    others = table.with_columns({"rlnMicrographName": [f"other{i % 3}.mrc" for i in range(N)]})
    write_star("particles.star", [read_star("particles.star")["optics"], others])
    assert refine(*AUTO, "--o", "two/run", "--iter", "1") == 0
    shutil.copy("two/run_it001_data.star", "one/run_it001_data.star")
    assert refine("--continue", "one/run_it001_optimiser.star", "--o", "more/run", "--iter", "2") == 1
    assert (
        "are of different runs: 3 groups of its particles (the first is other0.mrc)"
        in capsys.readouterr().err
    )


def test_particles_with_one_view_are_doubted_with_a_figure(capsys):
    tables = {"rlnAngleRot": [10.0] * N, "rlnAngleTilt": [5.0] * N, "rlnAnglePsi": [0.0] * N}
    columns = tables | {"rlnOriginXAngst": [0.0] * N, "rlnOriginYAngst": [0.0] * N}
    table = read_star("particles.star")["particles"].with_columns(columns)
    write_star("particles.star", [read_star("particles.star")["optics"], table])
    words = [*CLASSES, "--o", "job/run", "--iter", "1", "--skip_align", "--K", "1"]
    assert refine(*words) == 0
    assert "90 % of the directions of Fourier space" in capsys.readouterr().err


def test_several_references_come_from_a_list_and_one_becomes_several(capsys):
    """Copies of one map are told apart, because particles are dealt out to them at random."""
    write_mrc("other.mrc", np.ascontiguousarray(0.05 * map_of_blobs(seed=8)), PIXEL)
    write_star("refs.star", [StarTable.from_columns("", {"rlnReferenceImage": ["map.mrc", "other.mrc"]})])
    for name, more in (("two", ["--ref", "refs.star"]), ("one", []), ("cc", ["--firstiter_cc"])):
        assert refine(*CLASSES, "--o", f"{name}/run", "--iter", "2", "--K", "2", *more) == 0
        model = read_star(f"{name}/run_it002_model.star")
        weights = model["model_classes"].floats("rlnClassDistribution")
        assert min(weights) > 0.05 and max(weights) < 0.95
        a, b = (read_mrc(f"{name}/run_it002_class{k:03d}.mrc").data for k in (1, 2))
        assert np.abs(a - b).max() > 0.01 * np.abs(a).max()
    assert refine(*CLASSES, "--o", "job/run", "--iter", "1", "--K", "3", "--ref", "refs.star") == 1
    assert "holds 2 references, but --K asks for 3" in capsys.readouterr().err


def test_a_microscope_that_cannot_be_is_refused(capsys):
    star = read_star("particles.star")
    optics = star["optics"].with_columns({"rlnAmplitudeContrast": [1.0]})
    defocus = {label: [9000.0] * N for label in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")}
    write_star("particles.star", [optics, star["particles"].with_columns(defocus)])
    assert "amplitude contrast of 1 and 300 kV" in refused(capsys, "--ctf")


def test_relaxed_symmetry_without_local_searches_is_told(capsys):
    words = [*CLASSES, "--o", "job/run", "--iter", "1", "--K", "1"]
    assert refine(*words, "--relax_sym", "C2") == 0
    assert "--relax_sym acts in local searches only" in capsys.readouterr().err
