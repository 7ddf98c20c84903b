"""What keeps a night going: alarms, the disc, the service, a supervisor that brings schedules back."""

from __future__ import annotations

import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from verglas.jobs.contract.base import JobAborted
from verglas.project.journal import is_unsettled
from verglas.project.lock import lock_holder, project_lock
from verglas.project.owner import Owner
from verglas.scheduler import disc as disc_module
from verglas.scheduler import supervisor as supervisor_module
from verglas.scheduler.alarms import clear_alarm, deliver, raise_alarm
from verglas.scheduler.disc import DiscGate, DiscUse, disc_use
from verglas.scheduler.events import read_events, record_event
from verglas.scheduler.schedule import Order, ScheduleFolder
from verglas.scheduler.settings import WatchSettings, load_settings, save_settings
from verglas.scheduler.supervisor import begin_work, ensure_supervisor, supervisor_lease
from verglas.scheduler.watch import Watch
from verglas.web.api.autorun import _shown
from waiting import until


def test_an_alarm_sounds_once_per_cause_and_when_it_is_over(project):
    save_settings(project.root, WatchSettings(alarm_command=f"{sys.executable} {_teller(project)}"))
    assert raise_alarm(project.root, "disc", "full")
    assert not raise_alarm(project.root, "disc", "still full")
    assert clear_alarm(project.root, "disc", "space again")
    assert not clear_alarm(project.root, "disc", "space again")
    told = (project.root / "told").read_text().splitlines()
    assert [line.split(" (")[0] for line in told] == ["verglas: full", "verglas: space again"]


def _teller(project):
    path = project.root / "teller.py"
    path.write_text(f"import sys; open({str(project.root / 'told')!r}, 'a').write(sys.argv[-1] + '\\n')")
    return path


def test_an_alarm_that_cannot_be_delivered_is_recorded_and_harms_nobody(project):
    settings = WatchSettings(alarm_command="/no/such/program", alarm_webhook="file:///etc/passwd")
    problems = deliver(project.root, settings, "x")
    assert len(problems) == 2
    assert [event["kind"] for event in read_events(project.root)] == ["alarm-failed"] * 2


def test_a_webhook_gets_the_message(project):
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        settings = WatchSettings(alarm_webhook=f"http://127.0.0.1:{server.server_port}/")
        assert deliver(project.root, settings, "hello") == []
        thread.join()
    assert got == [b'{"text": "hello"}']


def test_the_watch_tells_of_missing_movies_and_of_a_stopped_schedule(project, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    watch = Watch(project.root)
    watch.look()
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", ("Import/job001/",)))
    state = folder.progress()
    state.phase, state.message = "failed", "Class2D failed"
    folder.save(state)
    clock[0] += 31 * 60
    watch.look()
    causes = [event.get("cause") for event in read_events(project.root) if event["kind"] == "alarm"]
    assert causes == ["no-new-file", "schedule-night"]
    (project.root / "Import/job001").mkdir(parents=True)
    (project.root / "Import/job001/movies.star").write_text("\ndata_movies\n\nloop_\n_rlnX #1\na\nb\n")
    clock[0] += 60
    watch.look()
    assert [event.get("cause") for event in read_events(project.root) if event["kind"] == "alarm-over"] == [
        "no-new-file"
    ]


def test_disc_use_per_movie_and_hours_left(project, chain, movie, autorun):
    movie("a")
    assert autorun(chain)[0] == 0
    use = disc_use(project)
    assert use.movies == 1
    assert use.gb_by_kind["Class2D"] > 0
    use = DiscUse({"MotionCorr": 50.0, "Extract": 50.0}, movies=100, free_gb=105.0)
    assert use.gb_per_movie() == {"MotionCorr": 0.5, "Extract": 0.5}
    assert use.hours_left(10, floor_gb=5.0) == 10.0
    assert "10.0 h left" in use.line(10, 5.0)


def test_work_pauses_while_the_disc_is_full_and_goes_on_by_itself(tmp_path, monkeypatch):
    free = [1.0]
    monkeypatch.setattr(disc_module, "free_gb", lambda folder: free[0])
    monkeypatch.setattr(disc_module, "GATE_POLL_S", 0.01)
    said: list[str] = []
    looks = [0]

    def check():
        looks[0] += 1
        if looks[0] == 3:
            free[0] = 9.0

    DiscGate(tmp_path, 5.0, said.append, check).wait()
    assert looks[0] == 3
    assert "Pausing" in said[0]
    assert "going on" in said[1]

    def abort():
        raise JobAborted("stop")

    free[0] = 1.0
    with pytest.raises(JobAborted):
        DiscGate(tmp_path, 5.0, said.append, abort).wait()


def test_settings_keep_what_they_know(project):
    save_settings(project.root, WatchSettings(lag_movies=7))
    path = project.root / ".verglas/settings.json"
    path.write_text(path.read_text().replace('"lag_movies"', '"of_tomorrow": 1, "lag_movies"'))
    assert load_settings(project.root).lag_movies == 7


def test_a_torn_event_is_passed_over(project):
    record_event(project.root, "first", "a")
    with open(project.root / ".verglas/events.jsonl", "a") as out:
        out.write('{"time": "2026')
    assert [event["kind"] for event in read_events(project.root)] == ["first"]


def test_who_starts_a_supervisor_may_end_before_it(project):
    """No process is left unreaped, and none complained about, on the way out."""
    code = (
        "import sys, gc; from pathlib import Path; from verglas.scheduler import supervisor;"
        "supervisor.ensure_supervisor(Path('.')); gc.collect()"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_mail_is_sent(project):
    """To a server of thirty lines that speaks just enough SMTP."""
    with socketserver.TCPServer(("127.0.0.1", 0), _MailServer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        place = f"127.0.0.1:{server.server_address[1]}"
        settings = WatchSettings(smtp_host=place, smtp_to="me@lab.org", smtp_from="scope@lab.org")
        assert deliver(project.root, settings, "verglas: only 3 GB are free") == []
        thread.join()
    assert "RCPT TO:<me@lab.org>" in _MailServer.heard
    assert "Subject: verglas: only 3 GB are free" in _MailServer.heard


class _MailServer(socketserver.StreamRequestHandler):
    heard: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        in_message = False
        for raw in self.rfile:
            line = raw.decode().rstrip()
            self.heard.append(line.replace("rcpt TO", "RCPT TO"))
            if in_message and line != ".":
                continue
            command = line.upper()
            answer = {"DATA": b"354 go on", "QUIT": b"221 bye"}.get(command, b"250 good")
            self.wfile.write(answer + b"\r\n")
            in_message = command == "DATA"
            if command == "QUIT":
                return


@pytest.mark.slow
def test_a_dead_scheduler_comes_back_and_a_stopped_one_does_not(project, chain, movie):
    movie("a", "2")
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", tuple(chain), repeat=50, min_wait_min=0.005))
    ensure_supervisor(project.root)
    first = _alive(folder, None)
    until(lambda: folder.progress().phase != "new")
    os.kill(first, signal.SIGKILL)
    second = _alive(folder, first)
    assert second != first
    until(lambda: "schedule-resumed" in {event["kind"] for event in read_events(project.root)})
    subprocess.run([sys.executable, "-m", "verglas.cli.main", "autorun", "stop", "night"], check=True)
    until(lambda: not folder.lease.is_held())
    time.sleep(1.5)  # the supervisor has looked again
    assert not folder.lease.is_held()
    assert folder.progress().phase == "stopped"
    kinds = {event["kind"] for event in read_events(project.root)}
    assert {"scheduler-died", "schedule-resumed", "schedule-stopped"} <= kinds


def test_what_lost_all_its_processes_is_said_to_be_dead_and_goes_on(project, schedule, movie):
    """Supervisor and scheduler killed together: lists say so, and whatever is typed brings them back."""
    movie("a")
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", (schedule("Import"),)))
    dead = replace(Owner.this_process(), started="0")
    folder.lease.give(dead)
    supervisor_lease(project.root).give(dead)
    assert _shown(folder)["alive"] is False
    assert "nobody works on it" in _shown(folder)["message"]
    words = [sys.executable, "-m", "verglas.cli.main"]
    status = subprocess.run([*words, "status"], capture_output=True, text=True)
    assert f"night: nobody works on it ({dead.shown} is gone)" in status.stdout
    assert "nobody worked on night any more; it goes on now" in status.stderr
    until(lambda: folder.progress().is_over)
    assert folder.progress().phase == "done"
    events = list(read_events(project.root))
    assert [each["cause"] for each in events if each["kind"] == "alarm"] == ["dead-night"]


def stop_between_changes(root, owners):
    """SIGSTOP at a moment when none of them holds the project's lock."""
    while True:
        for owner in owners:
            os.kill(owner.pid, signal.SIGSTOP)
        if lock_holder(root) is None and not is_unsettled(root):
            return
        for owner in owners:
            os.kill(owner.pid, signal.SIGCONT)
        time.sleep(0.01)


def test_who_only_reads_waits_once_for_a_change_that_stands_still(project, schedule, monkeypatch, caplog):
    monkeypatch.setattr("verglas.project.project.SETTLE_PATIENCE_S", 0.2)
    with project_lock(project.root, "a process that stands still"):
        monkeypatch.setattr("verglas.project.project.is_unsettled", lambda root: True)
        for _ in range(3):
            project.settle()
    assert [each.getMessage()[:20] for each in caplog.records] == ["an unfinished change"]


def test_processes_that_stand_still_are_not_replaced(project, schedule, movie):
    """SIGSTOP (a suspended laptop, a debugger): nobody starts a second one, and all goes on afterwards."""
    movie("a")
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", (schedule("Import"),), repeat=500, min_wait_min=0.0))
    assert begin_work(folder)
    leases = (supervisor_lease(project.root), folder.lease)
    owners = [lease.holder() for lease in leases]
    stop_between_changes(project.root, owners)
    status = subprocess.run(
        [sys.executable, "-m", "verglas.cli.main", "status"], capture_output=True, text=True
    )
    assert ("night: at work" in status.stdout, status.stderr) == (True, "")
    assert [lease.holder() for lease in leases] == owners
    standing = folder.progress().round
    for owner in owners:
        os.kill(owner.pid, signal.SIGCONT)
    until(lambda: folder.progress().round > standing)
    assert [lease.holder() for lease in leases] == owners
    folder.stop()
    until(lambda: not folder.lease.is_held())


def test_a_scheduler_that_does_not_come_up_is_given_up(project, schedule, monkeypatch):
    """By its deaths, not by a clock: a busy machine may take its time."""
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", (schedule("Import"),)))
    monkeypatch.setattr(supervisor_module, "SUPERVISE", [sys.executable, "-c", "raise SystemExit(1)"])
    assert not begin_work(folder)


def _alive(folder, other):
    until(lambda: folder.lease.is_held() and folder.lease.holder().pid != other)
    return folder.lease.holder().pid
