"""A program of the user's as a job: what it receives, and what becomes of its end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from verglas.jobs.contract.base import JobAborted, JobFailed, NothingToDo, RunContext
from verglas.jobs.contract.control_files import ABORT_NOW
from verglas.jobs.external.job import External
from verglas.jobs.external.options import ExternalOptions

DIRECTORY = "External/job005/"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    return tmp_path


def program(text: str) -> None:
    Path("tool.sh").write_text(f"#!/bin/sh\n{text}\n")
    Path("tool.sh").chmod(0o755)


def job(**options: object) -> External:
    made = ExternalOptions(fn_exe="./tool.sh", **options)
    assert not External.check(made) and External.expected_outputs(made, DIRECTORY) == []
    words = External.command_line(made, DIRECTORY, False)
    context = RunContext(Path(DIRECTORY), say=lambda line: None)
    return External(External.program.parse(words), context)


def test_what_the_program_receives() -> None:
    program('echo "$@" > "$2"words')
    Path("map.mrc").touch()
    job(
        in_3dref="map.mrc",
        param1_label="strength",
        param1_value="0.5 1",
        param3_label="fast",
        nr_threads=3,
        other_args="--name 'a b'",
    ).run()
    wanted = f"--o {DIRECTORY} --in_3dref map.mrc --strength 0.5 1 --fast --j 3 --name a b\n"
    assert Path(DIRECTORY, "words").read_text() == wanted


def test_how_it_ends() -> None:
    program("exit 3")
    with pytest.raises(JobFailed, match="code 3"):
        job().run()
    program(f"touch {DIRECTORY}RELION_JOB_EXIT_FAILURE")
    with pytest.raises(JobFailed, match="EXIT_FAILURE"):
        job().run()
    with pytest.raises(NothingToDo, match=r"absent\.star"):
        job(in_part="absent.star").run()
    Path("tool.sh").unlink()
    with pytest.raises(JobFailed, match="not there"):
        job().run()
    assert External.check(ExternalOptions())


def test_an_abort_ends_the_program() -> None:
    program("exec sleep 100")
    timer = threading.Timer(1.0, lambda: Path(DIRECTORY, ABORT_NOW).touch())
    timer.start()
    began = time.monotonic()
    with pytest.raises(JobAborted):
        job().run()
    timer.join()
    assert time.monotonic() - began < 60
