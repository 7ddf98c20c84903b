"""A small classification problem with everything switched on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from verglas.em.particles import ArraySource, Assignments, OpticsGroup, Particles


def smooth_images(rng: np.random.Generator, n: int, box: int) -> np.ndarray:
    """Random asymmetric blobs."""
    y, x = np.mgrid[:box, :box] - box // 2
    images = np.zeros((n, box, box))
    for image in images:
        for cy, cx in rng.normal(0, box / 10, (6, 2)):
            width = rng.uniform(1.2, 2.5)
            image += rng.uniform(0.3, 1) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
    return images


def some_particles(
    n: int, box: int, pixel: float, rng: np.random.Generator, groups: int = 3
) -> Particles:
    """Particles of one optics group with random defocus, dealt to scale groups in turn."""
    u = rng.uniform(8000, 20000, n)
    return Particles(
        names=tuple(f"{i + 1:06d}@stack.mrcs" for i in range(n)),
        optics=(OpticsGroup("one", box, pixel),),
        optics_group=np.zeros(n, np.int64),
        scale_group=np.arange(n) % groups,
        group_names=tuple(f"mic{g}.mrc" for g in range(groups)),
        defocus_u_angst=u, defocus_v_angst=u - rng.uniform(0, 800, n),
        defocus_angle_deg=rng.uniform(-90, 90, n), phase_shift_deg=np.zeros(n),
        b_factor_a2=np.zeros(n), ctf_scale=np.ones(n),
    )  # fmt: skip


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def started(rng: np.random.Generator) -> Assignments:
    found = Assignments.start(6)
    found.norm = rng.uniform(0.8, 1.2, 6)
    found.origin_yx_angst = rng.normal(0, 4, (6, 2))
    return found


__all__ = ["ArraySource"]
