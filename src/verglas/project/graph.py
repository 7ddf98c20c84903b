"""The pipeline graph in memory: processes, nodes, edges, the job counter.

Types and columns that are unknown to us are kept as text, so that a rewrite loses nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from verglas.jobs.contract.nodes import NodeType
from verglas.jobs.contract.unknown import UnknownName
from verglas.project.dialect import DIALECT_31, Dialect, Status, node_type, process_code
from verglas.project.names import folder_of

NO_ALIAS = "None"


@dataclass
class Process:
    """One job: `name` is "Class2D/job006/", `alias` "Class2D/first/" or "None"."""

    name: str
    type_text: str
    status_text: str
    alias: str = NO_ALIAS
    other: dict[str, str] = field(default_factory=dict)  # columns unknown to us

    @property
    def status(self) -> Status:
        return Status.from_text(self.status_text)

    @property
    def folder(self) -> str:
        return folder_of(self.name)

    @property
    def type_code(self) -> int | None:
        return process_code(self.type_text)

    @property
    def shown_name(self) -> str:
        return self.name if self.alias == NO_ALIAS else self.alias


@dataclass
class GraphNode:
    """One file that jobs hand to each other; it need not exist yet."""

    name: str
    type_text: str
    depth: str = "1"
    other: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> NodeType | None:
        return node_type(self.type_text)


@dataclass
class Graph:
    """Everything `default_pipeline.star` says."""

    dialect: Dialect = DIALECT_31
    counter: int = 1
    processes: dict[str, Process] = field(default_factory=dict)
    nodes: dict[str, GraphNode] = field(default_factory=dict)
    inputs: list[tuple[str, str]] = field(default_factory=list)  # (node, process)
    outputs: list[tuple[str, str]] = field(default_factory=list)  # (process, node)

    def process(self, name: str) -> Process:
        """By name, alias, number ("6", "job006"), with or without slash. Raises KeyError."""
        wanted = name.strip().rstrip("/")
        for process in self.processes.values():
            if wanted in (process.name.rstrip("/"), process.alias.rstrip("/")):
                return process
        number = wanted.removeprefix("job")
        if number.isdigit():
            for process in self.processes.values():
                if process.name.rstrip("/").rsplit("/job", 1)[-1].lstrip("0") == number.lstrip("0"):
                    return process
        raise UnknownName(f"there is no job {name!r} in this project")

    def inputs_of(self, process: str) -> list[str]:
        return [node for node, user in self.inputs if user == process]

    def outputs_of(self, process: str) -> list[str]:
        return [node for maker, node in self.outputs if maker == process]

    def producer_of(self, node: str) -> str | None:
        return next((maker for maker, made in self.outputs if made == node), None)

    def users_of(self, node: str) -> list[str]:
        return [user for used, user in self.inputs if used == node]

    def parents(self, process: str) -> list[str]:
        """Jobs whose outputs this one uses."""
        makers = (self.producer_of(node) for node in self.inputs_of(process))
        return list(dict.fromkeys(maker for maker in makers if maker))

    def children(self, process: str) -> list[str]:
        """Jobs that use an output of this one."""
        users = (user for node in self.outputs_of(process) for user in self.users_of(node))
        return list(dict.fromkeys(users))

    def descendants(self, process: str) -> list[str]:
        """The job's children, their children, ..., each once, in pipeline order."""
        found: set[str] = set()
        queue = [process]
        while queue:
            for child in self.children(queue.pop()):
                if child not in found:
                    found.add(child)
                    queue.append(child)
        return [name for name in self.processes if name in found]

    def in_order(self, names: list[str]) -> list[str]:
        """`names` with every job behind those it depends on; otherwise the order given is kept.

        Raises ValueError naming the jobs of a circle.
        """
        ancestors = {name: {other for other in names if name in self.descendants(other)} for name in names}
        left, ordered = list(names), []
        while left:
            free = next((name for name in left if not ancestors[name] & set(left)), None)
            if free is None:
                raise ValueError(f"these jobs wait for each other: {', '.join(left)}")
            left.remove(free)
            ordered.append(free)
        return ordered

    def set_status(self, name: str, status: Status) -> None:
        self.processes[name].status_text = str(self.dialect.status_text(status))

    def remove_process(self, name: str) -> None:
        """Drop a job with its outputs and all their edges."""
        made = set(self.outputs_of(name))
        self.drop_nodes(made)
        self.inputs = [(node, user) for node, user in self.inputs if user != name]
        self.outputs = [(maker, node) for maker, node in self.outputs if maker != name]
        del self.processes[name]

    def drop_nodes(self, names: set[str]) -> None:
        for name in names:
            self.nodes.pop(name, None)
        self.inputs = [(node, user) for node, user in self.inputs if node not in names]
        self.outputs = [(maker, node) for maker, node in self.outputs if node not in names]

    def part(self, name: str) -> Graph:
        """The mini-pipeline of one job: itself, its nodes and edges (`job_pipeline.star`)."""
        inputs = [edge for edge in self.inputs if edge[1] == name]
        outputs = [edge for edge in self.outputs if edge[0] == name]
        wanted = {node for node, _ in inputs} | {node for _, node in outputs}
        nodes = {key: node for key, node in self.nodes.items() if key in wanted}
        processes = {name: self.processes[name]}
        return Graph(self.dialect, self.counter, processes, nodes, inputs, outputs)

    def take(self, part: Graph, name: str) -> None:
        """Enter a job of a mini-pipeline, or what is missing of it; an alias that is taken is dropped."""
        if name not in self.processes:
            process = part.processes[name]
            if any(process.alias == other.alias for other in self.processes.values()):
                process.alias = NO_ALIAS
            self.processes[name] = process
        for key, node in part.nodes.items():
            self.nodes.setdefault(key, node)
        self.inputs += [edge for edge in part.inputs if edge not in self.inputs]
        self.outputs += [edge for edge in part.outputs if edge not in self.outputs]

    def copy(self) -> Graph:
        return copy.deepcopy(self)
