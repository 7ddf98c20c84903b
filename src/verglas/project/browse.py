"""Browse: which files can be chosen as an input, existing ones and those a scheduled job will make."""

from __future__ import annotations

from dataclasses import dataclass

from verglas.jobs.contract.nodes import NODE_TYPES, NodeType
from verglas.jobs.contract.unknown import UnknownName
from verglas.project.dialect import Status
from verglas.project.project import Project


@dataclass(frozen=True)
class Offer:
    """One node that may be chosen."""

    name: str
    type_name: str  # "particles", or the raw type of a foreign node
    exists: bool
    producer: str  # job name, "" for a file from outside
    shown_producer: str  # alias if there is one

    @property
    def expected(self) -> bool:
        return not self.exists


def browse(project: Project, kind: NodeType | None = None) -> list[Offer]:
    """Nodes of a type (all types without one) that exist or that a scheduled or running job will make."""
    graph = project.graph()
    producers = {node: maker for maker, node in graph.outputs}
    offers = []
    for node in graph.nodes.values():
        if kind is not None and node.type != kind:
            continue
        producer = producers.get(node.name, "")
        exists = project.exists(node.name)
        process = graph.processes.get(producer)
        coming = process is not None and process.status in (Status.SCHEDULED, Status.RUNNING)
        if exists or coming:
            shown = process.shown_name if process else ""
            type_name = node.type.name if node.type else node.type_text
            offers.append(Offer(node.name, type_name, exists, producer, shown))
    return offers


def node_type_named(text: str) -> NodeType:
    """A node type by its name ("particles"), code or label root. Raises KeyError naming the known."""
    for kind in NODE_TYPES:
        if text in (kind.name, str(kind.code), kind.label, kind.top_level):
            return kind
    raise UnknownName(f"no node type {text!r}; known: {', '.join(kind.name for kind in NODE_TYPES)}")
