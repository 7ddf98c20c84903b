"""What a project's scheduler is told once: floors of the disc, when to sound an alarm and how.

`.verglas/settings.json`; everything has a default, and alarms are off until somebody says where to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.project.project import OWN_FOLDER


@dataclass(frozen=True)
class WatchSettings:
    """Thresholds and destinations."""

    disc_floor_gb: float = 5.0  # below it jobs pause
    ingest_floor_gb: float = 1.0  # below it even the copying of movies pauses
    no_new_file_min: float = 30.0
    lag_movies: int = 200
    goal_particles: int = 0  # good ones the session is meant to end with; 0: nobody said
    alarm_command: str = ""  # run with the message as its last argument
    alarm_webhook: str = ""  # POSTed as JSON {"text": ...}
    smtp_host: str = ""
    smtp_from: str = ""
    smtp_to: str = ""

    @property
    def has_destination(self) -> bool:
        return bool(self.alarm_command or self.alarm_webhook or (self.smtp_host and self.smtp_to))


def load_settings(root: Path) -> WatchSettings:
    """The project's settings; defaults where nothing is written."""
    try:
        known = json.loads((root / OWN_FOLDER / "settings.json").read_text())
    except (OSError, ValueError):
        return WatchSettings()
    names = {each.name for each in fields(WatchSettings)}
    return WatchSettings(**{key: value for key, value in known.items() if key in names})


def save_settings(root: Path, settings: WatchSettings) -> None:
    (root / OWN_FOLDER).mkdir(exist_ok=True)
    write_text(root / OWN_FOLDER / "settings.json", json.dumps(asdict(settings), indent=1))
