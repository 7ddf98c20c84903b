"""Everything the project page does, without a page."""

from __future__ import annotations

import warnings

from verglas.formats.star import StarTable, write_star
from verglas.project.dialect import Status
from verglas.project.owner import Owner
from verglas.project.project import Project
from verglas.scheduler.supervisor import supervisor_lease
from verglas.web.app import create_app
from verglas.web.settings import WebSettings
from waiting import until

with warnings.catch_warnings():  # httpx is about to be renamed
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


def fields_of(form):
    return {field["key"]: field for tab in form["tabs"] for field in tab["fields"]}


def test_the_graph_and_the_lists(served):
    found = served.get("jobs").json()
    assert [job["name"] for job in found["jobs"]][:2] == ["Import/job001/", "MotionCorr/job002/"]
    assert {job["list"] for job in found["jobs"]} == {"Finished"}
    edges = {(edge["from"], edge["to"]) for edge in found["edges"]}
    assert ("CtfFind/job003/", "AutoPick/job004/") in edges and (
        "CtfFind/job003/",
        "Extract/job005/",
    ) in edges


def test_the_form_is_made_from_the_options(served):
    form = served.get("types/CtfFind/form").json()
    assert form["tabs"][-1]["title"] == "Running"
    known = fields_of(form)
    assert known["input_star_mics"]["kind"] == "node" and known["input_star_mics"]["node"] == "micrographs"
    assert known["do_phaseshift"]["kind"] == "yesno"
    assert all(set(field) >= {"label", "help", "unit", "minimum", "choices"} for field in known.values())


def test_every_type_has_a_form_and_can_be_checked(served):
    for kind in served.get("types").json():
        form = served.get(f"types/{kind['folder']}/form")
        assert form.status_code == 200, kind
        answer = served.post("check", {"type": kind["folder"], "values": form.json()["values"]})
        assert answer.status_code == 200, (kind, answer.text)


def test_check_names_every_wrong_field_at_once(served):
    body = {"type": "Class2D", "values": {"nr_classes": "many", "tau_fudge": "x", "fn_img": ""}}
    found = served.post("check", body).json()
    assert set(found["problems"]) == {"nr_classes", "tau_fudge"}
    found = served.post("check", {"type": "Class2D", "values": {"fn_img": ""}}).json()
    assert found["complaints"]


def test_numbers_beyond_the_slider_are_pointed_out_but_not_defaults_that_mean_something(served):
    values = {"fn_input_autopick": "CtfFind/job003/micrographs_ctf.star", "do_log": "Yes"}
    found = served.post("check", {"type": "AutoPick", "values": {**values, "angpix": "-1"}}).json()
    assert found["warnings"] == {}
    found = served.post("check", {"type": "AutoPick", "values": {**values, "angpix": "70"}}).json()
    assert set(found["warnings"]) == {"angpix"} and not found["problems"]


def test_check_shows_command_outputs_and_greyed_fields(served):
    values = {"fn_img": "Extract/job005/particles.star", "nr_classes": "7", "nr_iter": "3"}
    found = served.post("check", {"type": "Class2D", "values": values}).json()
    assert "--K 7" in found["command"] and found["command"].startswith("verglas refine")
    assert "Class2D/jobNNN/run_it003_data.star" in [node["name"] for node in found["outputs"]]
    ctf = {"input_star_mics": "CtfFind/job003/micrographs_ctf.star", "do_phaseshift": "No"}
    active = served.post("check", {"type": "CtfFind", "values": ctf}).json()["active"]
    assert active["phase_min"] is False


def test_a_chain_is_scheduled_by_its_expected_outputs(served):
    first = served.post(
        "jobs", {"type": "Import", "values": {"fn_in_raw": "New/*.tif"}, "action": "schedule"}
    ).json()["name"]
    offers = {each["name"]: each for each in served.get("nodes", type="movies").json()}
    assert offers[f"{first}movies.star"]["exists"] is False
    second = served.post(
        "jobs",
        {"type": "MotionCorr", "values": {"input_star_mics": f"{first}movies.star"}, "action": "schedule"},
    ).json()["name"]
    scheduled = [job["name"] for job in served.get("jobs").json()["jobs"] if job["list"] == "Scheduled"]
    assert scheduled == [first, second]
    run = served.post("jobs", {"job": second, "values": {}, "action": "run"})
    assert run.status_code == 422 and "not there yet" in run.json()["error"]


def test_a_scheduled_job_is_edited_in_place_and_reordered(served):
    values = {"fn_img": "Extract/job005/particles.star", "nr_iter": "5"}
    names = [
        served.post("jobs", {"type": "Class2D", "values": values, "action": "schedule"}).json()["name"]
        for _ in range(2)
    ]
    edited = served.post("jobs", {"job": names[0], "values": {"nr_iter": "9"}, "action": "schedule"})
    assert edited.json()["name"] == names[0]
    outputs = [node["name"] for node in served.get(f"jobs/{names[0].rstrip('/')}").json()["outputs"]]
    assert f"{names[0]}run_it009_data.star" in outputs and f"{names[0]}run_it005_data.star" not in outputs
    served.post("reorder", {"names": names[::-1]})
    order = [job["name"] for job in served.get("jobs").json()["jobs"] if job["list"] == "Scheduled"]
    assert order == names[::-1]


def test_refused_settings_say_why(served):
    answer = served.post("jobs", {"type": "Class2D", "values": {"fn_img": ""}, "action": "schedule"})
    assert answer.status_code == 422 and "2D classification" in answer.json()["error"]
    answer = served.post("jobs", {"type": "Class2D", "values": {"nr_iter": "x"}, "action": "schedule"})
    assert answer.status_code == 422 and "nr_iter" in answer.json()["error"]


def test_a_job_runs_and_its_log_is_read(served):
    table = StarTable.from_columns("particles", {"rlnImageName": ["1@a.mrcs"], "rlnClassNumber": [3]})
    write_star(served.project.root / "one.star", [table])
    values = {"do_part": "Yes", "fn_part1": "one.star", "fn_part2": "Extract/job005/particles.star"}
    body = {"type": "JoinStar", "values": values, "action": "run"}
    answer = served.post("jobs", body)
    assert answer.status_code == 200, answer.text
    name = answer.json()["name"].rstrip("/")

    def ended():
        return served.get(f"jobs/{name}").json()["list"] == "Finished"

    until(ended)
    log = served.get(f"jobs/{name}/log").json()
    assert log["size"] > 0 and log["lines"]
    assert "verglas joinstar" in served.get(f"jobs/{name}").json()["note"]


def test_alias_note_mark_delete_undelete(served):
    act = "jobs/Class2D/job006/action"
    assert served.post(act, {"action": "alias", "text": "first"}).status_code == 200
    assert served.get("jobs/Class2D/first").json()["alias"] == "Class2D/first/"
    assert served.post(act, {"action": "alias", "text": "job1"}).status_code == 422
    served.post(act, {"action": "note", "text": "good ice"})
    assert served.get("jobs/Class2D/job006").json()["note"] == "good ice"
    served.post(act, {"action": "mark", "text": "failed"})
    assert served.get("jobs/Class2D/job006").json()["status"] == Status.FAILED.label
    told = served.get("jobs/Extract/job005/consequences", action="delete").json()["jobs"]
    assert told == ["Extract/job005/", "Class2D/job006/"]
    moved = served.post("jobs/Extract/job005/action", {"action": "delete"}).json()["moved"]
    assert moved == told and "Extract/job005/" in served.get("jobs").json()["trash"]
    assert served.post("undelete", {"names": ["Extract/job005/"]}).status_code == 200
    assert served.get("jobs/Extract/job005").status_code == 200


def test_a_job_is_marked_only_as_finished_or_failed(served):
    answer = served.post("jobs/Class2D/job006/action", {"action": "mark", "text": "splendid"})
    assert answer.status_code == 422 and "finished or failed" in answer.json()["error"]


def test_notes_of_the_project_and_of_all_jobs(served, project):
    assert served.get("note").json() == {"text": ""}
    assert served.client.put(served.url("note"), json={"text": "grid 7"}).status_code == 200
    assert (project.root / "project_note.txt").read_text() == "grid 7"
    assert served.get("note").json() == {"text": "grid 7"}
    served.post("jobs/Class2D/job006/action", {"action": "note", "text": "good ice"})
    assert served.get("notes").json()[-1]["text"] == "good ice"


def test_an_unknown_job_is_not_found(served):
    assert served.get("jobs/Class2D/job099").status_code == 404
    assert served.get("types/Nonsense/form").status_code == 404


def test_a_job_of_a_type_we_cannot_run_can_be_looked_at(served, project):
    with project.change("foreign") as change:
        from verglas.project.graph import Process

        change.graph.processes["External/job099/"] = Process("External/job099/", "99", "2")
    (project.root / "External/job099").mkdir(parents=True)
    found = served.get("jobs/External/job099")
    assert found.status_code == 200 and found.json()["unknown"] and found.json()["tabs"] == []


def test_the_last_values_of_a_type_are_offered_again(served):
    values = {"fn_img": "Extract/job005/particles.star", "nr_classes": "33"}
    served.post("jobs", {"type": "Class2D", "values": values, "action": "schedule"})
    assert served.get("types/Class2D/form").json()["values"]["nr_classes"] == "33"


def test_user_text_reaches_no_shell(served, project):
    text = "$(touch hacked); `touch hacked` | touch hacked"
    served.post("jobs/Class2D/job006/action", {"action": "note", "text": text})
    values = {"fn_in_raw": f"{text}*.tif", "other_args": "; touch hacked"}
    name = served.post("jobs", {"type": "Import", "values": values, "action": "run"}).json()["name"]
    until(lambda: served.get(f"jobs/{name.rstrip('/')}").json()["list"] != "Running")
    assert not list(project.root.rglob("hacked"))


def test_autorun_is_entered_refused_twice_and_stopped(served, project, monkeypatch):
    from verglas.web.api import autorun

    monkeypatch.setattr(autorun, "ensure_supervisor", _be_supervisor)
    assert served.post("autorun", {}).status_code == 422  # nothing is scheduled
    values = {"fn_img": "Extract/job005/particles.star"}
    served.post("jobs", {"type": "Class2D", "values": values, "action": "schedule"})
    body = {"repeat": 3, "min_wait_min": 5}
    assert served.post("autorun", body).json() == {"name": "schedule1"}
    assert served.post("autorun", body).status_code == 409
    shown = served.get("autorun").json()[0]
    assert shown["repeat"] == 3 and shown["min_wait_min"] == 5 and shown["wanted"]
    assert (project.root / "RUNNING_PIPELINER_schedule1").exists()
    assert served.post("autorun/schedule1/stop", {}).json()["wanted"] is False
    assert served.post("autorun/nothing/stop", {}).status_code == 404


def test_the_websocket_tells_of_changes_and_sends_the_log(served, project):
    log = project.root / "Class2D/job006/run.out"
    log.write_text(' Expectation iteration 1 of 2\n000/??? sec ~~(,_,">' + " " * 54 + "[oo]")
    with served.client.websocket_connect(served.url("watch")) as socket:
        socket.send_json({"job": "Class2D/job006/", "which": "out"})
        first = socket.receive_json()
        assert first["kind"] == "log" and first["lines"][1]["bar"]["fraction"] == 0
        served.post("jobs/Class2D/job006/action", {"action": "alias", "text": "watched"})
        assert socket.receive_json() == {"kind": "changed", "what": ["events", "jobs"]}
        with log.open("a") as out:
            out.write("\r   3/   6 sec " + "." * 30 + '~~(,_,">')
        assert socket.receive_json()["lines"][1]["bar"]["fraction"] == 0.5


def test_the_api_is_documented(served):
    paths = served.client.get("/api/openapi.json").json()["paths"]
    assert len(paths) > 40
    for path, methods in paths.items():
        for method, facts in methods.items():
            assert facts.get("description") or facts.get("summary"), (method, path)


def test_the_api_can_be_read_as_a_page(served):
    page = served.client.get("/api/docs").text
    for path in served.client.get("/api/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page
    assert "run | schedule | continue | overwrite | edit" in page and "<script" not in page


def test_several_projects_are_served_apart(project, tmp_path):
    other = Project.create(tmp_path / "elsewhere" / "project")  # the same name in another place
    settings = WebSettings(
        (project.root, other.root), needs_token=False, allowed_hosts=frozenset({"testserver"})
    )
    with TestClient(create_app(settings)) as client:
        listed = client.get("/api/projects").json()
        assert [each["path"] for each in listed] == [str(project.root), str(other.root)]
        first, second = (each["id"] for each in listed)
        assert first != second
        assert len(client.get(f"/api/p/{first}/jobs").json()["jobs"]) == 6
        assert client.get(f"/api/p/{second}/jobs").json()["jobs"] == []
        path = "CtfFind/job003/micrographs_ctf.star"
        assert client.get(f"/api/p/{first}/tables", params={"path": path}).status_code == 200
        assert client.get(f"/api/p/{second}/tables", params={"path": path}).status_code == 404


def _be_supervisor(root):
    """No process is started: this one passes for the supervisor."""
    supervisor_lease(root).give(Owner.this_process())
