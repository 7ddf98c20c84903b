"""Both programs on the same files, and what is compared afterwards."""

from __future__ import annotations

import subprocess

import numpy as np

from verglas.cli.program import run_program
from verglas.formats.star import read_star


def relion(words: list[str]) -> None:
    done = subprocess.run(["relion_refine", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def ours(words: list[str]) -> None:
    assert run_program("refine", words) == 0


def columns(path: str, *labels: str) -> list[np.ndarray]:
    """Columns of a data file in order of image name."""
    table = read_star(path)["particles"]
    order = np.argsort(table.strings("rlnImageName"))
    return [table.floats(label)[order] for label in labels]


def shell_fsc(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    box = len(a)
    fa, fb = np.fft.rfft2(a), np.fft.rfft2(b)
    y, x = np.meshgrid(np.fft.fftfreq(box) * box, np.arange(box // 2 + 1), indexing="ij")
    r = np.round(np.hypot(y, x)).astype(int).ravel()
    total = lambda v: np.bincount(r, v.ravel(), minlength=box)  # noqa: E731
    norm = np.sqrt(total(np.abs(fa) ** 2) * total(np.abs(fb) ** 2))
    return total((fa * fb.conj()).real) / np.maximum(norm, 1e-30)


POSE = ("rlnClassNumber", "rlnAnglePsi", "rlnOriginXAngst", "rlnOriginYAngst")


def same_poses(mine: list[np.ndarray], theirs: list[np.ndarray]) -> np.ndarray:
    """Which particles have the same class and pose; columns as in POSE."""
    turn = np.abs(np.remainder(mine[1] - theirs[1] + 180, 360) - 180)
    moved = np.hypot(mine[2] - theirs[2], mine[3] - theirs[3])
    return (mine[0] == theirs[0]) & (turn < 0.1) & (moved < 0.1)
