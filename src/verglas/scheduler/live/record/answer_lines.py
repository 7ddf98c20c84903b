"""Where the answers of a session's map stand, and what they say in words; quick to import."""

from __future__ import annotations

from pathlib import Path

from verglas.scheduler.live.record.order import LiveFolder, read_json


def answers_file(folder: LiveFolder) -> Path:
    """Written by `answers.write` after each update of the map."""
    return folder.path / "answers.json"


def answer_lines(folder: LiveFolder) -> list[str]:
    """Lines for a terminal; none before the first update."""
    lines = read_json(answers_file(folder)).get("lines", [])
    return [str(each) for each in lines] if isinstance(lines, list) else []
