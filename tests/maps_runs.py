"""Small refinements of maps for tests: projections of a known map, and `verglas refine` on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from verglas.cli.program import run_program
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.fourier.projector import Projector
from verglas.geometry.euler import euler_matrices

BOX, PIXEL = 24, 6.0
AUTO = [
    "--i",
    "particles.star",
    "--ref",
    "map.mrc",
    "--auto_refine",
    "--split_random_halves",
    "--ini_high",
    "30",
    "--ctf_corrected_ref",
    "--firstiter_cc",
    "--particle_diameter",
    "110",
    "--flatten_solvent",
    "--zero_mask",
    "--dont_check_norm",
    "--oversampling",
    "1",
    "--healpix_order",
    "0",
    "--auto_local_healpix_order",
    "1",
    "--maximum_angular_sampling",
    "15",
    "--offset_range",
    "1",
    "--offset_step",
    "2",
    "--sym",
    "C1",
    "--low_resol_join_halves",
    "60",
    "--norm",
    "--scale",
    "--random_seed",
    "1",
    "--pad",
    "1",
]


def map_of_blobs(box: int = BOX, seed: int = 3) -> np.ndarray:
    """An asymmetric map (N, N, N)."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:box, :box, :box] - box // 2
    found = np.zeros((box, box, box), np.float32)
    for a, b, c in rng.normal(0, box / 8, (9, 3)):
        found += np.exp(-((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) / 5)
    return found


def simulate(
    n: int = 40,
    box: int = BOX,
    pixel: float = PIXEL,
    noise: float = 0.7,
    specimen: int = 3,
    **columns: object,
) -> np.ndarray:
    """`particles.star`, its stack and `map.mrc`: noisy projections in all directions, without a CTF.

    Returns their angles (n, 3).
    """
    rng = np.random.default_rng(5)
    truth = map_of_blobs(box, specimen)
    tilt = np.degrees(np.arccos(rng.uniform(-1, 1, n)))
    angles = np.stack([rng.uniform(-180, 180, n), tilt, rng.uniform(-180, 180, n)], 1)
    projector = Projector.of(torch.from_numpy(truth).double(), box, padding=2, dims=3)
    slices = projector.slices(euler_matrices(torch.from_numpy(angles)), box).numpy()
    signs = (-1.0) ** (np.arange(box)[:, None] + np.arange(box // 2 + 1))
    images = np.fft.irfft2(slices * signs, (box, box))
    images = images / images.std() * 0.7 + noise * rng.normal(0, 1, images.shape)
    write_mrc("particles.mrcs", images.astype(np.float32), pixel)
    write_mrc("map.mrc", (0.05 * truth).astype(np.float32), pixel)
    optics = {
        "rlnOpticsGroupName": ["one"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [pixel],
        "rlnImageSize": [box],
        "rlnImageDimensionality": [2],
    }
    particles = {
        "rlnImageName": [f"{i + 1:06d}@particles.mrcs" for i in range(n)],
        "rlnMicrographName": [f"mic{i % 3}.mrc" for i in range(n)],
        "rlnOpticsGroup": [1] * n,
    } | columns
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", particles)]
    write_star("particles.star", tables)
    return angles


def refine(*words: str) -> int:
    return run_program("refine", [*words])


def same_bytes(first: str, second: str, but: tuple[str, ...] = ("run_progress.jsonl",)) -> list[str]:
    """Names of the files of two runs, which have the same bytes but for names and comments."""
    names = sorted(path.name for path in Path(second).iterdir() if path.name not in but)
    for name in names:
        a, b = ((Path(folder) / name).read_bytes() for folder in (first, second))
        if name.endswith(".star"):
            a, b = (_without_names(text, folder) for text, folder in ((a, first), (b, second)))
        assert a == b, name
    return names


def _without_names(text: bytes, folder: str) -> bytes:
    lines = text.replace(folder.encode(), b"").split(b"\n")
    return b"\n".join(b" ".join(line.split()) for line in lines if not line.startswith(b"#"))
