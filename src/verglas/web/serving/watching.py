"""The websocket: tells a page what changed, and sends it the log it looks at.

The server looks at modification times twice a second; nothing needs to tell it anything, so jobs that
RELION or a terminal runs show up as well. However many pages watch a project, it is looked at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from verglas.formats.star import StarError
from verglas.jobs.contract.control_files import EXIT_FILES, RUN_ERR, RUN_OUT
from verglas.project.change import PIPELINE
from verglas.project.completion import check_completion
from verglas.project.dialect import Status
from verglas.project.project import OWN_FOLDER, Project
from verglas.web.logs import log_tail
from verglas.web.projects import UnknownProject
from verglas.web.serving.pools import Busy, Overdue, Pool

_log = logging.getLogger("verglas.web")
router = APIRouter()
POLL_S = 0.5
CHECKED_S = 2.0  # how often a page's right to watch is looked at
MAX_MESSAGE = 2000
MOST_WAITING = 100  # messages of a page that does not take them
Stamp = tuple[float, int]
# files of our own folder -> what a page calls the part that changed with them
_PARTS = (
    ("schedules/*/state.json", "schedules"),
    ("live/*/status.json", "live/{}"),
    ("live/*/state.json", "live/{}"),
    ("live/*/map.json", "live/{}"),
    ("live/*/map_wish.json", "live/{}"),
    ("live/*/answers.json", "live/{}"),
    ("live/*/movies.jsonl", "movies/{}"),
    ("live/*/manual.star", "movies/{}"),
    ("live/*/unlike.star", "movies/{}"),
    ("drafts/*.json", "drafts"),
    ("events.jsonl", "events"),
)


class Look:
    """How a project was when it was looked at last."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._state: dict[str, object] = {}
        self._logs: dict[str, Stamp] = {}
        self._pipeline: Stamp = 0.0, 0
        self._jobs: dict[str, bool] = {}  # job -> it runs

    def parts(self) -> list[str]:
        """What changed since the last call: jobs, progress, schedules, live/NAME, movies/NAME, ..."""
        state = self._now()
        before, self._state = self._state, state
        if not before:
            return []
        return sorted(part for part in state.keys() | before.keys() if state.get(part) != before.get(part))

    def logs(self, names: set[str]) -> dict[str, dict[str, Any]]:
        """The ends of those of these logs that changed since the last call."""
        stamps = {name: _stamp(self.project.root / name) for name in names}
        changed = [name for name, stamp in stamps.items() if stamp != self._logs.get(name)]
        self._logs = stamps
        return {name: log_tail(self.project, name) for name in changed}

    def log_of(self, job: str, which: str) -> str:
        """The name of a job's run.out or run.err; "" for a job that is not known."""
        self._read_jobs()
        return f"{job}{RUN_ERR if which == 'err' else RUN_OUT}" if job in self._jobs else ""

    def _read_jobs(self) -> None:
        stamp = _stamp(self.project.root / PIPELINE)
        if stamp != self._pipeline:
            processes = self.project.graph().processes.items()
            self._jobs = {name: each.status is Status.RUNNING for name, each in processes}
            self._pipeline = stamp

    def _now(self) -> dict[str, object]:
        root = self.project.root
        self._read_jobs()
        running = [name for name, runs in self._jobs.items() if runs]
        exits = [_stamp(root / name / exit_file) for name in running for exit_file in EXIT_FILES]
        if any(stamp[0] for stamp in exits):
            check_completion(self.project)
        found: dict[str, object] = {
            "jobs": (self._pipeline, exits),
            "progress": [_stamp(root / name / RUN_OUT) for name in running],
        }
        own = root / OWN_FOLDER
        for pattern, part in _PARTS:
            for path in own.glob(pattern):
                key = part.format(path.parent.name)
                found[key] = (*found.get(key, ()), _stamp(path))  # type: ignore[misc]
        return found


@dataclass(eq=False)
class Page:
    """One page that watches: messages on their way to it, and the log it follows."""

    waiting: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    log: str = ""
    wants_log: bool = False  # it has just asked: the log as it is, changed or not


class Watchers:
    """The pages that watch each project, and the task that looks at it for all of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._pages: dict[str, set[Page]] = {}
        self._looks: dict[str, Look] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, key: str, project: Project) -> Page:
        page = Page()
        self._pages.setdefault(key, set()).add(page)
        if key not in self._tasks:
            self._looks[key] = Look(project)
            self._tasks[key] = asyncio.create_task(self._watch(key))
        return page

    def remove(self, key: str, page: Page) -> None:
        self._pages[key].discard(page)
        if not self._pages[key]:
            self._tasks.pop(key).cancel()
            self._looks.pop(key)

    async def follow(self, key: str, page: Page, job: str, which: str) -> None:
        """Send this job's run.out or run.err from now on. Unknown jobs stop it."""
        with suppress(Busy, Overdue, OSError, StarError):
            page.log = await self._pool.run(key, partial(self._looks[key].log_of, job, which))
            page.wants_log = True

    async def _watch(self, key: str) -> None:
        while True:
            try:
                await self._tell(key)
            except (Busy, Overdue, OSError, StarError):
                pass  # it cannot be looked at now: perhaps the next time
            except Exception:  # pages go on being told, whatever one look stumbled over
                _log.exception("looking at project %s", key)
            await asyncio.sleep(POLL_S)

    async def _tell(self, key: str) -> None:
        look, pages = self._looks[key], self._pages[key]
        parts = await self._pool.run(key, look.parts)
        if parts:
            self._send(pages, json.dumps({"kind": "changed", "what": parts}))
        followed = Counter(page.log for page in pages if page.log)
        if not followed:
            return
        fresh = {page for page in pages if page.wants_log}
        changed = await self._pool.run(key, partial(look.logs, set(followed)))
        for name, tail in changed.items():
            told = {page for page in pages if page.log == name}
            self._send(told, _log_message(name, tail))
            fresh -= told
        for page in fresh:
            page.wants_log = False
            if page.log:
                tail = await self._pool.run(key, partial(log_tail, look.project, page.log))
                self._send({page}, _log_message(page.log, tail))

    @staticmethod
    def _send(pages: set[Page], text: str) -> None:
        for page in pages:
            page.wants_log = False
            with suppress(asyncio.QueueFull):  # it is closed for it below
                page.waiting.put_nowait(text)


def _log_message(name: str, tail: dict[str, Any]) -> str:
    return json.dumps({"kind": "log", "path": name, **tail})


@router.websocket("/api/p/{pid}/watch")
async def watch(socket: WebSocket, pid: str) -> None:
    """Messages out: {"kind": "changed", "what": [...]}, {"kind": "log", ...}. In: {"job": ..., "which": "out"}."""
    person = socket.scope["state"]["person"]
    try:
        if person.project and person.project != pid:
            raise UnknownProject(pid)
        project = socket.app.state.projects.get(pid)
    except UnknownProject:
        await socket.close(4404)
        return
    await socket.accept()
    watchers: Watchers = socket.app.state.watchers
    page = watchers.add(pid, project)
    listener = asyncio.create_task(_listen(socket, partial(watchers.follow, pid, page)))
    try:
        while not listener.done():
            if not socket.app.state.settings.access.still_valid(person):
                await socket.close(4401, "the link was taken back, or it has ended")
                return
            if page.waiting.full():
                await socket.close(1013, "this page does not take what it is told")
                return
            with suppress(TimeoutError):
                await socket.send_text(await asyncio.wait_for(page.waiting.get(), CHECKED_S))
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page is gone
    finally:
        listener.cancel()
        watchers.remove(pid, page)


async def _listen(socket: WebSocket, follow: Any) -> None:
    while True:
        try:
            text = await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            return
        if len(text) > MAX_MESSAGE:
            await socket.close(1009)
            return
        wanted = _parsed(text)
        if isinstance(wanted.get("job"), str):
            await follow(wanted["job"], str(wanted.get("which", "out")))


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return 0.0, 0
    return stat.st_mtime, stat.st_size
