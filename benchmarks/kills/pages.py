"""What only the pages ask for: drafts, picks, notes, chosen classes, limits of a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kills.case import Case, Request, Suite
from kills.events import Work, in_child

MODEL = "Class2D/job006/run_it002_model.star"
MICROGRAPHS = "CtfFind/job003/micrographs_ctf.star"
MICROGRAPH = "MotionCorr/job002/Movies/a.mrc"
MANUAL = "ManualPick/job007/"


def sent(request: Request) -> Work:
    """The request to a server in the process itself, watched from its arrival."""
    import warnings

    from verglas.web.app import create_app  # here: once for all forks
    from verglas.web.projects import project_id
    from verglas.web.settings import WebSettings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    def work() -> Callable[[], object]:
        root = Path.cwd()
        settings = WebSettings((root,), needs_token=False, allowed_hosts=frozenset({"testserver"}))
        client = TestClient(create_app(settings)).__enter__()
        route = f"/api/p/{project_id(root)}/{request.route}"

        def send() -> None:
            answer = client.request(request.method, route, params=request.query, json=request.body)
            print(answer.status_code, answer.text, flush=True)
            if answer.is_error:
                raise SystemExit(f"{request.name}: {answer.status_code} {answer.text}")

        return send

    return work


def make_template(root: Path) -> Path:
    """The tests' small project: import to classes, with a Manual picking job of one micrograph."""
    import small_project
    from verglas.jobs.manualpick.files import write_picks
    from verglas.jobs.registry import job_class
    from verglas.project.dialect import Status
    from verglas.project.registration import register

    project = small_project.make(root)
    kind = job_class("ManualPick")
    options, _ = kind.Options.parse({"fn_in": MICROGRAPHS})
    name = register(project, kind, options, status=Status.SUCCEEDED)
    project.directory(name).write_exit(Status.SUCCEEDED)
    write_picks(root / name, MICROGRAPH, [(10.0, 20.0)])
    return root


def with_drafts(root: Path) -> None:
    """Somebody has not saved picks and a choice of classes."""
    for request in (KEEP_PICKS, KEEP_CLASSES):
        in_child(root, sent(request))


def in_trash(root: Path) -> None:
    """Two jobs are in Trash."""
    from verglas.project.project import Project
    from verglas.project.trash import delete

    delete(Project(root), "Extract/job005/")


PICKS = {"micrograph": MICROGRAPH, "x": [1.0, 2.0], "y": [3.0, 4.0]}
OF_JOB = {"job": MANUAL, "micrograph": MICROGRAPH}
KEEP_PICKS = Request("PUT", "drafts/picks", {**PICKS, "job": MANUAL})
KEEP_CLASSES = Request("PUT", "drafts/classes", {"model": MODEL, "classes": [1, 2]})
LIMITS = [{"figure": "ctf_resolution_angst", "high": 5.0}, {"figure": "defocus_u_angst", "low": 5000.0}]
NEW_PICKS = {"list": MICROGRAPHS, "start_from": "AutoPick/job004/coords_suffix_autopick.star"}

SUITE = Suite(
    "pages",
    {},
    make_template,
    (
        Case(request=KEEP_PICKS),
        Case(request=KEEP_CLASSES),
        Case(request=Request("DELETE", "drafts/picks", query=OF_JOB), prepare=with_drafts),
        Case(request=Request("DELETE", "drafts/classes", query={"model": MODEL}), prepare=with_drafts),
        Case(request=Request("PUT", "note", {"text": "a good week"})),
        Case(request=Request("PUT", f"micrographs/picks/{MANUAL[:-1]}", PICKS), prepare=with_drafts),
        Case(request=Request("POST", "data-roots", {"folder": "/tmp"})),
        Case(request=Request("POST", "empty-trash"), prepare=in_trash),
        Case(
            request=Request("POST", "thresholds", {"micrographs": MICROGRAPHS, "limits": LIMITS}), starts=True
        ),
        Case(
            request=Request("POST", "classes/select", {"model": MODEL, "classes": [1]}),
            prepare=with_drafts,
            starts=True,
        ),
        Case(request=Request("POST", "micrographs/manualpick", NEW_PICKS), starts=True),
        Case(request=Request("POST", f"micrographs/picks/{MANUAL}finish"), starts=True),
    ),
)
