"""How many micrographs were accepted, and how many each reason took away; how many particles are left."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from verglas.formats.star import StarError, StarTable
from verglas.jobs.contract.nodes import MICROGRAPHS, MOVIES, PARTICLES, NodeType
from verglas.jobs.contract.set_aside import FILE_NAME as SET_ASIDE
from verglas.jobs.contract.set_aside import REASON
from verglas.jobs.registry import job_type
from verglas.project.confinement import read_table
from verglas.project.graph import Graph
from verglas.project.job_star import read_settings
from verglas.project.project import Project

# what differs from micrograph to micrograph within one reason: measured values, names of files
_VALUE = re.compile(r"(?<![\w.])[-+]?\d[\d.,]*(e[-+]?\d+)?( ?(Å|µm|°|%|px|bytes))?(?=, accepted is)")
_FILE = re.compile(r"\S*[/\\]\S+|\S+\.(mrcs?|tiff?|eer|star)\b")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Acceptance:
    """Of `found` movies, `accepted` are in the list that particles come from; the rest by reason."""

    found: int
    accepted: int
    list: str  # the list of the accepted ones
    reasons: tuple[tuple[str, int], ...]  # most frequent first

    @property
    def unexplained(self) -> int:
        """Neither accepted nor set aside: not processed yet."""
        return max(0, self.found - self.accepted - sum(count for _, count in self.reasons))


@dataclass(frozen=True)
class ParticleCounts:
    """Rows of the newest lists; None where there is no such job."""

    extracted: int | None = None
    selected: int | None = None  # in the classes that were chosen last


def acceptance(project: Project) -> Acceptance | None:
    """None before there is a list of movies or micrographs."""
    graph = project.graph()
    last = _newest_list(project, graph)
    if last is None:
        return None
    chain = [name for name in graph.processes if name in _ancestors(graph, last)]
    counts = {name: _count(project, graph, name, MICROGRAPHS, MOVIES) for name in chain}
    starts = [name for name in chain if not graph.parents(name)]
    reasons: Counter[str] = Counter()
    seen: set[str] = set()
    for name in chain:
        aside = _set_aside(project, name)
        fresh = {key: why for key, why in aside.items() if key not in seen}
        seen |= fresh.keys()
        reasons.update(reason_kind(why) for why in fresh.values())
        _count_values(project, graph, name, counts, reasons, len(aside))
    accepted = counts[chain[-1]] or 0
    known = accepted + reasons.total()  # the first lists may have been cleaned away
    found = max(known, sum(counts[name] or 0 for name in starts))
    return Acceptance(found, accepted, last, tuple(reasons.most_common()))


def particle_counts(project: Project) -> ParticleCounts:
    graph = project.graph()
    found: dict[str, int | None] = {"extracted": None, "selected": None}
    for name in reversed(list(graph.processes)):
        kind = job_type(graph.processes[name].folder)
        key = "extracted" if kind.extracts else "selected" if kind.selects else ""
        if key and found[key] is None:
            found[key] = _count(project, graph, name, PARTICLES)
    return ParticleCounts(**found)


def reason_kind(reason: str) -> str:
    """The reason without what is only this micrograph's: its value, the names of its files."""
    text = _VALUE.sub("", _FILE.sub("…", reason))
    return _SPACES.sub(" ", text).replace(" ,", ",").strip()


def _newest_list(project: Project, graph: Graph) -> str | None:
    """The list of micrographs that particles were extracted from last, else the newest one."""

    def lists(names: list[str]) -> list[str]:
        kinds = {node: graph.nodes[node].type for node in names if node in graph.nodes}
        return [
            node for node, kind in kinds.items() if kind in (MICROGRAPHS, MOVIES) and project.exists(node)
        ]

    for name in reversed(list(graph.processes)):
        extracts = job_type(graph.processes[name].folder).extracts
        used = lists(graph.inputs_of(name)) if extracts else []
        if used:
            return used[0]
    made = [node for name in graph.processes for node in lists(graph.outputs_of(name))]
    chosen = [node for node in made if graph.nodes[node].type == MICROGRAPHS]
    return next(reversed(chosen or made), None)


def _ancestors(graph: Graph, node: str) -> set[str]:
    """The job that made a node and every job before it that handles micrographs."""
    found: set[str] = set()
    queue = [graph.producer_of(node)]
    while queue:
        name = queue.pop()
        if name and name not in found:
            found.add(name)
            queue += [
                graph.producer_of(each)
                for each in graph.inputs_of(name)
                if each in graph.nodes and graph.nodes[each].type in (MICROGRAPHS, MOVIES)
            ]
    return found


def _count(project: Project, graph: Graph, job: str, *kinds: NodeType) -> int | None:
    """Rows of the job's first output of these types; None if there is none that can be read."""
    for node in graph.outputs_of(job):
        if node in graph.nodes and graph.nodes[node].type in kinds and project.exists(node):
            try:
                return max((len(table) for table in _tables(project, node)), default=0)
            except (OSError, StarError):
                continue
    return None


def _tables(project: Project, path: str) -> list[StarTable]:
    star = read_table(project, path)
    return [table for name, table in star.items() if name != "optics" and not table.is_list]


def _set_aside(project: Project, job: str) -> dict[str, str]:
    """Stem of the file -> reason: a movie and its micrograph have the same stem."""
    try:
        table = read_table(project, f"{job}{SET_ASIDE}").first
        names = (name.rsplit("/", 1)[-1].rpartition(".")[0] for name in table.strings(table.labels[0]))
        return dict(zip(names, table.strings(REASON)))
    except (OSError, StarError):
        return {}


def _count_values(
    project: Project,
    graph: Graph,
    job: str,
    counts: dict[str, int | None],
    reasons: Counter[str],
    explained: int,
) -> None:
    """What a selection on one column left out: it lists no reasons, its settings are one."""
    if not job_type(graph.processes[job].folder).selects:
        return
    try:
        options = read_settings(project.root / job).options
    except (OSError, StarError):
        return
    before = sum(counts.get(parent) or 0 for parent in graph.parents(job))
    lost = before - (counts[job] or 0) - explained
    if options.get("do_select_values") == "Yes" and lost > 0:
        low, high = options.get("select_minval", ""), options.get("select_maxval", "")
        reasons[f"{options.get('select_label')} outside {low} to {high}"] += lost
