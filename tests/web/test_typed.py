"""The description of the API is typed, and the answers are what it says."""

from __future__ import annotations

import json

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from verglas.web.api import (
    autorun,
    classes,
    drafts,
    job_forms,
    jobs,
    live,
    live_settings,
    maps,
    micrographs,
    notes,
    places,
    projects,
    session,
    tables,
)

MODULES = (
    autorun,
    classes,
    drafts,
    job_forms,
    jobs,
    live,
    live_settings,
    maps,
    micrographs,
    notes,
    places,
    projects,
    session,
    tables,
)
LIST = "CtfFind/job003/micrographs_ctf.star"
MODEL = "Class2D/job006/run_it002_model.star"
A = "MotionCorr/job002/Movies/a.mrc"
ASKED: list[tuple[str, dict[str, object]]] = [
    ("jobs", {}),
    ("jobs/Class2D/job006", {}),
    ("jobs/Class2D/job006/log", {}),
    ("types", {}),
    ("jobs/Class2D/job006/progress", {}),
    ("jobs/Class2D/job006/consequences", {"action": "clean"}),
    ("jobs/Class2D/job006/consequences", {"action": "delete"}),
    ("types/Class2D/form", {}),
    ("nodes", {}),
    ("autorun", {}),
    ("note", {}),
    ("notes", {}),
    ("micrographs", {}),
    ("micrographs/list", {"path": LIST}),
    ("micrographs/grid", {"path": LIST}),
    ("micrographs/info", {"path": A, "list": LIST}),
    ("micrographs/picks", {"node": "AutoPick/job004/coords_suffix_autopick.star", "micrograph": A}),
    ("classes", {}),
    ("classes/gallery", {"model": MODEL}),
    ("maps", {}),
    ("maps/iterations", {"model": MODEL}),
    ("maps/curves", {"path": MODEL}),
    ("tables", {"path": LIST}),
    ("tables/page", {"path": LIST, "block": "micrographs"}),
    ("tables/plot", {"path": LIST, "block": "micrographs", "y": "rlnDefocusU"}),
    ("overview", {}),
    ("figures", {}),
    ("live/live1/file", {"text": "Movies"}),
    ("events", {}),
    ("live", {}),
    ("live/live1", {}),
    ("live/live1/health", {}),
    ("live/live1/movies", {}),
    ("live/live1/shown", {"numbers": [1]}),
    ("live/live1/settings", {}),
    ("drafts", {}),
    ("drafts/classes", {"model": MODEL}),
    ("data-roots", {}),
]


def _routes() -> list[APIRoute]:
    return [each for module in MODULES for each in module.router.routes if isinstance(each, APIRoute)]


@pytest.fixture
def session_files(project):
    folder = project.root / ".verglas/live/live1"
    folder.mkdir(parents=True)
    order = {
        "name": "live1",
        "jobs": {
            "MotionCorr": "MotionCorr/job002/",
            "CtfFind": "CtfFind/job003/",
            "AutoPick": "AutoPick/job004/",
        },
        "devices": ["cpu"],
        "stage_devices": {},
    }
    (folder / "order.json").write_text(json.dumps(order))
    (folder / "state.json").write_text('{"phase": "running"}')
    (folder / "status.json").write_text('{"phase": "running", "found": 1}')
    settings = {"AutoPick": [{"options": {"log_diam_max": "100"}}]}
    (folder / "settings.json").write_text(json.dumps(settings))
    lines = [
        {"k": "taken", "m": 1, "name": "Movies/a.tif", "path": "", "stamp": "", "t": 5.0},
        {"k": "done", "m": 1, "stage": "CtfFind", "v": 1, "figures": {"ice_ring": 0.5}},
    ]
    (folder / "movies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("path, query", ASKED, ids=lambda each: each if isinstance(each, str) else "")
def test_an_answer_is_what_the_description_says(served, session_files, path, query):
    answer = served.get(path, **query)
    assert answer.status_code == 200, answer.text
    (route,) = (
        each for each in _routes() if each.path_regex.match(served.url(path)) and "GET" in each.methods
    )
    TypeAdapter(route.response_model).validate_json(answer.content)


def test_looking_routes_are_typed(served):
    """Each answer that is JSON has a shape; pictures and files have none."""
    untyped = [
        each.path
        for each in _routes()
        if "GET" in each.methods and "dict[str, typing.Any]" in str(each.response_model)
    ]
    assert not untyped


def test_the_description_names_every_shape(served):
    schemas = served.client.get("/api/openapi.json").json()["components"]["schemas"]
    assert {"Jobs", "MoviesShown", "FigureKind", "HealthShown", "DraftShown"} <= schemas.keys()
    assert schemas["MoviesShown"]["properties"]["columns"]["type"] == "object"
