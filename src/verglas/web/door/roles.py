"""What a worker may not do: have the machine run commands, or reach files outside the project."""

from __future__ import annotations

from collections.abc import Mapping

from verglas.jobs.contract.base import Job
from verglas.jobs.contract.options import to_text
from verglas.project.confinement import OutsideProject, lies_inside
from verglas.project.project import Project
from verglas.web.door.access import Person


class NotAllowed(PermissionError):
    """Something that this person's role does not cover; the message says what and who may."""


def check_values(
    person: Person,
    project: Project,
    job: type[Job],
    values: Mapping[str, str],
    stored: Mapping[str, str] | None = None,
) -> None:
    """Whether a person may give a job these options; `stored` are those it has. Raises NotAllowed.

    Commands that somebody else entered stay as they are: they may be run, not changed.
    """
    if person.may_command:
        return
    for key, info in job.Options.infos().items():
        if key not in values:
            continue
        before = (stored or {}).get(key, to_text(job.Options.model_fields[key].default))
        if info.command and values[key] != before:
            raise NotAllowed(
                f"{info.label} {values[key]!r}: a worker gives no commands; ask an operator, or leave "
                f"{before!r}"
            )
        if values[key] != before:
            check_path(person, project, info.label, values[key])


def check_path(person: Person, project: Project, label: str, text: str) -> None:
    """Whether a person may name this file or folder. Raises NotAllowed."""
    if person.may_command or not text:
        return
    try:
        inside = lies_inside(project, text)
    except OutsideProject:
        inside = False
    if not inside:
        raise NotAllowed(
            f"{label} {text[:200]!r} lies outside the project and its registered directories: a worker "
            "reaches no further; ask an operator"
        )
