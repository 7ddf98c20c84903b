"""What a live session is asked to do, and its files.

`.verglas/live/NAME/` holds

    order.json      what was asked for (this module)
    state.json      the phase: running, paused, finishing, finished, stopped
    owner.json      the process at work
    wish.json       what the user asked for last: run, pause, finish, stop
    settings.json   options of every stage, all versions of them (stage_settings.py)
    map.json        what is known about the map, and map_wish.json what persons want of it (map_state.py)
    movies.jsonl    one line per step of a movie (ledger.py): the source of per-micrograph figures
    status.json     what the pages show (status.py)

Everything but the order can be made again from the job directories.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from verglas.formats.atomic import write_text
from verglas.jobs.chain import STAGES
from verglas.project.change import Change
from verglas.project.lease import OwnedFolder
from verglas.project.names import checked_plain_name
from verglas.project.project import OWN_FOLDER

NEWEST, OLDEST = "newest", "oldest"
RUNNING, PAUSED, FINISHING, FINISHED, STOPPED, FAILED = (
    "running",
    "paused",
    "finishing",
    "finished",
    "stopped",
    "failed",
)
OVER = (FINISHED, STOPPED, FAILED)


@dataclass(frozen=True)
class LiveOrder:
    """One live session: where movies come from, which jobs take them, what they may use."""

    name: str = "live1"
    wildcard: str = ""  # of the movies, as the Import job has it
    jobs: dict[str, str] = field(default_factory=dict)  # folder -> "MotionCorr/job002/"
    devices: tuple[str, ...] = ("cpu",)
    stage_devices: dict[str, tuple[str, ...]] = field(default_factory=dict)  # where they differ
    workers: int = 2  # processes per device
    threads: int = 1  # of each process
    memory_bytes: int = 0  # for all together; 0: half of what is free
    first: str = OLDEST
    poll_s: float = 1.0  # between looks at the folders
    publish_s: float = 10.0  # least time between rebuilds of the output lists
    settle_s: float = 1.0  # a container without a length of its own must keep its size so long
    max_lag_for_2d_s: float = 120.0  # above this the 2D classes wait
    classes_from: int = 1000  # particles before the first 2D classes
    classes_growth: float = 1.5  # an update when there are so many times the particles of the last
    n_frames: int = 0  # > 0: movies of another length are set aside
    three_d: str = (
        "auto"  # whether a map is made: off; auto, when 2D classes allow it; on, whatever they show
    )
    symmetry: str = ""  # of the particle, where somebody knows it
    map_from: int = 3000  # good particles before the first map
    map_options: dict[str, dict[str, str]] = field(default_factory=dict)  # folder -> options of its jobs

    def __post_init__(self) -> None:
        checked_plain_name("session", self.name)
        if self.first not in (NEWEST, OLDEST):
            raise ValueError(f"--first {self.first!r}: expected {NEWEST} or {OLDEST}")
        if self.workers < 1 or self.threads < 1:
            raise ValueError(
                f"a session needs at least one worker and thread, got {self.workers} and {self.threads}"
            )
        if self.classes_growth <= 1:
            raise ValueError(f"2D classes need growth above 1 between updates, got {self.classes_growth}")
        if self.three_d not in ("off", "auto", "on"):
            raise ValueError(f"--three-d {self.three_d!r}: expected off, auto or on")
        if self.map_from < 1:
            raise ValueError(f"--map-from {self.map_from}: expected a number of particles")
        if not self.devices:
            raise ValueError("a session needs at least one device")

    def devices_of(self, stage: str) -> tuple[str, ...]:
        """Where a stage may run."""
        return self.stage_devices.get(stage, self.devices)

    @property
    def all_devices(self) -> tuple[str, ...]:
        """Every device that some stage uses."""
        named = [*self.devices, *(each for some in self.stage_devices.values() for each in some)]
        used = {device for stage in STAGES for device in self.devices_of(stage)}
        return tuple(device for device in dict.fromkeys(named) if device in used)


class SessionTaken(RuntimeError):
    """Another process works on the session."""


@dataclass(frozen=True)
class LiveFolder(OwnedFolder):
    """The files of one session. `root` is the project."""

    root: Path
    name: str
    owned_as: ClassVar[str] = "live session"
    taken: ClassVar[type[RuntimeError]] = SessionTaken

    @property
    def path(self) -> Path:
        return self.root / OWN_FOLDER / "live" / self.name

    @property
    def journal(self) -> Path:
        return self.path / "movies.jsonl"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def settings_file(self) -> Path:
        """Options of the stages, all versions of them."""
        return self.path / "settings.json"

    @property
    def requests_file(self) -> Path:
        """Numbers of movies to try again, until the session has read them."""
        return self.path / "again.json"

    @property
    def manual_file(self) -> Path:
        return self.path / "manual.star"

    @property
    def report_file(self) -> Path:
        return self.root / f"live_{self.name}.html"

    def create(self, change: Change, order: LiveOrder) -> None:
        """A new order, as a part of a change; the session is wanted from then on."""
        here = self.path.relative_to(self.root)
        state = {"phase": RUNNING, "message": ""}
        known = {"order": asdict(order), "wish": {"wish": "run"}, "state": state}
        for name, content in known.items():
            change.write(str(here / f"{name}.json"), json.dumps(content, indent=1).encode())

    def order(self) -> LiveOrder:
        """Raises FileNotFoundError for a session that does not exist."""
        known = json.loads((self.path / "order.json").read_text())
        known["devices"] = tuple(known["devices"])
        known["stage_devices"] = {k: tuple(v) for k, v in known["stage_devices"].items()}
        return LiveOrder(**known)

    def set_phase(self, phase: str, message: str = "") -> None:
        write_text(self.path / "state.json", json.dumps({"phase": phase, "message": message}))

    def phase(self) -> str:
        return str(read_json(self.path / "state.json").get("phase", STOPPED))

    def message(self) -> str:
        return str(read_json(self.path / "state.json").get("message", ""))

    def wish(self, what: str) -> None:
        """Ask the session for something: run, pause, finish, stop. It obeys within a second."""
        write_text(self.path / "wish.json", json.dumps({"wish": what}))

    def wished(self) -> str:
        return str(read_json(self.path / "wish.json").get("wish", "stop"))

    @property
    def is_wanted(self) -> bool:
        """Whether a process should work on it."""
        return (self.path / "order.json").exists() and self.phase() not in OVER


def all_sessions(root: Path) -> list[LiveFolder]:
    """Every live session of a project, by name."""
    found = (root / OWN_FOLDER / "live").glob("*/order.json")
    return sorted((LiveFolder(root, path.parent.name) for path in found), key=lambda each: each.name)


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object; {} while it is missing or torn."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
