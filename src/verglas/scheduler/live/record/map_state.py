"""What is known about a session's map, and what persons want of it.

`map.json` is the session's: only its process writes it. `map_wish.json` is what persons asked for last: only
requests write it (requests/map_wishes.py). Neither overwrites what the other says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from verglas.scheduler.live.record.order import LiveFolder, read_json
from verglas.scheduler.live.record.remembered import Remembered

OFF, AUTO, ON = "off", "auto", "on"  # never; when the 2D classes allow it; whatever they look like
MODES = (OFF, AUTO, ON)
HISTORY = "map_history.jsonl"  # in the job's folder: a line for each update
WAITING, INITIAL, DOUBTFUL, UPDATING, UP_TO_DATE, LAST_RUN, FAILED, FINAL = (
    "waiting for classes",
    "initial model",
    "doubtful",
    "updating",
    "up to date",
    "last run",
    "failed",
    "final",
)
NO_SYMMETRY = "C1"
GOOD = "good"


@dataclass
class MapState(Remembered):
    """What is known about the map. Names of files and jobs are the project's."""

    FILE: ClassVar[str] = "map.json"

    state: str = WAITING  # one of those above, or off
    why: str = ""  # in words
    list_job: str = ""  # whose particles.star is what the map is made of
    initial_job: str = ""
    job: str = ""  # the refinement that is updated
    updates: int = 0  # of that job
    particles: int = 0  # in the map
    believable: str = ""  # "good", or "doubtful because ..."; "" before there is a first map
    proposed_symmetry: list[list[Any]] = field(default_factory=list)  # [name, score, statement], best first
    symmetry: str = NO_SYMMETRY  # of the refinement
    confirmed_by: str = ""  # person, --sym, or nobody yet
    map: str = ""  # the newest one
    resolution_angst: float = 0.0  # of the last update; 0: unknown
    listed: int = 0  # particles in the list that the last run was given
    of_particles: int = 0  # accepted ones that they were taken from
    of_classes: str = ""  # the 2D update and choice that the list was made with
    grid: str = ""  # pixel size and box of its images
    again: int = 0  # wishes for another first map that were heeded
    accepted: str = ""  # the first map that a person accepted although it is doubtful
    final_jobs: dict[str, str] = field(default_factory=dict)  # folder -> job
    final_of: str = ""  # the list that they are made of (a digest)
    final_begun: str = ""  # the folder of the one that was begun last
    final_done: list[str] = field(default_factory=list)  # folders of those that are finished

    @property
    def may_be_believed(self) -> bool:
        """Whether there is a first map that is good, or that a person accepted."""
        return bool(self.initial_job) and (
            self.believable == GOOD or (bool(self.believable) and self.accepted == self.initial_job)
        )

    @property
    def waits_for_symmetry(self) -> bool:
        """Whether a symmetry is proposed, and nobody has said what it is."""
        best = str(self.proposed_symmetry[0][0]) if self.proposed_symmetry else NO_SYMMETRY
        return self.may_be_believed and not self.confirmed_by and best != NO_SYMMETRY


@dataclass(frozen=True)
class MapWish(Remembered):
    """What persons want of the map."""

    FILE: ClassVar[str] = "map_wish.json"

    mode: str = AUTO
    symmetry: str = ""  # "": nobody has said
    by: str = ""  # person, or --sym
    reference: str = ""  # a map on the axes of that symmetry, if one had to be made
    accepted: str = ""  # a doubtful first map (its job) that is to be gone on with
    again: int = 0  # how often another first map was asked for

    @classmethod
    def read(cls, folder: LiveFolder) -> MapWish:
        """What was said last; what the order says before that."""
        known = read_json(cls.file(folder))
        if known:
            return cls.of(known)
        order = folder.order()
        return cls(order.three_d, order.symmetry, "--sym" if order.symmetry else "")


def read_history(root: Path, job: str) -> list[dict[str, Any]]:
    """The updates of a job, oldest first; a line that is torn is left out."""
    found = []
    try:
        lines = (root / job / HISTORY).read_text().splitlines() if job else []
    except OSError:
        return []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [each for each in found if isinstance(each, dict)]


def map_line(known: Mapping[str, Any]) -> str:
    """The state of a map (fields of MapState) in words; "" where nothing is to be said."""
    state = MapState.of(known)
    if not known or state.state == OFF:
        return ""
    parts = [state.state + (f" ({state.why})" if state.why else "")]
    if state.updates:
        size = f", {state.resolution_angst:.1f} Å" if state.resolution_angst else ""
        parts.append(f"{state.particles} particles in {state.symmetry}{size}")
    if state.waits_for_symmetry:
        best = state.proposed_symmetry[0][0]
        parts.append(f"{best} is proposed: confirm it with verglas live map --confirm {best}")
    return "map: " + "; ".join(parts)
