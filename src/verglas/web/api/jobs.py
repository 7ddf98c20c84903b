"""Jobs: lists, graph, logs, and everything a person does to one that exists."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, Field

from verglas.formats.regular import NotAFile
from verglas.jobs.contract.control_files import NOTE, RUN_ERR, RUN_OUT
from verglas.project.confinement import folder as folder_of
from verglas.project.dialect import Status
from verglas.project.editing import mark, reorder, set_alias
from verglas.project.note import write_note
from verglas.project.project import Project
from verglas.project.registration import ForeignJob
from verglas.project.summary import job_summaries, summary
from verglas.project.trash import clean, delete, deleted_jobs, empty, files_to_clean, jobs_to_delete, undelete
from verglas.scheduler.launch import abort, terminate
from verglas.scheduler.schedule import rounds_done
from verglas.web import forms
from verglas.web.api.common import Asked, Asker, FileName, Name, job_of, loaded_job, note_of, record
from verglas.web.logs import last_bar, log_tail
from verglas.web.models import jobs as shapes
from verglas.web.models.base import Named
from verglas.web.progress import refinement_progress
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}", "jobs")
MOST_SEEN = 50_000  # entries of one directory
_STATES = {"finished": Status.SUCCEEDED, "failed": Status.FAILED}


class Action(BaseModel):
    """`text` is the alias, the note, or finished/failed, as the action needs it."""

    action: Literal["abort", "kill", "delete", "clean", "alias", "note", "mark"]
    text: str = Field("", max_length=200_000)
    harsh: bool = False
    recursive: bool = True


class Names(BaseModel):
    names: list[Name] = Field(max_length=10_000)


@router.get("/jobs", response_model=shapes.Jobs)
@routes.status
def jobs(project: Asked) -> dict[str, Any]:
    """All jobs in pipeline order, the edges between them, what lies in Trash."""
    rows = [job.as_dict() | {"list": job.list_title} for job in job_summaries(project)]
    graph = project.graph()
    rounds = rounds_done(project.root)
    for row in rows:
        if row["status"] == "Running":
            row["bar"] = last_bar(project, f"{row['name']}{RUN_OUT}")
        last = rounds.get(str(row["name"]))
        row["last_round"] = asdict(last) if last else None
        if last and last.kind == "succeeded" and row["list"] == "Scheduled":
            row["list"] = "Finished"  # of this round; its schedule has it again in the next
    makers = {node: maker for maker, node in graph.outputs}
    edges = [
        {"from": makers[node], "to": user, "node": node, "type": _type_name(graph.nodes[node])}
        for node, user in graph.inputs
        if node in makers and node in graph.nodes
    ]
    outside = [node for node, _ in graph.inputs if node not in makers]
    return {"jobs": rows, "edges": edges, "outside": outside, "trash": deleted_jobs(project)}


@router.get("/jobs/{folder}/{job}", response_model=shapes.JobShown)
@routes.status
def job(folder: Name, job: Name, project: Asked) -> dict[str, Any]:
    """One job: state, form values, inputs and outputs, note, why it failed."""
    name = job_of(project, folder, job)
    graph = project.graph()
    process = graph.processes[name]
    shown = summary(project, process)
    found: dict[str, Any] = shown.as_dict() | {
        "list": shown.list_title,
        "inputs": [_shown_node(project, graph, node) for node in graph.inputs_of(name)],
        "outputs": [_shown_node(project, graph, node) for node in graph.outputs_of(name)],
        "note": note_of(project, f"{name}{NOTE}"),
        "files": _files(project, name),
        "bar": last_bar(project, f"{name}{RUN_OUT}"),
    }
    try:
        loaded = loaded_job(project, name)
        found |= {
            "title": loaded.job.type.title,
            "tabs": forms.form_of(loaded.job),
            "values": loaded.options.texts(),
            "is_continue": loaded.is_continue,
            "warnings": list(loaded.warnings),
            "type": loaded.job.type.folder,
            "incremental": loaded.job.type.incremental,
            "page": loaded.job.type.page,
            "has_halves": loaded.job.type.has_halves,
        }
    except (ForeignJob, OSError, ValueError) as error:
        found |= {"title": folder, "tabs": [], "values": {}, "unknown": str(error)}
    return found


@router.get("/jobs/{folder}/{job}/log", response_model=shapes.Log)
@routes.status
def log(folder: Name, job: Name, project: Asked, which: Literal["out", "err"] = "out") -> dict[str, Any]:
    """The end of run.out or run.err; progress bars as numbers."""
    name = job_of(project, folder, job)
    return log_tail(project, name + (RUN_OUT if which == "out" else RUN_ERR))


@router.get("/jobs/{folder}/{job}/progress", response_model=shapes.RefinementProgress)
def progress(folder: Name, job: Name, project: Asked) -> dict[str, Any]:
    """Figures of the iterations of a refinement, and the stage it is in."""
    return refinement_progress(project, job_of(project, folder, job))


@router.get("/jobs/{folder}/{job}/consequences", response_model=shapes.Consequences)
@routes.status
def consequences(
    folder: Name, job: Name, project: Asked, action: Literal["delete", "clean"], harsh: bool = False
) -> dict[str, Any]:
    """What deleting or cleaning would move to Trash, before it is done."""
    name = job_of(project, folder, job)
    graph = project.graph()
    if action == "delete":
        return {"jobs": jobs_to_delete(graph, name)}
    files = files_to_clean(project, graph, name, harsh=harsh)
    return {"count": len(files), "files": files[:200]}


@router.post("/jobs/{folder}/{job}/action", response_model=Named)
def act(folder: Name, job: Name, body: Action, project: Asked, person: Asker) -> dict[str, Any]:
    """Abort, end at once (kill), delete, clean, alias, note, mark as finished or failed."""
    name = job_of(project, folder, job)
    result: dict[str, Any] = {"name": name}
    if body.action == "abort":
        abort(project, name)
    elif body.action == "kill":
        terminate(project, name)
    elif body.action == "delete":
        result["moved"] = delete(project, name, recursive=body.recursive)
    elif body.action == "clean":
        result["moved"] = clean(project, name, harsh=body.harsh)
    elif body.action == "alias":
        set_alias(project, name, body.text)
    elif body.action == "note":
        write_note(project.root / name, body.text)
    elif body.text in _STATES:
        mark(project, name, _STATES[body.text])
    else:
        raise HTTPException(422, f"a job is marked as {' or '.join(_STATES)}, not {body.text!r}")
    record(project, person, f"{body.action} {name}")
    return result


@router.post("/undelete")
def bring_back(body: Names, project: Asked, person: Asker) -> dict[str, Any]:
    """Bring jobs back from Trash."""
    for name in body.names:
        undelete(project, name)
        record(project, person, f"undelete {name}")
    return {"names": body.names}


@router.post("/empty-trash")
def empty_trash(project: Asked, person: Asker) -> dict[str, Any]:
    """Remove everything in Trash for good."""
    empty(project)
    record(project, person, "empty trash")
    return {}


@router.post("/reorder")
def put_in_order(body: Names, project: Asked, person: Asker) -> dict[str, Any]:
    """Put scheduled jobs in this order."""
    reorder(project, [project.job_name(name) for name in body.names])
    record(project, person, f"reorder {', '.join(body.names)}")
    return {}


@router.get("/files")
def files(project: Asked, folder: FileName = "", ending: Name = "") -> list[str]:
    """Names in a directory of the project (for file fields), folders with a slash; at most 2,000."""
    try:
        base = folder_of(project, folder or ".")
    except NotAFile:
        return []
    found = []
    for path in sorted(islice(base.iterdir(), MOST_SEEN)):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found.append(f"{path.name}/")
        elif path.name.endswith(ending):
            found.append(path.name)
    return found[:2000]


def _shown_node(project: Project, graph: Any, name: str) -> dict[str, Any]:
    node = graph.nodes.get(name)
    return {
        "name": name,
        "type": _type_name(node) if node else "",
        "exists": project.exists(name),
        "producer": graph.producer_of(name) or "",
    }


def _type_name(node: Any) -> str:
    return node.type.name if node.type else node.type_text


def _files(project: Project, name: str) -> list[str]:
    """Files of the directory itself that a person may want to open."""
    base = project.root / name
    wanted = (".pdf", ".star", ".txt", ".html", ".svg", ".eps")
    return sorted(path.name for path in base.glob("*") if path.suffix in wanted)[:300]
