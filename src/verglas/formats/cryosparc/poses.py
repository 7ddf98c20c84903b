"""cryoSPARC's rotation vectors and RELION's Euler angles, through quaternions, in float64.

With e the rotation vector and R(e) the rotation by |e| about e (right-handed), RELION's matrix is
A = R(e)^T, and A^T = Rz(rot) Ry(tilt) Rz(psi). A rotation has two vectors; where cryoSPARC holds the one
longer than 180 degrees, a turn added to psi remembers it, so that the way back is exact.
"""

from __future__ import annotations

import numpy as np

_NOISE = 1e-14  # components this small are rounding errors of the way there and back


def eulers_from_vectors(vectors: np.ndarray) -> np.ndarray:
    """(rows, 3) rotation vectors in radians to (rows, 3) rot, tilt, psi in degrees."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=1)
    scale = 0.5 * np.sinc(angle / (2 * np.pi))  # sin(angle/2) / angle
    x, y, z = (vectors * scale[:, None]).T
    w = np.cos(angle / 2)
    tilt = 2 * np.arctan2(np.hypot(x, y), np.hypot(w, z))
    half_sum = np.arctan2(z, w)  # of psi and rot; their difference means nothing where tilt is 0
    half_difference = np.where(tilt == 0, half_sum, np.arctan2(x, y))
    eulers = np.degrees(np.stack([half_sum - half_difference, tilt, half_sum + half_difference], axis=1))
    eulers[:, [0, 2]] -= np.round(eulers[:, [0, 2]] / 360) * 360
    psi = eulers[:, 2]
    eulers[:, 2] = np.where(angle > np.pi, psi + np.where(psi >= 0, 360, -360), psi)
    return eulers


def vectors_from_eulers(eulers: np.ndarray) -> np.ndarray:
    """(rows, 3) rot, tilt, psi in degrees to (rows, 3) rotation vectors in radians.

    Vectors are at most 180 degrees long unless psi lies outside -180..180.
    """
    rot, tilt, psi = np.radians(np.asarray(eulers, np.float64)).T
    half_sum, half_difference = (psi + rot) / 2, (psi - rot) / 2
    w, z = np.cos(tilt / 2) * np.cos(half_sum), np.cos(tilt / 2) * np.sin(half_sum)
    x, y = np.sin(tilt / 2) * np.sin(half_difference), np.sin(tilt / 2) * np.cos(half_difference)
    longer = np.abs(np.asarray(eulers)[:, 2]) > 180
    sign = np.where((w < 0) != longer, -1.0, 1.0)
    x, y, z, w = sign * x, sign * y, sign * z, sign * w
    length = np.sqrt(x * x + y * y + z * z)
    angle = 2 * np.arctan2(length, w)
    scale = np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 0)
    vectors = np.stack([x, y, z], axis=1) * scale[:, None]
    vectors[np.abs(vectors) < _NOISE] = 0
    return vectors
