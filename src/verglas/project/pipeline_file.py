"""`default_pipeline.star` and its like: graph <-> tables, in every dialect (pipeline.md §1.4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from verglas.formats.regular import regular
from verglas.formats.star import StarError, StarFile, StarTable, format_star, read_star
from verglas.project.dialect import DIALECT_2, DIALECT_4, DIALECT_5, DIALECT_31, Dialect
from verglas.project.graph import NO_ALIAS, Graph, GraphNode, Process
from verglas.project.names import BadName

COUNTER = "rlnPipeLineJobCounter"
PROCESS, ALIAS = "rlnPipeLineProcessName", "rlnPipeLineProcessAlias"
PROCESS_TYPE, PROCESS_TYPE_LABEL = "rlnPipeLineProcessType", "rlnPipeLineProcessTypeLabel"
STATUS, STATUS_LABEL = "rlnPipeLineProcessStatus", "rlnPipeLineProcessStatusLabel"
NODE, NODE_TYPE = "rlnPipeLineNodeName", "rlnPipeLineNodeType"
NODE_TYPE_LABEL, NODE_DEPTH = "rlnPipeLineNodeTypeLabel", "rlnPipeLineNodeTypeLabelDepth"
FROM_NODE, EDGE_PROCESS, TO_NODE = (
    "rlnPipeLineEdgeFromNode",
    "rlnPipeLineEdgeProcess",
    "rlnPipeLineEdgeToNode",
)
READ_ATTEMPTS = 5  # RELION rewrites the file in place: a reader without the lock may see half of it


def read_pipeline(path: Path) -> Graph:
    """The graph in a pipeline file. Raises StarError, FileNotFoundError."""
    for attempt in range(READ_ATTEMPTS):
        try:
            return read_pipeline_once(path)
        except StarError as error:
            failure = error
        time.sleep(0.1 * attempt)
    raise failure


def read_pipeline_once(path: Path) -> Graph:
    """The graph in a file that nobody is writing. Raises StarError, FileNotFoundError."""
    star = read_star(regular(path))
    if "pipeline_general" not in star:
        raise StarError(f"{path}: there is no table pipeline_general")
    return graph_of(star)


def graph_of(star: StarFile) -> Graph:
    """Tables as a graph; edges to or from nothing are dropped, as RELION does. Raises StarError."""
    try:
        return _graph_of(star)
    except KeyError as error:
        raise StarError(f"a table of the pipeline has no column {error.args[0]}", star.path) from None


def _graph_of(star: StarFile) -> Graph:
    graph = Graph(_dialect_of(star), star["pipeline_general"].integer(COUNTER))
    for row in _rows(star, "pipeline_processes"):
        process = _process(row)
        _check_inside(process.name, star.path)
        graph.processes[process.name] = process
    for row in _rows(star, "pipeline_nodes"):
        node = _node(row)
        graph.nodes[node.name] = node
    for row in _rows(star, "pipeline_input_edges"):
        edge = (row[FROM_NODE], row[EDGE_PROCESS])
        if edge[0] in graph.nodes and edge[1] in graph.processes:
            graph.inputs.append(edge)
    for row in _rows(star, "pipeline_output_edges"):
        edge = (row[EDGE_PROCESS], row[TO_NODE])
        if edge[0] in graph.processes and edge[1] in graph.nodes:
            graph.outputs.append(edge)
    return graph


def pipeline_bytes(graph: Graph) -> bytes:
    """The file RELION would write for this graph."""
    return format_star(list(_tables(graph)), version=graph.dialect.version)


def _check_inside(name: str, path: str) -> None:
    """A job's name is the name of its directory: one that leads out of the project is an attack."""
    if name.startswith("/") or ".." in name.split("/"):
        raise BadName(f"{path}: the job {name!r} lies outside the project")


def _dialect_of(star: StarFile) -> Dialect:
    labels: list[str] = []
    for name in ("pipeline_processes", "pipeline_nodes"):
        if name in star:
            labels += star[name].labels
    if star.version is None:
        return DIALECT_2 if STATUS_LABEL not in labels else DIALECT_4
    if star.version >= 50000:
        return DIALECT_5
    return DIALECT_4 if {STATUS_LABEL, NODE_TYPE_LABEL} & set(labels) else DIALECT_31


def _rows(star: StarFile, name: str) -> Iterator[dict[str, str]]:
    if name not in star:
        return
    table = star[name]
    columns = {label: table.strings(label) for label in table.labels}
    for index in range(len(table)):
        yield {label: values[index] for label, values in columns.items()}


def _process(row: dict[str, str]) -> Process:
    name, alias = row.pop(PROCESS), row.pop(ALIAS, NO_ALIAS)
    type_code, status_code = row.pop(PROCESS_TYPE, ""), row.pop(STATUS, "")
    kind = row.pop(PROCESS_TYPE_LABEL, type_code)
    status = row.pop(STATUS_LABEL, status_code)
    return Process(name, kind, status, alias, row)


def _node(row: dict[str, str]) -> GraphNode:
    name, code = row.pop(NODE), row.pop(NODE_TYPE, "")
    kind, depth = row.pop(NODE_TYPE_LABEL, code), row.pop(NODE_DEPTH, "1")
    return GraphNode(name, kind, depth, row)


def _tables(graph: Graph) -> Iterator[StarTable]:
    """RELION's order; an empty table is left out."""
    dialect = graph.dialect
    yield StarTable.from_columns("pipeline_general", {COUNTER: [graph.counter]}, is_list=True)
    processes = list(graph.processes.values())
    if processes:
        kind = PROCESS_TYPE_LABEL if dialect.has_labels else PROCESS_TYPE
        status = STATUS_LABEL if dialect.has_labels else STATUS
        columns = {
            PROCESS: [each.name for each in processes],
            ALIAS: [each.alias for each in processes],
            kind: _typed([each.type_text for each in processes]),
            status: _typed([each.status_text for each in processes]),
            **_others([each.other for each in processes]),
        }
        yield StarTable.from_columns("pipeline_processes", columns)
    nodes = list(graph.nodes.values())
    if nodes:
        columns = {
            NODE: [each.name for each in nodes],
            NODE_TYPE_LABEL if dialect.has_labels else NODE_TYPE: _typed([each.type_text for each in nodes]),
        }
        if dialect.has_depth:
            columns[NODE_DEPTH] = _typed([each.depth for each in nodes])
        columns |= _others([each.other for each in nodes])
        yield StarTable.from_columns("pipeline_nodes", columns)
    yield from _edges(graph)


def _edges(graph: Graph) -> Iterator[StarTable]:
    if graph.inputs:
        columns = {FROM_NODE: [a for a, _ in graph.inputs], EDGE_PROCESS: [b for _, b in graph.inputs]}
        yield StarTable.from_columns("pipeline_input_edges", columns)
    if graph.outputs:
        columns = {EDGE_PROCESS: [a for a, _ in graph.outputs], TO_NODE: [b for _, b in graph.outputs]}
        yield StarTable.from_columns("pipeline_output_edges", columns)


def _typed(texts: list[str]) -> list[int] | list[str]:
    """Numbers where all are numbers: RELION aligns them to 12 columns instead of 10."""
    if all(text.lstrip("-").isdigit() for text in texts):
        return [int(text) for text in texts]
    return texts


def _others(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    labels = list(dict.fromkeys(label for row in rows for label in row))
    return {label: [row.get(label, "") for row in rows] for label in labels}
