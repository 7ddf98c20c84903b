"""Who may come in: a token per person with a role, with an end if it is a share link.

A viewer looks. A worker runs jobs and steers sessions, but gives no commands of their own: no queue, no
further arguments, no program, no file outside the project. An operator may do everything, which is as much
as a shell on the server's machine: jobs can be told to run any command.

Only hashes of tokens are kept, in a file that its owner alone can read. A token is compared with every
entry in constant time, so that the time of an answer says nothing. A browser gets a key of its own for the
token (`open_session`), which is good for nothing elsewhere and ends with the token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from verglas.formats.atomic import write_text

Role = Literal["viewer", "worker", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "worker", "operator")
MOST_SESSIONS = 500  # of browsers; the oldest go first


@dataclass(frozen=True)
class Person:
    """Somebody who came in, and what they may do."""

    name: str
    role: Role
    digest: str = ""
    expires_s: float | None = None  # calendar time; None: never
    project: str = ""  # id of the only project shown; empty: all

    @property
    def may_change(self) -> bool:
        return self.role in ("worker", "operator")

    @property
    def may_command(self) -> bool:
        """Whether they may have the machine run commands of their own."""
        return self.role == "operator"

    def is_valid(self, now_s: float) -> bool:
        return self.expires_s is None or now_s < self.expires_s


LOCAL = Person("local", "operator")  # on loopback nobody asks


class AccessBook:
    """The people of a server; without a file they live as long as the server."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._people: list[Person] = []
        self._sessions: dict[str, str] = {}  # hash of a browser's key -> hash of the token

    @property
    def people(self) -> list[Person]:
        """Read anew each time: a token that was revoked in the file is refused at once."""
        if self.path is None:
            return list(self._people)
        try:
            return [Person(**each) for each in json.loads(self.path.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def add(self, name: str, role: Role, *, days: float | None = None, project: str = "") -> str:
        """Let somebody in; returns the token, which is not kept. Raises ValueError."""
        if role not in ROLES:
            raise ValueError(f"role {role!r}: known are {', '.join(ROLES)}")
        if not name.strip() or len(name) > 80:
            raise ValueError("give a name of 1 to 80 letters")
        token = secrets.token_urlsafe(24)
        expires = time.time() + days * 86400 if days is not None else None
        valid = [each for each in self.people if each.is_valid(time.time())]
        self._save([*valid, Person(name, role, _digest(token), expires, project)])
        return token

    def remove(self, name: str, *, project: str | None = None) -> int:
        """Take back every token of a name (of one project's links only); how many there were."""
        kept = [
            person
            for person in self.people
            if person.name != name or (project is not None and person.project != project)
        ]
        count = len(self.people) - len(kept)
        if count:
            self._save(kept)
        return count

    def find(self, token: str) -> Person | None:
        """Who holds this token, if anybody does and it has not expired."""
        digest, now, found = _digest(token), time.time(), None
        for person in self.people:
            same = hmac.compare_digest(person.digest, digest)
            if same and person.is_valid(now):
                found = person
        return found

    def open_session(self, token: str) -> str:
        """A key for one browser instead of the token; it is good while the token is."""
        key = secrets.token_urlsafe(24)
        known = list(self._read_sessions().items())[1 - MOST_SESSIONS :]
        self._save_sessions({**dict(known), _digest(key): _digest(token)})
        return key

    def find_session(self, key: str) -> Person | None:
        """Whose browser has this key, if their token is still good."""
        digest = self._read_sessions().get(_digest(key))
        now = time.time()
        people = (person for person in self.people if person.is_valid(now))
        return next((person for person in people if person.digest == digest), None)

    def close_session(self, key: str) -> None:
        """Forget a browser's key."""
        known = self._read_sessions()
        if known.pop(_digest(key), None) is not None:
            self._save_sessions(known)

    def still_valid(self, person: Person) -> bool:
        """Whether somebody who came in earlier might come in now."""
        return person is LOCAL or any(each == person and each.is_valid(time.time()) for each in self.people)

    @property
    def _sessions_file(self) -> Path | None:
        return self.path.with_name("browsers.json") if self.path is not None else None

    def _read_sessions(self) -> dict[str, str]:
        if self._sessions_file is None:
            return dict(self._sessions)
        try:
            return {
                str(key): str(value) for key, value in json.loads(self._sessions_file.read_text()).items()
            }
        except (OSError, ValueError, AttributeError):
            return {}

    def _save_sessions(self, sessions: dict[str, str]) -> None:
        self._sessions = sessions
        if self._sessions_file is not None:
            self._sessions_file.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._sessions_file, json.dumps(sessions, indent=1), private=True)

    def _save(self, people: list[Person]) -> None:
        self._people = people
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            text = json.dumps([asdict(each) for each in people], indent=1)
            write_text(self.path, text, private=True)


def default_book() -> AccessBook:
    """The user's own book, used by every server the user starts."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return AccessBook(Path(base) / "verglas" / "access.json")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
