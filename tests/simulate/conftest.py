"""Small specimens that every test of the simulator may use."""

import numpy as np
import pytest
import torch

from verglas.simulate.model import AtomicModel


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def blob():
    """An asymmetric cluster of 400 atoms of four elements, 40 Å across."""
    rng = np.random.default_rng(5)
    places = rng.normal(size=(400, 3)) * [4.0, 6.0, 8.0]
    places[:100] += [8, -3, 5]
    places *= np.minimum(1, 20 / np.linalg.norm(places, axis=1))[:, None]
    elements = np.array(["C", "N", "O", "S"])[rng.integers(0, 4, 400)]
    return AtomicModel(places, elements, np.full(400, 20.0), "blob")
