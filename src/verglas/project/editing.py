"""What a person changes by hand: alias, note, mark as finished or failed, order, settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from verglas.jobs.contract.job_type import JobType
from verglas.jobs.contract.nodes import MAP, MODEL, PARTICLES, Node
from verglas.jobs.contract.unknown import UnknownName
from verglas.jobs.registry import job_type
from verglas.project.change import Change
from verglas.project.completion import add_declared_outputs, missing_outputs
from verglas.project.dialect import Status
from verglas.project.graph import NO_ALIAS, Graph
from verglas.project.names import AliasError, checked_alias
from verglas.project.project import Project
from verglas.project.registration import LoadedJob, add_outputs, check_options, enter, load_job

_ITERATION = re.compile(r"run(_ct\d+)?_it\d{3,}_optimiser\.star$")


class Unfinished(ValueError):
    """The job cannot be marked as asked; the message says what is missing."""


def set_alias(project: Project, name: str, alias: str) -> None:
    """Give a job an alias, or take it away (empty text). Raises AliasError."""
    with project.change(f"alias of {name}") as change:
        give_alias(change, name, alias)


def give_alias(change: Change, name: str, alias: str) -> None:
    """`set_alias`, as a part of a change that does more."""
    process = change.graph.processes[name]
    old = process.alias
    if not alias.strip() or alias.strip() == NO_ALIAS:
        process.alias = NO_ALIAS
    else:
        process.alias = _free_alias(change.graph, name, checked_alias(alias))
    change.relink(name, old, process.alias)


def mark(project: Project, name: str, status: Status) -> None:
    """Mark as finished or failed by hand (pipeline.md §7.3).

    A refinement marked as finished gets the files of its newest iteration as outputs; raises
    Unfinished if there is none.
    """
    with project.change(f"mark {name} as {status.label}") as change:
        graph = change.graph
        process = graph.processes[name]
        if status is Status.SUCCEEDED:
            kind = job_type(process.folder)
            if kind.iterative:
                add_outputs(graph, name, _newest_iteration(project, name, kind))
            add_declared_outputs(project, graph, name)
            graph.drop_nodes(set(missing_outputs(project, graph, name)))
        change.end(name, status)


def edit(project: Project, name: str, values: Mapping[str, str]) -> None:
    """Change options of a job; expected outputs follow while it is only scheduled.

    Raises OptionError, RefusedJob, KeyError for an option the job does not have.
    """
    new = with_values(load_job(project, name), values)
    check_options(new.job, new.options)
    with project.change(f"edit {name}") as change:
        enter_edited(change, new)


def enter_edited(change: Change, new: LoadedJob) -> None:
    """The new settings of a job, which were checked, as a part of a change."""
    status = change.graph.processes[new.name].status  # a job may begin at this very moment
    enter(change, new.job, new.options, status=status, name=new.name, is_continue=new.is_continue)


def with_values(loaded: LoadedJob, values: Mapping[str, str]) -> LoadedJob:
    """The job with other options. Raises OptionError, KeyError for one that it does not have."""
    unknown = [key for key in values if key not in loaded.job.Options.understood()]
    if unknown:
        raise UnknownName(f"{loaded.job.type.title} has no option {', '.join(unknown)}")
    options, _ = loaded.job.Options.parse({**loaded.options.texts(), **values})
    return replace(loaded, options=options)


def reorder(project: Project, names: list[str]) -> None:
    """Put these jobs in this order, in the places they now take in the pipeline."""
    with project.change("reorder jobs") as change:
        graph = change.graph
        places = [name for name in graph.processes if name in names]
        order = iter([name for name in names if name in graph.processes])
        new = [next(order) if name in places else name for name in graph.processes]
        graph.processes = {name: graph.processes[name] for name in new}


def _free_alias(graph: Graph, name: str, alias: str) -> str:
    full = f"{graph.processes[name].folder}/{alias}/"
    if any(other.alias == full for other in graph.processes.values() if other.name != name):
        raise AliasError(f"alias {alias!r} is taken by another {graph.processes[name].folder} job")
    return full


def _newest_iteration(project: Project, name: str, kind: JobType) -> list[Node]:
    base = project.root / name
    found = sorted(base.glob("run_it*optimiser.star"))
    for pattern in ("run_ct?_it???_optimiser.star", "run_ct??_it???_optimiser.star"):
        found += sorted(base.glob(pattern))
    found = [each for each in found if _ITERATION.search(each.name)]
    if not found:
        raise Unfinished(f"{name} has no run_it*_optimiser.star: there is nothing to finish with")
    root = found[-1].name.removesuffix("_optimiser.star")
    half = "_half1" if kind.has_halves else ""
    nodes = [
        Node(f"{name}{root}_data.star", PARTICLES),
        Node(f"{name}{root}{half}_model.star", MODEL),
        *(Node(name + each.name, MAP) for each in sorted(base.glob(f"{root}{half}_class???.mrc"))),
    ]
    return [node for node in nodes if project.exists(node.name)]
