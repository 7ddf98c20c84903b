"""Streaming 2D classes beside a batch run of VDAM on the same particles.

    python benchmarks/live_classes.py FOLDER [--seeds 1 2 3] [--junk 0.05] [--particles 20000] [--box 40]

Particles of one molecule in `--views` views arrive in 20 lots; those of the first third lie in thicker ice
(a third of the signal-to-noise ratio). After every lot the session's own `StreamingClasses` may take them
up, as in a live session, and leave out micrographs that they find unlike the rest; the last lot closes with
an update. The batch run is the same Class2D job begun from nothing with all particles there. Printed for
each: NMI with the true views, FRC of the best class with its noise-free view (mean over the shells up to 0.8
of Nyquist), views that some class shows, CPU seconds.
With `--junk` that share of the movies holds no particle but edges and contamination.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

LOTS, PER_MOVIE = 20, 100
PIXEL_ANGST = 5.0
DIAMETER_ANGST = 150.0
THIN_SNR, THICK_SNR = 0.09, 0.03
SHOWN_CORRELATION = 0.8  # from which on a class shows a view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--junk", type=float, default=0.0, help="share of movies without particles")
    parser.add_argument("--particles", type=int, default=20000)
    parser.add_argument("--box", type=int, default=40)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--classes", type=int, default=12)
    given = parser.parse_args()
    home = given.folder.resolve()
    for seed in given.seeds:
        root = home / f"seed{seed}"
        shutil.rmtree(root, ignore_errors=True)
        truth = simulate(root, given, seed)
        for kind, run in (("streaming", stream), ("batch", batch)):
            begin = resource.getrusage(resource.RUSAGE_CHILDREN)
            averages = run(root, given)
            row = {"seed": seed, "run": kind, **score(root, averages, truth), **_used(begin)}
            print(json.dumps(row), flush=True)


def simulate(root: Path, given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """A project with all images and the list of each lot; the truth."""
    from verglas.formats.stack_writer import StackWriter
    from verglas.formats.star import StarTable, write_star
    from verglas.jobs.simulate.particles import _optics, particle_maker
    from verglas.jobs.simulate.settings import ParticleSettings
    from verglas.project.project import Project

    Project.create(root)
    os.chdir(root)
    write_molecule(root / "molecule.pdb")
    n, thick = given.particles, given.particles // 3
    common = ParticleSettings(
        count=thick,
        box=given.box,
        pixel_size_angst=PIXEL_ANGST,
        seed=100 * seed,
        views=given.views,
        models=("molecule.pdb",),
        shift_angst=10.0,
        snr=THICK_SNR,
    )
    thin = replace(common, count=n - thick, seed=100 * seed + 1, snr=THIN_SNR)
    makers = [particle_maker(each, "cpu")[0] for each in (common, thin)]
    rng = np.random.default_rng(seed)
    junk = rng.random(n // PER_MOVIE) < given.junk
    done = 0
    with StackWriter("particles.mrcs", PIXEL_ANGST) as stack:
        for images in (block.numpy() for maker in makers for block in maker.blocks()):
            for number, image in enumerate(images, done):
                stack.add((junk_image(rng, given.box) if junk[number // PER_MOVIE] else image)[None])
            done += len(images)
    ctf = {
        "rlnDefocusU": np.concatenate([maker.truth.defocus_u_angst for maker in makers]),
        "rlnDefocusV": np.concatenate([maker.truth.defocus_v_angst for maker in makers]),
        "rlnDefocusAngle": np.concatenate([maker.truth.defocus_angle_deg for maker in makers]),
    }
    table = StarTable.from_columns(
        "particles",
        {
            "rlnImageName": [f"{number + 1:06d}@particles.mrcs" for number in range(n)],
            "rlnMicrographName": [f"m{number // PER_MOVIE:04d}.mrc" for number in range(n)],
            "rlnOpticsGroup": [1] * n,
            **ctf,
        },
    )
    for lot in range(1, LOTS + 1):
        rows = table.take(range(n * lot // LOTS))
        write_star(f"lot{lot:02d}.star", [_optics(common), rows])
    clean = replace(common, count=40 * given.views, jitter_deg=0.0, shift_angst=0.0, ctf=False, snr=1e6)
    maker = particle_maker(clean, "cpu")[0]
    first = [int(np.flatnonzero(maker.truth.classes == view)[0]) for view in range(given.views)]
    views = maker.signal(np.array(first)).numpy()
    labels = np.concatenate([maker.truth.classes for maker in makers])
    labels[np.repeat(junk, PER_MOVIE)] = -1
    return {"labels": labels, "views": views}


def write_molecule(path: Path) -> None:
    """A chain of 300 atoms in three lobes: its views differ."""
    rng = np.random.default_rng(7)
    lobes = np.array([[-35.0, 0, 0], [30, 25, 10], [15, -35, -20]])
    radii = np.array([24.0, 17.0, 12.0])
    lines = []
    for number in range(300):
        lobe = number * 3 // 300
        x, y, z = lobes[lobe] + rng.normal(size=3) * radii[lobe] / 1.7
        lines.append(
            f"ATOM  {number + 1:5d}  CA  ALA A{number + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
            f"  1.00  0.00           C"
        )
    path.write_text("\n".join([*lines, "END", ""]))


def junk_image(rng: np.random.Generator, box: int) -> np.ndarray:
    """What is picked on a bad movie: an edge of carbon, or a speck of ice, in noise."""
    y, x = np.indices((box, box)) - box // 2 + rng.uniform(-box / 4, box / 4, (2, 1, 1))
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        signal = np.tanh((x * np.cos(angle) + y * np.sin(angle)) / 2)
    else:
        signal = 3 * np.exp(-(x**2 + y**2) / (2 * rng.uniform(2, 6) ** 2))
    image = signal + rng.normal(size=(box, box))
    return ((image - image.mean()) / image.std()).astype(np.float32)


def options(given: argparse.Namespace, listed: str) -> dict[str, str]:
    return {
        "fn_img": listed,
        "nr_classes": str(given.classes),
        "psi_sampling": "12",
        "offset_range": "3",
        "particle_diameter": f"{DIAMETER_ANGST:g}",
        "nr_threads": "1",
        "do_grad": "Yes",
    }


def registered(given: argparse.Namespace, listed: str) -> tuple[Any, str]:
    """A new Class2D job of the project."""
    from verglas.jobs.registry import job_class
    from verglas.project.dialect import Status
    from verglas.project.project import Project
    from verglas.project.registration import register

    project, kind = Project.open(), job_class("Class2D")
    parsed, _ = kind.Options.parse(options(given, listed))
    return project, register(project, kind, parsed, status=Status.SCHEDULED)


def stream(root: Path, given: argparse.Namespace) -> str:
    """Classes that are brought up to date after the lots; the averages of the last update."""
    from verglas.formats.star import read_star, write_star
    from verglas.jobs.select.thresholds import read_verdicts
    from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
    from verglas.scheduler.live.record.session_log import SessionLog
    from verglas.scheduler.live.streaming.classes import StreamingClasses

    shutil.copyfile("lot01.star", "particles.star")
    project, name = registered(given, "particles.star")
    folder = LiveFolder(root, "live1")
    with project.change("a session") as change:
        folder.create(change, LiveOrder(jobs={"Class2D": name}))
    session = SimpleNamespace(tell=lambda: None, accepted_particles=0, lists_cover=lambda since_s: True)
    log = SessionLog(root, folder.name)
    classes = StreamingClasses(project, folder, session, log)
    for lot in range(1, LOTS + 1):
        star = read_star(f"lot{lot:02d}.star")
        if lot == LOTS:
            classes.order = replace(classes.order, classes_growth=1.0001)
        busy = True
        while busy:  # once more where an update sets micrographs aside
            aside = read_verdicts(folder.manual_file)
            names = star["particles"].strings("rlnMicrographName")
            kept = star["particles"].take([n for n, name in enumerate(names) if name not in aside])
            write_star("particles.star", [star["optics"], kept])
            classes.turn(0.0, len(kept))
            busy = classes.is_busy
            while classes.is_busy:
                time.sleep(0.5)
                classes.turn(0.0, len(kept))
            busy = busy and classes.unlike_s > 0
    print(f"{len(read_verdicts(folder.manual_file))} micrographs were set aside")
    print(f"{classes.state.updates} updates, the last of {classes.state.particles} particles")
    return classes.state.averages


def batch(root: Path, given: argparse.Namespace) -> str:
    """All particles at once."""
    from verglas.scheduler.launch import launch, wait_for
    from verglas.scheduler.live.record.class_state import newest_averages

    project, name = registered(given, f"lot{LOTS:02d}.star")
    wait_for(project, launch(project, name))
    return newest_averages(project, name)


def score(root: Path, averages: str, truth: dict[str, Any]) -> dict[str, Any]:
    """NMI over the true particles, FRC of the best class, views that are shown."""
    from verglas.formats.mrc import read_mrc
    from verglas.formats.star import read_star
    from verglas.simulate.score import class_purity, normalised_mutual_information

    data = read_star(root / averages.replace("_classes.mrcs", "_data.star"))["particles"]
    rows = np.array([int(name.partition("@")[0]) - 1 for name in data.strings("rlnImageName")])
    found, true = data.ints("rlnClassNumber"), truth["labels"][rows]
    kept = true >= 0
    images = read_mrc(root / averages).data
    fits = []
    for number in np.unique(found[kept]):
        members = true[kept & (found == number)]
        if len(members) >= 0.01 * kept.sum():
            view = int(np.bincount(members).argmax())
            fits.append((view, *best_fit(images[number - 1], truth["views"][view])))
    return {
        "nmi": round(normalised_mutual_information(found[kept], true[kept]), 4),
        "purity": round(class_purity(found[kept], true[kept]), 4),
        "best_frc": round(max(frc for _, _, frc in fits), 4),
        "views_shown": len({view for view, value, _ in fits if value >= SHOWN_CORRELATION}),
        "junk_apart": round(junk_apart(found, true), 3),
    }


def junk_apart(found: np.ndarray, true: np.ndarray) -> float:
    """Share of the junk that lies in classes of mostly junk."""
    junk = true < 0
    if not junk.any():
        return 1.0
    apart = [n for n in np.unique(found) if junk[found == n].mean() > 0.5]
    return float(np.isin(found[junk], apart).mean())


def best_fit(average: np.ndarray, view: np.ndarray) -> tuple[float, float]:
    """Correlation and mean FRC of an average with a view, in the best rotation and shift."""
    from scipy.ndimage import rotate, shift
    from scipy.optimize import minimize

    n = len(view)
    y, x = np.indices((n, n)) - n // 2
    mask = np.clip((DIAMETER_ANGST / 2 / PIXEL_ANGST - np.hypot(y, x)) / 3 + 1, 0, 1)
    target = (view - view[mask > 0].mean()) * mask

    def turned(pose: np.ndarray) -> np.ndarray:
        moved = rotate(average, pose[0], reshape=False, order=3)
        return shift(moved, pose[1:], order=3) * mask

    def miss(pose: np.ndarray) -> float:
        return -float(np.corrcoef(turned(pose).ravel(), target.ravel())[0, 1])

    starts = []
    for angle in np.arange(0, 360, 10.0):
        image = rotate(average, angle, reshape=False, order=1) * mask
        peak = np.fft.irfft2(np.fft.rfft2(target) * np.conj(np.fft.rfft2(image)), s=(n, n))
        where = np.array(np.unravel_index(peak.argmax(), peak.shape))
        starts.append((peak.max(), angle, *(where - n * (where > n // 2))))
    best = min(
        (minimize(miss, start[1:], method="Nelder-Mead") for start in sorted(starts)[-3:]),
        key=lambda each: each.fun,
    )
    curve = frc(turned(best.x), target)
    return -float(best.fun), float(curve[1 : int(0.8 * n / 2)].mean())


def frc(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Fourier ring correlation by shell."""
    n = len(first)
    a, b = np.fft.fft2(first), np.fft.fft2(second)
    ky, kx = np.meshgrid(np.fft.fftfreq(n) * n, np.fft.fftfreq(n) * n, indexing="ij")
    shell = np.rint(np.hypot(ky, kx)).astype(int).ravel()

    def per_shell(values: np.ndarray) -> np.ndarray:
        return np.bincount(shell, values.ravel())[: n // 2]

    cross = per_shell((a * np.conj(b)).real)
    return cross / np.sqrt(per_shell(np.abs(a) ** 2) * per_shell(np.abs(b) ** 2) + 1e-30)


def _used(begin: resource.struct_rusage) -> dict[str, float]:
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": round(end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime, 1)}


if __name__ == "__main__":
    main()
