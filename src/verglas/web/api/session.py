"""The session: overview, what happened, live sessions, the report; files that a page opens."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from verglas.jobs.report.html import report_html
from verglas.jobs.report.pdf import report_pdf
from verglas.jobs.select.figures import KINDS, FigureKind
from verglas.project.confinement import regular_file
from verglas.scheduler.live.reporting.writing import report_of
from verglas.scheduler.schedule import Order, ScheduleFolder
from verglas.scheduler.supervisor import ensure_supervisor
from verglas.web import session
from verglas.web.api.common import Asked, Asker, FileName, Name, answered, record, table_of
from verglas.web.former import present
from verglas.web.models import live as shapes
from verglas.web.serving import routes
from verglas.web.serving.downloads import sent
from verglas.web.thresholds import Limit, select_jobs

router = routes.router("/api/p/{pid}", "session")
LARGEST_SHOWN = 256 << 20  # bytes of a text or picture that a browser opens as it is
_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".svg": "image/svg+xml"}
_TEXT = {".txt", ".star", ".log", ".out", ".err", ".job", ".script", ".json", ".csv", ".eps"}
_SANDBOX = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"}


class OneLimit(BaseModel):
    figure: str = Field(max_length=60)
    low: float | None = None
    high: float | None = None


class Limits(BaseModel):
    """Figures of a list of micrographs and the values to keep."""

    micrographs: FileName
    limits: list[OneLimit] = Field(min_length=1, max_length=12)


@router.get("/overview", response_model=shapes.Overview)
def overview(request: Request, project: Asked) -> Response:
    """The line on top: counts, rates, classes, disc. What is not known is absent."""
    stamp = session.overview_stamp(project)
    return answered(request, ("overview",), stamp, lambda: session.overview(project))


@router.get("/figures", response_model=list[FigureKind])
@routes.status
def figures(project: Asked) -> list[dict[str, Any]]:
    """Every figure of a micrograph: key, label, unit, what it means, which end is better."""
    return [asdict(kind) for kind in KINDS]


@router.get("/events", response_model=list[shapes.Event])
@routes.status
def events(project: Asked, since: Name = "", last: int = 500) -> list[dict[str, Any]]:
    """The event log, oldest first."""
    return session.what_happened(project, since, max(1, min(last, 5000)))


@router.post("/thresholds")
def apply_thresholds(body: Limits, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Select jobs that keep what lies within the limits, and run: one after another."""
    table_of(project, body.micrographs)
    limits = [Limit(present(each.figure), each.low, each.high) for each in body.limits]
    with project.change(f"limits on {body.micrographs}") as change:
        names = select_jobs(project, change, body.micrographs, limits)
        name = f"select{names[0].rstrip('/')[-3:]}"  # by the first job: nobody else's
        ScheduleFolder(project.root, name).enter(change, Order(name, tuple(names)))
    ensure_supervisor(project.root)
    record(project, person, f"thresholds on {body.micrographs}: {', '.join(names)}")
    return {"names": names}


@router.get("/report", response_class=Response)
def report(project: Asked, sample: Name = "", microscope: Name = "") -> Response:
    """One page to keep or to print: no scripts, all pictures inside."""
    html = report_html(report_of(project, sample[:200], microscope[:200]))
    headers = {
        "content-security-policy": "sandbox allow-modals; default-src 'none'; "
        "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
        "x-frame-options": "SAMEORIGIN",
    }
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/report.pdf", response_class=Response)
def report_as_pdf(project: Asked, sample: Name = "", microscope: Name = "") -> Response:
    """The same page as a PDF, one sheet of A4."""
    data = report_pdf(report_of(project, sample[:200], microscope[:200]))
    name = f"{project.root.name}-report.pdf".encode("ascii", "replace").decode().replace('"', "_")
    headers = {"content-disposition": f'inline; filename="{name}"'}
    return Response(data, media_type="application/pdf", headers=headers)


@router.get("/file", response_class=Response)
def file(path: FileName, pid: Name, request: Request, project: Asked, download: bool = False) -> Response:
    """A file of the project: PDF and pictures as they are, anything readable as plain text.

    `download` sends any file, of any size, to be kept.
    """
    found = regular_file(project, path, None if download else LARGEST_SHOWN)
    send = partial(sent, request.app.state.pools.files, pid, found)
    if download:
        return send("application/octet-stream", _SANDBOX, download=True)
    if found.suffix in _TYPES:
        return send(_TYPES[found.suffix], {} if found.suffix == ".pdf" else _SANDBOX)
    if found.suffix in _TEXT:
        return send("text/plain; charset=utf-8", _SANDBOX)
    raise HTTPException(415, f"{path} is neither text nor a picture")
