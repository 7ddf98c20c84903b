"""Kill every command that changes a project at every event of its file system, and look what is left.

    python benchmarks/kill_points.py
    python benchmarks/kill_points.py --only "job delete" --every 3

An event is whatever makes, writes, renames or removes a file (Python's own audit events); the process
kills itself with SIGKILL before the K-th, for every K. The next command of any kind (here: `verglas job
list`) must find the project as it was before the command, or as it is after it. Commands that start
processes are judged when all of these have ended: as before, or ended well, or a job known as killed that
ends well when it is run again (its note then tells of both starts).

The job types are the fakes of the tests: what is killed here is the bookkeeping.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
LOOK = ("job", "list")
EVENTS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "shutil.rmtree",
    "os.utime",
    "os.truncate",
    "shutil.move",
    "os.chmod",
}
# Not compared: locks and staged files (whoever comes next sweeps them), the signal to RELION's window,
# histories, logs, process ids, times of files.
TOLD_AGAIN = ("note.txt", "default_pipeline.star")  # in a job's directory, by every start
UNCOMPARED = re.compile(
    r"(.*/)?(\.verglas-|\.verglas_change/|\.verglas_emptied|\.relion_lock|\.pipeline_has_changed)|"
    r"\.verglas/(events\.jsonl|scheduler\.log|supervisor\.json|data_roots\.json|schedules/\w+/owner)|"
    r".*(run\.out|run\.err|run_progress.*|pipeline_\w+\.log|\.verglas_run\.json|\.verglas_gathered\.json)$"
)


@dataclass(frozen=True)
class Case:
    """A command and what it starts from: the template project, changed by `prepare`."""

    words: tuple[str, ...]
    prepare: Callable[[Path], None] = lambda root: None
    starts: bool = False  # processes, which are waited for
    project: str = "."  # where the command's project is

    @property
    def name(self) -> str:
        return " ".join(self.words)


@dataclass
class Report:
    """What the kills of one command left behind."""

    name: str
    events: int = 0
    before: int = 0
    after: int = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)  # event: what differs from both


def with_running_job(root: Path) -> None:
    """Job 6 runs: this very process is taken for it."""
    from verglas.project.job_directory import RunRecord
    from verglas.project.owner import Owner
    from verglas.project.project import Project

    with Project(root).change("a job at work") as change:
        change.hand_to("Select/job006/", RunRecord(Owner.this_process(), begun=True))


def with_schedule(root: Path) -> None:
    from verglas.scheduler.schedule import Order, ScheduleFolder

    ScheduleFolder(root, "night").create(Order("night", ("Select/job006/",), repeat=3))


CASES = (
    Case(("new", "another"), project="another"),
    Case(("job", "schedule", "Select", "--fn_img", "Class2D/job003/run_it003_data.star")),
    Case(("job", "schedule", "3")),
    Case(("job", "edit", "6", "--fn_img", "MotionCorr/job002/corrected_micrographs.star")),
    Case(("job", "edit", "3", "--nr_iter", "7")),
    Case(("job", "delete", "2")),
    Case(("job", "delete", "3", "--only")),
    Case(("job", "undelete", "Select/job005")),
    Case(("job", "alias", "3", "second")),
    Case(("job", "alias", "3", "")),
    Case(("job", "alias", "6", "chosen")),
    Case(("job", "clean", "3")),
    Case(("job", "note", "3", "well done")),
    Case(("job", "mark", "3", "failed")),
    Case(("job", "mark", "6", "failed")),
    Case(("job", "reorder", "6", "4")),
    Case(("job", "abort", "6"), with_running_job),
    Case(("alarm", "set", "--lag_movies", "7")),
    Case(("autorun", "stop", "night"), with_schedule),
    Case(("job", "run", "4"), starts=True),
    Case(("job", "run", "3", "--detach"), starts=True),
    Case(("job", "continue", "2", "--factor", "2", "--detach"), starts=True),
    Case(("job", "run", "Select", "--fn_img", "Class2D/job003/run_it003_data.star"), starts=True),
    Case(("run", "3"), starts=True),
    Case(("autorun", "4", "6", "--name", "night"), starts=True),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/verglas-kill-points"))
    parser.add_argument("--only", default="", help="commands whose words begin so")
    parser.add_argument("--every", type=int, default=1, help="every n-th event")
    arguments = parser.parse_args()
    use_fakes()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    template = make_template(arguments.folder / "template")
    reports = []
    for case in CASES:
        if case.name.startswith(arguments.only):
            reports.append(kill_everywhere(case, template, arguments.folder, arguments.every))
            report = reports[-1]
            print(
                f"{report.name:<70} {report.events:4} events: {report.before:3} as before, "
                f"{report.after:3} as after, {len(report.wrong):3} neither",
                flush=True,
            )
            for event, differences in list(report.wrong.items())[:5]:
                print(f"    event {event}: {'; '.join(differences[:6])}")
    wrong = sum(len(report.wrong) for report in reports)
    print(f"{sum(report.before + report.after for report in reports) + wrong} kills, {wrong} wrong")
    return 1 if wrong else 0


def kill_everywhere(case: Case, template: Path, folder: Path, every: int = 1) -> Report:
    """Kill the command before each event in turn; `folder` takes the copies of the project."""
    before_root, after_root = _fresh(case, template, folder), folder / "after"
    before = _state(before_root, case)
    shutil.rmtree(after_root, ignore_errors=True)
    os.rename(before_root, after_root)
    events = _in_child(after_root, case.words, None)
    after = _state(after_root, case)
    report = Report(case.name, events)
    for event in range(1, events + 1, every):
        root = _fresh(case, template, folder)
        _in_child(root, case.words, event)
        found = _state(root, case)
        if found == before:
            report.before += 1
        elif found == after:
            report.after += 1
        else:
            report.wrong[event] = _differences(found, before, after)
    return report


def make_template(root: Path) -> Path:
    """Jobs 1 to 3 finished, 3 with an alias; 4 and 6 scheduled, 5 (with an alias) in Trash."""
    from verglas.project.editing import set_alias
    from verglas.project.project import Project
    from verglas.project.registration import class_for, register
    from verglas.project.trash import delete
    from verglas.scheduler.launch import launch, wait_for

    project = Project.create(root)
    (root / "Movies").mkdir()
    (root / "orders").mkdir()
    for number in range(3):
        (root / f"Movies/movie{number}.txt").write_text(str(number))
    here = Path.cwd()
    os.chdir(root)

    def add(kind: str, **values: str) -> str:
        job = class_for(kind)
        return register(project, job, job.Options.parse(values)[0])

    jobs = [add("Import")]
    jobs.append(add("MotionCorr", input_star_mics=f"{jobs[0]}movies.star"))
    jobs.append(add("Class2D", fn_img=f"{jobs[1]}corrected_micrographs.star"))
    for job in jobs:
        wait_for(project, launch(project, job))
    set_alias(project, jobs[2], "first")
    selected = [add("Select", fn_img=f"{jobs[2]}run_it003_data.star") for _ in range(3)]
    set_alias(project, selected[1], "gone")
    delete(project, selected[1])
    os.chdir(here)
    return root


def _fresh(case: Case, template: Path, folder: Path) -> Path:
    """A copy of the template, always under the same name (paths are part of what is compared)."""
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    case.prepare(root)
    return root


def _in_child(root: Path, words: Sequence[str], kill_at: int | None) -> int:
    """Run a command in a fork; returns how many events there were (0 if it was killed)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_child(root, words, kill_at, writer)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.readline()
    os.waitpid(pid, 0)
    return int(text or 0)


def _be_child(root: Path, words: Sequence[str], kill_at: int | None, writer: int) -> None:
    from verglas.cli.main import main as verglas

    code = 1
    try:
        os.chdir(root)
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        count = _count_events(kill_at)
        code = verglas(list(words))
        seen = count[0]
        os.write(writer, f"{seen}\n".encode())
    finally:
        os._exit(code)


def _count_events(kill_at: int | None) -> list[int]:
    """From now on count the events of this process, and die before one of them."""
    count = [0]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in EVENTS and not (event == "open" and _is_written(arguments)):
            return
        path = str(arguments[0]) if arguments else ""
        if path.startswith(("/dev", "/proc")) or path.endswith(".pyc"):
            return
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


def _is_written(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(int(flags) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))  # type: ignore[call-overload]


def _state(root: Path, case: Case) -> dict[str, str]:
    """The project as the next command finds it: every file's text, every link's target."""
    if case.starts:
        _wait_for_processes(root)
    if (root / case.project).exists():
        _in_child(root / case.project, LOOK, None)
    if case.starts:
        _wait_for_processes(root)  # schedules go on by themselves when somebody looks
        _make_good(root)
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(root):
        links = [each for each in folders if os.path.islink(os.path.join(parent, each))]
        for name in [*files, *links]:
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, root)
            anew = case.starts and parent != str(root) and name in TOLD_AGAIN
            if not (UNCOMPARED.match(relative) or anew):
                found[relative] = os.readlink(path) if os.path.islink(path) else _text(path)
    return found


def _text(path: str) -> str:
    """A file's text, without dates, and without how often a job was done."""
    with open(path, "rb") as handle:
        text = handle.read().decode("utf-8", "replace")
    text = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "DATE", text)
    return re.sub(r'"((started|at)_\w+|round)": [^,\n]+', "TIME", text)


def _make_good(root: Path) -> None:
    """Jobs that are known as killed are run again."""
    status = root / "status.json"
    pid = os.fork()
    if pid == 0:
        os.chdir(root)
        os.dup2(os.open(status, os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        from verglas.cli.main import main as verglas

        os._exit(verglas(["status", "--json"]))
    os.waitpid(pid, 0)
    jobs = json.loads(status.read_text())
    status.unlink()
    for job in jobs:
        if job["status"] == "Failed" and job["reason"].startswith("killed"):
            _in_child(root, ["job", "run", job["name"]], None)
            _wait_for_processes(root)


def _wait_for_processes(root: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if not any(_is_of(entry, root) for entry in Path("/proc").iterdir()):
            return
        time.sleep(0.05)
    raise SystemExit(f"processes of {root} do not end")


def _is_of(entry: Path, root: Path) -> bool:
    if not entry.name.isdigit() or int(entry.name) == os.getpid():
        return False
    with contextlib.suppress(OSError):
        return os.readlink(entry / "cwd") == str(root)
    return False


def _differences(found: dict[str, str], before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is of neither state, or why it is a mixture."""
    lines = []
    for name in sorted(found.keys() | before.keys() | after.keys()):
        here, old, new = (each.get(name) for each in (found, before, after))
        if here == old == new:
            continue
        kind = "old" if here == old else "new" if here == new else "neither"
        lines.append(f"{name} is {kind}" + (" (missing)" if here is None else ""))
    return lines


def use_fakes(setenv: Callable[[str, str], None] = os.environ.__setitem__) -> None:
    """The job types of the tests, for this process and those it starts."""
    sys.path.insert(0, str(TESTS))
    from fake_project import FAKES

    setenv("VERGLAS_JOB_TYPES", ",".join(f"{key}={value}" for key, value in FAKES.items()))
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


if __name__ == "__main__":
    sys.exit(main())
