"""Attacks that were once possible, each by its cause."""

from __future__ import annotations

import os
import struct
import threading
import time

import pytest
from starlette.websockets import WebSocketDisconnect

from verglas.formats.mrc_header import HEADER_BYTES
from verglas.project.confinement import TooLarge, confined
from verglas.project.names import AliasError, BadName, checked_alias, checked_plain_name
from verglas.project.project import Project
from verglas.project.trash import delete, undelete
from verglas.scheduler.live.record.order import LiveOrder
from verglas.scheduler.schedule import Order
from verglas.web.door.access import AccessBook
from verglas.web.pictures.pyramid import Pyramid
from verglas.web.pictures.volumes import slice_png, small_map
from verglas.web.serving import pools

JOB = "Class2D/job006/"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_undelete_does_not_reach_another_project(served, project, tmp_path):
    other = Project.create(tmp_path / "other")
    delete(project, JOB)
    trash = other.root / "Trash" / JOB
    trash.parent.mkdir(parents=True)
    os.rename(project.root / "Trash" / JOB, trash)
    name = f"../../other/Trash/{JOB}"
    assert served.post("undelete", {"names": [name]}).status_code == 422
    assert trash.exists()
    with pytest.raises(BadName):
        undelete(project, name)


@pytest.mark.parametrize("route", ["info", "spectrum"])
def test_the_list_of_a_micrograph_is_confined(served, project, tmp_path, route):
    other = tmp_path / "other.star"
    other.write_bytes((project.root / "CtfFind/job003/micrographs_ctf.star").read_bytes())
    answer = served.get(f"micrographs/{route}", path="MotionCorr/job002/Movies/a.mrc", list=str(other))
    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["run.out", "run.err", "note.txt"])
def test_a_jobs_log_and_note_that_are_links_outside_are_not_told(served, project, tmp_path, name):
    (tmp_path / "secret").write_text("the secret")
    path = project.root / JOB / name
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "secret")
    for route in (f"jobs/{JOB.rstrip('/')}", "notes", "jobs", f"jobs/{JOB}log?which={name[-3:]}"):
        assert "the secret" not in served.client.get(served.url(route)).text


def test_settings_that_are_a_link_outside_are_not_told_in_a_complaint(served, project, tmp_path):
    (tmp_path / "secret").write_text("the secret of the first line")
    path = project.root / JOB / "job.star"
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    shown = served.get(f"jobs/{JOB.rstrip('/')}")
    assert shown.status_code == 200 and "outside the project" in shown.json()["unknown"]
    checked = served.post("check", {"job": JOB, "values": {}})
    assert checked.status_code == 403
    assert "the secret" not in shown.text + checked.text + served.get("report").text


@pytest.mark.parametrize("name", [".", "..", ".hidden", "a/b", "", "x" * 61, "a\nb"])
def test_sessions_and_schedules_have_plain_names(name):
    with pytest.raises(BadName):
        Order(name)
    with pytest.raises(BadName):
        LiveOrder(name)
    with pytest.raises(BadName):
        checked_plain_name("profile", name)


@pytest.mark.parametrize(
    "alias", ["it's", 'a"b', "a`b`", "two\nlines", "x" * 300, "..", "-rf", "a;b", "ünï" * 40]
)
def test_aliases_that_a_shell_or_a_disc_stumbles_over_are_refused(alias):
    with pytest.raises(AliasError):
        checked_alias(alias)


def test_a_websocket_ends_with_the_link_it_came_by(locked):
    served, book = locked
    token = book.add("guest", "viewer", days=1, project=served.pid)
    with served.client.websocket_connect(served.url("watch"), headers=bearer(token)) as socket:
        book.remove("guest")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_json()
    assert ended.value.code == 4401


def test_a_cookie_holds_no_token_and_ends_with_it(locked):
    served, book = locked
    token = book.add("ada", "operator")
    served.client.post("/api/session", json={"token": token})
    cookie = served.client.cookies["verglas_browser"]
    assert token not in cookie
    assert served.client.get(served.url("jobs")).status_code == 200
    assert served.client.get(served.url("jobs"), headers=bearer(cookie)).status_code == 401
    book.remove("ada")
    assert served.client.get(served.url("jobs")).status_code == 401


def test_a_browser_is_known_after_the_server_was_started_again(tmp_path):
    book = AccessBook(tmp_path / "access.json")
    key = book.open_session(book.add("ada", "viewer"))
    again = AccessBook(tmp_path / "access.json")
    assert again.find_session(key).name == "ada"
    assert (tmp_path / "browsers.json").stat().st_mode & 0o077 == 0
    again.close_session(key)
    assert book.find_session(key) is None


def test_directories_and_endless_paths_are_no_faults_and_tell_no_path(served, project):
    for path in ("Class2D", "x" * 5000, "x/" * 1999, "Class2D/job006/" + "y" * 300):
        for route in ("tables", "micrographs/info", "maps/slice", "file"):
            answer = served.get(route, path=path, list="")
            assert answer.status_code in (403, 404, 422)
            assert str(project.root) not in answer.text


def test_a_pipe_in_the_project_keeps_nobody_waiting(served, project):
    os.mkfifo(project.root / "pipe.star")
    os.mkfifo(project.root / "pipe.mrc")
    for _ in range(9):  # one more than there are threads for files
        assert served.get("tables", path="pipe.star").status_code == 404
        assert served.get("micrographs/thumbnail", path="pipe.mrc").status_code == 404
    assert served.get("jobs").status_code == 200


def test_files_that_hang_do_not_keep_states_from_being_told(served, monkeypatch):
    """As on a network disc that is gone: every read of a picture waits for ever."""
    hanging = threading.Event()
    client = served.client
    client.app.state.pools.files.limit_s = 0.2
    monkeypatch.setattr(
        client.app.state.pyramids, "pyramid", lambda *_: hanging.wait(60) or pytest.fail("waited")
    )
    path = "MotionCorr/job002/Movies/a.mrc"
    given_up = [served.get("micrographs/thumbnail", path=path) for _ in range(4)]
    assert [each.status_code for each in given_up] == [504] * 4
    assert "0.2 s" in given_up[0].json()["error"]
    refused = served.get("micrographs/thumbnail", path=path)
    assert refused.status_code == 503 and "do not answer" in refused.json()["error"]
    assert served.get("jobs").status_code == 200
    hanging.set()
    deadline = time.monotonic() + 30
    while served.get("tables", path="CtfFind/job003/micrographs_ctf.star").status_code == 503:
        assert time.monotonic() < deadline, "the project stays refused although its files answer"


def test_work_that_nobody_waits_for_ends(served, monkeypatch):
    ended = threading.Event()

    def forever(*_):
        try:
            while True:
                pools.check_wanted()
                time.sleep(0.01)
        finally:
            ended.set()

    served.client.app.state.pools.files.limit_s = 0.1
    monkeypatch.setattr(served.client.app.state.pyramids, "pyramid", forever)
    answer = served.get("micrographs/thumbnail", path="MotionCorr/job002/Movies/a.mrc")
    assert answer.status_code == 504 and ended.wait(30)


def _sparse_mrc(path, shape, mode, bytes_per_pixel):
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<4i", header, 0, shape[2], shape[1], shape[0], mode)
    header[208:216] = b"MAP DD\x00\x00"
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(HEADER_BYTES + int(shape[0] * shape[1] * shape[2] * bytes_per_pixel))


@pytest.mark.parametrize("side, mode, per_pixel", [(65536, 101, 0.5), (200_000, 2, 4)])
def test_a_micrograph_that_no_memory_holds_is_refused_in_words(tmp_path, side, mode, per_pixel):
    _sparse_mrc(tmp_path / "m.mrc", (1, side, side), mode, per_pixel)
    with pytest.raises(TooLarge, match="million"):
        Pyramid(tmp_path / "m.mrc")


def test_a_map_that_no_memory_holds_is_refused_in_words(tmp_path):
    _sparse_mrc(tmp_path / "m.mrc", (2048, 2048, 2048), 2, 4)
    for call in (lambda path: small_map(path, 96), lambda path: slice_png(path, "x", 0.5)):
        with pytest.raises(TooLarge, match="1024"):
            call(tmp_path / "m.mrc")


def test_a_table_that_no_memory_holds_is_refused_in_words(served, project):
    with open(project.root / "large.star", "wb") as file:
        file.truncate(1 << 34)
    answer = served.get("tables", path="large.star")
    assert answer.status_code == 413 and "at most 400 MB" in answer.json()["error"]
    assert served.get("file", path="large.star").status_code == 413


def test_large_files_can_be_kept_although_they_are_not_shown(served, project):
    data = os.urandom(3_000_000)
    (project.root / "some.bin").write_bytes(data)
    assert served.get("file", path="some.bin").status_code == 415
    kept = served.get("file", path="some.bin", download=True)
    assert kept.content == data and "attachment" in kept.headers["content-disposition"]


def test_a_faults_own_words_stay_in_the_log(served, monkeypatch, caplog):
    def broken(*_):
        raise KeyError("some inner key of /etc/passwd")

    monkeypatch.setattr("verglas.web.session.overview", broken)
    answer = served.get("overview")
    assert answer.status_code == 500 and "passwd" not in answer.text
    assert answer.json()["fault"] in caplog.text and "passwd" in caplog.text


def test_a_job_of_the_pipeline_that_lies_outside_is_refused(project):
    path = project.root / "default_pipeline.star"
    path.write_text(path.read_text().replace(JOB, "../job006/"))
    with pytest.raises(ValueError, match="outside"):
        project.graph()


def test_a_name_that_is_no_text_is_outside(project):
    for name in ("\ud800", "a\0b", "a\nb", "x" * 4001):
        with pytest.raises(PermissionError):
            confined(project, name)
