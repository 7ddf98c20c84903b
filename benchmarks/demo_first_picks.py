"""From `verglas demo --live` to the first micrograph with its picks on the session page.

    python benchmarks/demo_first_picks.py [--quick]

Prints wall seconds, and CPU seconds of everything the demo started until then (microscope, session, pages,
browser): on a machine with two free cores the wall time is at most 60 s.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FRONTEND = Path(__file__).parents[1] / "frontend"
TICK = os.sysconf("SC_CLK_TCK")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="verglas-demo-"))
    words = [sys.executable, "-m", "verglas.cli.main", "demo", str(folder), "--live"]
    words += [each for each in sys.argv[1:] if each == "--quick"]
    cpu_before, begin = _children_cpu_s(), time.monotonic()
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        address = _address(demo)
        page = subprocess.run(
            ["node", str(FRONTEND / "tests/first_picks.mjs"), address], check=False, timeout=400
        )
        wall_s = time.monotonic() - begin
        cpu_s = _tree_cpu_s(folder) + _children_cpu_s() - cpu_before
        print(f"first micrograph with picks on screen after {wall_s:.1f} s, {cpu_s:.1f} CPU seconds")
        return page.returncode
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()
        _end_session(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _address(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("the session page:"):
            return line.split()[-1]
    raise SystemExit("the demo named no session page")


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _tree_cpu_s(folder: Path) -> float:
    """CPU seconds of processes alive whose command line or working directory lies in the demo."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_text()
            where = os.readlink(stat.parent / "cwd")
        except OSError:
            continue
        if str(folder) in words or where.startswith(str(folder)):
            total += sum(int(each) for each in fields[11:15]) / TICK
    return total


def _end_session(folder: Path) -> None:
    """Ask the session to stop and see that nothing of it is left."""
    project = folder / "project"
    words = [sys.executable, "-m", "verglas.cli.main", "live", "stop"]
    subprocess.run(words, cwd=project, check=False, capture_output=True)
    time.sleep(3)


if __name__ == "__main__":
    sys.exit(main())
