"""A map that follows its particles: what an update adds, takes out, reads and leaves on disc."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maps_runs import AUTO, BOX, PIXEL, refine, same_bytes, simulate
from verglas.cli.program import WAITING
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import read_star, write_star
from verglas.jobs.autorefine.job import AutoRefine3D
from verglas.jobs.refine.images.stacks import StackSource
from verglas.jobs.refine.streaming import update as streaming
from verglas.jobs.refine.streaming.record import read_record, write_record
from verglas.jobs.refine.streaming.warm import warm_options

N, BEGUN = 60, 40
FLAGS = [*AUTO, "--streaming", "--streaming_first", "2", "--i", "now.star"]
FIRST_FILES = {
    "run_class001.mrc",
    "run_data.star",
    "run_model.star",
    "run_optimiser.star",
    "run_sampling.star",
}
HALF_MAPS = {f"run_half{half}_class001_unfil.mrc" for half in (1, 2)}


def listed(rows: Sequence[int], **columns: Sequence[object]) -> None:
    """`now.star`: some of the particles."""
    whole = read_star("particles.star")
    table = whole["particles"].take(np.array(rows, np.int64))
    write_star("now.star", [whole["optics"], table.with_columns(columns)], precision="full")


def updated(folder: str, *more: str) -> int:
    return refine(*FLAGS, "--o", f"{folder}/run", *more)


def kept(folder: str) -> dict[str, np.ndarray]:
    with np.load(f"{folder}/run_stream.npz") as stored:
        return {name: stored[name] for name in stored.files}


def history(folder: str) -> list[dict]:
    return [json.loads(line) for line in Path(folder, "map_history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map that was begun with the first particles, in `begun`."""
    path = tmp_path_factory.mktemp("streaming")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        simulate(N)
        listed(range(BEGUN))
        assert updated("begun") == 0
    return path


@pytest.fixture
def begun(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("upd1", "upd2"):
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree("begun", name)
    listed(range(BEGUN))
    return folder


def test_an_update_leaves_what_a_finished_refinement_does_and_a_line(begun):
    listed(range(50))
    assert updated("upd1") == 0
    names = {path.name for path in Path("upd1").iterdir()}
    assert names >= FIRST_FILES | HALF_MAPS | {"run_stream.npz", "map_history.jsonl"}
    optimiser = read_star("upd1/run_optimiser.star")["optimiser_general"]
    assert optimiser.flag("rlnHasConverged") and optimiser.flag("rlnDoAutoRefine")
    before, after = history("upd1")
    assert (before["update"], after["update"]) == (1, 2)
    assert (after["particles"], after["added"], after["removed"], after["researched"]) == (50, 10, 0, 10)
    assert len(after["fsc"]) == BOX // 2 + 1 and after["resolution_angst"] > 2 * PIXEL
    first, second = (read_star(f"{name}/run_data.star")["particles"] for name in ("begun", "upd1"))
    assert len(second) == 50
    subset = first.ints("rlnRandomSubset")
    np.testing.assert_array_equal(second.ints("rlnRandomSubset")[:BEGUN], subset)
    moved = first.floats("rlnAngleRot") != second.floats("rlnAngleRot")[:BEGUN]
    assert 0 < moved.sum() <= 10
    maps = [read_mrc(f"upd1/{name}").data for name in sorted(HALF_MAPS)]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.2


def test_a_particle_that_goes_leaves_no_trace_in_the_sums(begun):
    """Nor in anything else, if no old particle was searched while it was there."""
    listed(range(BEGUN + 6))
    assert updated("upd1", "--streaming_again", "0") == 0
    listed(range(BEGUN))
    assert updated("upd1", "--streaming_again", "0") == 0
    assert [line["removed"] for line in history("upd1")] == [0, 0, 6]
    never, after = kept("begun"), kept("upd1")
    for name in never:
        if name.startswith("sums"):
            assert np.abs(after[name] - never[name]).max() < 1e-7 * np.abs(never[name]).max(), name
        elif name.startswith("model") and "direction_weights" in name:
            assert np.ptp(after[name]) == 0  # the grid may be another
        elif "accuracy" in name or "orientability" in name:
            continue  # of the last search
        elif name.startswith("model"):
            np.testing.assert_allclose(after[name], never[name], rtol=1e-5, atol=1e-6, err_msg=name)
        elif name not in ("about", "stamps"):
            np.testing.assert_array_equal(after[name], never[name], err_msg=name)


def test_adding_anew_gives_what_taking_out_leaves(begun):
    listed([row for row in range(BEGUN) if row not in (3, 8, 21, 30)])
    record = read_record("upd1/run_stream.npz", "cpu")
    assert record is not None
    write_record("upd2/run_stream.npz", replace(record, kept=replace(record.kept, sums=None)))
    assert updated("upd1") == updated("upd2") == 0
    maps = [read_mrc(f"{name}/run_class001.mrc").data.ravel() for name in ("upd1", "upd2")]
    assert np.corrcoef(*maps)[0, 1] > 0.99


def test_an_image_that_was_extracted_again_replaces_the_old_one(begun, capsys):
    images = read_mrc("particles.mrcs").data
    write_mrc("again.mrcs", images[5:6] * 1.1, PIXEL)
    names = read_star("now.star")["particles"].strings("rlnImageName")
    places = {"rlnCoordinateX": np.arange(BEGUN) * 10.0, "rlnCoordinateY": np.arange(BEGUN) * 5.0}
    listed(range(BEGUN), **places)
    shutil.rmtree("upd1")
    assert updated("upd1") == 0
    before = kept("upd1")
    names[5] = "000001@again.mrcs"
    listed(range(BEGUN), rlnImageName=names, **places)
    assert updated("upd1") == 0
    after, line = kept("upd1"), history("upd1")[-1]
    assert (line["added"], line["removed"], line["researched"]) == (0, 0, 1)
    np.testing.assert_array_equal(before["half"], after["half"])
    half = int(before["half"][5])
    assert np.abs(before[f"sums{half}_data"] - after[f"sums{half}_data"]).max() > 0
    np.testing.assert_array_equal(before[f"sums{1 - half}_data"], after[f"sums{1 - half}_data"])
    Path("again.mrcs").unlink()  # what is in the sums cannot be taken out any more
    capsys.readouterr()
    listed(range(BEGUN), **places)
    assert updated("upd1") == 0
    assert "The sums were made anew" in capsys.readouterr().out
    np.testing.assert_array_equal(kept("upd1")["half"], before["half"])
    assert kept("upd1")["ledger_added"].all()


def test_an_update_reads_the_images_of_new_particles_and_of_its_share_of_old_ones(begun, monkeypatch):
    read: list[int] = []
    real = StackSource.read
    monkeypatch.setattr(
        StackSource, "read", lambda self, rows: (read.extend(int(row) for row in rows), real(self, rows))[1]
    )
    listed(range(BEGUN + 4))
    assert updated("upd1", "--streaming_again", "1.5") == 0
    old = {row for row in read if row < BEGUN}
    assert len(old) == 6 and set(read) - old == set(range(BEGUN, BEGUN + 4))
    read.clear()
    assert updated("upd1", "--streaming_again", "1.5") == 0  # nothing new
    assert not read


def test_old_particles_take_turns(begun):
    for count in (44, 48, 52):
        listed(range(count))
        assert updated("upd1", "--streaming_again", "2") == 0
    searched = kept("upd1")["ledger_searched"]
    assert np.bincount(searched[:BEGUN])[2:].tolist() == [8, 8, 8]


def test_the_halves_never_meet(begun, monkeypatch):
    """What half 2 is given changes nothing in what half 1 sums up."""
    listed(range(N))
    apart = ("--low_resol_join_halves", "-1")
    assert updated("upd1", *apart) == 0
    half = read_star("upd1/run_data.star")["particles"].ints("rlnRandomSubset")
    rng, real = np.random.default_rng(1), StackSource.read

    def noise(self: StackSource, rows: np.ndarray) -> np.ndarray:
        found = real(self, rows)
        strange = (half[rows] == 2) & (rows >= BEGUN)
        found[strange] = rng.normal(0, 1, found[strange].shape)
        return found

    monkeypatch.setattr(StackSource, "read", noise)
    assert updated("upd2", *apart) == 0
    one, two = kept("upd1"), kept("upd2")
    np.testing.assert_array_equal(one["sums0_data"], two["sums0_data"])
    assert np.abs(one["sums1_data"] - two["sums1_data"]).max() > 0


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("where", ["write_iteration", "write_record", "add_to_history"])
def test_an_update_that_is_killed_is_done_again_with_the_same_bytes(begun, monkeypatch, where):
    listed(range(48))
    assert updated("upd1") == 0
    real = getattr(streaming, where)

    def dies(*words: object) -> None:
        if where == "add_to_history" and len(history("upd2")) == 1 and "2" in str(words[1])[:14]:
            raise Killed
        if where == "write_iteration":
            real(*words)
        if where != "add_to_history":
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(streaming, where, dies)
        updated("upd2")
    if where == "add_to_history":  # its work is done: the next update says so first
        listed(range(48))
    assert updated("upd2") == 0
    lines = history("upd2")
    assert [line["update"] for line in lines[:2]] == [1, 2]
    if where != "add_to_history":
        said = ("run_progress.jsonl", "map_history.jsonl", "run_stream.npz")
        assert set(same_bytes("upd1", "upd2", said)) >= FIRST_FILES | HALF_MAPS
        one, two = kept("upd1"), kept("upd2")
        for name in set(one) - {"about"}:
            np.testing.assert_array_equal(one[name], two[name], name)


def test_a_list_that_cannot_make_two_halves_changes_nothing(begun, capsys):
    before = kept("upd1")
    listed([])
    assert updated("upd1") == WAITING
    assert "lists nothing yet" in capsys.readouterr().out
    listed([0])
    assert updated("upd1") == WAITING
    assert "a map of two halves waits for more" in capsys.readouterr().out
    np.testing.assert_array_equal(before["sums0_data"], kept("upd1")["sums0_data"])
    shutil.rmtree("upd1")
    assert updated("upd1") == WAITING


def test_new_particles_may_all_be_of_one_half(begun):
    subset = np.r_[kept("upd1")["half"] + 1, np.full(8, 2)]
    before = kept("upd1")
    listed(range(BEGUN + 8), rlnRandomSubset=subset)
    assert updated("upd1", "--streaming_again", "0") == 0
    after = kept("upd1")
    np.testing.assert_array_equal(before["sums0_data"], after["sums0_data"])
    assert after["ledger_added"].all() and (after["half"][BEGUN:] == 1).all()


def test_most_of_the_list_may_go(begun):
    listed(range(30, BEGUN))
    assert updated("upd1") == 0
    assert history("upd1")[-1]["particles"] == 10 and history("upd1")[-1]["removed"] == 30


def test_other_boxes_and_symmetries_are_refused(begun, capsys):
    whole = read_star("now.star")
    optics = whole["optics"].with_columns({"rlnImagePixelSize": [5.0]})
    write_star("now.star", [optics, whole["particles"]])
    assert updated("upd1") == 1
    assert "pixel size 5 A, but the map was begun with 6 A" in capsys.readouterr().err
    listed(range(BEGUN))
    assert updated("upd1", "--sym", "C2") == 1
    assert "symmetry is C2, but the map was begun with C1" in capsys.readouterr().err


def test_a_damaged_state_is_refused_by_name(begun, capsys):
    path = Path("upd1/run_stream.npz")
    path.write_bytes(path.read_bytes()[:5000])
    assert updated("upd1") == 1
    assert "upd1/run_stream.npz" in capsys.readouterr().err


def test_noise_is_told_from_particles_and_stays_out_of_the_map(folder, tmp_path, monkeypatch):
    images = read_mrc(folder / "particles.mrcs").data.copy()
    junk = np.arange(4, N, 9)
    images[junk] = np.random.default_rng(2).normal(0, 0.7, images[junk].shape)
    monkeypatch.chdir(tmp_path)
    for name in ("particles.star", "map.mrc"):
        shutil.copy(folder / name, name)
    write_mrc("particles.mrcs", images, PIXEL)
    for count in (50, N):
        listed(range(count))
        assert updated("upd1", "--junk_classes", "1", "--streaming_first", "4") == 0
    classes = np.array(read_star("upd1/run_data.star")["particles"].ints("rlnClassNumber"))
    good = np.setdiff1d(np.arange(N), junk)
    assert (classes[junk] == 2).sum() >= len(junk) - 2 and (classes[good] == 2).sum() <= 6
    line = history("upd1")[-1]
    assert line["classes"] == pytest.approx([1 - (classes == 2).mean(), (classes == 2).mean()], abs=1e-4)
    assert line["particles"] == (classes == 1).sum()
    assert len(read_star("upd1/run_class001_data.star")["particles"]) == line["particles"]


def test_a_batch_refinement_begins_where_the_updates_ended(begun):
    own = {"particle_diameter": "110", "do_ctf_correction": "No", "use_gpu": "No", "nr_threads": "1"}
    options, warnings = AutoRefine3D.Options.parse(warm_options("upd1") | own)
    assert not warnings
    words = AutoRefine3D.command_line(options, "warm/", False)
    assert refine(*words, "--iter", "1", "--dont_check_norm", "--random_seed", "1") == 0
    first, after = (
        read_star(name)["particles"] for name in ("upd1/run_data.star", "warm/run_it001_data.star")
    )
    np.testing.assert_array_equal(first.ints("rlnRandomSubset"), after.ints("rlnRandomSubset"))
    sampling = read_star("warm/run_it000_half1_model.star")["model_general"]
    assert sampling.integer("rlnOrientationalPriorMode") == 1  # local from the first iteration on
