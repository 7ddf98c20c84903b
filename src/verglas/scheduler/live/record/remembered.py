"""A small part of what a session knows, kept as one JSON object in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from verglas.formats.atomic import write_text
from verglas.project.change import Change
from verglas.scheduler.live.record.order import LiveFolder, read_json


class Remembered:
    """What dataclasses that are such a part have in common; fields that a file lacks have their defaults."""

    FILE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def file(cls, folder: LiveFolder) -> Path:
        """Where it is kept."""
        return folder.path / cls.FILE

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """From the JSON object; keys that nobody knows are left out."""
        return cls(**{key: value for key, value in known.items() if key in cls.__dataclass_fields__})

    @classmethod
    def read(cls, folder: LiveFolder) -> Self:
        """What the file says; defaults while it is missing or torn."""
        return cls.of(read_json(cls.file(folder)))

    def as_bytes(self) -> bytes:
        """What the file holds."""
        return json.dumps(asdict(self)).encode()

    def write(self, folder: LiveFolder) -> None:
        """Keep it."""
        write_text(self.file(folder), self.as_bytes().decode())

    def enter(self, change: Change, folder: LiveFolder) -> None:
        """Keep it as a part of a change."""
        change.write(str(self.file(folder).relative_to(folder.root)), self.as_bytes())
