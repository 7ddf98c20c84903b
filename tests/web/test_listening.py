"""Where the pages listen: a private socket is its owner's, ports that are taken are passed over.

What the pages write keeps the umask and the group.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from verglas.project.project import Project
from verglas.web.projects import project_id
from verglas.web.serving.listening import tcp_socket, unix_socket


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def shared_project(tmp_path: Path) -> Project:
    """A project of a group: its directory hands its group on to what is made in it."""
    made = Project.create(tmp_path / "project")
    if os.geteuid() == 0:
        os.chown(made.root, 0, 4242)
    made.root.chmod(0o2775)
    return made


@pytest.fixture
def path(shared_project: Project, tmp_path: Path) -> Iterator[Path]:
    """The socket of a server that was started by somebody with umask 002."""
    path = tmp_path / "gui.sock"
    words = [sys.executable, "-m", "verglas.cli.main", "gui", str(shared_project.root)]
    process = subprocess.Popen(
        [*words, "--unix-socket", str(path)], stdout=subprocess.PIPE, text=True, umask=0o002
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield path
    process.terminate()
    process.wait(20)
    process.stdout.close()
    assert not path.exists(), "the socket is removed when the server ends"


def test_only_the_owner_may_connect_and_files_keep_umask_and_group(path, shared_project):
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=60) as client:
        base = f"http://localhost/api/p/{project_id(shared_project.root)}"
        body = {"type": "Import", "values": {"fn_in_raw": "Movies/*.tif"}, "action": "schedule"}
        name = client.post(f"{base}/jobs", json=body).json()["name"]
        assert bits(path) == 0o600
    group = shared_project.root.stat().st_gid
    events = shared_project.root / ".verglas/events.jsonl"
    for made in (shared_project.root / name, shared_project.root / name / "job.star", events):
        assert made.stat().st_gid == group, made
        assert bits(made) & 0o060 == 0o060, f"{made} is closed to the group: {bits(made):o}"


def test_with_tokens_the_socket_is_open_to_a_proxy_of_another_user(tmp_path):
    with unix_socket(tmp_path / "s", everybody=True) as listening:
        assert bits(tmp_path / "s") == 0o666
        assert listening.family == socket.AF_UNIX


def test_a_socket_left_by_a_dead_server_is_replaced_a_living_one_is_not(tmp_path):
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "s"))
    dead.close()
    with unix_socket(tmp_path / "s"), pytest.raises(OSError, match="another server answers"):
        unix_socket(tmp_path / "s")


def test_a_file_is_not_taken_for_a_socket(tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    with pytest.raises(OSError, match="no socket"):
        unix_socket(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_a_taken_port_is_passed_over_and_a_foreign_address_refused():
    with tcp_socket("127.0.0.1", 0) as first:
        taken = first.getsockname()[1]
        with tcp_socket("127.0.0.1", taken) as second:
            assert second.getsockname()[1] > taken
    with pytest.raises(OSError):
        tcp_socket("192.0.2.1", 8765)
