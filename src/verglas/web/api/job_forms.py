"""Forms: which jobs can be made, their fields, Browse, what is wrong; run, schedule, continue, overwrite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from fastapi import HTTPException, Request
from pydantic import BaseModel, Field

from verglas.jobs.registry import job_class
from verglas.project.browse import browse, node_type_named
from verglas.project.dialect import Status
from verglas.project.editing import edit, with_values
from verglas.project.project import Project
from verglas.project.registration import LoadedJob, class_for, register
from verglas.scheduler.launch import launch_as
from verglas.web import forms
from verglas.web.api.common import Asked, Asker, Name, Values, loaded_job, record
from verglas.web.door.access import Person
from verglas.web.door.roles import check_values
from verglas.web.models import jobs as shapes
from verglas.web.models.base import Named
from verglas.web.serving import routes

router = routes.router("/api/p/{pid}", "jobs")


class FormValues(BaseModel):
    """A filled-in form. `job`: an existing job whose form it is; else `type` names a new one."""

    type: str = Field("", max_length=60)
    job: str = Field("", max_length=200)
    values: Values = Field(default_factory=dict, max_length=400)
    is_continue: bool = False


class NewJob(FormValues):
    action: Literal["run", "schedule", "continue", "overwrite", "edit"]


@router.get("/types", response_model=list[shapes.JobType])
@routes.status
def types(project: Asked) -> list[dict[str, Any]]:
    """Job types that can be made, in RELION's order."""
    return forms.known_types()


@router.get("/types/{folder}/form", response_model=shapes.NewForm)
@routes.status
def new_form(folder: Name, project: Asked) -> dict[str, Any]:
    """The form of a new job, with the values used last in this project."""
    job = job_class(folder)
    return {
        "type": folder,
        "title": job.type.title,
        "tabs": forms.form_of(job),
        "values": forms.default_values(project, job),
        "incremental": job.type.incremental,
        "interactive": job.type.interactive,
    }


@router.get("/nodes", response_model=list[shapes.OfferShown])
@routes.status
def nodes(project: Asked, type: Name = "") -> list[dict[str, Any]]:
    """Browse: what can be an input, existing and expected (all types without one)."""
    offers = browse(project, node_type_named(type) if type else None)
    return [
        {
            "name": each.name,
            "type": each.type_name,
            "exists": each.exists,
            "producer": each.producer,
            "shown_producer": each.shown_producer,
        }
        for each in offers
    ]


@router.post("/check", response_model=shapes.Checked)
@routes.status
def check(form: FormValues, project: Asked) -> dict[str, Any]:
    """What is wrong with a form, which fields have an effect, the command, the expected outputs.

    Nothing is registered.
    """
    known = project.job_name(form.job) if form.job else ""
    job = class_for(form.type) if form.type else loaded_job(project, known).job
    checked = forms.check(job, form.values)
    found: dict[str, Any] = {
        "problems": checked.problems,
        "complaints": checked.complaints,
        "warnings": checked.warnings,
        "missing": [],
        "active": {},
        "command": "",
        "outputs": [],
    }
    if checked.options is not None:
        name = known or f"{job.type.folder}/jobNNN/"
        found["active"] = forms.active_fields(job, checked.options)
        found["missing"] = forms.missing_inputs(project, checked.options)
        found["command"] = forms.command_of(job, checked.options, name, form.is_continue)
        outputs = job.expected_outputs(checked.options, name)
        found["outputs"] = [{"name": node.name, "type": node.type.name} for node in outputs]
    return found


@router.post("/jobs", response_model=Named)
def make_or_start(form: NewJob, request: Request, project: Asked, person: Asker) -> dict[str, Any]:
    """Run, schedule, continue, overwrite, or store edited settings; returns the job's name."""
    asked = _asked(project, person, form)
    name = asked.name
    if form.action == "edit":
        edit(project, name, form.values)
    elif form.action == "schedule":
        name = register(project, asked.job, asked.options, name=name or None, is_continue=asked.is_continue)
    else:
        _demand_inputs(project, asked.options)
        launched = launch_as(project, asked)
        request.app.state.starter.keep(project, launched)
        name = launched.name
    record(project, person, f"{form.action} {name}")
    return {"name": name}


def _asked(project: Project, person: Person, form: NewJob) -> LoadedJob:
    """A new job of the form, or an existing one with its values, and whether it is to go on."""
    if not form.job:
        if form.action not in ("run", "schedule"):
            raise HTTPException(422, f"a job that does not exist cannot be asked to {form.action}")
        job = class_for(form.type)
        check_values(person, project, job, form.values)
        return LoadedJob("", job, job.Options.parse(form.values)[0], is_continue=False)
    name = project.job_name(form.job)
    stored = loaded_job(project, name)
    check_values(person, project, stored.job, form.values, stored.options.texts())
    asked = with_values(stored, form.values)
    scheduled = project.graph().processes[name].status is Status.SCHEDULED
    if form.action in ("continue", "overwrite") and not scheduled:
        return replace(asked, is_continue=form.action == "continue")
    return asked


def _demand_inputs(project: Project, options: Any) -> None:
    missing = forms.missing_inputs(project, options)
    if missing:
        raise HTTPException(422, f"not there yet: {', '.join(missing)}; Schedule runs the job when it is")
