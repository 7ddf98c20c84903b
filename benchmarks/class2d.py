"""2D classification beside an installed RELION: CPU seconds, wall time, peak memory and quality.

    python benchmarks/class2d.py STACKDIR [--K 10] [--iterations 25] [--seeds 1 2 3] [--relion]
                                 [--score SCORER.py] [--out results.json] [--peer EARLIER.json]

STACKDIR holds particles.star (image names relative to it) and, for the scorer, its truth. Both programs get
the same flags. `--score` names a Python file with `class2d(data_star, directory) -> dict`. The ratios are of
CPU seconds and of wall time per iteration; what passes until the files of iteration 0 are written is the
start-up, reported beside them. RELION takes hours on the larger set: `--peer` compares with its runs in the
`--out` of an earlier call (same machine, set, iterations).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

FLAGS = (
    "--dont_combine_weights_via_disc --preread_images --pool 30 --pad 2 --ctf --particle_diameter 170"
    " --flatten_solvent --zero_mask --oversampling 1 --norm --scale --tau2_fudge 2 --psi_step 12"
    " --offset_range 5 --offset_step 2"
)  # what RELION 3.1.3 can do: it does not know --center_classes
POLL_S = 0.05
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def watched(command: list[str], folder: Path, root: Path, iterations: int) -> dict:
    """Run a program in a folder; CPU seconds and wall time up to the model file of each iteration."""
    with tempfile.TemporaryFile("w+") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        # CPU seconds and wall time at the end of iteration 0, 1, ...
        marks: list[tuple[float, float]] = []
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if Path(f"{root}_it{len(marks):03d}_model.star").exists():
                marks.append((cpu_seconds(process.pid), time.perf_counter() - begin))
            time.sleep(POLL_S)
        if os.waitstatus_to_exitcode(status):
            log.seek(0)
            sys.exit(f"{command[0]} failed:\n{log.read()[-3000:]}")
    total = (usage.ru_utime + usage.ru_stime, time.perf_counter() - begin)
    marks = [*marks[:iterations], total]
    if len(marks) < 2:
        sys.exit(f"{command[0]} wrote no {root}_it000_model.star")
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks)]
    return {
        "cpu_s": round(total[0] - marks[0][0], 2),
        "wall_s": round(total[1] - marks[0][1], 2),
        "start_cpu_s": round(marks[0][0], 2),
        "start_wall_s": round(marks[0][1], 2),
        "cpu_s_per_iteration": [round(cpu, 2) for cpu, _ in steps],
        "wall_s_per_iteration": [round(wall, 2) for _, wall in steps],
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a running process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def one(program: list[str], out: Path, options: argparse.Namespace, seed: int) -> dict:
    """One run of a program and the score of its classes."""
    words = [*FLAGS.split(), "--K", str(options.K), "--iter", str(options.iterations)]
    words += ["--random_seed", str(seed), "--j", str(options.threads)]
    root = out.resolve() / "run"
    command = [*program, "--i", "particles.star", "--o", str(root), *words]
    result = watched(command, options.folder, root, options.iterations)
    if options.score:
        data = f"{root}_it{options.iterations:03d}_data.star"
        result["quality"] = scorer(options.score).class2d(data, str(options.folder))
    return result


def scorer(path: str):
    """The scorer's module."""
    spec = importlib.util.spec_from_file_location("scorer", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(Path(path).parent))
    spec.loader.exec_module(module)
    return module


def in_folder(program: list[str], name: str, options: argparse.Namespace, seed: int) -> dict:
    """`one` in a folder that is thrown away, or in a named one that stays."""
    if options.keep:
        out = options.keep / f"{name}_seed{seed}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return one(program, out, options, seed)
    with tempfile.TemporaryDirectory() as out:
        return one(program, Path(out), options, seed)


def means(runs: list[dict], name: str) -> dict:
    """Means over the seeds of one program's runs."""
    mine = [run[name] for run in runs if name in run]
    found = {
        key: sum(run[key] for run in mine) / len(mine)
        for key in ("cpu_s", "wall_s", "start_cpu_s", "peak_mb")
    }
    if all("quality" in run for run in mine):
        for key in ("nmi", "purity"):
            found[key] = sum(run["quality"][key] for run in mine) / len(mine)
    return {"runs": len(mine), **{key: round(value, 4) for key, value in found.items()}}


def summary(results: dict) -> dict:
    """Means of both programs and the ratios of what an iteration takes."""
    runs = results["runs"] + [{"relion": run} for run in results.get("peer", [])]
    found = {name: means(runs, name) for name in ("verglas", "relion") if any(name in r for r in runs)}
    if len(found) == 2:
        for key in ("cpu_s", "wall_s"):
            found[f"ratio_{key}"] = round(found["relion"][key] / found["verglas"][key], 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--K", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--relion", action="store_true", help="run relion_refine, too (slow)")
    parser.add_argument("--no-verglas", action="store_true", help="run relion_refine only")
    parser.add_argument("--peer", type=Path, help="RELION's runs from the --out of an earlier call")
    parser.add_argument("--score", default="")
    parser.add_argument("--keep", type=Path, help="leave the runs' files in this folder")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    programs = {}
    if not options.no_verglas:
        programs["verglas"] = [str(Path(sys.executable).with_name("verglas")), "refine"]
    if options.relion:
        programs["relion"] = [shutil.which("relion_refine") or sys.exit("no relion_refine here")]
    results: dict = {"cores": os.cpu_count(), "flags": FLAGS, "K": options.K, "runs": []}
    if options.peer:
        earlier = json.loads(options.peer.read_text())
        results["peer"] = [run["relion"] for run in earlier["runs"] if "relion" in run]
    for seed in options.seeds:
        row: dict = {"seed": seed}
        for name, program in programs.items():
            row[name] = in_folder(program, name, options, seed)
        print(json.dumps(row, default=float), flush=True)
        results["runs"].append(row)
    results["summary"] = summary(results)
    print(json.dumps(results["summary"]))
    if options.out:
        options.out.write_text(json.dumps(results, indent=1, default=float))


if __name__ == "__main__":
    main()
