"""Memory and open files of a scheduler over many rounds (a night, without its waiting).

python benchmarks/long_night.py --rounds 100
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import kill_autorun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/verglas-night"))
    arguments = parser.parse_args()
    kill_autorun._use_fakes()
    folder = arguments.folder
    names = kill_autorun.chain_in(folder, slow="0")
    kill_autorun._arrive(folder, range(4))
    words = [sys.executable, "-m", "verglas.cli.main", "autorun", *names, "--foreground"]
    words += ["--repeat", str(arguments.rounds), "--min-wait", "0"]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        time.sleep(1.0)
        sample = _sample(process.pid)
        if sample:
            samples.append({"round": _round(folder), **sample})
    tenth = max(1, len(samples) // 10)
    report = {"exit code": process.returncode, "early": samples[tenth], "late": samples[-2]}
    print(json.dumps(report, indent=1))
    return process.returncode


def _sample(pid: int) -> dict[str, int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return {}
    line = next((each for each in status.splitlines() if each.startswith("VmRSS")), "")
    return {"rss kB": int(line.split()[1]), "open files": files} if line else {}


def _round(folder: Path) -> int:
    path = folder / ".verglas/schedules/schedule1/state.json"
    return json.loads(path.read_text())["round"] if path.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
