"""Live sessions through the routes: what is asked of them, and what is refused before."""

from __future__ import annotations

import json

import pytest

from verglas.scheduler.live.record.ledger import Ledger
from verglas.scheduler.live.record.map_state import MapState
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.beginning import Beginning, Look
from verglas.scheduler.live.requests.trial import Trial
from verglas.web.api import live, live_settings
from verglas.web.live.work import Resources
from verglas.web.serving.worker import Worker
from waiting import until


@pytest.fixture
def asked(monkeypatch):
    """What would have been done: the function's name and its arguments after the project."""
    found: list[tuple[object, ...]] = []

    def noted(name, answer):
        def instead(*arguments):
            found.append((name, *(each for each in arguments[1:] if not isinstance(each, Ledger))))
            return answer

        return instead

    def call(worker, root, function, *arguments, limit_s=0.0):
        found.append((function.__name__, *arguments[1:]))
        return {"look_at": Look({}, [], [], [], []), "begin_session": "live1"}[function.__name__]

    monkeypatch.setattr(Worker, "call", call)
    for module, name in (
        (live, "give_verdict"),
        (live, "change_thresholds"),
        (live, "ask"),
        (live_settings, "change_settings"),
    ):
        monkeypatch.setattr(module, name, noted(name, ["done"]))
    return found


MICROGRAPH = "MotionCorr/job002/Movies/a.mrc"
JOBS = {
    "Import": "Import/job001/",
    "MotionCorr": "MotionCorr/job002/",
    "CtfFind": "CtfFind/job003/",
    "AutoPick": "AutoPick/job004/",
    "Extract": "Extract/job005/",
    "Class2D": "Class2D/job006/",
    "Select": "Select/job007/",
}
ORDER = {
    "name": "live1",
    "wildcard": "Movies/*.tif",
    "jobs": JOBS,
    "devices": ["cpu"],
    "stage_devices": {},
    "workers": 2,
}
SELECT = """data_job
_rlnJobTypeLabel relion.select
_rlnJobIsContinue 0
data_joboptions_values
loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
thresholds "rlnCtfMaxResolution <= 4"
"""


@pytest.fixture
def session(project):
    """A session that wrote three movies, one of them set aside."""
    folder = project.root / ".verglas/live/live1"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(json.dumps(ORDER))
    (project.root / "Select/job007").mkdir(parents=True)
    (project.root / "Select/job007/job.star").write_text(SELECT)
    (folder / "state.json").write_text('{"phase": "running"}')
    (folder / "status.json").write_text('{"phase": "running", "found": 3}')
    lines = [
        {"k": "taken", "m": n, "name": f"Movies/{n}.tif", "path": "", "stamp": "", "t": 5.0 + n}
        for n in (1, 2, 3)
    ]
    figures = {"ctf_resolution_angst": 4.5}
    lines.append({"k": "done", "m": 1, "stage": "CtfFind", "v": 1, "figures": figures})
    for stage in ("MotionCorr", "AutoPick"):
        figures = {"picks": 40.0, "particles": 40.0} if stage == "AutoPick" else {}
        done = {"k": "done", "m": 1, "stage": stage, "v": 1, "figures": figures}
        lines.append({**done, "micrograph": "MotionCorr/job002/Movies/a.mrc"})
    lines.append({"k": "aside", "m": 2, "stage": "CtfFind", "why": "no rings in the spectrum"})
    settings = {"AutoPick": [{"options": {"log_diam_max": "100"}}]}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "movies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return "live1"


def test_figures_and_reasons_of_every_movie(served, session):
    assert served.get("live").json() == ["live1"]
    assert served.get("live/live1").json()["state"]["phase"] == "running"
    found = served.get("live/live1/movies").json()
    assert found["numbers"] == [1, 2, 3]
    assert found["kinds_aside"] == ["threshold", "failure", ""]
    assert found["aside"][0] == "CTF fit 4.5 Å, accepted is at most 4 Å"
    assert found["aside"][1] == "no rings in the spectrum"
    assert found["thresholds"] == "rlnCtfMaxResolution <= 4"
    assert found["columns"]["ctf_resolution_angst"] == [4.5, None, None]
    kinds = {each["key"]: (each["title"], each["unit"]) for each in found["kinds"]}
    assert kinds["ctf_resolution_angst"] == ("CTF fit", "Å")
    for path in ("", "/movies", "/grid", "/health", "/settings", "/file"):
        assert served.get(f"live/other{path}", text="abc").status_code == 404


def test_a_table_that_did_not_change_is_not_sent_again(served, session, project):
    first = served.get("live/live1/movies")
    mark = {"if-none-match": first.headers["etag"]}
    again = served.client.get(served.url("live/live1/movies"), headers=mark)
    assert again.status_code == 304 and not again.content
    with open(project.root / ".verglas/live/live1/movies.jsonl", "a") as journal:
        journal.write(json.dumps({"k": "again", "m": 2, "stamp": ""}) + "\n")
    changed = served.client.get(served.url("live/live1/movies"), headers=mark)
    assert changed.json()["aside"][1] == ""


def test_a_figure_that_is_no_number_is_not_known(served, session, project):
    figures = {"ice_ring": float("nan"), "ctf_merit": float("inf"), "picks": 0.0}
    line = {"k": "done", "m": 3, "stage": "CtfFind", "v": 1, "figures": figures}
    with open(project.root / ".verglas/live/live1/movies.jsonl", "a") as journal:
        journal.write(json.dumps(line) + "\n")
    answer = served.get("live/live1/movies")
    assert "NaN" not in answer.text and "Infinity" not in answer.text
    assert answer.json()["columns"]["ice_ring"][2] is None
    assert answer.json()["columns"]["picks"][2] == 0.0


def test_a_journal_that_begins_anew_is_read_anew(served, session, project):
    assert len(served.get("live/live1/movies").json()["numbers"]) == 3
    journal = project.root / ".verglas/live/live1/movies.jsonl"
    journal.write_text(journal.read_text().splitlines()[0] + "\n")
    assert served.get("live/live1/movies").json()["numbers"] == [1]


def test_what_became_of_a_file(served, session, project):
    status = {"not_taken": [["Movies/9.tif", "still growing"]]}
    (project.root / ".verglas/live/live1/status.json").write_text(json.dumps(status))
    told = [
        served.get("live/live1/file", text=text).json()["lines"][0]
        for text in ("1.tif", "2.tif", "9.tif", "7.tif", "gain.mrc")
    ]
    assert told[0].startswith("Movies/1.tif: taken as movie 1, threshold: CTF fit")
    assert told[1] == "Movies/2.tif: taken as movie 2, failure: no rings in the spectrum"
    assert told[2] == "Movies/9.tif: seen, not taken: still growing"
    assert "no file of that name was seen" in told[3] and "does not match *.tif" in told[4]


def test_the_line_on_top_ends_with_good_particles_goal_and_nothing_unknown(served, session, project):
    folder = project.root / ".verglas/live/live1"
    status = {"phase": "running", "particles": 100, "finished": 10, "done_per_hour": 60.0}
    (folder / "status.json").write_text(json.dumps(status))
    found = served.get("live/live1/health").json()
    assert found["good_per_hour"] == 600 and "good_particles" not in found
    assert "goal_hours" not in found and found["goal"] is None
    chosen = {"chosen": [1], "averages": "Class2D/job006/run_it002_classes.mrcs"}
    (folder / "classes.json").write_text(json.dumps(chosen))
    served.client.put(served.url("live/live1/goal"), json={"particles": 420})
    found = served.get("live/live1/health").json()
    assert (found["good_particles"], found["good_share"]) == (3, 0.6)
    assert (found["best_chosen_angst"], found["good_per_hour"]) == (12.0, 360)
    assert (found["goal_missing"], found["goal_hours"]) == (360, 1.0)


def test_the_pages_bring_back_what_died(served, revived):
    until(lambda: served.project.root in revived)


def test_what_a_change_of_settings_costs(served, session, project):
    folder = project.root / ".verglas/live/live1"
    stages = [{"name": "AutoPick", "mean_s": 3.0}, {"name": "Extract", "mean_s": 1.0}]
    (folder / "status.json").write_text(json.dumps({"stages": stages}))
    before = (folder / "settings.json").read_text()
    values = {"AutoPick.log_diam_max": "150"}
    found = served.post("live/live1/cost", {"values": values, "scope": "all"}).json()
    assert (found["movies"], found["stage"], found["seconds_each"]) == (1, "AutoPick", 4.0)
    assert found["session_s"] == 2.0
    found = served.post("live/live1/cost", {"values": values, "scope": "new"}).json()
    assert found["movies"] == 0
    assert (folder / "settings.json").read_text() == before
    wrong = {"values": {"AutoPick": "150"}, "scope": "all"}
    assert served.post("live/live1/cost", wrong).status_code == 422
    options = served.get("live/live1/settings").json()
    assert options == {"AutoPick": {"options": {"log_diam_max": "100"}, "changes": []}}


def test_picks_of_shown_movies_and_pictures_of_a_trial(served, session, project, monkeypatch):
    found = served.get("live/live1/shown", numbers=1).json()[0]
    assert (found["width"], found["height"]) == (0, 0)  # its name is not that of the fixture's file
    assert served.get("live/live1/shown", numbers=9).status_code == 404
    folder = project.root / ".verglas/live/live1/try/1"
    folder.mkdir(parents=True)
    inside, outside = ".verglas/live/live1/try/1/m.mrc", MICROGRAPH
    (project.root / inside).write_bytes((project.root / outside).read_bytes())
    trial = {"number": 1, "name": "a", "now": {"picks": 3.0}, "trial": {"picks": 5.0}}
    files = {"micrograph": inside, "spectrum": "", "picks": ""}
    trial |= {"now_files": {**files, "micrograph": outside}, "trial_files": files, "aside": ""}
    (folder / "trial.json").write_text(json.dumps(trial))
    assert served.get("live/live1/try/1/micrograph").headers["content-type"] == "image/jpeg"
    assert served.get("live/live1/try/1/spectrum").status_code == 404
    assert served.get("live/live1/try/2/micrograph").status_code == 404
    trial["trial_files"] = {"micrograph": outside}
    (folder / "trial.json").write_text(json.dumps(trial))
    assert served.get("live/live1/try/1/micrograph").status_code == 404  # not the trial's own
    made = Trial(**{**trial, "trial_files": files})
    monkeypatch.setattr(Worker, "call", lambda *_, **__: [made])
    told = served.post("live/live1/try", {"micrographs": [1], "values": {}}).json()[0]
    assert told["figures"] == [{"key": "picks", "title": "Picks", "unit": "", "now": 3.0, "trial": 5.0}]
    assert told["new"]["micrograph"] and told["now"]["width"] == 1100


def test_a_folder_is_looked_at_then_started(served, asked, project):
    (project.root / "Movies").mkdir()
    assert served.post("live/look", {"folder": "Movies/*.tif"}).status_code == 200
    assert asked.pop() == ("look_at", Beginning("Movies/*.tif"))
    body = {"folder": "Movies", "given": {"kv": "300", "gain": ""}, "settings": {"AutoPick.do_log": "Yes"}}
    assert served.post("live/look", body).json()["missing"] == []
    assert served.post("live", body).json()["name"] == "live1"
    beginning = Beginning("Movies", {"kv": "300"}, {"AutoPick": {"do_log": "Yes"}})
    assert asked == [("look_at", beginning), ("begin_session", beginning, Resources())]


@pytest.mark.parametrize(
    "body",
    [
        {"folder": "../elsewhere"},
        {"folder": "/etc"},
        {"folder": "Import", "given": {"foreground": ""}},
        {"folder": "Import", "settings": {"--x": "1"}},
        {"folder": "Import", "given": {"movies": "../../*.tif"}},
        {"folder": "Import", "given": {"movies": "/etc/*.tif"}},
        {"folder": "Import/../../*.tif"},
        {"folder": "/etc/*.tif"},
    ],
)
def test_what_is_refused_before_anything_runs(served, asked, body):
    assert served.post("live", body).status_code in (403, 404, 422)
    assert asked == []


def test_verdicts_limits_changes_and_wishes(served, asked, session, project):
    folder = LiveFolder(project.root, "live1")
    served.post("live/verdict", {"verdict": "reject", "numbers": [2], "why": "--crack"})
    served.post("live/thresholds", {"text": "rlnCtfMaxResolution <= 6"})
    served.post("live/set", {"values": {"AutoPick.log_diam_max": "150"}, "scope": "12-40"})
    served.post("live/live1/wish", {"wish": "run"})
    assert asked == [
        ("give_verdict", ["2"], "reject", "--crack"),
        ("change_thresholds", folder, "rlnCtfMaxResolution <= 6"),
        ("change_settings", folder, {"AutoPick": {"log_diam_max": "150"}}, "12-40"),
        ("ask", folder, "run"),
    ]
    assert served.post("live/set", {"values": {"a.b": "1"}, "scope": "; rm"}).status_code == 422


def test_what_steers_names_the_session_that_is_looked_at(served, asked, session, project):
    served.post("live/thresholds", {"text": "none", "session": "live1"})
    assert asked == [("change_thresholds", LiveFolder(project.root, "live1"), "none")]
    lost = {"verdict": "accept", "numbers": [1], "session": "other"}
    assert served.post("live/verdict", lost).status_code == 404 and len(asked) == 1


def test_one_trial_at_a_time(served, asked, session):
    body = {"micrographs": [1], "values": {}}
    with served.client.app.state.trial:
        assert served.post("live/live1/try", body).status_code == 409
    assert asked == []


def test_a_refusal_is_told_in_its_words(served):
    answer = served.post("live/verdict", {"verdict": "accept", "numbers": [1]})
    assert answer.status_code == 404 and "no live session" in answer.json()["error"]


def test_limits_are_tried_on_the_server(served, session):
    found = served.post("live/live1/preview", {"text": "rlnCtfMaxResolution <= 5"}).json()
    assert found["judged"] == 1 and found["known"] == 1
    assert found["back"] == 1 and found["accepted"] == 1 and found["drop"] == 0
    assert served.post("live/live1/preview", {"text": "nonsense <= 5"}).status_code == 422


def test_the_map_is_shown_and_asked_of(served, session, project, asked, monkeypatch):
    shown = served.get("live/live1/map").json()
    assert shown["state"]["state"] == "waiting for classes" and shown["history"] == []
    folder = project.root / ".verglas/live/live1"
    (project.root / "Refine3D/job008").mkdir(parents=True)
    line = {"update": 1, "particles": 3100, "resolution_angst": 8.1, "fsc": [[0.0, 1.0], [0.1, 0.5]]}
    (project.root / "Refine3D/job008/map_history.jsonl").write_text(json.dumps(line) + "\n{torn")
    state = MapState(
        "up to date", job="Refine3D/job008/", updates=1, particles=3100, resolution_angst=8.1,
        initial_job="InitialModel/job007/", believable="good", proposed_symmetry=[["D7", 0.9, "proposed"]],
    )  # fmt: skip
    (folder / "map.json").write_bytes(state.as_bytes())
    shown = served.get("live/live1/map").json()
    assert [each["particles"] for each in shown["history"]] == [3100]
    assert "3100 particles in C1, 8.1 Å" in shown["line"] and "--confirm D7" in shown["line"]
    monkeypatch.setattr(Worker, "call", lambda *given, **_: [given[2].__name__, *given[4:]])
    told = served.post("live/map", {"ask": "confirm", "symmetry": "D7"}).json()["lines"]
    assert told == ["confirm_symmetry_of", "live1", "D7"]
    assert served.post("live/map", {"ask": "confirm"}).status_code == 422
    served.post("live/map", {"ask": "off"})
    served.post("live/map", {"ask": "again"})
    wish = served.get("live/live1/map").json()["wish"]
    assert (wish["mode"], wish["again"]) == ("off", 1)
    assert "without the diameter" in served.post("live/map", {"ask": "on"}).text
    assert "gone on with already" in served.post("live/map", {"ask": "accept"}).text
