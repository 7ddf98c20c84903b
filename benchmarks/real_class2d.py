"""Real β-galactosidase particles: our class averages and another program's, judged by the atomic model.

    python benchmarks/real_class2d.py [--data ../shared/data] [--seeds 1] [--grad] [--keep DIR] [--sheets DIR]

The set (EMPIAR-10204, seven micrographs of the RELION tutorial) holds 1,655 LoG picks, junk and edges
included, as float16 stacks of 64 × 64 px, and a Class2D/job010 made by RELION 5 with the CTF columns of the
picks, which are wrong. Ours get the published CTF of each micrograph and the flags of that job. Every class
average is compared with noise-free projections of 5a1a in all directions: the largest correlation over
direction, rotation and shift of the frequencies between 30 and 12 Å. What counts is the mean over particles.
`--sheets` writes contact sheets: averages above their best-matching projections, most particles first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from verglas.formats.mrc import read_mrc
from verglas.formats.png import write_png
from verglas.formats.star import read_star, write_star
from verglas.fourier import (
    Projector,
    centre_signs,
    forward,
    frequency_grid,
    inverse,
    shift_in_fourier,
    shift_phases,
)
from verglas.fourier.pixels import SlicePixels, half_disc
from verglas.geometry import euler_matrices
from verglas.jobs.simulate.model import load_model
from verglas.maps.masks import outside_weight
from verglas.maps.pictures import contact_sheet, enlarged
from verglas.simulate.projection import AtomProjector, ProjectionSettings
from verglas.simulate.views import rot_tilt, spiral_views, unit_vectors

BOX, PIXEL_ANGST, DIAMETER_ANGST = 64, 3.54, 200.0
BAND_ANGST = (30.0, 12.0)
MICROGRAPHS = range(21, 28)  # the others of the list have no stacks
VIEWS, PSI_STEP_DEG = 1200, 5.0
LARGEST_SHIFT_PX, SHIFT_STEP_PX = 12, 1.5
FINALISTS = 10  # coarse matches that are searched in fine steps
SHOWN = 24  # averages on a contact sheet
FLAGS = (
    "--K 50 --iter 25 --tau2_fudge 2 --particle_diameter 200 --ctf --flatten_solvent --zero_mask"
    " --oversampling 1 --psi_step 12 --offset_range 5 --offset_step 2 --norm --scale --pad 2"
)  # those of Class2D/job010, but for --center_classes (docs/parity.md)
GRADIENT = "--grad --iter 200 --class_inactivity_threshold 0.1"


@dataclass(frozen=True)
class Judged:
    """Averages with particles, most populated first."""

    averages: np.ndarray  # (k, BOX, BOX)
    counts: np.ndarray  # (k,) particles
    correlations: np.ndarray  # (k,) with the best-matching projection
    matches: np.ndarray  # (k, BOX, BOX) that projection, as the average lies

    @property
    def mean(self) -> float:
        """The particle-weighted mean correlation."""
        return float(np.average(self.correlations, weights=self.counts))


def prepare(data: Path, folder: Path) -> None:
    """particles.star of the rows that have stacks, with the published defocus; stacks linked beside it."""
    project = data / "empiar10204_betagal" / "project"
    defocus = published_defocus(data)
    blocks = dict(read_star(project / "Extract/job009/particles.star"))
    table = blocks["particles"]
    names = [Path(name).stem for name in table.strings("rlnMicrographName")]
    wanted = [f"20170629_{n:05d}_frameImage" for n in MICROGRAPHS]
    rows = [row for row, name in enumerate(names) if name in wanted]
    chosen = table.take(rows).without(
        label for label in ("rlnCtfMaxResolution", "rlnCtfFigureOfMerit") if label in table
    )
    values = np.array([defocus[names[row]] for row in rows])
    labels = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
    blocks["particles"] = chosen.with_columns(
        {label: values[:, column] for column, label in enumerate(labels)}
    )
    write_star(folder / "particles.star", blocks)
    (folder / "Extract").symlink_to((project / "Extract").resolve())


def published_defocus(data: Path) -> dict[str, tuple[float, float, float]]:
    """Defocus U, V (Å) and angle (degrees) of every micrograph, lineage A."""
    text = (data / "empiar10204_betagal/truth/ctf_truth.tsv").read_text()
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")][1:]
    return {row[0]: (float(row[1]), float(row[2]), float(row[3])) for row in rows}


def projections(data: Path) -> torch.Tensor:
    """5a1a seen from all directions of a quarter of the sphere, which is all that D2 leaves: (v, N, N)."""
    model = load_model(data / "models" / "5a1a_betagalactosidase_D2.cif")
    axes = np.linalg.eigh(model.coordinates.T @ model.coordinates)[1]  # the twofold axes
    axes[:, 0] *= np.linalg.det(axes)
    vectors = unit_vectors(spiral_views(VIEWS))
    directions = rot_tilt(vectors[(vectors[:, 0] >= 0) & (vectors[:, 1] >= 0)])
    angles = np.column_stack([directions, np.zeros(len(directions))])
    projector = AtomProjector(model.moved(model.coordinates @ axes), ProjectionSettings(BOX, PIXEL_ANGST))
    return projector.images(euler_matrices(torch.from_numpy(angles)))


@dataclass(frozen=True)
class Views:
    """Projections turned in the plane, as unit vectors of real and imaginary parts of the band's pixels."""

    projector: Projector  # of the projections, (v, N, N)
    pixels: SlicePixels
    rows: torch.Tensor  # (v * turns, 2P)

    @classmethod
    def of(cls, images: torch.Tensor) -> Views:
        frequency = frequency_grid(BOX, PIXEL_ANGST).norm(dim=-1).flatten()
        disc = half_disc(BOX)
        radius = frequency[disc.flat]
        wanted = (radius >= 1 / BAND_ANGST[0]) & (radius <= 1 / BAND_ANGST[1])
        pixels = SlicePixels(BOX, disc.indices_yx[wanted], disc.flat[wanted])
        projector = Projector.of(images, dims=2)
        turns = torch.arange(0, 360, PSI_STEP_DEG, dtype=torch.float64)
        views = torch.arange(len(images)).repeat_interleave(len(turns))
        return cls(projector, pixels, turned(projector, pixels, views, turns.repeat(len(images))))


def turned(
    projector: Projector, pixels: SlicePixels, views: torch.Tensor, psi_deg: torch.Tensor
) -> torch.Tensor:
    """Views at angles in the plane as unit vectors (n, 2P)."""
    angles = torch.stack([0 * psi_deg, 0 * psi_deg, psi_deg], 1)
    values = projector.at(euler_matrices(angles), pixels.indices_yx, views)
    return unit(torch.cat([values.real, values.imag], 1))


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-30)


def grid(reach_px: float, step_px: float) -> torch.Tensor:
    """Shifts (n, 2) of a square."""
    axis = torch.arange(-reach_px, reach_px + step_px / 2, step_px, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)


def judge(averages: np.ndarray, counts: np.ndarray, views: Views) -> Judged:
    """Correlate averages (k, N, N) with all views; classes without particles are left out."""
    order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k] > 0]
    outside = outside_weight(BOX, DIAMETER_ANGST / 2 / PIXEL_ANGST, 5).float()
    images = torch.from_numpy(averages[order].astype(np.float32))
    spectra = forward(images * (1 - outside)) * centre_signs(BOX)
    found = [best_match(spectrum, views) for spectrum in views.pixels.gather(spectra)]
    return Judged(
        averages[order],
        counts[order],
        np.array([score for score, _ in found]),
        np.stack([match for _, match in found]),
    )


def best_match(spectrum: torch.Tensor, views: Views) -> tuple[float, np.ndarray]:
    """Largest correlation of one average (P,) with any view; that view as the average lies.

    Whole views first, on a grid of shifts and angles; the best of them are then searched in fine steps.
    """
    n_turns = round(360 / PSI_STEP_DEG)
    coarse = grid(LARGEST_SHIFT_PX, SHIFT_STEP_PX)
    scores = moved(spectrum, coarse, views.pixels) @ views.rows.T
    top = scores.amax(0).topk(FINALISTS).indices
    best: tuple[float, np.ndarray] = (-1.0, np.zeros((BOX, BOX), np.float32))
    for column in top.tolist():
        view, turn = divmod(column, n_turns)
        psi = turn * PSI_STEP_DEG + torch.arange(-2.0, 2.1, 1.0, dtype=torch.float64)
        rows = turned(views.projector, views.pixels, torch.full((len(psi),), view), psi)
        near = coarse[scores[:, column].argmax()] + grid(SHIFT_STEP_PX / 2, SHIFT_STEP_PX / 8)
        fine = moved(spectrum, near, views.pixels) @ rows.T
        if float(fine.max()) > best[0]:
            place, angle = divmod(int(fine.argmax()), len(psi))
            best = (float(fine.max()), shown(views, view, float(psi[angle]), near[place]))
    return best


def moved(spectrum: torch.Tensor, shifts_px: torch.Tensor, pixels: SlicePixels) -> torch.Tensor:
    """One average at several shifts, (t, 2P) unit vectors."""
    values = spectrum * shift_phases(shifts_px, pixels.indices_yx, BOX)
    return unit(torch.cat([values.real, values.imag], 1))


def shown(views: Views, view: int, psi_deg: float, shift_px: torch.Tensor) -> np.ndarray:
    """A view in the plane of the average that it matched when that was shifted."""
    angles = torch.tensor([[0.0, 0.0, psi_deg]], dtype=torch.float64)
    slices = views.projector.slices(euler_matrices(angles), BOX, torch.tensor([view]))
    spectrum = shift_in_fourier(slices * centre_signs(BOX), -shift_px[None])
    image: np.ndarray = inverse(spectrum, BOX)[0].float().numpy()
    return image


def judge_run(root: Path, views: Views) -> Judged:
    """The averages of a run's last files, `root` as in run_it025."""
    averages = read_mrc(f"{root}_classes.mrcs").data
    classes = read_star(f"{root}_data.star")["particles"].ints("rlnClassNumber")
    return judge(averages, np.bincount(classes - 1, minlength=len(averages)), views)


def classify(folder: Path, out: Path, seed: int, extra: str = "") -> dict[str, float]:
    """Run `verglas refine`; its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = str(Path(sys.executable).with_name("verglas"))
    words = f"{FLAGS} {extra} --random_seed {seed} --j 2 --preread_images".split()
    command = [program, "refine", "--i", "particles.star", "--o", f"{out}/run", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"cpu_s": round(cpu, 1)}


def last_root(out: Path) -> Path:
    """run_itNNN of the last iteration written."""
    return Path(str(sorted(out.glob("run_it*_data.star"))[-1])[: -len("_data.star")])


def write_sheet(path: Path, judged: Judged) -> None:
    """Rows of averages, each above its best-matching projections; most particles first."""
    k = min(SHOWN, len(judged.averages))
    columns = 12
    tiles = []
    for start in range(0, k, columns):
        stop = start + columns
        for images in (judged.averages[start:stop], judged.matches[start:stop]):
            row = np.zeros((columns, BOX, BOX), np.float32)
            row[: len(images)] = images[: k - start]
            tiles.append(row)
    write_png(path, enlarged(contact_sheet(np.concatenate(tiles), columns, gap=2), 1))


def one_seed(options: argparse.Namespace, folder: Path, seed: int, views: Views) -> Judged:
    """Classify with one seed, print what was found."""
    if not (folder / "particles.star").exists():
        prepare(options.data, folder)
    out = (folder / f"seed{seed}").resolve()
    out.mkdir(exist_ok=True)
    used = classify(folder, out, seed, f"{GRADIENT if options.grad else ''} {options.extra}")
    ours = judge_run(last_root(out), views)
    note = {"seed": seed, "classes": len(ours.counts), "correlation": round(ours.mean, 4)}
    print(json.dumps({**note, **used}), flush=True)
    return ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--grad", action="store_true", help="VDAM, 200 mini-batches")
    parser.add_argument("--extra", default="", help="more flags for verglas refine")
    parser.add_argument("--keep", type=Path, help="leave the runs in this folder")
    parser.add_argument("--sheets", type=Path, help="write contact sheets into this folder")
    options = parser.parse_args()
    views = Views.of(projections(options.data))
    job = options.data / "empiar10204_betagal/project/Class2D/job010/run_it025"
    sheets = {"job010": judge_run(job, views)}
    print(f"Class2D/job010: correlation {sheets['job010'].mean:.3f}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        judged = [one_seed(options, folder, seed, views) for seed in options.seeds]
    sheets["vdam" if options.grad else "em"] = judged[0]
    if options.sheets:
        for name, averages in sheets.items():
            write_sheet(options.sheets / f"betagal-{name}.png", averages)


if __name__ == "__main__":
    main()
