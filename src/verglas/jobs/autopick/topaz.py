"""Topaz: the user's own `topaz` program, called for training and picking; nothing of it is imported."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.set_aside import SetAside
from verglas.picking.picks import Picks

if TYPE_CHECKING:
    from verglas.picking.training import Example

RADIUS_PX = 3.0  # of a particle in the images topaz sees: what its models were made for
LEAST_SCORE = -6.0
_TIMEOUT_S = 3600.0


def topaz_program(flags: Mapping[str, Any]) -> str:
    """Path of the executable. Raises JobFailed saying what to do where there is none."""
    name = flags["--topaz_exe"] or "topaz"
    found = shutil.which(name)
    if found is None:
        raise JobFailed(
            f"the topaz program {name!r} was not found; install Topaz in an environment of its own and give "
            "its path under 'Topaz executable'"
        )
    return found


def pick_with_topaz(
    micrograph: np.ndarray, pixel_size_angst: float, flags: Mapping[str, Any], device: str
) -> Picks:
    """Normalise, reduce and extract by topaz, in a temporary folder. Raises SetAside with its words."""
    diameter = flags["--particle_diameter"]
    if not diameter > 0:
        raise JobFailed("Topaz needs the particle diameter")
    scale = max(1, round(diameter / 2 / pixel_size_angst / RADIUS_PX))
    program = topaz_program(flags)
    with tempfile.TemporaryDirectory(prefix="verglas-topaz-") as scratch:
        folder = Path(scratch)
        write_mrc(folder / "mic.mrc", micrograph, pixel_size_angst, durable=False)
        gpu = device.partition(":")[2] if device.startswith("cuda") else "-1"
        (folder / "small").mkdir()
        _call([program, "preprocess", "-s", str(scale), "-o", "small", "mic.mrc"], folder)
        command = [program, "extract", "-r", str(round(RADIUS_PX)), "-x", str(scale), "-d", gpu]
        command += ["-t", str(LEAST_SCORE), "-o", "picks.txt"]
        if flags["--topaz_model"]:
            command += ["-m", str(Path(flags["--topaz_model"]).resolve())]
        command += shlex.split(flags["--topaz_args"])
        _call([*command, "small/mic.mrc"], folder)
        return read_topaz(folder / "picks.txt", float(flags["--topaz_threshold"]))


def read_topaz(path: Path, threshold: float) -> Picks:
    """Topaz' table: image_name, x_coord, y_coord, score. Raises SetAside for anything else."""
    lines = path.read_text().splitlines()
    if not lines or lines[0].split("\t") != ["image_name", "x_coord", "y_coord", "score"]:
        raise SetAside(f"topaz wrote no table of picks: {lines[:1]}")
    rows = np.array([line.split("\t")[1:] for line in lines[1:] if line.strip()], float)
    rows = rows.reshape(-1, 3)
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    count = len(rows)
    return Picks(rows[:, :2], rows[:, 2], np.ones(count, np.int64), np.zeros(count), threshold)


def train_topaz(flags: Mapping[str, Any], examples: Sequence[Example], out: Path) -> Path:
    """Train on micrographs with picks; the last epoch's model. Raises JobFailed with topaz' words."""
    program, diameter = topaz_program(flags), flags["--particle_diameter"]
    if not diameter > 0 or not examples:
        raise JobFailed("Topaz training needs picks and the particle diameter")
    scale = max(1, round(diameter / 2 / examples[0].pixel_size_angst / RADIUS_PX))
    out.mkdir(parents=True, exist_ok=True)
    lines = ["image_name\tx_coord\ty_coord"]
    with tempfile.TemporaryDirectory(prefix="verglas-topaz-") as scratch:
        folder = Path(scratch)
        (folder / "small").mkdir()
        for number, one in enumerate(examples):
            pixels = one.micrograph.numpy()
            write_mrc(folder / f"m{number}.mrc", pixels, one.pixel_size_angst, durable=False)
            lines += [f"m{number}\t{x / scale:.1f}\t{y / scale:.1f}" for x, y in one.xy]
        (folder / "targets.txt").write_text("\n".join(lines) + "\n")
        images = [f"m{number}.mrc" for number in range(len(examples))]
        preprocess = [program, "preprocess", "-s", str(scale), "-o", "small", *images]
        expected = flags["--topaz_nr_particles"]
        expected = expected if expected > 0 else max(len(one.xy) for one in examples)
        command = [program, "train", "-n", str(expected), "-r", str(round(RADIUS_PX))]
        command += ["--num-epochs", "10", "--train-images", "small", "--train-targets", "targets.txt"]
        command += ["--save-prefix", str((out / "model").resolve()), *shlex.split(flags["--topaz_args"])]
        try:
            _call(preprocess, folder)
            _call(command, folder)
        except SetAside as reason:
            raise JobFailed(str(reason)) from reason
    return out / "model_epoch10.sav"


def _call(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetAside(f"topaz did not run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        last = said[-1] if said else "no message"
        raise SetAside(f"topaz {command[1]} ended with {done.returncode}: {last}")
