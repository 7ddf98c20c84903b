"""2D classification beside an installed RELION: CPU seconds, wall time, peak memory and quality.

    python benchmarks/class2d.py STACKDIR [--K 10] [--iterations 25] [--seeds 1 2 3] [--relion]
                                 [--score SCORER.py] [--out results.json]

STACKDIR holds particles.star (image names relative to it) and, for the scorer, its truth. Both programs get
the same flags. `--score` names a Python file with `class2d(data_star, directory) -> dict`. CPU seconds are
those of the program's whole life; start-up is reported beside them and left out of the ratio.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FLAGS = (
    "--dont_combine_weights_via_disc --preread_images --pool 30 --pad 2 --ctf --particle_diameter 170"
    " --flatten_solvent --zero_mask --oversampling 1 --norm --scale --tau2_fudge 2 --psi_step 12"
    " --offset_range 5 --offset_step 2"
)  # what RELION 3.1.3 can do: it does not know --center_classes


def timed(command: list[str], folder: Path) -> dict:
    """Run a program in a folder; what it used."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-3000:]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"cpu_s": round(cpu, 2), "wall_s": round(time.perf_counter() - begin, 2),
            "peak_mb": round(after.ru_maxrss / 1024)}  # fmt: skip


def one(program: list[str], folder: Path, out: Path, options, iterations: int, seed: int) -> dict:
    """One run and its first iteration alone (the start-up is what is left of that)."""
    flags = [
        *FLAGS.split(),
        "--K",
        str(options.K),
        "--random_seed",
        str(seed),
        "--j",
        str(options.threads),
    ]
    words = [*program, "--i", "particles.star", "--o", f"{out}/run", *flags]
    result = timed([*words, "--iter", str(iterations)], folder)
    if options.score:
        spec = importlib.util.spec_from_file_location("scorer", options.score)
        scorer = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(Path(options.score).parent))
        spec.loader.exec_module(scorer)
        result["quality"] = scorer.class2d(f"{out}/run_it{iterations:03d}_data.star", str(folder))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--K", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--relion", action="store_true", help="run relion_refine, too (slow)")
    parser.add_argument(
        "--relion-cpu-s", type=float, default=1006.0, help="its CPU seconds if not run"
    )
    parser.add_argument("--score", default="")
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    ours = [str(Path(sys.executable).with_name("verglas")), "refine"]
    theirs = shutil.which("relion_refine")
    results: dict = {"cores": os.cpu_count(), "flags": FLAGS, "runs": []}
    for seed in options.seeds:
        row: dict = {"seed": seed}
        with tempfile.TemporaryDirectory() as out:
            row["verglas"] = one(ours, options.folder, Path(out), options, options.iterations, seed)
        with tempfile.TemporaryDirectory() as out:
            row["first_iteration"] = one(ours, options.folder, Path(out), options, 1, seed)
        if options.relion and theirs:
            with tempfile.TemporaryDirectory() as out:
                row["relion"] = one(
                    [theirs], options.folder, Path(out), options, options.iterations, seed
                )
        reference = row.get("relion", {"cpu_s": options.relion_cpu_s})["cpu_s"]
        row["cpu_ratio"] = round(reference / row["verglas"]["cpu_s"], 1)
        print(json.dumps(row, default=float), flush=True)
        results["runs"].append(row)
    ratios = [row["cpu_ratio"] for row in results["runs"]]
    results["mean_cpu_ratio"] = sum(ratios) / len(ratios)
    print(f"mean ratio of CPU seconds: {results['mean_cpu_ratio']:.1f}")
    if options.out:
        Path(options.out).write_text(json.dumps(results, indent=1, default=float))


if __name__ == "__main__":
    main()
