"""The websocket: tells a page what changed, and sends it the log it looks at.

The server looks at modification times twice a second; nothing needs to tell it anything, so jobs that
RELION or a terminal runs show up as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from verglas.formats.star import StarError
from verglas.jobs.contract.control_files import EXIT_FILES, RUN_ERR, RUN_OUT
from verglas.project.change import PIPELINE
from verglas.project.completion import check_completion
from verglas.project.project import OWN_FOLDER, Project
from verglas.web.logs import log_tail
from verglas.web.pools import Busy, Overdue, Pool
from verglas.web.projects import UnknownProject

router = APIRouter()
POLL_S = 0.5
MAX_MESSAGE = 2000
Stamp = tuple[float, int]
Runner = Callable[[Callable[[], Any]], Awaitable[Any]]


class Watch:
    """What one page looks at, and how it was when the page was told last."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.log = ""  # path of a log relative to the root
        self.last_log: Stamp | None = None
        self.last_state: object = None

    def look(self) -> list[dict[str, Any]]:
        """Messages for what changed since the last call."""
        messages: list[dict[str, Any]] = []
        state = self._state()
        if state != self.last_state:
            if self.last_state is not None:
                messages.append({"kind": "changed"})
            self.last_state = state
        if self.log:
            stamp = _stamp(self.project.root / self.log)
            if stamp != self.last_log:
                self.last_log = stamp
                messages.append(
                    {"kind": "log", "path": self.log, **log_tail(self.project, self.log)}
                )
        return messages

    def follow(self, job: str, which: str) -> None:
        """Send this job's run.out or run.err from now on. Unknown jobs stop it."""
        name = RUN_ERR if which == "err" else RUN_OUT
        self.log = f"{job}{name}" if job in self.project.graph().processes else ""
        self.last_log = None

    def _state(self) -> object:
        root = self.project.root
        graph = self.project.graph()
        running = [name for name, each in graph.processes.items() if each.status.label == "Running"]
        exits = [_stamp(root / name / exit_file) for name in running for exit_file in EXIT_FILES]
        if any(stamp[0] for stamp in exits):
            check_completion(self.project)
        outs = [_stamp(root / name / RUN_OUT) for name in running]
        schedules = sorted(
            (str(path), *_stamp(path))
            for pattern in ("schedules/*/state.json", "live/*/status.json", "live/*/state.json")
            for path in (root / OWN_FOLDER).glob(pattern)
        )
        return _stamp(root / PIPELINE), exits, outs, schedules


@router.websocket("/api/p/{pid}/watch")
async def watch(socket: WebSocket, pid: str) -> None:
    """Messages out: {"kind": "changed"} and {"kind": "log", ...}. In: {"job": ..., "which": "out"}."""
    person = socket.scope["state"]["person"]
    try:
        if person.project and person.project != pid:
            raise UnknownProject(pid)
        project = socket.app.state.projects.get(pid)
    except UnknownProject:
        await socket.close(4404)
        return
    await socket.accept()
    looking = Watch(project)
    pool: Pool = socket.app.state.pools.status
    listener = asyncio.create_task(_listen(socket, looking, partial(pool.run, pid)))
    try:
        while not listener.done():
            if not socket.app.state.settings.access.still_valid(person):
                await socket.close(4401, "the link was taken back, or it has ended")
                return
            with suppress(Busy, Overdue):
                for message in await pool.run(pid, looking.look):
                    await socket.send_json(message)
            await asyncio.sleep(POLL_S)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page is gone
    finally:
        listener.cancel()


async def _listen(socket: WebSocket, looking: Watch, run: Runner) -> None:
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
            which = str(wanted.get("which", "out"))
            with suppress(Busy, Overdue, OSError, StarError):
                await run(partial(looking.follow, wanted["job"], which))


def _parsed(text: str) -> dict[str, Any]:
    import json

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
