"""Maps are found again after they were turned and moved; axes of symmetry, differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from verglas.fourier.gridding import real_radius
from verglas.maps.fitting import RigidMove, fit
from verglas.maps.image_operations import ImageOperations, difference

Make = Callable[..., torch.Tensor]
TURN = Rotation.from_euler("zyz", [50, 70, 120], degrees=True).as_matrix()
SIZE = 32


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    inside = real_radius(SIZE, 3).numpy() < SIZE / 2 - 4
    return float(np.corrcoef(one[inside], other[inside])[0, 1])


def test_a_move_is_what_it_says(blobs: Make) -> None:
    volume = blobs(SIZE).float().numpy()
    moved = RigidMove(np.eye(3), np.array([2.0, 0.0, -1.0]), 0).apply(volume)
    np.testing.assert_allclose(moved[4:20, 4:20, 4:20], volume[3:19, 4:20, 6:22], atol=1e-5)


def test_a_turned_and_moved_map_is_fitted_back(blobs: Make) -> None:
    volume = blobs(SIZE).float()
    moved = RigidMove(TURN, np.array([2.0, -1.0, 1.5]), 0).apply(volume.numpy())
    found = fit(torch.from_numpy(moved), volume)
    assert found.correlation > 0.97
    assert agreement(found.apply(moved), volume.numpy()) > 0.98
    angle = np.degrees(np.arccos(min(1.0, (np.trace(found.rotation @ TURN) - 1) / 2)))
    assert angle < 1.0


def test_maps_of_other_boxes_are_refused(blobs: Make) -> None:
    with pytest.raises(ValueError, match="resample"):
        fit(blobs(SIZE), blobs(24))


def test_the_difference_shows_what_one_map_lacks(blobs: Make) -> None:
    volume = blobs(SIZE).float().numpy()
    more = volume.copy()
    more[20:24, 20:24, 20:24] += 2
    left = difference(more, 3 * volume)
    assert left[20:24, 20:24, 20:24].mean() > 1.5 > 10 * np.abs(left).mean()
    assert ImageOperations(difference_from=volume).apply(volume, 1.0)[0].std() < 1e-4 * volume.std()
