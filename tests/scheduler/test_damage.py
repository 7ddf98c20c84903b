"""Two schedulers, a full disc, poison, a jumping clock: clear words, nothing corrupt, going on."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fake_jobs import FOR_EVER
from verglas.formats.atomic import OutputFailed, atomic_write, is_output_failure
from verglas.formats.star import read_star
from verglas.project.completion import check_completion
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import class_for, register
from verglas.scheduler import autorun as autorun_module
from verglas.scheduler import clock as clock_module
from verglas.scheduler import launch as launch_module
from verglas.scheduler.clock import boot_id, boottime_s, elapsed_s
from verglas.scheduler.events import read_events
from verglas.scheduler.launch import launch, wait_for
from verglas.scheduler.schedule import Order, ScheduleFolder
from verglas.scheduler.settings import WatchSettings, save_settings
from verglas.scheduler.supervisor import begin_work
from waiting import until


def verglas(*words: str, **named) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verglas.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, **named)


def test_two_schedulers_on_one_project(project, schedule, movie):
    """Each its own chain, at once: no change of the pipeline is lost, no lock is left."""
    movie("a", "3")
    chains = []
    for _ in range(2):
        first = schedule("Import")
        chains.append([first, schedule("MotionCorr", input_star_mics=f"{first}movies.star")])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "verglas.cli.main", "autorun", *chain, "--name", f"s{number}"]
            + ["--repeat", "3", "--min-wait", "0", "--foreground"],
            stdout=subprocess.DEVNULL,
        )
        for number, chain in enumerate(chains)
    ]
    added = []
    while any(process.poll() is None for process in processes):
        added.append(schedule("Import"))  # a person goes on adding jobs
        time.sleep(0.2)
    assert [process.wait() for process in processes] == [0, 0]
    graph = Project.open(project.root).graph()
    assert set(graph.processes) == {*chains[0], *chains[1], *added}
    assert graph.counter == len(graph.processes) + 1
    states = [graph.processes[job].status.label for chain in chains for job in chain]
    assert states == ["Succeeded"] * 4
    assert not (project.root / ".relion_lock").exists()


@pytest.mark.relion
def test_relion_adds_jobs_while_a_schedule_runs(project, chain, movie):
    """relion_pipeliner and our scheduler at once: no job is lost, no half file read, no lock left."""
    movie("a", "3")
    words = ["autorun", *chain, "--repeat", "3", "--min-wait", "0", "--foreground"]
    ours = subprocess.Popen([sys.executable, "-m", "verglas.cli.main", *words], stdout=subprocess.DEVNULL)
    added = 0
    while ours.poll() is None:
        words = ["relion_pipeliner", "--addJob", "Import", "--addJobOptions", "fn_in_raw == M*;"]
        subprocess.run(words, check=True, capture_output=True)
        added += 1
    assert ours.wait() == 0
    graph = project.graph()
    assert (len(graph.processes), graph.counter) == (3 + added, 4 + added)
    assert [graph.processes[job].status for job in chain] == [Status.SUCCEEDED] * 3
    assert not (project.root / ".relion_lock").exists()


def test_the_same_schedule_twice_is_refused(project, chain, movie):
    movie("a")
    (project.root / "orders/class2d.slow").write_text(FOR_EVER)
    words = ["autorun", "--repeat", "1"]
    assert verglas(*words).returncode == 0
    try:
        again = verglas("autorun", *chain)
        assert again.returncode == 1
        assert "a schedule schedule1 is running; stop it" in again.stderr
    finally:
        assert verglas("autorun", "stop", "schedule1", "--abort").returncode == 0
    until(lambda: not project.directory(chain[2]).is_running())


def test_a_job_is_not_run_twice_at_once(project, chain, movie):
    movie("a")
    (project.root / "orders/class2d.slow").write_text(FOR_EVER)
    for job in chain[:2]:
        assert wait_for(project, launch(project, job)) is Status.SUCCEEDED
    launched = launch(project, chain[2])
    early = verglas("run", chain[2], "--foreground")  # the first may not be up yet
    until(lambda: project.directory(chain[2]).record().begun)
    again = verglas("run", chain[2], "--foreground")
    started = verglas("job", "run", chain[2])
    for refused in (early, again, started):
        assert refused.returncode == 1
        assert "is being run by process" in refused.stderr
    project.directory(chain[2]).request_abort()
    assert wait_for(project, launched).label == "Aborted"
    assert launched.process.returncode == 2
    assert (project.root / chain[2] / "RELION_JOB_EXIT_ABORTED").exists()


def test_a_request_to_abort_is_not_lost_while_the_job_comes_up(project, chain, movie):
    movie("a")
    (project.root / "orders/class2d.slow").write_text(FOR_EVER)
    for job in chain[:2]:
        wait_for(project, launch(project, job))
    launched = launch(project, chain[2])
    project.directory(chain[2]).request_abort()
    assert wait_for(project, launched) is Status.ABORTED


def test_a_movie_that_crashes_its_worker_three_times_is_poison(project, chain, movie, autorun):
    movie("a", "3")
    movie("b", "1 crash")
    movie("c", "4")
    assert autorun(chain)[0] == 0
    aside = read_star(project.root / chain[1] / "set_aside.star")["set_aside"]
    assert aside.strings("rlnMicrographName") == ["Movies/b.txt"]
    assert (
        "poison: the worker processing it died 3 times (signal SIGSEGV)" in aside.strings("verglasReason")[0]
    )
    model = read_star(project.root / chain[2] / "run_it003_model.star")["model"]
    assert model.string("rlnTotal") == "7"
    before = (project.root / chain[1] / "run.err").read_text().count("poison")
    movie("b", "5")  # the file changed: it is tried again
    assert autorun(chain)[0] == 0
    assert not (project.root / chain[1] / "set_aside.star").exists()
    assert (project.root / chain[1] / "run.err").read_text().count("poison") == before


def test_a_killed_job_is_seen_by_status_with_its_last_words(project, chain, movie):
    movie("a")
    (project.root / "orders/class2d").write_text("die")
    for job in chain[:2]:
        wait_for(project, launch(project, job))
    launched = launch(project, chain[2])
    launched.process.wait()
    states = {each["name"]: each for each in json.loads(verglas("status", "--json").stdout)}
    assert states[chain[2]]["status"] == "Failed"
    assert "killed: process" in states[chain[2]]["reason"]
    assert "its last words:" in states[chain[2]]["reason"]


def test_elapsed_time_does_not_follow_the_calendar(monkeypatch):
    now = (boot_id(), boottime_s(), time.time())
    monkeypatch.setattr(time, "time", lambda: now[2] + 86400)  # somebody sets the clock a day ahead
    assert elapsed_s(*now) < 1
    monkeypatch.setattr(time, "time", lambda: now[2] - 86400)
    assert 0 <= elapsed_s(*now) < 1
    assert elapsed_s("an earlier boot", 5e9, now[2]) == 0.0  # never negative
    assert clock_module.boot_id() == now[0]


def test_rounds_do_not_follow_the_calendar(project, chain, movie, autorun, monkeypatch):
    movie("a")
    real, jump = time.time, [0.0]
    monkeypatch.setattr(autorun_module.time, "time", lambda: real() + jump[0])
    timer = threading.Timer(1.0, lambda: jump.__setitem__(0, -86400.0))
    timer.start()
    assert autorun(chain, repeat=2, min_wait_min=1 / 60)[0] == 0  # not a day later
    timer.join()


@pytest.fixture
def small_disc(tmp_path):
    """A folder on a file system of 2 MB."""
    small = tmp_path / "small"
    small.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(words).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (it takes root)")
    yield small
    subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_full_disc_is_said_and_got_over(project, small_disc):
    _fill_and_free(Project.create(small_disc))


@pytest.mark.slow
def test_a_schedule_goes_on_by_itself_when_a_full_disc_has_space_again(project, small_disc, monkeypatch):
    """The scheduler itself can write nothing and ends; its supervisor brings it back."""
    monkeypatch.chdir(small_disc)
    (small_disc / "Movies").mkdir()
    (small_disc / "orders").mkdir()
    (small_disc / "orders/class2d.slow").write_text("1")
    project = Project.create(small_disc)
    save_settings(small_disc, WatchSettings(disc_floor_gb=0.0))  # no gate: into the wall
    (small_disc / "Movies/a.txt").write_text("3")
    jobs = [register_job(project, "Import")]
    jobs.append(register_job(project, "MotionCorr", input_star_mics=f"{jobs[0]}movies.star"))
    folder = ScheduleFolder(small_disc, "night")
    folder.create(Order("night", tuple(jobs), 6, 0.0, on_failure="retry-next-round"))
    begin_work(folder)
    ballast = _fill(project)
    time.sleep(3)
    (small_disc / "ballast").unlink()
    until(lambda: folder.progress().is_over)
    assert (folder.progress().phase, folder.progress().round) == ("done", 6)
    assert (small_disc / jobs[1] / "Movies/a.out").read_text() == "3\n"
    leftovers = [*small_disc.rglob(".verglas-*.tmp"), *small_disc.glob(".relion_lock")]
    assert (leftovers, ballast.exists()) == ([], False)


def test_a_full_disc_is_not_the_fault_of_a_movie(project, chain, movie):
    """The job pauses and does it again; nothing is set aside."""
    (project.root / "orders/full").touch()
    movie("a", "3 full")
    movie("b", "4")
    wait_for(project, launch(project, chain[0]))
    launched = launch(project, chain[1])
    until(lambda: "Pausing: " in (project.root / chain[1] / "run.err").read_text())
    (project.root / "orders/full").unlink()
    assert wait_for(project, launched) is Status.SUCCEEDED
    assert not (project.root / chain[1] / "set_aside.star").exists()
    listed = read_star(project.root / chain[1] / "corrected_micrographs.star")["micrographs"]
    assert len(listed) == 2


def test_a_schedule_does_a_job_again_whose_lists_could_not_be_written(project, chain, movie, autorun):
    (project.root / "orders/full").touch()
    (project.root / "orders/class2d").write_text("full")
    movie("a", "3")

    def make_space():
        until(lambda: any(each["kind"] == "job-paused" for each in read_events(project.root)))
        (project.root / "orders/full").unlink()

    thread = threading.Thread(target=make_space)
    thread.start()
    code, progress, _ = autorun(chain)
    thread.join()
    assert (code, progress.phase) == (0, "done")
    assert project.graph().processes[chain[2]].status is Status.SUCCEEDED


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO])
def test_what_cannot_be_written_is_told_from_what_cannot_be_read(tmp_path, code):
    with pytest.raises(OutputFailed) as found, atomic_write(tmp_path / "out"):
        raise OSError(code, os.strerror(code))
    assert is_output_failure(found.value)
    wrapped = ValueError("cannot make it")
    wrapped.__cause__ = found.value
    assert is_output_failure(wrapped)
    unreadable = OSError(errno.EIO, "Input/output error", "Movies/a.tiff")
    assert not is_output_failure(unreadable)


def register_job(project, folder, **values):
    kind = class_for(folder)
    return register(project, kind, kind.Options.parse(values)[0])


def _fill(project: Project) -> Path:
    ballast = project.root / "ballast"
    with open(ballast, "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            return ballast


def _fill_and_free(project: Project) -> None:
    save_settings(project.root, WatchSettings(disc_floor_gb=0.0))  # no gate: into the wall
    (project.root / "Movies").mkdir()
    (project.root / "Movies/a.txt").write_text("3")
    job = register_job(project, "Import")
    pipeline = (project.root / "default_pipeline.star").read_bytes()
    ballast = _fill(project)
    refused = verglas("job", "run", job, cwd=project.root)
    assert refused.returncode == 1
    assert "No space left" in refused.stdout + refused.stderr
    assert (project.root / "default_pipeline.star").read_bytes() == pipeline
    ballast.unlink()
    again = verglas("job", "run", job, cwd=project.root)
    assert again.returncode == 0, again.stderr
    assert read_star(project.root / job / "movies.star")["movies"].strings("rlnMicrographMovieName")
    assert [path.name for path in project.root.glob(".verglas-*")] == []


def test_a_job_that_does_not_come_up_is_seen_by_who_started_it(project, schedule, monkeypatch):
    """Killed, or out of memory, before it could write who it is: not waited for for ever."""
    words = [sys.executable, "-c", "raise SystemExit('cannot allocate memory')"]
    monkeypatch.setattr(launch_module, "local_words", lambda *job: words)
    launched = launch(project, schedule("Import"))
    assert wait_for(project, launched) is Status.FAILED
    assert "cannot allocate memory" in project.directory(launched.name).outcome().reason


def test_a_job_lives_on_before_it_has_come_up_when_who_started_it_has_ended(project, schedule, monkeypatch):
    job = schedule("Import")
    starter = (
        "import sys; from verglas.project.project import Project; from verglas.scheduler import launch;"
        "launch.local_words = lambda *job: [sys.executable, '-c', 'import time; time.sleep(1000)'];"
        f"launch.launch(Project.open(), '{job}')"
    )
    assert subprocess.run([sys.executable, "-c", starter]).returncode == 0
    assert project.directory(job).is_running()
    assert check_completion(project) == []
    os.kill(project.directory(job).record().owner.pid, signal.SIGKILL)
    until(lambda: check_completion(project))
    assert project.graph().processes[job].status is Status.FAILED


def test_a_start_that_was_replaced_does_nothing(project, schedule, movie):
    movie("a")
    job = schedule("Import")
    assert wait_for(project, launch(project, job)) is Status.SUCCEEDED
    assert wait_for(project, launch(project, job)) is Status.SUCCEEDED
    environment = {**os.environ, "VERGLAS_ATTEMPT": "1"}
    late = verglas("run", job, "--foreground", env=environment)
    assert late.returncode == 1
    assert "is being run by" in late.stderr
    assert project.directory(job).record().attempt == 2


def test_a_job_without_its_queue_script_fails_and_says_so(project, schedule):
    job = schedule("Import", do_queue="Yes", qsubscript="nowhere.sh")
    done = verglas("job", "run", job)
    assert done.returncode == 1
    assert "nowhere.sh' does not exist" in done.stderr
    assert project.graph().processes[job].status is Status.FAILED


def test_what_does_not_run_cannot_be_aborted(project, schedule):
    job = schedule("Import")
    done = verglas("job", "abort", job)
    assert (done.returncode, "is not running" in done.stderr) == (1, True)
    assert not (project.root / job / "RELION_JOB_ABORT_NOW").exists()
