"""A viewer looks, a worker runs what there is, an operator has the machine."""

from __future__ import annotations

import pytest

from verglas.project.job_star import read_settings
from verglas.scheduler.launch import Launched
from verglas.web.door.access import AccessBook

IMPORT = {"type": "Import", "action": "schedule"}


@pytest.fixture
def ask(locked, monkeypatch):
    """Asks as somebody of a role."""
    served, book = locked
    monkeypatch.setattr("verglas.scheduler.launch._start", lambda _, job, *__: Launched(job.name, None))

    def asking(role, method, route, body=None):
        token = book.add(role, role)
        headers = {"authorization": f"Bearer {token}"}
        return served.client.request(method, served.url(route), json=body, headers=headers)

    return asking


@pytest.mark.parametrize(
    "values",
    [
        {"do_queue": "Yes"},
        {"qsub": "touch"},
        {"qsubscript": "evil.sh"},
        {"other_args": "--gain /etc/passwd"},
        {"fn_in_raw": "/etc/*.tif"},
        {"fn_in_raw": "../other/*.tif"},
    ],
)
def test_a_worker_gives_no_commands_and_reaches_no_further(ask, values):
    refused = ask("worker", "POST", "jobs", {**IMPORT, "values": values})
    assert refused.status_code == 403 and "operator" in refused.json()["error"]
    assert ask("operator", "POST", "jobs", {**IMPORT, "values": values}).status_code == 200


def test_a_worker_runs_jobs(ask):
    body = {**IMPORT, "values": {"fn_in_raw": "Movies/*.tif", "do_queue": "No"}}
    assert ask("worker", "POST", "jobs", body).status_code == 200


def test_a_worker_runs_what_an_operator_set_up_but_does_not_change_it(ask, project):
    name = ask("operator", "POST", "jobs", {**IMPORT, "values": {"qsub": "sbatch"}}).json()["name"]
    same = {"job": name, "action": "run", "values": {"qsub": "sbatch", "fn_in_raw": "Movies/*.mrc"}}
    assert ask("worker", "POST", "jobs", same).status_code == 200
    other = {"job": name, "action": "edit", "values": {"qsub": "rm"}}
    assert ask("worker", "POST", "jobs", other).status_code == 403
    assert read_settings(project.root / name).options["qsub"] == "sbatch"


def test_a_worker_starts_no_session_with_commands(ask):
    body = {"folder": "Class2D", "settings": {"MotionCorr.other_args": "--x"}}
    assert ask("worker", "POST", "live", body).status_code == 403
    body = {"folder": "Class2D", "given": {"gain": "/etc/passwd"}}
    assert ask("worker", "POST", "live", body).status_code == 403


def test_viewers_may_do_what_only_looks(ask):
    assert ask("viewer", "POST", "check", {"type": "JoinStar", "values": {}}).status_code == 200
    cost = ask("viewer", "POST", "live/live1/cost", {"values": {"AutoPick.log_diam_max": "1"}})
    assert cost.status_code == 404  # there is no such session: but it was asked
    assert ask("viewer", "POST", "reorder", {"names": []}).status_code == 403
    assert ask("worker", "POST", "share", {"days": 1}).status_code == 403


@pytest.mark.parametrize(
    "method, route",
    [
        ("PUT", "micrographs/picks/ManualPick/check"),
        ("DELETE", "share/check"),
        ("PUT", "live/look/cost"),
        ("POST", "jobs/ManualPick/check/action"),
        ("POST", "autorun/preview/stop"),
        ("PUT", "check"),
    ],
)
def test_a_name_like_that_of_a_looking_route_opens_no_other(ask, method, route):
    """An alias `check` made the path of a change end as that of a look does."""
    refused = ask("viewer", method, route, {"micrograph": "a.mrc", "x": [], "y": []})
    assert refused.status_code == 403 and "look but not change" in refused.json()["error"]


def test_a_new_token_is_a_viewers(tmp_path, monkeypatch, capsys):
    from verglas.cli.main import main
    from verglas.web.door.access import default_book

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["gui", "token", "grace"]) == 0
    assert main(["gui", "token", "ada", "--role", "operator"]) == 0
    assert "shell" in capsys.readouterr().err
    assert [each.role for each in default_book().people] == ["viewer", "operator"]
    assert main(["gui", "token", "eve", "--role", "root"]) != 0


def test_an_old_book_of_people_is_read(tmp_path):
    path = tmp_path / "access.json"
    path.write_text('[{"name": "ada", "role": "operator", "digest": "x", "expires_s": null, "project": ""}]')
    assert AccessBook(path).people[0].may_command
