"""Euler angles and matrices: RELION's A, its poles, and scipy as oracle."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from verglas.geometry import euler_angles, euler_matrices, rot_tilt_of, view_vectors


def random_angles(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    angles = (torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.5) * 720
    angles[: count // 10, 1] = 0
    angles[count // 10 : count // 5, 1] = 180
    angles[count // 5 : count // 4] = torch.round(angles[count // 5 : count // 4] / 90) * 90
    return angles


def test_matrix_is_the_transpose_of_scipys_zyz() -> None:
    angles = random_angles(1000)
    expected = np.transpose(Rotation.from_euler("ZYZ", angles.numpy(), degrees=True).as_matrix(), (0, 2, 1))
    np.testing.assert_allclose(euler_matrices(angles), expected, atol=1e-14)


def test_round_trip_over_a_hundred_thousand_including_poles() -> None:
    matrices = euler_matrices(random_angles(100_000))
    again = euler_angles(matrices)
    np.testing.assert_allclose(euler_matrices(again), matrices, atol=2e-6)
    assert bool((again[:, 1] >= 0).all())


def test_poles_put_everything_into_psi() -> None:
    np.testing.assert_allclose(euler_angles(euler_matrices([20.0, 0.0, 30.0])), [0, 0, 50], atol=1e-12)
    np.testing.assert_allclose(euler_angles(euler_matrices([20.0, 180.0, 30.0])), [0, 180, 10], atol=1e-10)


def test_third_row_is_the_viewing_direction() -> None:
    angles = random_angles(50)
    np.testing.assert_allclose(view_vectors(angles[:, :2]), euler_matrices(angles)[:, 2], atol=1e-14)
    np.testing.assert_allclose(
        view_vectors(rot_tilt_of(view_vectors(angles[:, :2]))), view_vectors(angles[:, :2]), atol=1e-12
    )


def test_batch_shapes_and_errors() -> None:
    assert euler_matrices(torch.zeros(2, 5, 3)).shape == (2, 5, 3, 3)
    assert euler_angles(torch.eye(3).expand(4, 2, 3, 3)).shape == (4, 2, 3)
    with pytest.raises(ValueError, match="axis of 3"):
        euler_matrices([1.0, 2.0])
    with pytest.raises(ValueError, match="3 x 3"):
        euler_angles(torch.zeros(3, 2))
