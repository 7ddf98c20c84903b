"""Distances up to a limit against scipy's transform of the whole array."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from verglas.maps.near_distance import FAR, bounding_box, squared_distance


@pytest.mark.parametrize("limit", [0.5, 3.0, 9.5, 40.0])
def test_near_distances_are_those_of_scipy(limit: float) -> None:
    region = np.random.default_rng(1).random((25, 31, 28)) > 0.999
    found, exact = squared_distance(region, limit), distance_transform_edt(~region)
    near = exact <= limit
    np.testing.assert_array_equal(found[near], np.rint(exact[near] ** 2))
    assert (found[~near] == FAR).all()


def test_an_empty_region_is_far_from_everywhere() -> None:
    region = np.zeros((8, 8, 8), bool)
    assert bounding_box(region, 3) is None
    assert (squared_distance(region, 4) == FAR).all()


def test_limits_beyond_the_type_are_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        squared_distance(np.ones((8, 8, 8), bool), 300)
