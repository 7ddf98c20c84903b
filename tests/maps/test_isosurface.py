"""Pictures of isosurfaces against a ball and a rod."""

import numpy as np

from verglas.maps.isosurface import rendered_isosurface


def _ball(radius_px: float, n: int = 32) -> np.ndarray:
    z, y, x = np.mgrid[:n, :n, :n] - n // 2
    return radius_px - np.sqrt(x**2 + y**2 + z**2)


def test_a_ball_is_a_disc_lit_from_above_left():
    picture = rendered_isosurface(_ball(8.0), 0.0, size_px=64)
    radius = np.sqrt((picture > 0).sum() / np.pi) * 31 / 63  # in pixels of the map
    assert abs(radius - 8) < 0.2
    y, x = np.nonzero(picture == picture.max())
    middle = 16 * 63 / 31
    assert x.mean() < middle and y.mean() < middle


def test_the_map_is_turned_before_it_is_looked_at():
    z, y, x = np.mgrid[:32, :32, :32] - 16
    rod = 3.0 - np.maximum(np.hypot(y, z), np.abs(x) - 10)  # along x
    to_y = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    flat, upright = rendered_isosurface(rod, 0.0), rendered_isosurface(rod, 0.0, to_y)
    assert np.ptp(np.nonzero(flat)[1]) > 3 * np.ptp(np.nonzero(flat)[0])
    assert np.ptp(np.nonzero(upright)[0]) > 3 * np.ptp(np.nonzero(upright)[1])


def test_where_nothing_reaches_the_threshold_the_picture_is_empty():
    assert not rendered_isosurface(np.zeros((8, 8, 8)), 1.0, size_px=16).any()
