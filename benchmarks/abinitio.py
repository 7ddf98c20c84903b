"""How often an initial model is right: seeds x specimens, each from particles alone, against the truth.

Right: laid on the true map (either hand), the FSC stays above 0.5 to 20 Å or finer. Prints one line a run and a table.

    python benchmarks/abinitio.py OUT --specimens proteasome ribosome --seeds 1 2 3 [--count 1000] [-- more flags]

Models but the proteasome's are read from $VERGLAS_TEST_DATA/models.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from verglas.cli.program import run_program
from verglas.formats.mrc import read_mrc
from verglas.formats.png import write_png
from verglas.jobs.initialmodel.job import InitialModel
from verglas.jobs.simulate.particles import write_particles
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.maps.fitting import fit
from verglas.maps.shell_correlation import fsc, resolution_angst

RIGHT_ANGST = 20.0


@dataclass(frozen=True)
class Specimen:
    """What is simulated; `diameter_angst` is what a user would give."""

    model: str  # "": the proteasome that ships with the package
    pixel_size_angst: float
    diameter_angst: float
    b_factor_a2: float = 150.0


SPECIMENS = {
    "proteasome": Specimen("", 4.0, 200.0),
    "ribosome": Specimen("ribosome70S_tteftu_with_tRNA.pdb.gz", 6.0, 300.0),
    "betagal": Specimen("5a1a_betagalactosidase_D2.cif", 4.0, 200.0),
    "haemoglobin": Specimen("4hhb_haemoglobin.cif.gz", 2.0, 90.0),
    "trpv1": Specimen("3j5p_TRPV1_C4.pdb", 4.0, 160.0),
}


def simulated(folder: Path, specimen: Specimen, count: int, box: int, snr: float) -> None:
    """Particles and truth, made once."""
    if (folder / "particles.star").exists():
        return
    models = (
        (str(Path(os.environ["VERGLAS_TEST_DATA"]) / "models" / specimen.model),) if specimen.model else ()
    )
    settings = ParticleSettings(
        count=count,
        box=box,
        pixel_size_angst=specimen.pixel_size_angst,
        models=models,
        snr=snr,
        b_factor_a2=specimen.b_factor_a2,
        truth_maps=True,
    )
    write_particles(folder, settings, device="cpu")


def run(specimen: Specimen, seed: int, iterations: int, more: list[str]) -> Path:
    """One initial model in the present folder by the form's own command; where it is."""
    options = InitialModel.Options.checked(
        {
            "fn_img": "particles.star",
            "particle_diameter": specimen.diameter_angst,
            "nr_iter": iterations,
            "use_gpu": False,
            "other_args": " ".join([f"--random_seed {seed}", *more]),
        }
    )
    directory = f"seed{seed}/"
    with (
        open(f"seed{seed}.out", "w") as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        if run_program("initialmodel", InitialModel.command_line(options, directory, False)):
            raise RuntimeError(f"the run of seed {seed} failed: see seed{seed}.out")
    return Path(directory) / "initial_model.mrc"


def judged(found: Path, truth: Path, picture: Path) -> tuple[float, float]:
    """Resolution (Å) of FSC 0.5 with the truth in the better hand, and correlation; writes central sections."""
    wanted = read_mrc(truth)
    target = torch.from_numpy(np.array(wanted.data, np.float32))
    results = []
    for hand in (1, -1):
        density = np.array(read_mrc(found).data[::hand], np.float32)
        move = fit(torch.from_numpy(density), target)
        moved = torch.from_numpy(move.apply(density))
        reached = resolution_angst(
            fsc(moved.double(), target.double()), len(target), wanted.pixel_size_angst, 0.5
        )
        results.append((reached, -move.correlation, moved.numpy()))
    best = min(results, key=lambda each: each[:2])
    write_png(picture, np.concatenate([_sections(each) for each in (target.numpy(), best[2])]))
    return best[0], -best[1]


def _sections(volume: np.ndarray) -> np.ndarray:
    middle = len(volume) // 2
    low, high = np.percentile(volume, (1, 99.9))
    grey = np.clip((volume - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    row = np.concatenate([grey[middle], grey[:, middle], grey[:, :, middle]], axis=1)
    return np.kron(row, np.ones((3, 3), np.uint8))


def main() -> None:
    """Parse, run all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--specimens", nargs="+", default=list(SPECIMENS), choices=list(SPECIMENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--snr", type=float, default=0.05)
    parser.add_argument("--iter", type=int, default=60)
    words = sys.argv[1:]
    more = words[words.index("--") + 1 :] if "--" in words else []
    given = parser.parse_args(words[: words.index("--")] if more else words)
    rows = []
    root = given.out.resolve()
    for name in given.specimens:
        specimen, folder = SPECIMENS[name], root / name
        folder.mkdir(parents=True, exist_ok=True)
        simulated(folder, specimen, given.count, given.box, given.snr)
        os.chdir(folder)
        for seed in given.seeds:
            begin, wall = sum(os.times()[:2]), time.monotonic()
            found = run(specimen, seed, given.iter, more)
            took, wall = sum(os.times()[:2]) - begin, time.monotonic() - wall
            reached, correlation = judged(found, Path("truth_map.mrc"), Path(f"seed{seed}.png"))
            said = [
                line for line in Path(f"seed{seed}.out").read_text().splitlines() if "initial model" in line
            ]
            row = {
                "specimen": name,
                "seed": seed,
                "fsc05_angst": round(reached, 1),
                "correlation": round(correlation, 3),
                "right": reached <= RIGHT_ANGST,
                "called_good": any("looks good" in line for line in said),
                "cpu_s": round(took),
                "wall_s": round(wall),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    print("\n| specimen | right | called good | CPU s |\n|---|---|---|---|")
    for name in given.specimens:
        mine = [row for row in rows if row["specimen"] == name]
        right, good = (sum(bool(row[key]) for row in mine) for key in ("right", "called_good"))
        cpu = np.median([row["cpu_s"] for row in mine])
        print(f"| {name} | {right} of {len(mine)} | {good} | {cpu:.0f} |")


if __name__ == "__main__":
    main()
