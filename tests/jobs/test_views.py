"""What is said about the directions that particles are seen from."""

from types import SimpleNamespace

import numpy as np
import pytest

from verglas.em.state.settings import EmSettings
from verglas.jobs.refine.telling.views import views_doubt
from verglas.simulate.views import random_poses


@pytest.mark.parametrize(
    ("near", "said"),
    [
        (0.0, ""),
        (0.1, ""),
        (0.3, "lie within 20 degrees of one view"),
        (0.8, "lie within 20 degrees of one view"),
        (1.0, "too few different views"),
    ],
)
def test_one_view_is_told_of(near, said):
    rng = np.random.default_rng(1)
    count = 2000
    angles, _ = random_poses(count, rng)
    crowd = int(near * count)
    angles[:crowd], _ = random_poses(crowd, rng, np.array([[50.0, 40.0]]), 4.0)
    found = SimpleNamespace(p_max=np.ones(count), rot_deg=angles[:, 0], tilt_deg=angles[:, 1])
    doubt = views_doubt(EmSettings(dims=3), SimpleNamespace(assignments=found))
    assert said in doubt and bool(said) == bool(doubt)


def test_a_few_particles_gather_by_chance():
    for seed in range(20):
        angles, _ = random_poses(30, np.random.default_rng(seed))
        found = SimpleNamespace(p_max=np.ones(30), rot_deg=angles[:, 0], tilt_deg=angles[:, 1])
        assert "of one view" not in views_doubt(EmSettings(dims=3), SimpleNamespace(assignments=found))
