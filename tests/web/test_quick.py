"""What many pages cost: answers made once, sent compressed, only what is new; one look for all."""

from __future__ import annotations

import json
import threading

import pytest

from verglas.web.serving import watching
from verglas.web.serving.answers import Answers, Packed
from verglas.web.serving.assets import STATIC

ORDER = {"name": "live1", "jobs": {"Select": "Select/job007/"}, "devices": ["cpu"], "stage_devices": {}}


@pytest.fixture
def journal(project):
    """The journal of a session of 40 movies."""
    folder = project.root / ".verglas/live/live1"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(json.dumps(ORDER))
    (folder / "status.json").write_text(json.dumps({"phase": "running"}))
    (project.root / "Select/job007").mkdir(parents=True)
    _limits(project, "")
    path = folder / "movies.jsonl"
    with open(path, "a") as out:
        for number in range(1, 41):
            out.write(_taken(number) + _done(number, 3.0 + number / 10))
    return path


def _taken(number):
    line = {"k": "taken", "m": number, "name": f"Movies/{number}.tif", "path": "", "stamp": "", "t": 5.0}
    return json.dumps(line) + "\n"


def _done(number, angst):
    figures = {"ctf_resolution_angst": angst}
    done = {"k": "done", "m": number, "v": 1, "micrograph": f"MotionCorr/job002/{number}.mrc"}
    lines = [{**done, "stage": "CtfFind", "figures": figures}, {**done, "stage": "AutoPick"}]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _limits(project, text):
    (project.root / "Select/job007/job.star").write_text(
        "data_job\n_rlnJobTypeLabel relion.select\n_rlnJobIsContinue 0\ndata_joboptions_values\nloop_\n"
        f'_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\nthresholds "{text}"\n'
    )


def test_only_new_and_changed_movies_are_sent_since_a_version(served, journal):
    every = served.get("live/live1/movies").json()
    assert every["numbers"] == list(range(1, 41)) and every["since"] == ""
    with open(journal, "a") as out:
        out.write(_taken(41) + _done(7, 9.0))
    new = served.get("live/live1/movies", since=every["version"]).json()
    assert new["since"] == every["version"] and new["total"] == 41
    assert new["numbers"] == [7, 41] and new["columns"]["ctf_resolution_angst"] == [9.0, None]
    nothing = served.get("live/live1/movies", since=new["version"]).json()
    assert nothing["numbers"] == [] and nothing["version"] == new["version"]


def test_a_limit_sends_the_movies_whose_verdict_it_changes(served, journal, project):
    version = served.get("live/live1/movies").json()["version"]
    _limits(project, "rlnCtfMaxResolution <= 6.5")
    new = served.get("live/live1/movies", since=version).json()
    assert new["numbers"] == list(range(36, 41)) and set(new["kinds_aside"]) == {"threshold"}
    assert new["thresholds"] == "rlnCtfMaxResolution <= 6.5"


def test_rows_put_together_are_the_whole_answer(served, journal, project):
    known = served.get("live/live1/movies").json()
    for step in range(4):
        with open(journal, "a") as out:
            out.write(_taken(41 + step) + _done(3 * step + 1, 8.0) + _done(41 + step, 5.0))
        if step == 2:
            _limits(project, "rlnCtfMaxResolution <= 5")
        new = served.get("live/live1/movies", since=known["version"]).json()
        for key in ("numbers", "names", "stages", "kinds_aside", "aside", "by_hand", "taken_s"):
            for number, value in zip(new["numbers"], new[key]):
                known[key][number - 1 : number] = [value]
        for key, column in new["columns"].items():
            for number, value in zip(new["numbers"], column):
                known["columns"][key][number - 1 : number] = [value]
        known["version"] = new["version"]
    every = served.get("live/live1/movies").json()
    assert every["columns"] == known["columns"]
    assert all(every[key] == known[key] for key in ("numbers", "names", "kinds_aside", "aside"))


@pytest.mark.parametrize("version", ["nonsense", "00000000-1", "-", "1"])
def test_a_version_of_another_server_gets_all_rows(served, journal, version):
    found = served.get("live/live1/movies", since=version).json()
    assert found["since"] == "" and len(found["numbers"]) == 40


def test_a_journal_that_was_replaced_gets_all_rows(served, journal):
    version = served.get("live/live1/movies").json()["version"]
    journal.unlink()
    journal.write_text(_taken(1))
    found = served.get("live/live1/movies", since=version).json()
    assert found["since"] == "" and found["numbers"] == [1]


def test_ten_askers_wait_for_one_making():
    made = []
    go = threading.Event()

    def make():
        go.wait(30)
        made.append(1)
        return {"rows": list(range(1000))}

    answers = Answers()
    found = []
    askers = [
        threading.Thread(target=lambda: found.append(answers.get(("x",), "1", make))) for _ in range(10)
    ]
    for asker in askers:
        asker.start()
    go.set()
    for asker in askers:
        asker.join(30)
    assert len(made) == 1 and len(found) == 10
    answers.get(("x",), "2", make)
    assert len(made) == 2


def test_answers_are_compressed_and_told_once(served):
    answer = served.get("types/Class2D/form")
    assert answer.headers["content-encoding"] == "gzip"
    mark = answer.headers["etag"]
    again = served.client.get(served.url("types/Class2D/form"), headers={"if-none-match": mark})
    assert again.status_code == 304 and not again.content
    plain = served.client.get(served.url("types/Class2D/form"), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.json() == answer.json()


def test_figures_that_are_none_are_null():
    assert Packed.of({"x": float("nan"), "y": float("inf")}).data == b'{"x":null,"y":null}'


def test_a_first_visit_is_small(served):
    page = served.client.get("/")
    named = [part.split('"')[0] for part in page.text.split("./assets/")[1:]]
    sizes = [int(served.client.get(f"/assets/{name}").headers["content-length"]) for name in named]
    assert sum(sizes) < 300_000
    assert served.client.get("/assets/../index.html").status_code == 404
    assert served.client.get("/assets/nothing.js").status_code == 404
    whole = served.client.get(f"/assets/{named[0]}", headers={"accept-encoding": "identity"})
    assert whole.content == (STATIC / "assets" / named[0]).read_bytes()


def test_changed_says_what_changed(served, project, journal):
    look = watching.Look(project)
    assert look.parts() == []
    with open(journal, "a") as out:
        out.write(_taken(41))
    assert look.parts() == ["movies/live1"]
    (journal.parent / "status.json").write_text('{"phase": "paused"}')
    assert look.parts() == ["live/live1"]
    assert look.parts() == []


def test_however_many_pages_watch_a_project_it_is_looked_at_once(served, monkeypatch):
    looks = []
    original = watching.Look.parts
    monkeypatch.setattr(watching.Look, "parts", lambda self: looks.append(self) or original(self))
    connect = served.client.websocket_connect
    with connect(served.url("watch")) as one, connect(served.url("watch")) as two:
        served.post("jobs/Class2D/job006/action", {"action": "note", "text": "seen by both"})
        assert one.receive_json()["what"] == two.receive_json()["what"] == ["events"]
    assert len(set(map(id, looks))) == 1
