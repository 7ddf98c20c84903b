"""A shaded picture of an isosurface, for reports and documents: no graphics library, no window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from verglas.maps.pictures import Bytes

_LIGHT_XYZ = np.array([-0.4, -0.5, 0.77])  # from above left, towards the viewer
_AMBIENT, _FOG = 0.18, 0.45


def rendered_isosurface(
    volume: NDArray[np.floating],  # (n, n, n) z, y, x
    threshold: float,
    turn: NDArray[np.float64] | None = None,  # (3, 3) acting on x, y, z; the viewer looks along -z afterwards
    size_px: int = 320,
) -> Bytes:
    """The surface where the map crosses `threshold`, seen along z: (size, size) grey, 0 where there is none.

    Orthographic rays through the turned map; the depth is interpolated between the last point below and the
    first above the threshold, the normal is the gradient there (Lambert's law), and what lies deeper is darker.
    """
    n = len(volume)
    first, last = -(n // 2), n - 1 - n // 2
    across = np.linspace(first, last, size_px)
    y, x = np.meshgrid(across, across, indexing="ij")
    back = np.eye(3) if turn is None else np.asarray(turn).T
    map_values = np.asarray(volume, np.float32)
    depth = np.full(x.shape, np.nan)
    before = np.full(x.shape, -np.inf)
    for z in range(last, first - 1, -1):  # from the viewer away, a pixel of the map at a time
        here = _sampled(map_values, back, x, y, np.full_like(x, z))
        crossed = np.isnan(depth) & (here >= threshold)
        share = (here - threshold) / np.maximum(here - before, 1e-30)
        depth[crossed] = z + np.clip(share[crossed], 0, 1)
        before = here
    hit = ~np.isnan(depth)
    picture = np.zeros(x.shape)
    if hit.any():
        picture[hit] = _shade(map_values, back, x[hit], y[hit], depth[hit], n)
    return np.asarray(np.clip(picture * 255, 0, 255), np.uint8)


def _sampled(
    volume: NDArray[np.float32],
    back: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The turned map at points relative to the centre of its box."""
    centre = len(volume) // 2
    points = np.einsum("ij,j...->i...", back, np.stack([x, y, z])) + centre
    values: NDArray[np.float64] = ndimage.map_coordinates(
        volume, points[::-1], order=1, mode="constant", cval=float(volume.min()), output=np.float64
    )
    return values


def _shade(
    volume: NDArray[np.float32],
    back: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    box: int,
) -> NDArray[np.float64]:
    """Brightness 0..1 of surface points."""
    normal = np.zeros((3, len(x)))
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1.0
        ahead = _sampled(volume, back, x + step[0], y + step[1], z + step[2])
        behind = _sampled(volume, back, x - step[0], y - step[1], z - step[2])
        normal[axis] = behind - ahead  # outwards: density falls
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-30)
    light = np.clip(_LIGHT_XYZ / np.linalg.norm(_LIGHT_XYZ) @ normal, 0, 1)
    near = (z - z.min()) / max(float(np.ptp(z)), box / 8)
    return (_AMBIENT + (1 - _AMBIENT) * light) * (1 - _FOG + _FOG * near)
