"""What ten browsers on a session of 20,000 movies cost the server, with a change every five seconds.

    python benchmarks/web_load.py [--movies 20000] [--browsers 10] [--seconds 60] [--every 5]

Every browser keeps a websocket open and asks, when it is told of a change, for what the session page shows:
overview, session, health, jobs, events, the grid and the movies since the last answer. A change is what a
session writes while it works: finished movies in its journal and a new status. Printed are the server's
processor time, its memory, and the bytes that a browser gets for a change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import numpy as np
import websockets

from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.status import LiveStatus
from verglas.web.projects import project_id

PORT = 8983
FIGURES = {
    "MotionCorr": {"motion_total_angst": 12.0, "motion_early_angst": 6.0, "motion_late_angst": 6.0},
    "CtfFind": {
        "defocus_u_angst": 14000.0,
        "defocus_v_angst": 13800.0,
        "astigmatism_angst": 200.0,
        "ctf_resolution_angst": 4.0,
        "ctf_merit": 0.2,
        "ctf_reliability": 0.9,
        "ice_ring": 0.1,
    },
    "AutoPick": {"picks": 240.0, "pick_merit": 4.0},
    "Extract": {"particles": 230.0},
}
JOBS = {
    "Import": "Import/job001/",
    "MotionCorr": "MotionCorr/job002/",
    "CtfFind": "CtfFind/job003/",
    "AutoPick": "AutoPick/job004/",
    "Extract": "Extract/job005/",
    "Class2D": "Class2D/job006/",
    "Select": "Select/job007/",
}
ASKED = ("overview", "live/night", "live/night/health", "jobs", "events?last=200", "live/night/grid")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--movies", type=int, default=20_000)
    parser.add_argument("--browsers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder) / "night", given.movies)
        with served(session.root) as process:
            asyncio.run(measure(session, process.pid, given))
    return 0


class Session:
    """A session at work, as far as its files tell."""

    def __init__(self, root: Path, movies: int) -> None:
        self.root = Project.create(root).root
        self.folder = self.root / ".verglas/live/night"
        self.folder.mkdir(parents=True)
        self._rng = np.random.default_rng(7)
        self.count = 0
        order = {
            "name": "night",
            "wildcard": "Movies/*.tif",
            "jobs": JOBS,
            "devices": ["cpu"],
            "stage_devices": {},
        }
        (self.folder / "order.json").write_text(json.dumps(order))
        (self.folder / "state.json").write_text(json.dumps({"phase": "running", "message": ""}))
        self.change(movies)

    def change(self, movies: int) -> None:
        """So many more movies are done."""
        with open(self.folder / "movies.jsonl", "a") as journal:
            for _ in range(movies):
                self.count += 1
                journal.writelines(json.dumps(line) + "\n" for line in self._lines(self.count))
        status = LiveStatus(
            "night",
            "running",
            updated=time.time(),
            found=self.count,
            accepted=self.count,
            finished=self.count,
            judged=self.count,
            particles=230 * self.count,
            in_per_hour=240.0,
            done_per_hour=240.0,
            classes=asdict(ClassState()),
        )
        temporary = self.folder / "status.tmp"
        temporary.write_text(json.dumps(asdict(status)))
        os.replace(temporary, self.folder / "status.json")

    def _lines(self, number: int) -> Iterator[dict[str, object]]:
        square, hole = divmod(number // 3, 40)
        name = f"Movies/GridSquare_{square}/Data/FoilHole_{square * 100 + hole}_Data_{number}_fractions.tif"
        micrograph = name.replace("Movies/", "MotionCorr/job002/Movies/").replace(".tif", ".mrc")
        yield {"k": "taken", "m": number, "name": name, "path": name, "stamp": "1:1", "t": 1e9 + number}
        for stage, typical in FIGURES.items():
            factor = float(self._rng.lognormal(0, 0.3))
            figures = {key: round(value * factor, 4) for key, value in typical.items()}
            yield {
                "k": "done",
                "m": number,
                "stage": stage,
                "v": 1,
                "s": 1.0,
                "figures": figures,
                "micrograph": micrograph,
                "ready": 21.0,
            }


@contextmanager
def served(root: Path) -> Iterator[subprocess.Popen[str]]:
    """`verglas gui` on the project, as a process of its own."""
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(root), "--port", str(PORT)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


@dataclass
class Browser:
    """One page of the session, and what it got."""

    base: str
    marks: dict[str, str] = field(default_factory=dict)
    version: str = ""
    rows: int = 0
    got_bytes: int = 0
    rounds: int = 0

    async def watch(self, address: str, client: httpx.AsyncClient) -> None:
        async with websockets.connect(address) as socket:
            await self.load(client)
            self.got_bytes = 0  # the first load is told by itself
            while True:
                message = await socket.recv()
                self.got_bytes += len(message)
                if json.loads(message)["kind"] == "changed":
                    await self.load(client)
                    self.rounds += 1

    async def load(self, client: httpx.AsyncClient) -> None:
        for path in ASKED:
            await self._get(client, path)
        answer = await self._get(client, f"live/night/movies?since={self.version}")
        if answer is not None:
            self.version = answer["version"]
            self.rows = answer["total"]

    async def _get(self, client: httpx.AsyncClient, path: str) -> dict | None:
        headers = {"if-none-match": self.marks.get(path, "")}
        answer = await client.get(f"{self.base}/{path}", headers=headers)
        answer.raise_for_status() if answer.status_code != 304 else None
        self.got_bytes += answer.num_bytes_downloaded
        self.marks[path] = answer.headers.get("etag", "")
        return answer.json() if answer.status_code == 200 else None


async def measure(session: Session, pid: int, given: argparse.Namespace) -> None:
    key = project_id(session.root)
    base, socket = (f"http://localhost:{PORT}/api/p/{key}", f"ws://localhost:{PORT}/api/p/{key}/watch")
    browsers = [Browser(base) for _ in range(given.browsers)]
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=100)) as client:
        begin = cpu_s(pid)
        first = Browser(base)
        await first.load(client)
        print(
            f"first load of {given.movies:,} movies: {first.got_bytes / 1e3:,.0f} kB, "
            f"{cpu_s(pid) - begin:.2f} s of the server's processor"
        )
        tasks = [asyncio.create_task(each.watch(socket, client)) for each in browsers]
        while any(each.rows == 0 for each in browsers):
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        begin, begin_s, got = cpu_s(pid), time.monotonic(), sum(each.got_bytes for each in browsers)
        changes = 0
        while time.monotonic() - begin_s < given.seconds:
            session.change(1)
            changes += 1
            await asyncio.sleep(given.every)
        span = time.monotonic() - begin_s
        used, new = cpu_s(pid) - begin, sum(each.got_bytes for each in browsers) - got
        late = [each for each in browsers if each.rows < session.count]
        for task in tasks:
            task.cancel()
    print(f"{given.browsers} browsers, a change every {given.every:g} s, {span:.0f} s:")
    print(f"  processor        {used / span:.3f} cores")
    print(f"  memory           {memory_mb(pid):.0f} MB")
    print(f"  to each browser  {new / changes / given.browsers / 1e3:.1f} kB per change")
    print(f"  browsers behind  {len(late)}")


def cpu_s(pid: int) -> float:
    """Processor time of the process and its children so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    line = next(each for each in text.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1e3


if __name__ == "__main__":
    sys.exit(main())
