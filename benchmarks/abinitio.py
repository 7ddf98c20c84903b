"""How often an initial model is right: seeds x specimens, each from particles alone, against the truth.

Right: laid on the true map (either hand), the FSC stays above 0.5 to 20 Å or finer. Prints one line a run, with how
the starts did, and a table; lines are kept in OUT/results.jsonl, and what stands there is not done again.

    python benchmarks/abinitio.py OUT --specimens proteasome ribosome --seeds 1 2 3 [--jobs 2] [--gpu] [-- more flags]
    python benchmarks/abinitio.py OUT --folders setc:170:1 setd:170:2    (NAME:DIAMETER:CLASSES, made before)

A folder OUT/NAME holds particles.star and truth_map.mrc. Those of the specimens below are made: simulated ones
(models but the proteasome's from $VERGLAS_TEST_DATA/models), one with 80 % of its particles near one view, the
real β-galactosidase (raw picks) and real apoferritin (--apoferritin: the folder that real_apoferritin.py --keep left).
Real ones are run with their point group as the symmetry to find and apply, after a run in C1. With --refine each
model is the start of an auto-refine, whose map is judged in the same way.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from verglas.cli.program import run_program
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.png import write_png
from verglas.jobs.autorefine.job import AutoRefine3D
from verglas.jobs.initialmodel.job import InitialModel
from verglas.jobs.simulate.model import load_model
from verglas.jobs.simulate.particles import write_particles
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.maps.fitting import fit
from verglas.maps.shell_correlation import fsc, resolution_angst
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.volume import model_map

RIGHT_ANGST = 20.0


@dataclass(frozen=True)
class Specimen:
    """What is tried; `diameter_angst` is what a user would give."""

    diameter_angst: float
    model: str = ""  # of the test data; "": the proteasome that ships with the package
    pixel_size_angst: float = 4.0
    b_factor_a2: float = 150.0
    count: int = 1000
    one_view: float = 0.0  # share of the particles near one view
    symmetry: str = "C1"  # to find and apply
    classes: int = 1
    real: bool = False

    @property
    def refinement(self) -> dict[str, object]:
        """Options of the auto-refine that begins with the model."""
        return {
            "particle_diameter": self.diameter_angst,
            "sym_name": self.symmetry,
            "ini_high": self.diameter_angst / 6,
            "sampling": "7.5 degrees",
            "use_gpu": False,
        }


SPECIMENS = {
    "proteasome": Specimen(200.0),
    "ribosome": Specimen(300.0, "ribosome70S_tteftu_with_tRNA.pdb.gz", 6.0),
    "betagal": Specimen(200.0, "5a1a_betagalactosidase_D2.cif"),
    "haemoglobin": Specimen(90.0, "4hhb_haemoglobin.cif.gz", 2.0, 100.0, count=2000),
    "trpv1": Specimen(160.0, "3j5p_TRPV1_C4.pdb"),
    "one-view": Specimen(300.0, "ribosome70S_tteftu_with_tRNA.pdb.gz", 6.0, count=1500, one_view=0.8),
    "real-betagal": Specimen(180.0, "5a1a_betagalactosidase_D2.cif", symmetry="D2", real=True),
    "real-apoferritin": Specimen(
        150.0, "7a4m_apoferritin_mouse_heavy_O_1of24.cif", 3.0, symmetry="O", real=True
    ),
}


def _model(specimen: Specimen) -> Path | None:
    data = Path(os.environ.get("VERGLAS_TEST_DATA", "."))
    return data / "models" / specimen.model if specimen.model else None


def simulated(folder: Path, specimen: Specimen, box: int, snr: float) -> None:
    """Particles and truth, made once."""
    model = _model(specimen)
    settings = ParticleSettings(
        count=specimen.count,
        box=box,
        pixel_size_angst=specimen.pixel_size_angst,
        models=(str(model),) if model else (),
        snr=snr,
        b_factor_a2=specimen.b_factor_a2,
        one_view=specimen.one_view,
        truth_maps=True,
    )
    write_particles(folder, settings, device="cpu")


def real(name: str, folder: Path, specimen: Specimen, apoferritin: Path | None) -> None:
    """Particles of real micrographs, and the atomic model's map as truth."""
    from real_class2d import BOX, PIXEL_ANGST, prepare
    from real_refine3d import on_twofold_axes

    data, atoms = Path(os.environ["VERGLAS_TEST_DATA"]), load_model(_model(specimen))
    if name == "real-betagal":
        prepare(data, folder)
        projection = ProjectionSettings(BOX, PIXEL_ANGST)
        atoms = on_twofold_axes(atoms)
    else:
        if apoferritin is None:
            raise SystemExit("real-apoferritin needs --apoferritin: the folder of real_apoferritin.py --keep")
        shutil.copy(apoferritin / "Extract/job004/particles.star", folder)
        for part in ("Extract", "Micrographs"):
            (folder / part).symlink_to((apoferritin / part).resolve())
        projection = ProjectionSettings(64, specimen.pixel_size_angst)
    write_mrc(folder / "truth_map.mrc", model_map(atoms, projection), projection.pixel_size_angst)


def run(
    folder: Path, specimen: Specimen, seed: int, gpu: bool, refine: bool, more: list[str]
) -> dict[str, object]:
    """One initial model by the form's own command, and what it is worth."""
    torch.set_num_threads(1)
    os.chdir(folder)
    options = InitialModel.Options.checked(
        {
            "fn_img": "particles.star",
            "particle_diameter": specimen.diameter_angst,
            "sym_name": specimen.symmetry,
            "nr_classes": specimen.classes,
            "use_gpu": gpu,
            "other_args": " ".join([f"--random_seed {seed}", *more]),
        }
    )
    out, directory = Path(f"seed{seed}.out"), f"seed{seed}/"
    row: dict[str, object] = {"specimen": folder.name, "seed": seed}
    took = timed("initialmodel", InitialModel.command_line(options, directory, False), out)
    row |= {"cpu_s": took[0], "wall_s": took[1]}
    model = Path(directory) / "initial_model.mrc"
    reached, correlation = judged(model, Path(f"seed{seed}.png"))
    said = [line.strip() for line in out.read_text().splitlines()]
    if refine:
        directory = f"refined{seed}/"
        wanted = specimen.refinement | {"fn_img": "particles.star", "fn_ref": str(model)}
        words = AutoRefine3D.command_line(
            AutoRefine3D.Options.checked(wanted | {"other_args": f"--random_seed {seed}"}), directory, False
        )
        took = timed("refine", words, Path(f"refined{seed}.out"))
        refined, _ = judged(Path(directory) / "run_class001.mrc", Path(f"refined{seed}.png"))
        row |= {"refined_angst": round(refined, 1), "refined_cpu_s": took[0]}
    return row | {
        "fsc05_angst": round(reached, 1),
        "correlation": round(correlation, 3),
        "right": reached <= RIGHT_ANGST,
        "called_good": any("looks good" in line for line in said),
        "starts": [line for line in said if line.startswith("Start ")],
        "symmetry": [line for line in said if line.startswith("Symmetry:")],
    }


def timed(program: str, words: list[str], out: Path) -> tuple[int, int]:
    """Run a program into a file; processor and wall seconds."""
    begin, wall = sum(os.times()[:2]), time.monotonic()
    with out.open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        failed = run_program(program, words)
    if failed:
        raise RuntimeError(out.read_text()[-300:])
    return round(sum(os.times()[:2]) - begin), round(time.monotonic() - wall)


def judged(found: Path, picture: Path) -> tuple[float, float]:
    """Resolution (Å) of FSC 0.5 with truth_map.mrc in the better hand, and correlation; writes central sections."""
    wanted = read_mrc("truth_map.mrc")
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


def _tried(task: tuple[Path, Specimen, int, bool, bool, list[str]]) -> dict[str, object]:
    try:
        return run(*task)
    except Exception as error:  # one run that breaks does not end the others
        return {"specimen": task[0].name, "seed": task[2], "failed": f"{type(error).__name__}: {error}"}


def table(rows: list[dict[str, object]]) -> str:
    """Markdown, one line a specimen."""
    lines = [
        "| specimen | right | FSC 0.5 (Å), worst to best | called good | CPU s | wall s |",
        "|---|" + "---|" * 5,
    ]
    for name in dict.fromkeys(str(row["specimen"]) for row in rows):
        mine = [row for row in rows if row["specimen"] == name and "failed" not in row]
        if not mine:
            continue
        right, good = (sum(bool(row[key]) for row in mine) for key in ("right", "called_good"))
        reached = sorted((float(str(row["fsc05_angst"])) for row in mine), reverse=True)
        cpu, wall = (np.median([float(str(row[key])) for row in mine]) for key in ("cpu_s", "wall_s"))
        lines.append(
            f"| {name} | {right} of {len(mine)} | {reached[0]} … {reached[-1]} | {good} | {cpu:.0f} | {wall:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse, run all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--specimens", nargs="*", default=[], choices=list(SPECIMENS))
    parser.add_argument(
        "--folders", nargs="*", default=[], help="NAME:DIAMETER:CLASSES of folders made before"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--apoferritin", type=Path)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--snr", type=float, default=0.05)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--refine", action="store_true", help="go on with an auto-refine from each model")
    parser.add_argument("--only-make", action="store_true", help="make the particles and stop")
    words = sys.argv[1:]
    more = words[words.index("--") + 1 :] if "--" in words else []
    given = parser.parse_args(words[: words.index("--")] if more else words)
    root, chosen = given.out.resolve(), {name: SPECIMENS[name] for name in given.specimens}
    for name, specimen in chosen.items():
        folder = root / name
        if not (folder / "truth_map.mrc").exists():
            folder.mkdir(parents=True, exist_ok=True)
            if specimen.real:
                real(name, folder, specimen, given.apoferritin)
            else:
                simulated(folder, specimen, given.box, given.snr)
    for word in given.folders:
        name, diameter, classes = word.split(":")
        chosen[name] = Specimen(float(diameter), classes=int(classes))
    if given.only_make:
        return
    kept = root / "results.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["specimen"], row["seed"]) for row in rows}
    tasks = [
        (root / name, specimen, seed, given.gpu, given.refine, more)
        for seed in given.seeds
        for name, specimen in chosen.items()
        if (name, seed) not in done
    ]
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool, kept.open("a") as lines:
        for row in pool.imap_unordered(_tried, tasks):
            rows.append(row)
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            print(json.dumps(row), flush=True)
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
