"""The project as the next command finds it, and how two such states differ."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path

from kills.case import Case
from kills.events import command, in_child

LOOK = command("job", "list")
# Not compared: locks and staged files (whoever comes next sweeps them), the signal to RELION's window,
# histories, logs, process ids, times of files.
TOLD_AGAIN = ("note.txt", "default_pipeline.star")  # in a job's directory, by every start
UNCOMPARED = re.compile(
    r"(.*/)?(\.verglas-|\.verglas_change/|\.verglas_emptied|\.relion_lock|\.pipeline_has_changed)|"
    r"\.verglas/(events\.jsonl|scheduler\.log|supervisor\.json|data_roots\.json|schedules/\w+/owner)|"
    r"\.verglas/live/\w+/(owner|status|movies)\.json|live_\w+\.html|Schemes/\w+/run\.out|"
    r".*(run\.out|run\.err|run_progress.*|pipeline_\w+\.log|\.verglas_run\.json|\.verglas_gathered\.json)$"
)
_DATE = re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}")
_TIME = re.compile(r'"((started|at)_\w+|round|saved)": [^,\n}]+')


def state(root: Path, case: Case) -> dict[str, str]:
    """Every file's text, every link's target, after somebody looked (and went on)."""
    for words in case.ends:
        in_child(root, command(*words))
    if case.starts:
        wait_for_processes(root)
    if (root / case.project).exists():
        in_child(root / case.project, LOOK)
    if case.starts:
        wait_for_processes(root)  # schedules go on by themselves when somebody looks
        _make_good(root)
    for words in case.then:
        in_child(root, command(*words))
        wait_for_processes(root)
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


def differences(found: dict[str, str], before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is of neither state, or why it is a mixture."""
    lines = []
    for name in sorted(found.keys() | before.keys() | after.keys()):
        here, old, new = (each.get(name) for each in (found, before, after))
        if here == old == new:
            continue
        kind = "old" if here == old else "new" if here == new else "neither"
        lines.append(f"{name} is {kind}" + (" (missing)" if here is None else ""))
    return lines


def wait_for_processes(root: Path) -> None:
    """Until nobody works in the project any more."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if not any(_is_of(entry, root) for entry in Path("/proc").iterdir()):
            return
        time.sleep(0.05)
    raise SystemExit(f"processes of {root} do not end")


def _text(path: str) -> str:
    """A file's text, without dates, and without how often a job was done."""
    with open(path, "rb") as handle:
        text = handle.read().decode("utf-8", "replace")
    return _TIME.sub("TIME", _DATE.sub("DATE", text))


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
            in_child(root, command("job", "run", job["name"]))
            wait_for_processes(root)


def _is_of(entry: Path, root: Path) -> bool:
    if not entry.name.isdigit() or int(entry.name) == os.getpid():
        return False
    with contextlib.suppress(OSError):
        return os.readlink(entry / "cwd") == str(root)
    return False
