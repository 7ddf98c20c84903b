"""Micrographs of known content for the pickers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

torch.set_num_threads(1)  # the tests share the machine


class Scene:
    """Round particles of one diameter, dark on noise."""

    def __init__(self, seed: int, count: int, contrast: float, size: int = 1200) -> None:
        random = np.random.default_rng(seed)
        self.pixel_size_angst = 2.0
        self.diameter_angst = 130.0
        self.xy = self._places(random, count, size)
        spheres = np.zeros((size, size), np.float32)
        radius = 0.5 * self.diameter_angst / self.pixel_size_angst
        reach = int(radius) + 3
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        for px, py in self.xy:
            column, row = round(px), round(py)
            r = np.hypot(x - (px - column), y - (py - row))
            chord = 2 * np.sqrt(np.clip(radius**2 - r**2, 0, None))
            spheres[row - reach : row + reach + 1, column - reach : column + reach + 1] += chord
        noise = random.standard_normal((size, size)).astype(np.float32)
        noise += 0.5 * ndimage.gaussian_filter(random.standard_normal((size, size)), 3) * 6
        gradient = np.linspace(0, 4, size, dtype=np.float32)
        self.micrograph = (noise + gradient - contrast * spheres / radius).astype(np.float32)

    def _places(self, random: np.random.Generator, count: int, size: int) -> np.ndarray:
        margin = 0.8 * self.diameter_angst / self.pixel_size_angst
        found: list[np.ndarray] = []
        while len(found) < count:
            place = random.uniform(margin, size - margin, 2)
            apart = 1.05 * self.diameter_angst / self.pixel_size_angst
            if all(np.hypot(*(place - other)) > apart for other in found):
                found.append(place)
        return np.array(found).reshape(-1, 2)


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene(seed=3, count=60, contrast=0.5)


@pytest.fixture(scope="session")
def empty_scene() -> Scene:
    return Scene(seed=4, count=0, contrast=0.5)
