"""What somebody has begun and not saved: picks of a micrograph, a choice of classes.

`.verglas/drafts/` holds one small file for each, by person and thing, until it is saved or discarded: it
outlives the page, another tab sees it, and nothing of the project depends on it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from verglas.formats.atomic import write_text
from verglas.formats.regular import regular
from verglas.project.change import Change
from verglas.project.project import OWN_FOLDER, Project

FOLDER = "drafts"
MOST = 5000  # of a project
Kind = Literal["picks", "classes"]


class TooManyDrafts(ValueError):
    """There are more unsaved things than anybody can have begun."""


@dataclass(frozen=True)
class Draft:
    """One unsaved thing: `of` a micrograph or a model file, in a `job` where it belongs to one."""

    kind: Kind
    of: str
    job: str
    person: str
    saved: str  # ISO time of the last change
    value: dict[str, Any]


def save_draft(
    project: Project, kind: Kind, of: str, person: str, value: dict[str, Any], job: str = ""
) -> Draft:
    """Keep the state of something unsaved in place of what was kept before. Raises TooManyDrafts."""
    path = _path(project.root, kind, of, person, job)
    if not path.exists() and len(list(path.parent.glob("*.json"))) >= MOST:
        raise TooManyDrafts(f"there are {MOST:,} unsaved drafts in this project: save or discard some")
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    draft = Draft(kind, of, job, person, now, value)
    write_text(path, json.dumps(asdict(draft)), durable=False)
    return draft


def read_draft(project: Project, kind: Kind, of: str, person: str, job: str = "") -> Draft | None:
    """What was kept; None if there is nothing unsaved."""
    return _read(_path(project.root, kind, of, person, job))


def discard_draft(project: Project, kind: Kind, of: str, person: str, job: str = "") -> None:
    """It was saved, or is not wanted any more."""
    _path(project.root, kind, of, person, job).unlink(missing_ok=True)


def forget_draft(change: Change, kind: Kind, of: str, person: str, job: str = "") -> None:
    """`discard_draft`, as a part of the change that saves it."""
    path = _path(change.root, kind, of, person, job)
    if path.exists():
        change.remove(str(path.relative_to(change.root)))


def drafts_of(project: Project, person: str) -> list[Draft]:
    """Everything that somebody has not saved, newest first."""
    found = [_read(path) for path in (project.root / OWN_FOLDER / FOLDER).glob("*.json")]
    own = [each for each in found if each is not None and each.person == person]
    return sorted(own, key=lambda each: each.saved, reverse=True)


def _path(root: Path, kind: Kind, of: str, person: str, job: str) -> Path:
    digest = hashlib.blake2b(json.dumps([kind, of, person, job]).encode(), digest_size=12)
    return root / OWN_FOLDER / FOLDER / f"{digest.hexdigest()}.json"


def _read(path: Path) -> Draft | None:
    try:
        return Draft(**json.loads(regular(path).read_text()))
    except (OSError, ValueError, TypeError):
        return None
