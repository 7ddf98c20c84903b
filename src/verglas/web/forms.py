"""A job's form, from its Options: tabs, fields, values, and what is wrong with the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verglas.jobs.contract.base import Job
from verglas.jobs.contract.options import JobOptions, OptionError, OptionInfo, to_text
from verglas.jobs.registry import job_class, job_folders
from verglas.project.job_star import read_job_star
from verglas.project.project import Project
from verglas.scheduler.command import command_text, program_words

RUNNING = "Running"
Values = Mapping[str, str]


@dataclass(frozen=True)
class Checked:
    """What is known of a filled-in form. `options` is None while a value cannot be read."""

    options: JobOptions | None
    problems: dict[str, str]  # by option
    complaints: list[str]  # about the job as a whole
    warnings: dict[str, str]  # unusual, but allowed


def known_types() -> list[dict[str, Any]]:
    """Every job type that can be made here, in RELION's order."""
    found = []
    for folder in job_folders():
        try:
            kind = job_class(folder).type
        except ImportError:
            continue
        found.append(
            {
                "folder": folder,
                "title": kind.title,
                "incremental": kind.incremental,
                "interactive": kind.interactive,
            }
        )
    return found


def form_of(job: type[Job]) -> list[dict[str, Any]]:
    """Tabs with their fields, in form order."""
    tabs: dict[str, list[dict[str, Any]]] = {}
    for key, info in job.Options.infos().items():
        default = job.Options.model_fields[key].default
        tabs.setdefault(info.tab, []).append(_field(key, info, default))
    order = sorted(tabs, key=lambda title: title == RUNNING)  # RELION's last tab
    return [{"title": title, "fields": tabs[title]} for title in order]


def default_values(project: Project, job: type[Job]) -> dict[str, str]:
    """The values last used for this type in this project, or the type's own defaults."""
    values = {key: to_text(field.default) for key, field in job.Options.model_fields.items()}
    path = project.root / f".gui_{job.type.folder.lower()}job.star"
    try:
        used = read_job_star(path).options
    except (OSError, ValueError):
        return values
    return values | {key: text for key, text in used.items() if key in values}


def check(job: type[Job], values: Values) -> Checked:
    """Every complaint at once, not only the first."""
    problems, warnings = {}, {}
    infos = job.Options.infos()
    for key, text in values.items():
        if key not in infos:
            continue
        try:
            one, _ = job.Options.parse({key: text})
        except OptionError as error:
            problems[key] = str(error).removeprefix(f"option {key}: ")
            continue
        value = getattr(one, key)
        unusual = _outside(infos[key], value)
        if unusual and value != job.Options.model_fields[key].default:  # such as -1: as the file says
            warnings[key] = unusual
    if problems:
        return Checked(None, problems, [], warnings)
    options, _ = job.Options.parse(values)
    return Checked(options, {}, list(job.check(options)), warnings)


def missing_inputs(project: Project, options: JobOptions) -> list[str]:
    """Inputs that are not there yet: no obstacle to scheduling, one to running now."""
    return [name for name, _ in options.input_names() if not project.exists(name)]


def active_fields(job: type[Job], options: JobOptions) -> dict[str, bool]:
    return {key: options.is_active(key) for key in job.Options.model_fields}


def command_of(job: type[Job], options: JobOptions, name: str, is_continue: bool) -> str:
    """The line that does the same from a terminal."""
    return command_text(job, program_words(job, options, name, is_continue))


def _field(key: str, info: OptionInfo, default: Any) -> dict[str, Any]:
    if isinstance(default, bool):
        kind = "yesno"
    elif info.choices:
        kind = "choice"
    elif info.node is not None:
        kind = "node"
    elif isinstance(default, int):
        kind = "whole"
    elif isinstance(default, float):
        kind = "number"
    else:
        kind = "file" if info.pattern else "text"
    return {
        "key": key,
        "label": info.label,
        "help": info.help,
        "unit": info.unit,
        "kind": kind,
        "default": to_text(default),
        "minimum": info.minimum,
        "maximum": info.maximum,
        "step": info.step,
        "choices": list(info.choices or ()),
        "node": info.node.name if info.node else None,
        "pattern": info.pattern,
        "on_continue": info.on_continue,
    }


def _outside(info: OptionInfo, value: Any) -> str:
    """Sliders end somewhere; a number beyond is allowed, but worth a look."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    low, high = info.minimum, info.maximum
    if low is not None and high is not None and low < high and not low <= value <= high:
        return f"usually between {low:g} and {high:g}"
    return ""
