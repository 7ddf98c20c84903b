"""Options of the stages, and all versions of them that the session has used.

Version 1 is what the session began with. A change makes a new version of one stage with a scope: movies
that the stage has not treated yet (`new`), all, or a range of movie numbers. Which version a movie's
result needs follows from the scopes and from the version that made what is there; what is due is what
differs, so only dependent stages are done again and a kill in between loses nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.chain import STAGES
from verglas.scheduler.live.record.order import read_json

NEW, ALL = "new", "all"


@dataclass(frozen=True)
class Version:
    """One set of options of one stage, as texts of job.star; `scope` is new, all or "12-40"."""

    options: dict[str, str]
    scope: str = ALL
    changed: dict[str, str] = field(default_factory=dict)  # what is new against the version before

    def forces(self, number: int) -> bool:
        """Whether a movie that has a result already gets a new one."""
        if self.scope in (NEW, ALL):
            return self.scope == ALL
        first, last = scope_range(self.scope)
        return first <= number <= last

    def serves(self, number: int) -> bool:
        """Whether a movie without a result is treated with this version."""
        return self.scope in (NEW, ALL) or self.forces(number)


@dataclass
class StageSettings:
    """All versions of every stage, numbered from 1."""

    versions: dict[str, list[Version]]

    @classmethod
    def read(cls, path: Path) -> StageSettings:
        known = read_json(path)
        return cls({stage: [Version(**each) for each in known.get(stage, [])] for stage in STAGES})

    def as_bytes(self) -> bytes:
        """What the file holds."""
        known = {stage: [asdict(each) for each in some] for stage, some in self.versions.items()}
        return json.dumps(known, indent=1).encode()

    def write(self, path: Path) -> None:
        write_text(path, self.as_bytes().decode())

    def options(self, stage: str, version: int) -> dict[str, str]:
        return self.versions[stage][version - 1].options

    def latest(self, stage: str) -> int:
        """The version that new movies get."""
        some = self.versions[stage]
        return max(n for n, each in enumerate(some, 1) if each.scope in (NEW, ALL))

    def wanted(self, stage: str, number: int, have: int) -> int:
        """The version movie `number` needs; `have` made its present result (0: there is none)."""
        some = self.versions[stage]
        if len(some) == 1:
            return 1
        if not have:
            return max(n for n, each in enumerate(some, 1) if each.serves(number))
        forcing = [n for n, each in enumerate(some, 1) if n > have and each.forces(number)]
        return forcing[-1] if forcing else have

    def change(self, stage: str, values: dict[str, str], scope: str) -> int:
        """Add a version; returns its number. Raises ValueError for a scope that is none."""
        if scope not in (NEW, ALL):
            scope_range(scope)
        base = self.options(stage, self.latest(stage))
        self.versions[stage].append(Version({**base, **values}, scope, dict(values)))
        return len(self.versions[stage])


def scope_range(text: str) -> tuple[int, int]:
    """ "12-40" or "7" as movie numbers. Raises ValueError saying what was expected."""
    first, dash, last = text.partition("-")
    try:
        found = int(first), int(last) if dash else int(first)
    except ValueError:
        raise ValueError(f"{text!r}: expected new, all, or movie numbers like 12-40") from None
    if not 1 <= found[0] <= found[1]:
        raise ValueError(f"{text!r}: the range must start at 1 or later and not end before it")
    return found
