"""Killed at an event of its file system, whatever changes a project leaves it as before or as after.

A sample; everything at every event: benchmarks/kill_points.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import kill_points

SAMPLE = {
    "job schedule Select": 6,  # every so many events
    "job delete 2": 6,
    "job undelete": 6,
    "job alias 3 second": 6,
    "job mark 6": 6,
    "live classes --choose": 7,
    "live classes --templates": 20,
    "live snapshot friday (classes)": 25,
    "PUT micrographs/picks": 14,
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Makes the template of a suite when it is first asked for, with its job types in force."""
    made = {}

    def template(suite, setenv):
        kill_points.use_fakes(suite.fakes, setenv)
        if suite.name not in made:
            made[suite.name] = suite.make_template(tmp_path_factory.mktemp("kill") / "template")
        return made[suite.name]

    return template


@pytest.mark.parametrize("name", SAMPLE)
def test_what_is_killed_is_done_or_not_done(templates, monkeypatch, name):
    suite, case = kill_points.suite_of(name)
    template = templates(suite, monkeypatch.setenv)
    report = kill_points.kill_everywhere(case, template, template.parent, every=SAMPLE[name])
    assert report.wrong == {}
    assert report.before > 0
    assert report.after > 0
