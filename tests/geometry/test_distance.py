"""Angular distances between orientations."""

import pytest
import torch

from verglas.geometry import PointGroup, angular_distance_deg, euler_matrices, in_plane_distance_deg


def test_rotation_about_one_axis_moves_two_of_three_rows() -> None:
    distance = angular_distance_deg(euler_matrices([0.0, 0.0, 0.0]), euler_matrices([0.0, 0.0, 30.0]))
    assert float(distance) == pytest.approx(20.0)


def test_symmetry_mates_are_at_no_distance() -> None:
    group = PointGroup.of("D3")
    a = euler_matrices([10.0, 40.0, 70.0])
    assert float(angular_distance_deg(a.expand(6, 3, 3), group.mates(a), group).max()) < 1e-5
    assert float(angular_distance_deg(a.expand(6, 3, 3), group.mates(a)).max()) > 50


def test_in_plane_distance_is_wrapped() -> None:
    found = in_plane_distance_deg(torch.tensor([359.0, 90.0, -170.0]), torch.tensor([0.0, -90.0, 170.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, 180.0, 20.0]))
