"""The commands a user types, through the real dispatch; exit codes and what they say."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time

import pytest

from verglas.cli.arguments import CommandError, split_words
from verglas.cli.job_help import COMMANDS
from verglas.cli.main import main
from verglas.scheduler.schedule import ScheduleFolder


@pytest.fixture
def run(project, capsys):
    """Call the command; returns (exit code, output, errors)."""

    def call(*words):
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def movies(project):
    for number in (1, 2):
        (project.root / f"Movies/m{number}.txt").write_text(f"{number}")


def test_a_chain_from_the_command_line(run, project, movies):
    assert run("job", "schedule", "Import")[1].splitlines()[0] == "Import/job001/"
    code, out, _ = run("job", "add", "MotionCorr", "--input_star_mics", "Import/job001/movies.star")
    assert (code, out.splitlines()[1].split()) == (
        0,
        ["MotionCorr/job002/corrected_micrographs.star", "(expected)"],
    )
    code, out, _ = run("nodes", "--type", "micrographs")
    assert out == "MotionCorr/job002/corrected_micrographs.star  (micrographs, expected)\n"
    code, out, _ = run("autorun", "--repeat", "1", "--foreground")
    assert code == 0
    assert "all jobs have finished" in out
    code, out, _ = run("status", "--json")
    assert [job["status"] for job in json.loads(out)] == ["Succeeded", "Succeeded"]
    assert "round 1 of 1, done" in run("autorun", "list")[1]
    assert "Executing Import/job001/" in run("autorun", "log", "schedule1")[1]
    assert "job-succeeded" in run("events", "--last", "3")[1]


def test_single_jobs(run, project, movies):
    code, out, _ = run("job", "run", "Import")
    assert code == 0
    assert "verglas import --o Import/job001/" in out
    code, _, err = run("job", "run", "MotionCorr", "--input_star_mics", "x.star", "--factr", "2")
    assert code == 1
    assert "did you mean --factor?" in err
    code, _, err = run("job", "run", "MotionCorr", "--factor", "many")
    assert "'many' is not a number" in err
    code, _, err = run("job", "show", "77")
    assert (code, "there is no job '77'" in err) == (1, True)
    assert "fn_in_raw = Movies/*.txt" in run("job", "show", "Import/job001")[1]
    assert run("job", "alias", "1", "first", "try")[0] == 0
    assert "Import/first_try" in run("job", "list")[1]
    run("job", "note", "1", "a", "good", "start")
    assert "a good start" in run("job", "note", "Import/first_try")[1]
    assert run("job", "mark", "1", "failed")[0] == 0
    assert "Failed" in run("job", "list")[1]
    assert run("job", "clean", "1")[0] == 1
    assert "Import/job001/ -> Trash/Import/job001/" in run("job", "delete", "1")[1]
    assert run("job", "undelete")[1].strip() == "Import/job001/"
    assert run("job", "undelete", "Import/job001")[0] == 0
    assert run("job", "log", "1")[0] == 0
    assert "Import" in run("job", "types")[1]
    assert "--fn_in_raw (Movies/*.txt)" in run("job", "options", "Import")[1]


def test_exit_codes_of_a_waiting_and_a_failing_job(run, project, movies):
    for path in (project.root / "Movies").iterdir():
        path.unlink()
    assert run("job", "run", "Import")[0] == 3  # nothing there yet
    (project.root / "Movies/a.txt").write_text("1")
    assert run("job", "run", "1")[0] == 0
    run("job", "run", "MotionCorr", "--input_star_mics", "Import/job001/movies.star")
    (project.root / "orders/class2d").write_text("fail")
    code, _, err = run("job", "run", "Class2D", "--fn_img", "MotionCorr/job002/corrected_micrographs.star")
    assert code == 1
    assert "ERROR: told to fail" in err


@pytest.mark.parametrize(
    "command",
    [
        "new",
        "status",
        "nodes",
        "unlock",
        "job",
        "run",
        "autorun",
        "events",
        "ingest",
        "service",
        "alarm",
        "scheme",
        "doctor",
    ],
)
def test_help_of_every_command(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"verglas {command}" in out


@pytest.mark.parametrize("command", [*COMMANDS, "add"])
def test_help_of_every_job_command(run, command):
    code, out, _ = run("job", command, "--help")
    assert (code, out.startswith(f"verglas job {command}")) == (0, True)


def test_help_of_a_type_tells_its_options(run):
    assert "--nr_iter (3)" in run("job", "run", "Class2D", "--help")[1]


def test_outside_a_project(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 1
    assert "verglas new ." in capsys.readouterr().err
    assert main(["nonsense"]) == 1
    assert main(["new", "here", "--dialect", "5"]) == 0
    assert (tmp_path / "here/default_pipeline.star").exists()


def test_programs_by_hand(run, project, movies):
    assert run("import", "--i", "Movies/*.txt", "--o", "by_hand/")[0] == 0
    words = ["motioncorr", "--i", "by_hand/movies.star", "--o", "m/", "--pipeline_control", "control/"]
    assert run(*words)[0] == 0
    assert (project.root / "control/RELION_JOB_EXIT_SUCCESS").exists()
    assert (project.root / "m/corrected_micrographs.star").exists()
    code, _, err = run("motioncorr", "--i", "x", "--o", "m/", "--fctor", "2")
    assert (code, "did you mean --factor?" in err) == (1, True)
    assert "--factor (1)" in run("motioncorr", "--help")[1]


def test_nobody_is_asked_without_a_terminal(run, project, movies, monkeypatch):
    run("job", "schedule", "Import")
    monkeypatch.setattr("sys.stdin", io.StringIO("never read"))
    assert run("autorun", "--foreground")[0] == 0
    assert ScheduleFolder(project.root, "schedule1").order().repeat == 1


@pytest.mark.parametrize(("answers", "repeat", "wait"), [("\n", 1, 15.0), ("2\n0\n", 2, 0.0)])
def test_on_a_terminal_it_asks_as_the_manual_has_it(project, run, movies, answers, repeat, wait):
    """How many times; and only if more than once, the least minutes between starts."""
    run("job", "schedule", "Import")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "verglas.cli.main", "autorun", "--foreground"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=project.root)
    os.close(theirs)
    for line in answers.splitlines(keepends=True):
        time.sleep(0.5)
        os.write(ours, line.encode())
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert b"Run the jobs how many times? [1]" in said
    assert (b"Wait at least how many minutes" in said) == (repeat > 1)
    order = ScheduleFolder(project.root, "schedule1").order()
    assert (order.repeat, order.min_wait_min) == (repeat, wait)


def test_the_question_is_put_again_until_it_is_a_number_and_ctrl_d_starts_nothing(
    project, run, movies, monkeypatch
):
    run("job", "schedule", "Import")
    answers = iter(["often", "inf", "1"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    code, out, _ = run("autorun", "--foreground")
    assert (code, out.count("is not a number")) == (0, 2)

    def closed(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    run("job", "schedule", "Import")
    code, _, err = run("autorun", "--foreground", "--name", "second")
    assert (code, "nothing was started" in err) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="making a file system read-only takes root")
def test_a_read_only_project_can_be_looked_at_and_says_so(run, project, movies, tmp_path):
    run("job", "run", "Import")
    mounted = subprocess.run(["mount", "-o", "bind", str(tmp_path), str(tmp_path)]).returncode == 0
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", str(tmp_path)]).returncode:
        pytest.skip("nothing can be mounted here")
    os.chdir("/")
    os.chdir(tmp_path)  # by the new mount
    try:
        assert "Succeeded" in run("status")[1]
        assert "Import/job001/movies.star" in run("nodes")[1]
        for words in (
            ["job", "run", "1"],
            ["job", "schedule", "Import"],
            ["job", "delete", "1"],
            ["autorun", "1"],
            ["import", "--o", "new/"],
            ["run", "Import/job001"],
        ):
            code, _, err = run(*words)
            assert (code, "Read-only file system" in err, "Traceback" in err) == (1, True, False)
    finally:
        os.chdir("/")
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_reader_that_has_seen_enough_is_no_error(project, run):
    """`verglas job types | head -1`"""
    ours, theirs = os.pipe()
    os.close(ours)
    words = [sys.executable, "-m", "verglas.cli.main", "job", "types"]
    done = subprocess.run(words, stdout=theirs, stderr=subprocess.PIPE, cwd=project.root)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


def test_alarm_settings_are_checked(run, project):
    assert run("alarm", "set", "--lag_movies", "50", "--disc_floor_gb", "2.5")[0] == 0
    shown = run("alarm", "show")[1]
    assert "lag_movies = 50" in shown
    assert "disc_floor_gb = 2.5" in shown
    for words, told in (
        (["--lag_movies", "many"], "--lag_movies needs a number"),
        (["--disc_floor_gb", "-3"], "--disc_floor_gb cannot be negative"),
    ):
        code, _, err = run("alarm", "set", *words)
        assert (code, told in err) == (1, True)
    code, _, err = run("alarm", "test")
    assert (code, "no destination is set" in err) == (1, True)


def test_words():
    words = split_words(["a", "--x", "1", "--y", "--z=3"], {"--x": True, "--y": False, "--z": True})
    assert (words.positional, words.flags) == (["a"], {"--x": "1", "--y": True, "--z": "3"})
    with pytest.raises(CommandError, match="needs a value"):
        split_words(["--x"], {"--x": True})
    with pytest.raises(CommandError, match="needs a number"):
        words.number("--y", 1)
    for endless in ("inf", "nan"):
        with pytest.raises(CommandError, match="needs a number"):
            split_words(["--x", endless], {"--x": True}).count("--x", 1)


def test_threads_that_wait_sleep_before_torch_is_loaded(tmp_path):
    program = (
        "import os, sys; from verglas.cli.main import main; main(['--version']); "
        "print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    given = {**os.environ, "GOMP_SPINCOUNT": "7"}  # what somebody sets holds
    given.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE 7 False"
