"""Small refinements for tests: particles, a run, a run over ranks, and the comparison of two runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.program import run_program
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star

BOX, PIXEL, N = 32, 4.0, 40
FLAGS = [
    "--tau2_fudge",
    "2",
    "--particle_diameter",
    "90",
    "--ctf",
    "--zero_mask",
    "--flatten_solvent",
    "--norm",
    "--scale",
    "--psi_step",
    "30",
    "--offset_range",
    "3",
    "--offset_step",
    "2",
    "--random_seed",
    "3",
    "--center_classes",
]


def write_particles(images: np.ndarray, names: list[str] | None = None, **optics) -> None:
    n = len(images)
    rng = np.random.default_rng(0)
    write_mrc("particles.mrcs", images.astype(np.float32), PIXEL)
    names = names or [f"{i + 1:06d}@particles.mrcs" for i in range(n)]
    groups = {
        "rlnOpticsGroupName": ["one"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL],
        "rlnImageSize": [images.shape[-1]],
        "rlnImageDimensionality": [2],
    } | {key: [value] for key, value in optics.items()}
    u = rng.uniform(9000, 20000, len(names))
    particles = {
        "rlnImageName": names,
        "rlnMicrographName": [f"mic{i % 4}.mrc" for i in range(len(names))],
        "rlnOpticsGroup": [1] * len(names),
        "rlnDefocusU": u,
        "rlnDefocusV": u,
        "rlnDefocusAngle": 0 * u,
    }
    write_star(
        "particles.star",
        [StarTable.from_columns("optics", groups), StarTable.from_columns("particles", particles)],
    )


def noisy(n: int = N, box: int = BOX) -> np.ndarray:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:box, :box] - box // 2
    objects = [
        np.exp(-((y - 4) ** 2 + x**2) / 8) + np.exp(-((x - 5) ** 2 + y**2) / 12),
        np.exp(-(y**2 + x**2) / 30),
    ]
    return np.stack([objects[i % 2] * 1.5 + rng.normal(0, 1, (box, box)) for i in range(n)])


def refine(*words: str) -> int:
    return run_program("refine", [*words])


def same_files(first: str, second: str) -> None:
    """Same references, poses and spectra to the last bit."""
    a, b = (read_mrc(f"{name}_classes.mrcs").data for name in (first, second))
    np.testing.assert_array_equal(a, b)
    a, b = (read_star(f"{name}_data.star")["particles"] for name in (first, second))
    for label in ("rlnAnglePsi", "rlnOriginXAngst", "rlnClassNumber", "rlnMaxValueProbDistribution"):
        np.testing.assert_array_equal(a.floats(label), b.floats(label))
    a, b = (read_star(f"{name}_model.star")["model_group_1"] for name in (first, second))
    np.testing.assert_array_equal(a.floats("rlnSigma2Noise"), b.floats("rlnSigma2Noise"))


def refine_over_ranks(n: int, words: list[str]) -> str:
    """`mpirun -n N verglas refine ...`; what it printed. Skips the test where there is no mpirun."""
    mpirun = Path(sys.executable).with_name("mpirun")
    if not mpirun.exists():
        pytest.skip("there is no mpirun beside this Python")
    environment = dict(
        os.environ,
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        OMP_NUM_THREADS="1",
        OMPI_MCA_mpi_yield_when_idle="1",
    )
    program = str(Path(sys.executable).with_name("verglas"))
    command = [str(mpirun), "-n", str(n), "--oversubscribe", "--bind-to", "none", program, "refine"]
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
