"""CTF refinement of simulated particles against the truth, and RELION's beside it: errors and CPU seconds.

    python benchmarks/ctf_refine.py [--seeds 1 2 3] [--kv 300] [--particles 2000] [--snr 0.6] [--folder DIR]

Three sets of 20S proteasomes for every seed, with true poses and half maps that are the true map with noise:
`defocus` (particles at 150 Å RMS about their micrograph's defocus), `aberrations` (beam tilt, trefoil, fourth order)
and `magnification` (about 1.4 % anisotropic). Errors are RMS over the seeds.
CPU seconds are user and system of the whole program, start and end included;
`each 1,000` is what 1,000 further particles cost, from a run of two micrographs. RELION (3.1.3) is skipped where it
is not installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.fft
import torch

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star
from verglas.fourier import half_disc
from verglas.optics.zernike import even_basis

VERGLAS = [sys.executable, "-m", "verglas.cli.main"]
LIST, MICROGRAPHS, RELION = "particles_ctf_refine.star", 20, "relion_ctf_refine"
TILT, TREFOIL = (0.6, -0.35), (12.0, -8.0)
# pure fourth order: what Zernike polynomials bring along of lower orders is compensated
EVEN = (50.0, -24.0, 75.0, 18.0, 20.0, -8.0, 25.0, 6.0, -15.0)
MAGNIFICATION = (1.008, 0.003, 0.002, 0.995)
ODD = ["--fit_beamtilt", "--odd_aberr_max_n", "3", "--kmin_tilt", "30"]
DEFOCUS = ["--fit_defocus", "--fit_mode", "fpmff", "--kmin_defocus", "30"]


@dataclass(frozen=True)
class Task:
    """A data set (flags of the simulator) and what is fitted to it."""

    name: str
    secrets: list[str]
    fits: list[str]


SPREAD = ["--defocus-spread-angst", "150"]
ABERRATIONS = [
    *(
        "--beam-tilt-mrad",
        *map(str, TILT),
        "--odd-zernike",
        "0",
        "0",
        str(TREFOIL[0]),
        "0",
        "0",
        str(TREFOIL[1]),
    ),
    *("--even-zernike", *map(str, EVEN)),
]
TASKS = (
    Task("defocus per particle, astigmatism", SPREAD, DEFOCUS),
    Task("defocus, all per particle", SPREAD, ["--fit_defocus", "--fit_mode", "fppff", "--kmin_defocus", "30"]),
    Task("tilt and trefoil", [*ABERRATIONS, "--defocus-spread-angst", "0.01"], ODD),
    Task(
        "tilt, trefoil, 4th order", [*ABERRATIONS, "--defocus-spread-angst", "0.01"],
        [*ODD, "--fit_aberr", "--kmin_aberr", "30"],
    ),
    Task(
        "magnification",
        ["--defocus-spread-angst", "0.01", "--magnification", *map(str, MAGNIFICATION)],
        ["--fit_aniso", "--kmin_mag", "30"],
    ),
)  # fmt: skip


@dataclass
class Outcome:
    """Errors by name, CPU seconds in all and for 1,000 further particles."""

    errors: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    each_thousand_s: float = 0.0


def measured(words: list[str], folder: Path) -> float:
    """CPU seconds of a program and its children. Raises RuntimeError with its words where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_set(folder: Path, secrets: list[str], args: argparse.Namespace, seed: int) -> None:
    """Particles, half maps and their post-processing."""
    if (folder / "post.star").exists():
        return
    measured(
        [
            *(*VERGLAS, "simulate", "particles", str(folder), "--count", str(args.particles)),
            *(
                "--micrographs",
                str(MICROGRAPHS),
                "--box",
                str(args.box),
                "--pixel-size-angst",
                str(args.pixel),
            ),
            *("--snr", str(args.snr), "--b-factor-a2", "40", "--truth-maps", "--defocus-min-angst", "8000"),
            *("--defocus-max-angst", "16000", "--shift-angst", "3", "--voltage-kv", str(args.kv)),
            *("--seed", str(seed), *secrets),
        ],
        folder.parent,
    )
    write_half_maps(folder, seed)
    measured([*VERGLAS, "postprocess", "--i", "half1.mrc", "--o", "post"], folder)


def write_half_maps(folder: Path, seed: int) -> None:
    """The true map with noise of a quarter of the signal's power at its edge."""
    image = read_mrc(folder / "truth_map.mrc")
    volume = np.asarray(image.data, np.float32)
    size = volume.shape[0]
    k = scipy.fft.fftfreq(size, 1 / size)
    radius = np.sqrt(k[:, None, None] ** 2 + k[None, :, None] ** 2 + np.arange(size // 2 + 1) ** 2)
    edge = (radius > size / 2 - 4) & (radius < size / 2 - 2)
    power = float((np.abs(scipy.fft.rfftn(volume)[edge]) ** 2).mean()) / size**3
    rng = np.random.default_rng(seed)
    for half in (1, 2):
        noise = 0.5 * np.sqrt(power) * rng.standard_normal(volume.shape)
        write_mrc(folder / f"half{half}.mrc", (volume + noise).astype(np.float32), image.pixel_size_angst)


def run(program: list[str], task: Task, folder: Path, output: str, particles: int) -> Outcome:
    """One of the two programs on a set."""
    words = [
        *program,
        "--i",
        "refined.star",
        "--f",
        "post.star",
        "--m1",
        "half1.mrc",
        "--m2",
        "half2.mrc",
        *task.fits,
    ]
    cpu = measured([*words, "--o", f"{output}/"], folder)
    few = measured([*words, "--o", f"{output}_few/", "--max_MG", "1"], folder)
    more = particles * (1 - 2 / MICROGRAPHS) / 1000
    return Outcome(errors_of(folder, folder / output / LIST, task), cpu, (cpu - few) / more)


def errors_of(folder: Path, found: Path, task: Task) -> dict[str, float]:
    star, truth = read_star(found), read_star(folder / "truth.star")
    errors: dict[str, float] = {}
    if "--fit_defocus" in task.fits:
        mine, true = particle_values(star["particles"]), particle_values(truth["particles"])
        apart = np.array([mine[name][0] - true[name][0] for name in mine])
        stretch = np.array([abs(mine[name][1] - true[name][1]) for name in mine])
        errors["defocus RMS (Å)"] = float(np.sqrt((apart**2).mean()))
        errors["astigmatism RMS (Å)"] = float(np.sqrt((stretch**2).mean()))
    optics = star["optics"]
    if "--fit_beamtilt" in task.fits:
        tilt = [optics.number(f"rlnBeamTilt{axis}", 0) - true for axis, true in zip("XY", TILT)]
        zernike = optics.vectors("rlnOddZernike")[0]
        errors["beam tilt (mrad)"] = float(np.hypot(*tilt))
        errors["trefoil (rad Å³)"] = float(np.hypot(zernike[2] - TREFOIL[0], zernike[5] - TREFOIL[1]))
    if "--fit_aberr" in task.fits:
        errors["even phases RMS (rad)"] = even_error(optics)
    if "--fit_aniso" in task.fits:
        matrix = np.array([optics.number(f"rlnMagMat{place}", 0) for place in ("00", "01", "10", "11")])
        true, seen = (
            np.linalg.svd(each.reshape(2, 2), compute_uv=False) for each in (np.array(MAGNIFICATION), matrix)
        )
        errors["anisotropy (%)"] = 100 * abs(float(seen[0] / seen[1] - true[0] / true[1]))
        errors["matrix, largest (%)"] = 100 * float(np.abs(matrix - MAGNIFICATION).max())
    return errors


def particle_values(table: StarTable) -> dict[str, tuple[float, complex]]:
    """Mean defocus, and U − V as a complex number of twice its angle, by image name."""
    u, v, angle = (np.array(table.floats(f"rlnDefocus{each}")) for each in ("U", "V", "Angle"))
    stretch = (u - v) * np.exp(2j * np.deg2rad(angle))
    return dict(zip(table.strings("rlnImageName"), zip((u + v) / 2, stretch)))


def even_error(optics: StarTable) -> float:
    """RMS difference of the phases that two lists of coefficients make, a constant of whole turns apart."""
    box, pixel = int(optics.number("rlnImageSize", 0)), optics.number("rlnImagePixelSize", 0)
    indices = half_disc(box).indices_yx
    radius = indices.double().norm(dim=1)
    kept = (radius > box * pixel / 30) & (radius < box / 2)
    grid = indices[kept].double() / (box * pixel)
    found = torch.tensor(optics.vectors("rlnEvenZernike")[0], dtype=torch.float64)
    apart = even_basis(len(found), grid) @ found - even_basis(len(EVEN), grid) @ torch.tensor(
        EVEN, dtype=torch.float64
    )
    return float(torch.polar(torch.ones_like(apart), apart).angle().square().mean().sqrt())


def told(name: str, rows: dict[str, list[Outcome]]) -> None:
    """Errors as RMS over the seeds, CPU as the median."""
    print(f"\n{name}")
    programs = list(rows)
    for quantity in rows[programs[0]][0].errors:
        values = [
            np.sqrt(np.mean([each.errors[quantity] ** 2 for each in rows[program]])) for program in programs
        ]
        print(f"  {quantity:24s}" + "".join(f"{value:14.5g}" for value in values))
    for quantity, key in (("CPU (s)", "cpu_s"), ("CPU (s) each 1,000", "each_thousand_s")):
        values = [float(np.median([getattr(each, key) for each in rows[program]])) for program in programs]
        ratio = f"   {values[1] / values[0]:.1f} times" if len(values) > 1 else ""
        print(f"  {quantity:24s}" + "".join(f"{value:14.2f}" for value in values) + ratio)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--kv", type=float, default=300.0)
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--box", type=int, default=96)
    parser.add_argument("--pixel", type=float, default=1.9)
    parser.add_argument("--snr", type=float, default=0.6)
    parser.add_argument("--tasks", nargs="*", type=int, default=range(len(TASKS)), help="numbers, from 0")
    parser.add_argument("--folder", type=Path, help="keep the data there")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    programs = {"verglas": [*VERGLAS, "ctf_refine"]}
    if shutil.which(RELION):
        programs["RELION"] = [RELION]
    with tempfile.TemporaryDirectory() as scratch:
        base = args.folder or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        print(
            f"{args.particles} particles of {args.box} px ({args.pixel} Å), {args.kv:g} kV, SNR {args.snr}, "
            f"seeds {args.seeds}"
        )
        print(f"{'':26s}" + "".join(f"{program:>14s}" for program in programs))
        for number, task in enumerate(TASKS):
            if number not in args.tasks:
                continue
            rows: dict[str, list[Outcome]] = {program: [] for program in programs}
            for seed in args.seeds:
                first = next(n for n, other in enumerate(TASKS) if other.secrets == task.secrets)
                folder = base / f"set{first}_{args.kv:g}_{args.snr:g}_{args.particles}_{args.box}_{seed}"
                make_set(folder.resolve(), task.secrets, args, seed)
                for program, words in programs.items():
                    output = f"{program}_{number}"
                    rows[program].append(run(words, task, folder.resolve(), output, args.particles))
            told(task.name, rows)


if __name__ == "__main__":
    main()
