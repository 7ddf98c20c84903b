"""Live sessions through the routes: what is asked of the command line, and what is refused before it."""

from __future__ import annotations

import json
import sys

import pytest

from verglas.web import live


@pytest.fixture
def asked(monkeypatch):
    """Words that would have been run."""
    found: list[list[str]] = []

    def instead(project, words, timeout_s=0.0):
        found.append(list(words))
        return ["done"]

    monkeypatch.setattr(live, "command", instead)
    return found


@pytest.fixture
def session(project):
    """A session that wrote three movies, one of them set aside."""
    folder = project.root / ".verglas/live/live1"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text("{}")
    (folder / "state.json").write_text('{"phase": "running"}')
    (folder / "status.json").write_text('{"phase": "running", "found": 3}')
    lines = [
        {"k": "taken", "m": n, "name": f"Movies/{n}.tif", "path": "", "stamp": "", "t": 5.0 + n}
        for n in (1, 2, 3)
    ]
    figures = {"ctf_resolution_angst": 4.5}
    lines.append({"k": "done", "m": 1, "stage": "CtfFind", "v": 1, "figures": figures})
    lines.append({"k": "aside", "m": 2, "stage": "CtfFind", "why": "fit 9 Å, limit 6 Å"})
    (folder / "movies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return "live1"


def test_figures_and_reasons_of_every_movie(served, session):
    assert served.get("live").json() == ["live1"]
    assert served.get("live/live1").json()["state"]["phase"] == "running"
    found = served.get("live/live1/movies").json()
    assert found["numbers"] == [1, 2, 3] and found["aside"][1] == "fit 9 Å, limit 6 Å"
    assert found["columns"]["ctf_resolution_angst"] == [4.5, None, None]
    assert {"key": "ctf_resolution_angst", "title": "CTF fit", "unit": "Å"} in found["kinds"]
    assert served.get("live/other").status_code == 404


def test_a_folder_is_looked_at_then_started(served, asked, project):
    (project.root / "Movies").mkdir()
    body = {
        "folder": "Movies",
        "given": {"kv": "300", "gain": ""},
        "settings": {"AutoPick.do_log": "Yes"},
    }
    assert served.post("live/look", body).json() == {"lines": ["done"]}
    assert served.post("live", body).status_code == 200
    words = ["start", "Movies", "--kv=300", "--set", "AutoPick.do_log=Yes"]
    assert asked == [[*words, "--look"], words]


@pytest.mark.parametrize(
    "body",
    [
        {"folder": "../elsewhere"},
        {"folder": "/etc"},
        {"folder": "Import", "given": {"foreground": ""}},
        {"folder": "Import", "settings": {"--x": "1"}},
    ],
)
def test_what_is_refused_before_anything_runs(served, asked, body):
    assert served.post("live", body).status_code in (403, 404, 422)
    assert asked == []


def test_verdicts_limits_changes_and_wishes(served, asked, session):
    served.post("live/verdict", {"verdict": "reject", "numbers": [2], "why": "--crack"})
    served.post("live/thresholds", {"text": "rlnCtfMaxResolution <= 6"})
    served.post("live/set", {"values": {"AutoPick.log_diam_max": "150"}, "scope": "12-40"})
    served.post("live/live1/wish", {"wish": "run"})
    assert asked == [
        ["reject", "2", "--why=--crack"],
        ["thresholds", "rlnCtfMaxResolution <= 6"],
        ["set", "AutoPick.log_diam_max=150", "--for", "12-40"],
        ["resume", "live1"],
    ]
    assert served.post("live/set", {"values": {"a.b": "1"}, "scope": "; rm"}).status_code == 422
    assert served.post("live/thresholds", {"text": "--help"}).status_code == 422


def test_a_refusal_of_the_command_is_told_in_its_words(served, monkeypatch):
    answer = served.post("live/verdict", {"verdict": "accept", "numbers": [1]})
    assert answer.status_code == 422 and "no live session" in answer.json()["error"]
    assert sys.executable not in answer.text
