"""Real β-galactosidase: 3D auto-refine of raw picks from a 40 Å start, judged by the atomic model.

    python benchmarks/real_refine3d.py [--data ../shared/data] [--keep DIR] [--pictures DIR] [--extra FLAGS]

The 1,655 LoG picks of real_class2d.py (64 px, 3.54 Å, junk and edges included) with the published CTF are
refined with D2 from 5a1a at 40 Å. Printed are the FSC of the final map with 5a1a (0.5), that of the half maps
(0.143), and the median angle between our orientations and the published ones of 900 of the particles, after
the one rotation of the twofold axes' names that D2 leaves open. With `--keep` a finished run is judged again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from real_class2d import BOX, DIAMETER_ANGST, PIXEL_ANGST, prepare

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.png import write_png
from verglas.formats.star import StarTable, read_star
from verglas.geometry import euler_matrices
from verglas.geometry.symmetry import PointGroup
from verglas.jobs.simulate.model import load_model
from verglas.maps.isosurface import rendered_isosurface
from verglas.maps.masks import outside_weight
from verglas.maps.pictures import contact_sheet, enlarged
from verglas.maps.shell_correlation import fsc, resolution_angst
from verglas.simulate.model import AtomicModel
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.volume import model_map

VOLUME_ANGST3 = 465_000 * 1.21  # of the tetramer: daltons times the volume of one in protein
FLAGS = (
    "--auto_refine --split_random_halves --ini_high 40 --firstiter_cc --ctf_corrected_ref --ctf"
    f" --particle_diameter {DIAMETER_ANGST:g} --flatten_solvent --zero_mask --oversampling 1 --healpix_order 2"
    " --auto_local_healpix_order 4 --offset_range 5 --offset_step 2 --sym D2 --low_resol_join_halves 40"
    " --norm --scale --pad 2 --random_seed 1 --j 1 --preread_images"
)


def on_twofold_axes(model: AtomicModel) -> AtomicModel:
    """The model turned so that its twofold axes are x, y and z, of the same hand."""
    axes = np.linalg.eigh(model.coordinates.T @ model.coordinates)[1]
    axes[:, 0] *= np.linalg.det(axes)
    return model.moved(model.coordinates @ axes)


def refine(folder: Path, extra: str) -> float:
    """Run `verglas refine`; its CPU seconds."""
    program = str(Path(sys.executable).with_name("verglas"))
    words = f"--i particles.star --ref reference.mrc --o Refine3D/run {FLAGS} {extra}".split()
    (folder / "Refine3D").mkdir(exist_ok=True)
    with (folder / "run.out").open("w") as log:
        subprocess.run([program, "refine", *words], cwd=folder, check=True, stdout=log)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def orientations(table: StarTable) -> dict[str, np.ndarray]:
    """Rotation matrix of every image, by name."""
    columns = [table.floats(f"rlnAngle{name}") for name in ("Rot", "Tilt", "Psi")]
    matrices = euler_matrices(torch.from_numpy(np.column_stack(columns))).numpy()
    return dict(zip(table.strings("rlnImageName"), matrices))


def angular_errors(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> np.ndarray:
    """Angles (n,) in degrees between two sets of orientations under D2, axes named alike."""
    names = [name for name in truth if name in found]
    ours = torch.from_numpy(np.stack([found[name] for name in names]))
    theirs = PointGroup.of("D2").mates(torch.from_numpy(np.stack([truth[name] for name in names])))
    best = np.full(len(names), np.inf)
    for renamed in PointGroup.of("O").operators:
        traces = torch.einsum("nij,ngij->ng", ours @ renamed, theirs).amax(1)
        errors = torch.rad2deg(torch.acos(((traces - 1) / 2).clamp(-1, 1))).numpy()
        if np.median(errors) < np.median(best):
            best = errors
    return best


def judged_maps(
    run: Path, truth: torch.Tensor, pixel_angst: float, diameter_angst: float
) -> dict[str, float]:
    """Resolutions in Å of the finished run in a folder, and its iterations."""
    box = len(truth)
    found = torch.from_numpy(read_mrc(run / "run_class001.mrc").data.copy())
    halves = [
        torch.from_numpy(read_mrc(run / f"run_half{half}_class001_unfil.mrc").data.copy()) for half in (1, 2)
    ]
    sphere = 1 - outside_weight(box, diameter_angst / 2 / pixel_angst, 5, dims=3).float()
    return {
        "with_model_angst": resolution_angst(fsc(found, truth), box, pixel_angst, 0.5),
        "with_model_in_sphere_angst": resolution_angst(
            fsc(found * sphere, truth * sphere), box, pixel_angst, 0.5
        ),
        "halves_angst": resolution_angst(fsc(*halves), box, pixel_angst),
        "halves_in_sphere_angst": resolution_angst(
            fsc(*(half * sphere for half in halves)), box, pixel_angst
        ),
        "iterations": len(list(run.glob("run_it*_half1_model.star"))),
    }


def judge(folder: Path, data: Path, truth: torch.Tensor) -> dict[str, float]:
    """Resolutions in Å and angles in degrees of the finished run in a folder."""
    run = folder / "Refine3D"
    poses = data / "empiar10204_betagal/truth/matched_particles_published_pose.star"
    errors = angular_errors(
        orientations(read_star(run / "run_data.star")["particles"]),
        orientations(read_star(poses)["particles"]),
    )
    reached = judged_maps(run, truth, PIXEL_ANGST, DIAMETER_ANGST) | {
        "median_angle_deg": float(np.median(errors)),
        "within_10_deg": float((errors < 10).mean()),
    }
    return {name: round(value, 3) for name, value in reached.items()}


def write_pictures(run: Path, path: Path, truth: torch.Tensor, volume_px: int) -> None:
    """Central sections along z, y and x and the isosurface: of the start, of the map, of the model."""
    maps = [
        read_mrc(run / "run_it000_half1_class001.mrc").data,
        read_mrc(run / "run_class001.mrc").data,
        truth.numpy(),
    ]
    box = len(truth)
    middle = box // 2
    sections = [part for m in maps for part in (m[middle], m[:, middle], m[:, :, middle])]
    sheet = enlarged(contact_sheet(np.stack(sections), 3, gap=2), 3)
    tilted = euler_matrices(np.array([[30.0, 60.0, 0.0]])).numpy()[0]
    surfaces = []
    for each in maps:
        threshold = float(np.partition(each, -volume_px, axis=None)[-volume_px])
        surfaces.append(rendered_isosurface(each, threshold, tilted, 3 * box))
        surfaces.append(np.full((6, 3 * box), 32, np.uint8))
    write_png(path, np.hstack([sheet, np.full((len(sheet), 6), 32, np.uint8), np.vstack(surfaces[:-1])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--extra", default="", help="more flags for verglas refine")
    parser.add_argument("--keep", type=Path, help="leave the run in this folder")
    parser.add_argument("--pictures", type=Path, help="write central sections into this folder")
    options = parser.parse_args()
    model = on_twofold_axes(load_model(options.data / "models/5a1a_betagalactosidase_D2.cif"))
    truth = model_map(model, ProjectionSettings(BOX, PIXEL_ANGST))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        note = {}
        if not (folder / "Refine3D/run_class001.mrc").exists():
            prepare(options.data, folder)
            write_mrc(folder / "reference.mrc", truth, PIXEL_ANGST)
            note["cpu_s"] = round(refine(folder, options.extra), 1)
        print(json.dumps(note | judge(folder, options.data, torch.from_numpy(truth))), flush=True)
        if options.pictures:
            volume_px = round(VOLUME_ANGST3 / PIXEL_ANGST**3)
            picture = options.pictures / "betagal-map.png"
            write_pictures(folder / "Refine3D", picture, torch.from_numpy(truth), volume_px)


if __name__ == "__main__":
    main()
