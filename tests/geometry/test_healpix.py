"""HEALPix directions against the healpix package."""

import healpix
import numpy as np
import pytest
import torch

from verglas.geometry import healpix_directions, pixel_directions, view_vectors
from verglas.geometry.healpix import angular_step_deg, children, parents


@pytest.mark.parametrize("order", range(7))
def test_directions_agree_with_the_healpix_package(order: int) -> None:
    ours = healpix_directions(order).numpy()
    theta, phi = healpix.pix2ang(2**order, np.arange(12 * 4**order), nest=True)
    np.testing.assert_allclose(ours[:, 1], np.degrees(theta), atol=1e-9)
    difference = (ours[:, 0] - np.degrees(phi) + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=1e-9)
    assert ours[:, 0].min() >= -180
    assert ours[:, 0].max() < 180


def test_order_zero_by_hand() -> None:
    directions = healpix_directions(0)
    np.testing.assert_allclose(directions[0], [45, np.degrees(np.arccos(2 / 3))], atol=1e-12)
    np.testing.assert_allclose(directions[4], [0, 90], atol=1e-12)


def test_children_surround_their_parent() -> None:
    pixels = torch.arange(12 * 4**2)
    inner = children(pixels)
    assert torch.equal(parents(inner), pixels[:, None].expand(-1, 4))
    cosines = (
        view_vectors(pixel_directions(inner, 3)) * view_vectors(pixel_directions(pixels, 2))[:, None]
    ).sum(-1)
    assert float(torch.rad2deg(torch.acos(cosines)).max()) < angular_step_deg(2)


def test_wrong_orders_and_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        healpix_directions(-1)
    with pytest.raises(ValueError, match="pixels"):
        pixel_directions(torch.tensor([48]), 1)
