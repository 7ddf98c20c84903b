"""Two users of one group share a project: what one makes or leaves behind, the other can go on with."""

from __future__ import annotations

import os
import signal
import stat
import traceback

import pytest

from verglas.project.journal import STAGING
from verglas.project.lock import LOCK, project_lock
from verglas.project.project import Project
from verglas.project.registration import class_for, register
from verglas.scheduler.events import read_events, record_event

GROUP, ANNA, BERT = 64001, 64011, 64012

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becoming other users takes root")


@pytest.fixture
def shared(project, tmp_path):
    """A project in a directory of the group, as an administrator sets it up (chmod g+ws)."""
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, ANNA, GROUP)
        for_group = stat.S_IRWXG | stat.S_ISGID if path.is_dir() else stat.S_IRGRP | stat.S_IWGRP
        path.chmod(path.stat().st_mode | for_group)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    class_for("Import")  # imported before: this Python may be root's alone
    return project


def as_user(user, work):
    """Run `work` as a user of the group with umask 002; 0 if it ended without an error."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(GROUP)
            os.setuid(user)
            os.umask(0o002)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def schedule(project):
    kind = class_for("Import")
    return register(project, kind, kind.Options.parse({})[0])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_each_changes_what_the_other_has_made(shared):
    def work():
        schedule(shared)
        record_event(shared.root, "here", "")

    assert [as_user(user, work) for user in (ANNA, BERT, ANNA)] == [0, 0, 0]
    assert len(shared.graph().processes) == 3
    assert len(list(read_events(shared.root))) == 3


def test_a_lock_that_the_other_left_behind_is_taken_over(shared):
    def killed():
        with project_lock(shared.root, "anna"):
            die()

    assert as_user(ANNA, killed) == -signal.SIGKILL
    assert (shared.root / LOCK).exists()
    assert as_user(BERT, lambda: schedule(shared)) == 0
    assert not (shared.root / LOCK).exists()


def test_a_change_that_the_other_began_is_finished(shared, monkeypatch):
    monkeypatch.setattr("verglas.project.journal.settle", lambda root: die())  # after it was written down
    assert as_user(ANNA, lambda: schedule(shared)) == -signal.SIGKILL
    monkeypatch.undo()
    assert (shared.root / STAGING / "steps.json").exists()

    def look():
        assert list(Project.open(shared.root).graph().processes) == ["Import/job001/"]

    assert as_user(BERT, look) == 0
