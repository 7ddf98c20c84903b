"""A small project with two micrographs, picks, classes and a map, and a server in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from verglas.cli.demo.plan import DemoPlan
from verglas.project.project import Project
from verglas.web.app import create_app
from verglas.web.door.access import AccessBook
from verglas.web.projects import project_id
from verglas.web.settings import WebSettings

sys.path.insert(0, str(Path(__file__).parents[1]))  # for small_project and waiting
import small_project

with warnings.catch_warnings():  # httpx is about to be renamed
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

VERGLAS = (sys.executable, "-m", "verglas.cli.main")
PORT = 8931  # of the server that browsers visit; the next free one if it is taken


@dataclass(frozen=True)
class Served:
    """A project and a client of its server."""

    project: Project
    client: TestClient
    pid: str

    def url(self, path: str) -> str:
        return f"/api/p/{self.pid}/{path}"

    def get(self, path: str, /, **query: object):
        return self.client.get(self.url(path), params=query)

    def post(self, path: str, body: dict | None = None):
        return self.client.post(self.url(path), json=body or {})


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    """Import -> MotionCorr -> CtfFind -> AutoPick -> Extract -> Class2D, finished as if it had run."""
    shutil.copytree(template.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Made once, copied for every test."""
    return small_project.make(tmp_path_factory.mktemp("template") / "project")


@pytest.fixture(autouse=True)
def revived(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Projects whose dead sessions a server of this process would have brought back; nothing is started.

    Tests write sessions that nobody works on; a process for them would write over what the test wrote.
    """
    roots: list[Path] = []
    monkeypatch.setattr("verglas.web.app.revive", roots.append)
    return roots


@pytest.fixture
def served(project: Project) -> Iterator[Served]:
    settings = WebSettings((project.root,), needs_token=False, allowed_hosts=frozenset({"testserver"}))
    with TestClient(create_app(settings)) as client:
        yield Served(project, client, project_id(project.root))


@pytest.fixture
def simulated(tmp_path: Path) -> Project:
    """A project without jobs whose three movies are simulated; gain.mrc lies beside them."""
    given = DemoPlan.quick().session
    made = Project.create(tmp_path / "session")
    words = ["simulate", "session", str(tmp_path / "truth"), "--into", str(made.root / "Movies")]
    words += ["--movies", "3", "--particles", str(given.particles), "--size", str(given.size)]
    words += ["--frames", str(given.frames), "--views", str(given.views), "--seed", "7"]
    subprocess.run([*VERGLAS, *words], check=True, env=_environment())
    shutil.copy(next((tmp_path / "truth").rglob("gain.mrc")), made.root / "gain.mrc")
    return made


@pytest.fixture
def server(simulated: Project) -> Iterator[str]:
    """The address of `verglas gui` on the simulated project, as a process of its own."""
    words = [*VERGLAS, "gui", str(simulated.root), "--port", str(PORT)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=_environment())
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1].rstrip("/")
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def locked(project: Project) -> Iterator[tuple[Served, AccessBook]]:
    """The same, asking for tokens."""
    book = AccessBook()
    settings = WebSettings((project.root,), needs_token=True, access=book)
    with TestClient(create_app(settings)) as client:
        yield Served(project, client, project_id(project.root)), book


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
