"""What is asked of a session: by typed calls, in the server or in a process of its own."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from verglas.jobs.contract.options import OptionError
from verglas.jobs.select.thresholds import read_manual
from verglas.scheduler.live.record.order import LiveFolder
from verglas.web.serving.worker import Worker, WorkerDied

ORDER = {"name": "live1", "jobs": {}, "devices": ["cpu"], "stage_devices": {}}


def where() -> str:
    return os.getcwd()


def refuse(text: str) -> None:
    raise OptionError(text)


def odd() -> None:
    class Odd(Exception):
        pass

    raise Odd("of no module")


def die() -> None:
    os._exit(9)


def shout() -> str:
    print("this is no answer")
    return "an answer"


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


def test_a_worker_answers_in_the_projects_directory(worker, tmp_path):
    assert worker.call(tmp_path, where) == str(tmp_path)
    assert worker.call(tmp_path, shout) == "an answer"
    first = worker.call(tmp_path, os.getpid)
    assert worker.call(tmp_path, os.getpid) == first != os.getpid()


def test_a_workers_complaint_is_the_callers(worker, tmp_path):
    with pytest.raises(OptionError, match="too large"):
        worker.call(tmp_path, refuse, "too large")
    with pytest.raises(RuntimeError, match="Odd: of no module"):
        worker.call(tmp_path, odd)


def test_a_worker_that_dies_is_replaced(worker, tmp_path):
    with pytest.raises(WorkerDied):
        worker.call(tmp_path, die)
    assert worker.call(tmp_path, where) == str(tmp_path)


def test_a_call_that_does_not_end_is_given_up(worker, tmp_path):
    with pytest.raises(WorkerDied, match="more than"):
        worker.call(tmp_path, time.sleep, 60, limit_s=0.2)


@pytest.fixture
def session(project):
    """Three movies with micrographs."""
    folder = LiveFolder(project.root, "live1")
    folder.path.mkdir(parents=True)
    (folder.path / "order.json").write_text(json.dumps(ORDER))
    folder.set_phase("running")
    with open(folder.journal, "w") as out:
        for n in (1, 2, 3):
            taken = {"k": "taken", "m": n, "name": f"Movies/{n}.tif", "path": "", "stamp": ""}
            done = {"k": "done", "m": n, "stage": "MotionCorr", "v": 1, "micrograph": f"{n}.mrc"}
            out.write(json.dumps(taken) + "\n" + json.dumps(done) + "\n")
    return folder


def test_a_verdict_starts_no_process(served, session, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(Worker, "call", lambda *_, **__: pytest.fail("a worker was asked"))
    body = {"verdict": "reject", "numbers": [1, 3], "why": "crack"}
    assert served.post("live/verdict", body).status_code == 200
    assert read_manual(session.manual_file) == {"1.mrc": ("reject", "crack"), "3.mrc": ("reject", "crack")}
    told = served.post("live/verdict", {"verdict": "forget", "numbers": [1]}).json()
    assert told["lines"] == ["1.mrc: as the limits say"]
    assert list(read_manual(session.manual_file)) == ["3.mrc"]


def test_movies_to_try_again_are_not_lost_by_asking_twice(served, session):
    with open(session.journal, "a") as out:
        for n in (1, 2):
            out.write(json.dumps({"k": "aside", "m": n, "stage": "CtfFind", "why": "x"}) + "\n")
    for number in (1, 2):
        assert served.post("live/verdict", {"verdict": "again", "numbers": [number]}).status_code == 200
    assert json.loads(session.requests_file.read_text()) == {"again": [1, 2]}


def test_a_wish_is_written_at_once(served, session, monkeypatch):
    asked = []
    monkeypatch.setattr("verglas.scheduler.live.requests.beginning.ensure_supervisor", asked.append)
    assert served.post("live/live1/wish", {"wish": "pause"}).status_code == 200
    assert session.wished() == "pause" and len(asked) == 1
    session.set_phase("finished")
    refused = served.post("live/live1/wish", {"wish": "pause"})
    assert refused.status_code == 422 and "finished" in refused.json()["error"]


def test_what_cannot_be_asked_is_refused_in_words(served, session):
    answer = served.post("live/verdict", {"verdict": "accept", "numbers": [9]})
    assert answer.status_code == 404 and "9" in answer.json()["error"]
    body = {"folder": "Class2D", "given": {"nonsense": "1"}}
    assert "not asked for" in served.post("live", body).json()["error"]
    body = {"folder": "Class2D", "given": {"workers": "many"}}
    assert "whole number" in served.post("live", body).json()["error"]


def test_a_look_at_a_folder_without_movies_says_so(served, project):
    (project.root / "Empty").mkdir()
    answer = served.post("live/look", {"folder": "Empty"})
    assert answer.status_code in (200, 404, 422), answer.text
    assert Path.cwd() != project.root
