"""Killed at an event of its file system, a command leaves the project as before or as after it.

A sample; every command at every event: benchmarks/kill_points.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import kill_points

SAMPLE = ("job schedule Select", "job delete 2", "job undelete", "job alias 3 second", "job mark 6")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        kill_points.use_fakes(patch.setenv)
        yield kill_points.make_template(tmp_path_factory.mktemp("kill") / "template")


@pytest.mark.parametrize("words", SAMPLE)
def test_a_killed_command_is_done_or_not_done(template, words):
    case = next(each for each in kill_points.CASES if each.name.startswith(words))
    report = kill_points.kill_everywhere(case, template, template.parent, every=6)
    assert report.wrong == {}
    assert report.before > 0
    assert report.after > 0
