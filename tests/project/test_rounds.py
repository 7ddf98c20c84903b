"""A repeat's change-over: killed at any instant, the old round or the new one is there, whole."""

from __future__ import annotations

import os
import shutil

import pytest

from verglas.project import rounds
from verglas.project.rounds import begin_first, begin_repeat, finish_first, finish_repeat, recover

NAME = "Class2D/job006/"


def fill(folder, text, files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text} {folder}/{name}\n" if name.endswith(".star") else text)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / NAME
    path.mkdir(parents=True)
    (path / "mine.txt").write_text("a person put this here")
    begin_first(path)
    fill(path, "old", ["run_it000.star", "run_it001.star", "run_it002.star", "sub/a.mrc"])
    (path / "run.out").write_text("log")
    finish_first(path)
    return path


def contents(path):
    return {
        str(each.relative_to(path)): each.read_text().split(" ")[0].strip()
        for each in sorted(path.rglob("*"))
        if each.is_file() and not each.relative_to(path).parts[0].startswith(".")
    }


OLD = {"run_it000.star": "old", "run_it001.star": "old", "run_it002.star": "old", "sub/a.mrc": "old"}
NEW = {"run_it000.star": "new", "run_it001.star": "new", "extra.mrc": "new"}
LASTING = {"mine.txt": "a", "run.out": "log"}


def stage(directory):
    staging = begin_repeat(directory)
    fill(staging, "new", list(NEW))
    return staging


def test_all_names_change_over_and_stale_ones_go(directory):
    staging = stage(directory)
    assert contents(directory) == OLD | LASTING  # until it is complete
    finish_repeat(directory, staging, NAME)
    assert contents(directory) == NEW | LASTING
    assert not staging.exists()


def test_paths_inside_are_final(directory, monkeypatch):
    monkeypatch.chdir(directory.parents[1])
    staging = begin_repeat(directory)
    relative = f"{NAME}{staging.name}/run_it001.mrcs"
    (staging / "run_it001.star").write_text(f"a {relative} b\n")
    finish_repeat(directory, staging, NAME)
    assert (directory / "run_it001.star").read_text() == f"a {NAME}run_it001.mrcs b\n"


def test_a_failed_round_leaves_the_old_one(directory):
    stage(directory)
    again = begin_repeat(directory)
    assert list(again.iterdir()) == []
    assert contents(directory) == OLD | LASTING


def test_leftovers_of_a_first_run_that_died_are_replaced(tmp_path):
    path = tmp_path / "job"
    path.mkdir()
    begin_first(path)
    fill(path, "half", ["run_it000.star", "run_it009.star"])
    staging = stage(path)
    finish_repeat(path, staging, NAME)
    assert contents(path) == NEW


def test_earlier_rounds_can_be_kept(directory):
    for _ in range(3):
        finish_repeat(directory, stage(directory), NAME, keep_rounds=2)
    kept = sorted(each.name for each in (directory / "rounds").iterdir())
    assert kept == ["round002", "round003"]
    assert contents(directory / "rounds/round003") == NEW
    assert {key: value for key, value in contents(directory).items() if "rounds" not in key} == NEW | LASTING


class Killed(BaseException):
    pass


STEPS = ["replace", "unlink", "rename", "link"]


@pytest.mark.parametrize("keep_rounds", [0, 1])
def test_killed_at_every_step(directory, monkeypatch, keep_rounds):
    """Cut the change-over after each single system call, then look, recover, and look again."""
    backup = directory.parent / "backup"
    shutil.copytree(directory, backup)
    for cut in range(200):
        shutil.rmtree(directory)
        shutil.copytree(backup, directory)
        staging = stage(directory)
        left = [cut]
        with monkeypatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, _until(left, getattr(os, name)))
            try:
                finish_repeat(directory, staging, NAME, keep_rounds=keep_rounds)
                ended = True
            except Killed:
                ended = False
        recover(directory)
        found = {key: value for key, value in contents(directory).items() if not key.startswith("rounds/")}
        assert found in (OLD | LASTING, NEW | LASTING), cut
        if keep_rounds and found == NEW | LASTING:
            assert contents(directory / "rounds/round001") == OLD
        if ended:
            assert cut >= 7
            return
    raise AssertionError("the change-over never ended")


def _until(left, call):
    def step(*arguments, **named):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return call(*arguments, **named)

    return step


def test_recovering_twice_is_harmless(directory):
    finish_repeat(directory, stage(directory), NAME)
    assert recover(directory) is False
    assert rounds.present_round(directory).round == 2
