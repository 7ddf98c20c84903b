"""The project lock: RELION's, kept short, and never left for a person to delete."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from verglas.project import lock as lock_module
from verglas.project.lock import LOCK, OWNER_FILE, LockTimeout, break_lock, lock_holder, project_lock
from verglas.project.project import Project


def test_while_held_it_looks_like_relions_and_names_us(tmp_path):
    with project_lock(tmp_path, "a test"):
        inside = set(os.listdir(tmp_path / LOCK))
        assert inside == {"lock_default_pipeline.star", OWNER_FILE}
        owner = json.loads((tmp_path / LOCK / OWNER_FILE).read_text())
        assert owner["pid"] == os.getpid()
        assert {"host", "boot", "beat"} <= set(owner)
    assert os.listdir(tmp_path) == []


def test_it_excludes(tmp_path):
    second = project_lock(tmp_path, "second", timeout_s=0.2)
    with project_lock(tmp_path, "first"), pytest.raises(LockTimeout, match=str(os.getpid())), second:
        pass


def test_an_empty_directory_is_a_held_lock(tmp_path):
    """RELION makes the directory first and writes into it afterwards; rename would replace it."""
    (tmp_path / LOCK).mkdir()
    with pytest.raises(LockTimeout), project_lock(tmp_path, "ours", timeout_s=0.2):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_killed_holder_is_taken_over_at_once(tmp_path, caplog):
    code = (
        "import sys, time; from pathlib import Path; from verglas.project.lock import project_lock\n"
        "with project_lock(Path(sys.argv[1]), 'x'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with caplog.at_level(logging.WARNING), project_lock(tmp_path, "next"):
        pass
    assert "took over" in caplog.text
    assert [name for name in os.listdir(tmp_path) if "lock" in name] == []


def test_a_lock_without_owner_is_waited_for_then_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "FOREIGN_PATIENCE_S", 0.3)
    (tmp_path / LOCK).mkdir()
    (tmp_path / LOCK / "lock_default_pipeline.star").write_text("RELION was here")
    begin = time.monotonic()
    with project_lock(tmp_path, "ours"):
        assert time.monotonic() - begin >= 0.3


def test_a_holder_on_another_machine_is_judged_by_its_counter(tmp_path, monkeypatch):
    (tmp_path / LOCK).mkdir()
    owner = {"host": "elsewhere", "boot": "b", "pid": 1, "started": "2", "token": "t", "beat": 0}
    for beat in range(4):  # as long as it counts, it lives
        (tmp_path / LOCK / OWNER_FILE).write_text(json.dumps({**owner, "beat": beat}))
        with pytest.raises(LockTimeout), project_lock(tmp_path, "ours", timeout_s=0.25):
            pass
    monkeypatch.setattr(lock_module, "REMOTE_PATIENCE_S", 0.3)
    with project_lock(tmp_path, "ours"):
        pass


def test_a_process_of_an_earlier_boot_is_dead(tmp_path):
    from verglas.project.owner import Owner

    owner = replace(Owner.this_process(), boot="before the power cut")
    assert owner.is_alive() is False
    assert Owner.this_process().is_alive() is True
    assert replace(Owner.this_process(), started="0").is_alive() is False  # a reused process id


def test_unlock_removes_it_at_once_and_the_holder_does_not_mind(tmp_path):
    with project_lock(tmp_path, "x"):
        assert lock_holder(tmp_path) is not None
        assert break_lock(tmp_path) is not None
        with project_lock(tmp_path, "y"):
            pass
    assert break_lock(tmp_path) is None


COUNT_UP = """
import sys, time
from verglas.project.project import Project
project, longest = Project.open(sys.argv[1]), 0.0
for _ in range(10):
    with project.change("count") as change:
        begin = time.monotonic()
        change.graph.counter += 1
"""


def test_four_processes_lose_no_change(tmp_path):
    project = Project.create(tmp_path)
    words = [sys.executable, "-c", COUNT_UP, str(tmp_path)]
    processes = [subprocess.Popen(words) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert project.graph().counter == 41
