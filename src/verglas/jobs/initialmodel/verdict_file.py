"""The verdict on an initial model as a file beside it: what a program reads that goes on from there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from verglas.formats.atomic import write_text


@dataclass
class Verdict:
    """What is thought of an initial model; `symmetries` are (name, score, statement), the proposed one first."""

    figures: str
    doubts: list[str]
    symmetries: list[tuple[str, float, str]] = field(default_factory=list)

    @property
    def words(self) -> str:
        """ "good", or "doubtful because ..."."""
        return f"doubtful because {'; and because '.join(self.doubts)}" if self.doubts else "good"

    @property
    def lines(self) -> list[str]:
        """For run.out."""
        if not self.doubts:
            return [f" The initial model looks good: {self.figures}"]
        return [f" The initial model is doubtful because {doubt}" for doubt in self.doubts] + [
            f" ({self.figures})"
        ]

    def write(self, path: Path) -> None:
        write_text(path, json.dumps({"good": not self.doubts, **asdict(self)}, indent=1))

    @classmethod
    def read(cls, path: Path) -> Verdict:
        """Raises OSError where there is none, ValueError for another file."""
        known: dict[str, Any] = json.loads(path.read_text())
        try:
            symmetries = [(str(name), float(score), str(text)) for name, score, text in known["symmetries"]]
            return cls(str(known["figures"]), [str(each) for each in known["doubts"]], symmetries)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no verdict on an initial model: {error}") from error
