"""Every route, every parameter, hostile values: nothing outside is told, written or waited for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from verglas.scheduler.launch import Launched
from verglas.scheduler.live.requests.beginning import Look
from verglas.web.api import autorun, jobs, live, live_settings

SECRET = "rlnVerySecret"
HOSTILE = [
    "..",
    "../secret.star",
    "/etc/passwd",
    "outside.star",
    "Outside/secret.star",
    "pipe.star",
    "Class2D",
    "/dev/zero",
    "nul\0byte",
    "a" * 5000,
    "x/" * 1900,
    "$(touch made)'`touch made`\n--help",
    ".verglas/events.jsonl",
]
PLAUSIBLE: dict[str, Any] = {
    "folder": "Class2D",
    "job": "job006",
    "path": "CtfFind/job003/micrographs_ctf.star",
    "x": "",
    "type": "",
    "list": "CtfFind/job003/micrographs_ctf.star",
    "model": "Class2D/job006/run_it002_model.star",
    "data": "Class2D/job006/run_it002_data.star",
    "node": "AutoPick/job004/coords_suffix_autopick.star",
    "micrograph": "MotionCorr/job002/Movies/a.mrc",
    "y": "rlnDefocusU",
    "name": "live1",
    "number": 1,
    "level": 0,
    "column": 0,
    "row": 0,
    "token": "nothing",
    "picture_of": "spectrum",
    "action": "note",
    "micrographs": "CtfFind/job003/micrographs_ctf.star",
    "numbers": [1],
    "values": {},
    "wish": "pause",
    "ask": "off",
    "verdict": "accept",
    "scope": "new",
    "text": "rlnCtfMaxResolution <= 6",
    "classes": [1],
    "limits": [{"figure": "defocus_u_angst", "low": 0}],
    "names": [],
    "jobs": [],
    "given": {},
    "settings": {},
    "start_from": "",
    "figure": "defocus_u_angst",
    "block": "micrographs",
    "key": "classes",
    "session": "",
    "particles": 5,
    "days": 1,
    "low": 0,
    "high": None,
}


@pytest.fixture
def hostile(served, project, monkeypatch) -> Iterator[Any]:
    """The project with a pipe and ways out in it; nothing that is started runs."""
    outside = project.root.parent / "secret.star"
    outside.write_text(f"data_\n\n_{SECRET} 1\n")
    (project.root / "outside.star").symlink_to(outside)
    (project.root / "Outside").symlink_to(outside.parent)
    os.mkfifo(project.root / "pipe.star")
    for name in ("run.out", "run.err", "note.txt"):
        path = project.root / "Class2D/job006" / name
        path.unlink(missing_ok=True)
        path.symlink_to(outside)
    monkeypatch.setattr("verglas.scheduler.launch._start", lambda _, job, *__: Launched(job.name, None))
    looked = Look({}, [], [], [], [])
    answers = {"look_at": looked, "begin_session": "live1", "try_settings": [], "confirm_symmetry_of": []}
    call = lambda _, __, function, *___, **____: answers[function.__name__]  # noqa: E731
    monkeypatch.setattr("verglas.web.serving.worker.Worker.call", call)
    monkeypatch.setattr("verglas.scheduler.live.requests.beginning.ensure_supervisor", lambda *_: None)
    for module in (autorun, jobs, live, live_settings):
        for name in ("ensure_supervisor", "abort", "terminate"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_: None)
    yield served


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for verb, facts in methods.items():
            yield verb, path, facts


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return schema["components"]["schemas"][node["$ref"].rpartition("/")[2]]
    return node


def _body(facts: dict[str, Any], schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Fields of the body by name."""
    content = facts.get("requestBody", {}).get("content", {}).get("application/json", {})
    model = _resolved(content.get("schema", {}), schema)
    return {key: _resolved(value, schema) for key, value in model.get("properties", {}).items()}


def _takes_text(node: dict[str, Any]) -> bool:
    kinds = [node, *node.get("anyOf", [])]
    return any(each.get("type") == "string" and "enum" not in each for each in kinds)


def _with(value: str, node: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    """The hostile value in the places where a field takes text."""
    node = _resolved(node, schema)
    if _takes_text(node):
        return [value]
    if node.get("type") == "array" and _takes_text(_resolved(node["items"], schema)):
        return [[value]]
    if node.get("type") == "object":
        return [{value[:190]: "1"}, {"a": value}, {"MotionCorr.patch_x": value}]
    return []


def _requests(schema: dict[str, Any], value: str) -> Iterator[tuple[str, str, dict, Any, str]]:
    """(verb, path, query, body, what is hostile) for every parameter of every route."""
    for verb, path, facts in _operations(schema):
        parameters = [each for each in facts.get("parameters", []) if each["name"] != "pid"]
        fields = _body(facts, schema)
        for each in parameters:
            for put in _with(value, each["schema"], schema):
                yield (verb, path, {**_plain(parameters), each["name"]: put}, _filled(fields), each["name"])
        for name, node in fields.items():
            for put in _with(value, node, schema):
                yield verb, path, _plain(parameters), {**_filled(fields), name: put}, name


def _plain(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {p["name"]: PLAUSIBLE[p["name"]] for p in parameters if p["name"] in PLAUSIBLE}


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: PLAUSIBLE[key] for key in fields if PLAUSIBLE.get(key) is not None}


def _ask(served, verb: str, path: str, values: dict[str, Any], body: Any):
    from urllib.parse import quote

    query = dict(values)
    address = path.replace("{pid}", served.pid)
    for key in list(query):
        if f"{{{key}}}" in address:
            address = address.replace(f"{{{key}}}", quote(str(query.pop(key)), safe=""))
    sent = body if verb in ("post", "put") else None
    return served.client.request(verb.upper(), address, params=query, json=sent)


def _tree(root: Path, but: Path) -> set[str]:
    found = set()
    for parent, folders, files in os.walk(root):
        if Path(parent) == but:
            folders.clear()
            continue
        found |= {os.path.join(parent, name) for name in (*folders, *files)}
    return found


@pytest.mark.parametrize("value", HOSTILE, ids=lambda text: repr(text[:24]))
def test_no_parameter_of_any_route_is_a_way_out(hostile, project, value):
    schema = hostile.client.app.openapi()
    before = _tree(project.root.parent, project.root)
    wrong = []
    for verb, path, query, body, name in _requests(schema, value):
        answer = _ask(hostile, verb, path, query, body)
        what = f"{verb} {path} with {name}={value[:40]!r}: {answer.status_code} {answer.text[:300]}"
        told = SECRET in answer.text or "root:x:" in answer.text
        refused = answer.status_code >= 400
        place_told = refused and str(project.root.parent) in answer.text
        if answer.status_code >= 500 or told or place_told or (refused and len(answer.text) > 2000):
            wrong.append(what)
    assert not wrong
    assert _tree(project.root.parent, project.root) == before
    assert not (project.root / "made").exists()


def test_every_text_that_a_route_takes_has_an_end(served):
    schema = served.client.app.openapi()
    nodes = [
        (f"{verb} {path}: {name}", node)
        for verb, path, facts in _operations(schema)
        for name, node in {
            **{each["name"]: each["schema"] for each in facts.get("parameters", [])},
            **_body(facts, schema),
        }.items()
    ]
    assert not [what for what, node in nodes if _is_endless(node, schema)]


def _is_endless(node: dict[str, Any], schema: dict[str, Any]) -> bool:
    node = _resolved(node, schema)
    inner = [*node.get("anyOf", []), *([node["items"]] if "items" in node else [])]
    bounded = {"enum", "const", "maxLength", "pattern"} & set(node)
    return (node.get("type") == "string" and not bounded) or any(_is_endless(each, schema) for each in inner)


def test_the_walk_fills_what_routes_need(hostile):
    """Else a hostile value would be refused because something else is missing, and prove nothing."""
    schema = hostile.client.app.openapi()
    for verb, path, facts in _operations(schema):
        parameters = [each for each in facts.get("parameters", []) if each["name"] != "pid"]
        needed = {each["name"] for each in parameters if each.get("required")}
        content = facts.get("requestBody", {}).get("content", {}).get("application/json", {})
        needed |= set(_resolved(content.get("schema", {}), schema).get("required", []))
        assert needed <= PLAUSIBLE.keys(), (verb, path)


def _takes_number(node: dict[str, Any]) -> bool:
    kinds = [node, *node.get("anyOf", [])]
    return any(each.get("type") in ("integer", "number") for each in kinds)


@pytest.mark.parametrize("value", ["-1", "0", "1e308", "nan", "inf", "1" + "0" * 40, "true"])
def test_no_number_is_a_fault(hostile, value):
    schema = hostile.client.app.openapi()
    wrong = []
    for verb, path, facts in _operations(schema):
        parameters = [each for each in facts.get("parameters", []) if each["name"] != "pid"]
        fields = _body(facts, schema)
        asked = [
            ({**_plain(parameters), each["name"]: value}, _filled(fields), each["name"])
            for each in parameters
            if _takes_number(each["schema"])
        ]
        if value not in ("nan", "inf"):  # JSON has none
            asked += [
                (_plain(parameters), {**_filled(fields), name: json.loads(value)}, name)
                for name, node in fields.items()
                if _takes_number(node)
            ]
        for query, body, name in asked:
            answer = _ask(hostile, verb, path, query, body)
            if answer.status_code >= 500:
                wrong.append(f"{verb} {path} with {name}={value}: {answer.text[:200]}")
    assert not wrong
