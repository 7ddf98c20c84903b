"""Micrographs, picks, classes, thresholds, maps and the report through the routes."""

from __future__ import annotations

import io
import time

import numpy as np
from PIL import Image

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.manualpick.files import read_picks

LIST = "CtfFind/job003/micrographs_ctf.star"
NAME = "MotionCorr/job002/Movies/a.mrc"
MODEL = "Class2D/job006/run_it002_model.star"
COORDINATES = "AutoPick/job004/coords_suffix_autopick.star"


def finished(served, name):
    while True:
        job = served.get(f"jobs/{name.rstrip('/')}").json()
        if job["list"] == "Finished":
            return job
        time.sleep(0.2)


def test_the_richest_list_comes_first_and_knows_the_motion(served):
    assert served.get("micrographs").json()["lists"][0] == LIST
    found = served.get("micrographs/list", path=LIST).json()
    assert found["columns"]["motion_angst"] == [9.0, 20.0] and found["pixel_size_angst"] == 2.0
    assert found["columns"]["astigmatism_angst"] == [200.0, 100.0]


def test_a_micrograph_is_shown_in_tiles(served):
    info = served.get("micrographs/info", path=NAME, list=LIST).json()
    assert (info["width"], info["height"]) == (1100, 700)
    answer = served.get("micrographs/tile", path=NAME, level=0, column=2, row=1)
    assert Image.open(io.BytesIO(answer.content)).size == (1100 - 1024, 700 - 512)
    assert served.get("micrographs/tile", path=NAME, level=0, column=9, row=9).status_code == 404
    low = served.get("micrographs/tile", path=NAME, level=1, column=0, row=0, low_pass=20, pixel_size=2)
    assert Image.open(io.BytesIO(low.content)).size == (512, 350)


def test_a_file_that_is_no_micrograph_is_refused_in_words(served, project):
    (project.root / "bad.mrc").write_bytes(b"nothing")
    answer = served.get("micrographs/info", path="bad.mrc", list="")
    assert answer.status_code == 422 and "bad.mrc" in answer.json()["error"]


def test_picks_are_read_copied_edited_and_listed(served, project):
    found = served.get("micrographs/picks", node=COORDINATES, micrograph=NAME).json()
    assert found["x"] == [100.0, 300.0, 500.0] and found["fom"] == [9.0, 5.0, 1.0]
    body = {"list": LIST, "start_from": COORDINATES, "min_fom": 4.0}
    made = served.post("micrographs/manualpick", body).json()
    assert made["copied"] == 2
    finished(served, made["name"])
    job = made["name"].rstrip("/")
    url = served.url(f"micrographs/picks/{job}")
    body = {"micrograph": NAME, "x": [1.0, 2.0, 3.5], "y": [4.0, 5.0, 6.5]}
    assert served.client.put(url, json=body).json() == {"count": 3}
    assert read_picks(project.root / job, NAME) == [(1.0, 4.0), (2.0, 5.0), (3.5, 6.5)]
    node = f"{made['name']}coords_suffix_manualpick.star"
    assert served.get("micrographs/picks", node=node, micrograph=NAME).json()["x"] == [1.0, 2.0, 3.5]
    refused = served.client.put(served.url("micrographs/picks/AutoPick/job004"), json=body)
    assert refused.status_code == 409
    body = {"micrograph": "../../a.mrc", "x": [], "y": []}
    assert served.client.put(url, json=body).status_code == 403


def test_the_gallery_tells_sizes_resolutions_and_iterations(served):
    found = served.get("classes/gallery", model=MODEL).json()
    assert [row["particles"] for row in found["classes"]] == [3, 2, 0]
    assert [row["resolution_angst"] for row in found["classes"]] == [12.0, 18.0, None]
    assert [name[-14:] for name in found["models"]] == ["001_model.star", "002_model.star"]
    assert served.get("classes/sprite", model=MODEL).headers["content-type"] == "image/png"
    members = served.get("classes/members", data=MODEL.replace("_model", "_data"), number=2)
    assert members.headers["x-total"] == "2"


def test_a_choice_of_classes_becomes_a_select_job(served, project):
    answer = served.post("classes/select", {"model": MODEL, "classes": [2], "recenter": False})
    assert answer.status_code == 200, answer.text
    name = answer.json()["name"]
    assert finished(served, name)["status"] == "Succeeded"
    particles = read_star(project.root / name / "particles.star")["particles"]
    assert particles.ints("rlnClassNumber").tolist() == [2, 2]
    backup = read_star(project.root / name / "backup_selection.star").first
    assert backup.ints("rlnSelected").tolist() == [0, 1, 0]
    assert served.get("classes/selection", job=name).json() == {"classes": [2]}
    changed = served.post("classes/select", {"model": MODEL, "classes": [1, 2], "job": name})
    assert changed.json()["name"] == name
    finished(served, name)
    assert len(read_star(project.root / name / "particles.star")["particles"]) == 5
    assert served.post("classes/select", {"model": MODEL, "classes": [9]}).status_code == 422
    assert served.post("classes/select", {"model": MODEL, "classes": []}).status_code == 422


def test_thresholds_become_select_jobs_in_a_row(served, monkeypatch):
    from verglas.web.api import autorun

    monkeypatch.setattr(autorun, "ensure_supervisor", lambda root: None)
    limits = [
        {"figure": "fit_resolution_angst", "low": None, "high": 5.0},
        {"figure": "defocus_u_angst", "low": 8000, "high": None},
    ]
    names = served.post("thresholds", {"micrographs": LIST, "limits": limits}).json()["names"]
    second = served.get(f"jobs/{names[1].rstrip('/')}").json()
    assert second["values"]["fn_mic"] == f"{names[0]}micrographs.star"
    assert second["values"]["select_label"] == "rlnDefocusU" and second["list"] == "Scheduled"
    refused = served.post("thresholds", {"micrographs": LIST, "limits": [{"figure": "beauty"}]})
    assert refused.status_code == 422


def test_a_broken_map_hides_no_other(served, project):
    (project.root / "broken.mrc").write_text("cut off")
    write_mrc(project.root / "m.mrc", np.ones((8, 8, 8), np.float32), 1.0)
    assert served.get("maps").json()["maps"] == ["m.mrc"]
    for route in ("volume", "slice"):
        answer = served.get(f"maps/{route}", path="broken.mrc")
        assert answer.status_code == 422 and "broken.mrc" in answer.json()["error"]


def test_a_map_is_sent_small_and_sliced(served, project):
    write_mrc(project.root / "m.mrc", np.ones((40, 40, 40), np.float32), 1.0)
    assert "m.mrc" in served.get("maps").json()["maps"]
    answer = served.get("maps/volume", path="m.mrc", side=20)
    assert float(answer.headers["x-voxel"]) == 2.0 and len(answer.content) == 1024 + 4 * 20**3
    assert served.get("maps/slice", path="m.mrc", axis="y").status_code == 200
    assert served.get("maps/slice", path=NAME).status_code == 422


def test_the_report_is_one_page_without_scripts_or_foreign_addresses(served):
    answer = served.get("report", sample="<script>alert(1)</script>", microscope="Krios")
    assert answer.status_code == 200
    assert "<script" not in answer.text and "http" not in answer.text.replace("http-equiv", "")
    assert "2 movies of &lt;script&gt;" in answer.text and "Krios" in answer.text


def test_the_overview_leaves_out_what_it_does_not_know(served):
    found = served.get("overview").json()
    assert found["micrographs"] == 2 and found["best_class_angst"] == 12.0
    assert "picks" not in found


def test_an_empty_project_has_empty_pages_not_errors(tmp_path):
    from fastapi.testclient import TestClient

    from verglas.project.project import Project
    from verglas.web.app import create_app
    from verglas.web.projects import project_id
    from verglas.web.settings import WebSettings

    project = Project.create(tmp_path / "new")
    settings = WebSettings((project.root,), False, allowed_hosts=frozenset({"testserver"}))
    with TestClient(create_app(settings)) as client:
        for path in (
            "jobs",
            "types",
            "nodes",
            "autorun",
            "micrographs",
            "classes",
            "maps",
            "overview",
            "events",
            "live",
            "report",
        ):
            assert client.get(f"/api/p/{project_id(project.root)}/{path}").status_code == 200, path


def test_the_slider_of_picks_begins_where_the_picking_job_cut(served, project):
    """Options may move the threshold that the picker found: the picks on disc are what counts."""
    folder = project.root / "AutoPick/job004/Movies"
    columns = {
        "rlnCoordinateX": [100.0, 300.0, 500.0, 700.0],
        "rlnCoordinateY": [110.0, 310.0, 510.0, 600.0],
        "rlnAutopickFigureOfMerit": [9.0, 5.0, 1.0, 0.5],
    }
    head = StarTable.from_columns("picking", {"verglasPickingThreshold": 4.0}, is_list=True)
    star = [head, StarTable.from_columns("candidates", columns)]
    write_star(folder / "a_candidates.star", star)
    found = served.get("micrographs/picks", node=COORDINATES, micrograph=NAME).json()
    assert found["fom"] == [9.0, 5.0, 1.0, 0.5] and found["threshold"] == 1.0


def test_grid_squares_of_a_list_by_the_names_of_its_micrographs(served, project):
    found = served.get("micrographs/grid", path=LIST).json()
    assert found["hole_of"] == [-1, -1] and found["squares"] == []
    star = read_star(project.root / LIST)
    folder = "MotionCorr/job002/Images-Disc1/GridSquare_7/Data"
    names = [f"{folder}/FoilHole_{hole}_Data_1_2_fractions.mrc" for hole in (11, 12)]
    table = star["micrographs"].with_columns({"rlnMicrographName": names})
    write_star(project.root / LIST, [star["optics"], table])
    found = served.get("micrographs/grid", path=LIST).json()
    assert found["hole_of"] == [0, 1] and [each["name"] for each in found["squares"]] == ["7"]
    assert served.get("micrographs/grid", path="../x.star").status_code == 403
