"""Items over workers and ranks: who dies costs one item, and it is known which."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from crashing_work import work

from verglas.compute.executors import Poison, run_tasks
from verglas.compute.workers import Worker


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.parametrize("workers", [1, 3])
def test_all_results_arrive(workers):
    tasks = [f"t{index}" for index in range(10)]
    results = dict(run_tasks(work, tasks, workers=workers, devices=["a", "b"]))
    assert set(results) == set(tasks)
    assert {text.rsplit(" ", 1)[1] for text in results.values()} == {"a", "b"}


def test_a_task_that_always_crashes_is_poison_and_costs_no_other():
    tasks = ["a", "segv", "b", "kill", "c"]
    results = dict(run_tasks(work, tasks, workers=2))
    assert isinstance(results["segv"], Poison)
    assert "SIGSEGV" in str(results["segv"])
    assert not results["segv"].killed
    assert results["kill"].killed
    assert [results[name] for name in "abc"] == ["a on cpu", "b on cpu", "c on cpu"]


def test_a_task_whose_worker_died_once_is_done_after_all(tmp_path):
    task = f"once {tmp_path / 'mark'}"
    results = dict(run_tasks(work, ["a", task], workers=1, isolate=True))
    assert results[task] == f"{task} on cpu"


def test_exceptions_come_through():
    with pytest.raises(ValueError, match="raise cannot be"):
        list(run_tasks(work, ["a", "raise"], workers=2))


def test_a_result_that_cannot_travel_is_an_error_with_a_reason():
    with pytest.raises(RuntimeError, match="function"):
        list(run_tasks(work, ["lambda"], workers=1, isolate=True))


def test_leaving_early_ends_the_workers():
    begin = time.monotonic()
    for task, _ in run_tasks(work, ["a", "sleep 1", "sleep 2"], workers=2):
        assert task == "a"
        break
    assert time.monotonic() - begin < 20


def test_workers_die_with_their_parent(tmp_path):
    code = (
        "import os, signal\nfrom verglas.compute.workers import Worker\nfrom crashing_work import work\n"
        "if __name__ == '__main__':\n    worker = Worker(work, 1)\n    worker.give('sleep', 'cpu')\n"
        "    print(worker.process.pid, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "parent.py").write_text(code)
    done = subprocess.run([sys.executable, str(tmp_path / "parent.py")], capture_output=True, text=True)
    pid = int(done.stdout)
    end = time.monotonic() + 5
    while _is_alive(pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_dead_worker_says_how(tmp_path):
    worker = Worker(work, 1)
    worker.give("segv", "cpu")
    assert str(worker.take()) == "signal SIGSEGV"
    worker.end()


@pytest.mark.slow
def test_over_mpi_ranks(tmp_path):
    pytest.importorskip("mpi4py")
    from verglas.scheduler.command import mpirun_command, process_environment

    code = (
        "from verglas.compute.executors import run_tasks\n"
        "from verglas.compute.ranks import end_rank_workers, rank_executor\n"
        "from crashing_work import work\n"
        "if __name__ == '__main__':\n"
        "    with rank_executor() as executor:\n"
        "        if executor is not None:\n"
        "            tasks = ['a', 'b', 'segv', 'c']\n"
        "            for task, result in run_tasks(work, tasks, executor=executor):\n"
        "                print(task, '->', result, flush=True)\n"
        "    end_rank_workers()\n"
    )
    (tmp_path / "main.py").write_text(code)
    words = [*mpirun_command(), "--oversubscribe", "-n", "3", sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=process_environment()
    )
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    assert lines[0] == "a -> a on cpu"
    assert "SIGSEGV" in lines[3]
    assert not list(tmp_path.glob(".verglas-work*"))
    assert os.environ.get("OMPI_COMM_WORLD_SIZE") is None
