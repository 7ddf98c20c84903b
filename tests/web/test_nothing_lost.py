"""Work that was not saved survives; places are opened by those who may."""

from __future__ import annotations

import pytest

from verglas.project.drafts import TooManyDrafts, drafts_of, save_draft
from verglas.project.project import Project

MICROGRAPH = "MotionCorr/job002/Movies/a.mrc"
MODEL = "Class2D/job006/run_it002_model.star"


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_unsaved_picks_survive_until_they_are_saved(served, project, monkeypatch):
    monkeypatch.setattr("verglas.web.api.micrographs.launch_as", lambda *_: pytest.fail("started"))
    body = {"job": "ManualPick/job007/", "micrograph": MICROGRAPH, "x": [1.5, 2.0], "y": [3.0, 4.0]}
    assert served.client.put(served.url("drafts/picks"), json=body).status_code == 200
    found = served.get("drafts/picks", job="ManualPick/job007/", micrograph=MICROGRAPH).json()
    assert found["draft"] == {"x": [1.5, 2.0], "y": [3.0, 4.0]} and found["saved"]
    (shown,) = served.get("drafts").json()
    assert (shown["kind"], shown["of"], shown["count"]) == ("picks", MICROGRAPH, 2)
    assert served.get("drafts/picks", job="other", micrograph=MICROGRAPH).json()["draft"] is None
    url = served.url(f"drafts/picks?job=ManualPick/job007/&micrograph={MICROGRAPH}")
    assert served.client.delete(url).status_code == 200
    assert served.get("drafts").json() == []


def test_saving_picks_discards_their_draft(served, project):
    from verglas.jobs.registry import job_class
    from verglas.project.registration import register

    kind = job_class("ManualPick")
    options, _ = kind.Options.parse({"fn_in": "CtfFind/job003/micrographs_ctf.star"})
    job = register(project, kind, options)
    body = {"job": job, "micrograph": MICROGRAPH, "x": [1.0], "y": [2.0]}
    served.client.put(served.url("drafts/picks"), json=body)
    assert len(served.get("drafts").json()) == 1
    saved = {"micrograph": MICROGRAPH, "x": [1.0], "y": [2.0]}
    url = served.url(f"micrographs/picks/{job.rstrip('/')}")
    assert served.client.put(url, json=saved).status_code == 200
    assert served.get("drafts").json() == []


def test_a_choice_of_classes_survives_and_is_each_persons_own(locked):
    served, book = locked
    ada, grace = bearer(book.add("ada", "worker")), bearer(book.add("grace", "worker"))
    url = served.url("drafts/classes")
    body = {"model": MODEL, "classes": [1, 2]}
    assert served.client.put(url, json=body, headers=ada).status_code == 200
    ask = f"{url}?model={MODEL}"
    assert served.client.get(ask, headers=ada).json()["draft"] == {"classes": [1, 2]}
    assert served.client.get(ask, headers=grace).json()["draft"] is None
    viewer = bearer(book.add("guest", "viewer"))
    assert served.client.put(url, json=body, headers=viewer).status_code == 403


def test_drafts_do_not_fill_the_disc(project, monkeypatch):
    monkeypatch.setattr("verglas.project.drafts.MOST", 2)
    for name in ("a", "b"):
        save_draft(project, "classes", name, "ada", {"classes": [1]})
    save_draft(project, "classes", "a", "ada", {"classes": [2]})
    with pytest.raises(TooManyDrafts):
        save_draft(project, "classes", "c", "ada", {"classes": [1]})
    assert {each.of for each in drafts_of(project, "ada")} == {"a", "b"}
    (project.root / ".verglas/drafts/torn.json").write_text("{")
    assert len(drafts_of(project, "ada")) == 2


def test_data_directories_are_registered_from_the_page_by_operators(locked, project, tmp_path):
    served, book = locked
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "a.txt").write_text("in the archive")
    operator, worker = bearer(book.add("ada", "operator")), bearer(book.add("eve", "worker"))
    url, shown = served.url("data-roots"), served.url(f"file?path={archive}/a.txt")
    assert served.client.get(shown, headers=operator).status_code == 403
    body = {"folder": str(archive)}
    assert served.client.post(url, json=body, headers=worker).status_code == 403
    assert served.client.post(url, json={"folder": "/"}, headers=operator).status_code == 422
    assert served.client.post(url, json={"folder": "archive"}, headers=operator).status_code == 422
    assert served.client.post(url, json=body, headers=operator).json() == [str(archive)]
    assert served.client.get(shown, headers=operator).text == "in the archive"
    listed = served.client.get(served.url(f"files?folder={archive}"), headers=worker).json()
    assert listed == ["a.txt"]
    gone = served.client.delete(f"{url}?folder={archive}", headers=operator)
    assert gone.json() == [] and served.client.get(shown, headers=operator).status_code == 403


def test_projects_are_made_and_opened_from_the_page(locked, tmp_path):
    served, book = locked
    operator = bearer(book.add("ada", "operator"))
    of_one = bearer(book.add("eve", "operator", project=served.pid))
    place = {"path": str(tmp_path / "new"), "create": True}
    assert served.client.post("/api/projects", json=place, headers=of_one).status_code == 403
    made = served.client.post("/api/projects", json=place, headers=operator).json()
    assert Project.open(tmp_path / "new").graph().processes == {}
    assert served.client.get(f"/api/p/{made['id']}/jobs", headers=operator).json()["jobs"] == []
    listed = served.client.get("/api/projects", headers=operator).json()
    assert made["id"] in [each["id"] for each in listed]
    (tmp_path / "none").mkdir()
    none = served.client.post("/api/projects", json={"path": str(tmp_path / "none")}, headers=operator)
    assert none.status_code == 404 and "verglas new" in none.json()["error"]


def test_folders_of_the_machine_are_shown_to_operators_only(locked, tmp_path, project):
    served, book = locked
    operator, worker = bearer(book.add("ada", "operator")), bearer(book.add("eve", "worker"))
    url = f"/api/folders?path={tmp_path}"
    assert served.client.get(url, headers=worker).status_code == 403
    found = served.client.get(url, headers=operator).json()
    assert {each["name"]: each["is_project"] for each in found["folders"]} == {"project": True}
    assert found["parent"] == str(tmp_path.parent)
    assert served.client.get("/api/folders?path=/nowhere/at/all", headers=operator).status_code == 404
