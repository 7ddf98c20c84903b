"""`.Nodes/`: the tree of empty files through which RELION's Browse sees nodes (pipeline.md §3.2)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from verglas.project.dialect import mirror_folders
from verglas.project.graph import NO_ALIAS, Graph, GraphNode
from verglas.project.names import owner_of

MIRROR = ".Nodes"


def touch_nodes(root: Path, graph: Graph, names: Iterable[str]) -> None:
    """Show these nodes in Browse, under their job's alias if it has one."""
    for name in names:
        node = graph.nodes.get(name)
        if node is None:
            continue
        for path in _paths(root, graph, node):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


def remove_nodes(root: Path, graph: Graph, names: Iterable[str]) -> None:
    """Take nodes out of Browse; empty directories go with them."""
    for name in names:
        node = graph.nodes.get(name)
        if node is None:
            continue
        for path in _paths(root, graph, node):
            path.unlink(missing_ok=True)
            _prune(path.parent, root / MIRROR)


def remake(root: Path, graph: Graph, names: Iterable[str]) -> None:
    """Delete the tree and show these nodes."""
    shutil.rmtree(root / MIRROR, ignore_errors=True)
    touch_nodes(root, graph, names)


def _paths(root: Path, graph: Graph, node: GraphNode) -> list[Path]:
    depth = int(node.depth) if node.depth.isdigit() else 1
    shown = _with_alias(graph, node.name)
    return [root / MIRROR / folder / shown for folder in mirror_folders(node.type_text, depth)]


def _with_alias(graph: Graph, name: str) -> str:
    owner = owner_of(name)
    process = graph.processes.get(owner) if owner else None
    if process is None or process.alias == NO_ALIAS or owner is None:
        return name
    return process.alias + name.removeprefix(owner)


def _prune(folder: Path, stop: Path) -> None:
    while folder != stop and folder.is_relative_to(stop):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
