"""Autorun goes on with a live session's jobs: nothing is computed again, new movies are taken."""

from __future__ import annotations

import pytest

from verglas.scheduler.autorun import Autorun
from verglas.scheduler.schedule import Order, ScheduleFolder


def _files(project) -> dict:
    return {
        path: path.stat().st_mtime_ns
        for name in ("MotionCorr", "CtfFind", "AutoPick", "Extract")
        for path in project.root.glob(f"{name}/*/Movies/*")
    }


@pytest.mark.slow
def test_autorun_takes_over_and_the_session_takes_back(project, movies, write_movie, make_session, finish):
    for number in range(3):
        write_movie(movies / f"m{number}.mrc", number)
    folder = make_session("rlnDefocusU <= 15000")
    finish(folder)
    before = _files(project)
    lists = {path: path.read_bytes() for path in project.root.glob("*/job*/*s.star")}
    schedule = ScheduleFolder(project.root, "taken")
    schedule.create(Order("taken", tuple(folder.order().jobs.values())))
    assert Autorun(project, schedule).run() == 0
    assert _files(project) == before
    assert {path: path.read_bytes() for path in lists} == lists
    write_movie(movies / "m3.mrc", 3)
    finish(folder)
    after = _files(project)
    assert {path: after[path] for path in before} == before
    assert any("m3" in path.name for path in after)
