"""Options of Join star files (pipeline.md §4.15)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MICROGRAPHS, MOVIES, PARTICLES, NodeType
from verglas.jobs.contract.options import JobOptions, option
from verglas.jobs.contract.running import QueueOptions

KINDS = {"do_part": "particles", "do_mic": "mics", "do_mov": "movies"}  # option -> output's name


def _kind(word: str, tab: str) -> Any:
    return option(
        False, label=f"Combine {word} STAR files?", tab=tab, on_continue="locked",
        help=f"Join {word} STAR files.",
    )  # fmt: skip


def _file(word: str, number: int, tab: str, node: NodeType) -> Any:
    need = "required" if number <= 2 else "optional"
    return option(
        "", label=f"{word.capitalize()} STAR file {number}:", tab=tab, node=node,
        pattern=f"{word} STAR file (*.star)", on_continue="locked", help=f"File {number}; {need}.",
    )  # fmt: skip


class JoinStarOptions(QueueOptions):
    """Up to four files of one kind."""

    do_part: bool = _kind("particle", "particles")
    fn_part1: str = _file("particle", 1, "particles", PARTICLES)
    fn_part2: str = _file("particle", 2, "particles", PARTICLES)
    fn_part3: str = _file("particle", 3, "particles", PARTICLES)
    fn_part4: str = _file("particle", 4, "particles", PARTICLES)
    do_mic: bool = _kind("micrograph", "micrographs")
    fn_mic1: str = _file("micrograph", 1, "micrographs", MICROGRAPHS)
    fn_mic2: str = _file("micrograph", 2, "micrographs", MICROGRAPHS)
    fn_mic3: str = _file("micrograph", 3, "micrographs", MICROGRAPHS)
    fn_mic4: str = _file("micrograph", 4, "micrographs", MICROGRAPHS)
    do_mov: bool = _kind("movie", "movies")
    fn_mov1: str = _file("movie", 1, "movies", MOVIES)
    fn_mov2: str = _file("movie", 2, "movies", MOVIES)
    fn_mov3: str = _file("movie", 3, "movies", MOVIES)
    fn_mov4: str = _file("movie", 4, "movies", MOVIES)

    def kind(self) -> str | None:
        """What is joined, or None unless exactly one kind is chosen."""
        chosen = [name for key, name in KINDS.items() if getattr(self, key)]
        return chosen[0] if len(chosen) == 1 else None

    def files(self) -> list[str]:
        """The filled-in files of the chosen kind."""
        prefix = {"particles": "part", "mics": "mic", "movies": "mov"}.get(self.kind() or "")
        names = [getattr(self, f"fn_{prefix}{number}") for number in range(1, 5)] if prefix else []
        return [name for name in names if name]

    def is_active(self, key: str) -> bool:
        """Files of the kinds that are not chosen are no inputs."""
        if key.startswith("fn_"):
            return getattr(self, key) in self.files()
        return JobOptions.is_active(self, key)
