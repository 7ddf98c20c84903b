"""GPUs asked for on the form or by `--gpu` reach the work on every micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from verglas.jobs.autopick.job import AutoPicking
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.contract.micrograph_job import Inputs, Item, MicrographJob
from verglas.jobs.ctffind.job import CtfEstimation
from verglas.jobs.motioncorr.job import MotionCorrection

JOBS: list[Any] = [MotionCorrection, CtfEstimation, AutoPicking]


def job_on(
    kind: Any, there: Sequence[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **options: Any
) -> tuple[MicrographJob, list[tuple[str, str]], list[str]]:
    """A job whose five items only say where they are worked on; what it says and warns."""
    used: list[tuple[str, str]] = []
    lines: list[str] = []

    class Recording(kind):  # type: ignore[misc]
        def read_inputs(self) -> Inputs:
            return Inputs(tuple(Item(f"m{index}", {}, tmp_path / "none") for index in range(5)))

        def is_done(self, item: Item) -> bool:
            return any(item.name == name for name, _ in used)

        def process(self, item: Item, device: str) -> None:
            used.append((item.name, device))

        def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
            pass

    monkeypatch.setattr("verglas.compute.devices.available_devices", lambda: list(there))
    words = kind.command_line(kind.Options(**options), f"{tmp_path}/", False)
    words += [] if "--i" in words else ["--i", "micrographs.star"]
    context = RunContext(tmp_path, say=lines.append, warn=lines.append)
    return Recording(kind.program.parse(words), context), used, lines


@pytest.mark.parametrize("kind", JOBS)
def test_without_asking_the_processor_works(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, used, _ = job_on(kind, ["cuda:0"], monkeypatch, tmp_path, gpu_ids="0")
    MicrographJob.run(job)
    assert [device for _, device in used] == ["cpu"] * 5


@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize(
    ("text", "expected"), [("", ["cuda:0", "cuda:1"]), ("1", ["cuda:1"]), ("1:0", ["cuda:1", "cuda:0"])]
)
def test_the_named_devices_take_turns(
    kind: Any, text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ["cuda:0", "cuda:1"]
    job, used, lines = job_on(kind, there, monkeypatch, tmp_path, use_gpu=True, gpu_ids=text)
    MicrographJob.run(job)
    assert [device for _, device in used] == [expected[n % len(expected)] for n in range(5)]
    assert f" Working on {', '.join(expected)}" in lines


@pytest.mark.parametrize("kind", JOBS)
def test_without_a_gpu_the_job_says_so_and_goes_on(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, used, lines = job_on(kind, ["cpu"], monkeypatch, tmp_path, use_gpu=True, gpu_ids="0")
    MicrographJob.run(job)
    assert {device for _, device in used} == {"cpu"}
    assert any("no GPU" in line for line in lines)


@pytest.mark.parametrize("text", ["3", "a"])
def test_a_device_that_is_not_there_fails_the_job(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, used, _ = job_on(CtfEstimation, ["cuda:0"], monkeypatch, tmp_path, use_gpu=True, gpu_ids=text)
    with pytest.raises(JobFailed, match=f"GPU list '{text}'"):
        MicrographJob.run(job)
    assert not used
