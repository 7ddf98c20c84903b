"""Answers of a session's map: written after an update, told in the terminal, alarmed about once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from answers_scene import BAD, JOB, PER_SQUARE, SQUARES, make_session

from verglas.cli.main import main
from verglas.formats.star import read_star, write_star
from verglas.project.project import Project
from verglas.scheduler.events import read_events
from verglas.scheduler.live import answers
from verglas.scheduler.live.answers.history import moments, of_one_kind
from verglas.scheduler.live.answers.told import read_answers
from verglas.scheduler.live.record.map_state import read_history


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_session(tmp_path)


def alarms(root: Path, kind: str) -> list[str]:
    return [event["text"] for event in read_events(root) if event["kind"] == kind]


def test_all_of_it_is_written_and_read_again(session):
    told = answers.write(Project(session.root), session)
    assert told == read_answers(session) and told.unknown == []
    assert told.update == 12 and len(told.history) == 12 and told.forecast.why == ""
    assert told.now.particles > 2 * told.before.particles * 0.9
    assert told.forecast.rate_per_hour == pytest.approx(
        120 * 35, rel=0.15
    )  # of 40 a movie, bad square and junk apart
    assert [each.name for each in told.squares] == [str(1000 + n) for n in range(SQUARES)]
    assert [each.adds.verdict for each in told.squares] == [
        "nothing" if n == BAD else "" for n in range(SQUARES)
    ]
    assert 6 <= len(told.hours) <= 7 and told.hours[0].begin is not None
    assert told.views.poor and told.views.tilt_deg
    said = "\n".join(told.lines)
    assert (
        "Å with" in said
        and "particles" in said
        and f"grid square {1000 + BAD} adds nothing to the map: stop it" in said
    )


def test_terminals_tell_it(session, capsys, monkeypatch):
    # nobody works on this session: bringing it back would start processes
    monkeypatch.setattr("verglas.scheduler.supervisor.revive", lambda root: [])
    answers.write(Project(session.root), session)
    assert main(["live", "status"]) == 0
    said = capsys.readouterr().out
    assert "stop it" in said and "B-factor" in said
    assert main(["status"]) == 0
    assert "live1: map: " in capsys.readouterr().out


def test_alarms_come_once_and_go(session):
    project = Project(session.root)
    answers.write(project, session)
    answers.write(project, session)
    assert len([text for text in alarms(session.root, "alarm") if "too few sides" in text]) == 1
    path = session.root / JOB / "map_history.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    good = path.read_text()
    for line in lines[-2:]:
        line["fsc"], line["resolution_angst"] = [], 9.0
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    told = answers.write(project, session)
    assert "became worse" in told.forecast.why
    assert any("the map got worse" in text for text in alarms(session.root, "alarm"))
    path.write_text(good)
    answers.write(project, session)
    assert any("worse" in text for text in alarms(session.root, "alarm-over"))


def test_what_is_missing_is_named_and_the_rest_is_told(session):
    (session.root / JOB / "run_data.star").unlink()
    told = answers.write(Project(session.root), session)
    assert told.views is None and told.squares == [] and "run_data.star" in told.unknown[0]
    assert told.forecast.targets and told.forecast.rate_per_hour is None
    (session.path / "map.json").unlink()
    assert answers.write(Project(session.root), session) is None


def test_movies_whose_particles_2d_classes_left_out_add_nothing(session):
    path = session.root / JOB / "run_data.star"
    table = read_star(path)["particles"]
    numbers = np.array([int(Path(name).stem[1:]) for name in table.strings("rlnMicrographName")])
    left = np.flatnonzero(numbers // PER_SQUARE != 4)
    write_star(path, [table.take(left)])
    squares = {each.name: each.adds for each in answers.write(Project(session.root), session).squares}
    assert squares["1004"].movies == PER_SQUARE and squares["1004"].verdict == "nothing"


def test_history_goes_on_behind_a_change_of_symmetry_and_before_a_torn_line(session):
    path = session.root / JOB / "map_history.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines[7:]:
        line["symmetry"] = "D7"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"update": 13, "ti')
    assert [line["update"] for line in of_one_kind(read_history(session.root, JOB))] == [8, 9, 10, 11, 12]
    for line in lines:
        line["masked_resolution_angst"] = line["resolution_angst"] - 0.5
    assert moments(lines)[0].resolution_angst == pytest.approx(lines[0]["masked_resolution_angst"], abs=1e-3)
