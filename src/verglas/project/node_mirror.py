"""`.Nodes/`: the tree of empty files through which RELION's Browse sees nodes (pipeline.md §3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from verglas.project.dialect import mirror_folders
from verglas.project.graph import NO_ALIAS, Graph, GraphNode
from verglas.project.names import owner_of

MIRROR = ".Nodes"


def mirror_names(graph: Graph, nodes: Iterable[str]) -> list[str]:
    """The files that stand for these nodes, under their job's alias; unknown ones have none."""
    known = (graph.nodes[name] for name in nodes if name in graph.nodes)
    return [path for node in known for path in _names(graph, node)]


def _names(graph: Graph, node: GraphNode) -> list[str]:
    depth = int(node.depth) if node.depth.isdigit() else 1
    shown = _with_alias(graph, node.name)
    return [f"{MIRROR}/{folder}/{shown}" for folder in mirror_folders(node.type_text, depth)]


def _with_alias(graph: Graph, name: str) -> str:
    owner = owner_of(name)
    process = graph.processes.get(owner) if owner else None
    if process is None or process.alias == NO_ALIAS or owner is None:
        return name
    return process.alias + name.removeprefix(owner)
