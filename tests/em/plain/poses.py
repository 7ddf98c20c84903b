"""Euler angles, HEALPix, the asymmetric unit, children and the perturbation (§1.6, §2.3, §2.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUARTER, FACE_RING = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7), (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)


@dataclass
class Poses:
    """Coarse orientations (O, 3, 3), their children (O, c, 3, 3), and the direction of each."""

    coarse: np.ndarray
    fine: np.ndarray
    direction: np.ndarray
    n_psi: int
    step: float  # degrees
    still: np.ndarray | None = None  # (O, 3) angles of the coarse ones before the perturbation, in 3D

    @property
    def psis(self):
        """In-plane angle of each coarse orientation, degrees, before the perturbation."""
        return np.tile(np.arange(self.n_psi) * 360 / self.n_psi, len(self.coarse) // self.n_psi)


def euler(rot, tilt, psi):
    """A(α, β, γ) of §1.6, degrees."""
    (ca, cb, cg), (sa, sb, sg) = (f(np.deg2rad([rot, tilt, psi])) for f in (np.cos, np.sin))
    return np.array(
        [
            [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
            [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
            [sb * ca, sb * sa, cb],
        ]
    )


def healpix(order, pixel):
    """(rot, tilt) of a nested pixel in degrees, rot in [-180, 180] (Appendix A)."""
    n = 2**order
    face, rest = divmod(pixel, n * n)
    ix = sum(((rest >> (2 * bit)) & 1) << bit for bit in range(order))
    iy = sum(((rest >> (2 * bit + 1)) & 1) << bit for bit in range(order))
    j = FACE_RING[face] * n - ix - iy - 1
    if j < n:
        m, z, odd = j, 1 - j**2 / (3 * n**2), 0
    elif j > 3 * n:
        m = 4 * n - j
        z, odd = -1 + m**2 / (3 * n**2), 0
    else:
        m, z, odd = n, (2 * n - j) * 2 / (3 * n), (j - n) & 1
    p = (QUARTER[face] * m + ix - iy + 1 + odd) // 2
    p = (p - 1) % (4 * n) + 1
    rot = (p - (odd + 1) / 2) * 90 / m
    return (rot + 180) % 360 - 180, np.rad2deg(np.arccos(z))


def cyclic(fold):
    """Rotations of C_n, the identity first."""
    return [euler(360 * i / fold, 0, 0) for i in range(fold)]


def largest_radius(order):
    """Largest distance of a pixel's centre from its corners, degrees: from descendants in the corners."""
    many, found = 4**9, 0.0
    for pixel in range(12 * 4**order):
        centre = euler(*healpix(order, pixel), 0)[2]
        for corner in (0, (many - 1) // 3, 2 * (many - 1) // 3, many - 1):
            view = euler(*healpix(order + 9, pixel * many + corner), 0)[2]
            found = max(found, np.rad2deg(np.arccos(centre @ view)))
    return found


def asymmetric_pixels(order, fold):
    """Directions of C_n: |rot| <= 180/n, less those near a mate of one that is kept already (§2.4)."""
    kept, views = [], []
    near = np.cos(np.deg2rad(largest_radius(order) / 2))
    for pixel in range(12 * 4**order):
        rot, tilt = healpix(order, pixel)
        view = euler(rot, tilt, 0)[2]
        mates = [view @ turn for turn in cyclic(fold)[1:]]
        if abs(rot) <= 180 / fold + 1e-9 and not any(
            mate @ other > near for mate in mates for other in views
        ):
            kept.append(pixel)
            views.append(view)
    return kept


def in_plane(n_psi, perturbation):
    """The grid of 2D classes."""
    step = 360 / n_psi
    coarse = [euler(0, 0, (a + perturbation) * step) for a in range(n_psi)]
    fine = [[euler(0, 0, (a + perturbation + q) * step) for q in (-0.25, 0.25)] for a in range(n_psi)]
    return Poses(np.array(coarse), np.array(fine), np.zeros(n_psi, int), n_psi, step)


def global_search(order, fold, perturbation):
    """The grid of 3D maps of symmetry C_n; a psi step is as large as one between directions."""
    step = 60 / 2**order
    n_psi = round(360 / step)
    turn = euler(*[perturbation * step] * 3)
    coarse, fine, direction, still = [], [], [], []
    for number, pixel in enumerate(asymmetric_pixels(order, fold)):
        for a in range(n_psi):
            still.append((*healpix(order, pixel), a * step))
            coarse.append(euler(*still[-1]) @ turn)
            fine.append(
                [
                    euler(*healpix(order + 1, 4 * pixel + child), (a + q) * step) @ turn
                    for child in range(4)
                    for q in (-0.25, 0.25)
                ]
            )
            direction.append(number)
    return Poses(np.array(coarse), np.array(fine), np.array(direction), n_psi, step, np.array(still))


def angles_of(matrix):
    """Euler angles of a matrix, degrees; the inverse of `euler` where sin(tilt) > 0."""
    return np.rad2deg(
        [
            np.arctan2(matrix[2, 1], matrix[2, 0]),
            np.arccos(np.clip(matrix[2, 2], -1, 1)),
            np.arctan2(matrix[1, 2], -matrix[0, 2]),
        ]
    )


def local_prior(poses: Poses, angles, sigma, fold):
    """§2.5: prior of each coarse orientation (O,) around the mates under C_n of one orientation."""
    views = np.array([euler(*one)[2] for one in poses.still])
    first = np.unique(poses.direction, return_index=True)[1]
    total = np.zeros(len(poses.still))
    for turn in cyclic(fold):
        rot, tilt, psi = angles_of(euler(*angles) @ turn)
        away = np.rad2deg(np.arccos(np.clip(views @ euler(rot, tilt, 0)[2], -1, 1)))
        near = np.where(away < 3 * sigma, np.exp(-0.5 * (away / sigma) ** 2), 0)
        spin = np.abs((poses.still[:, 2] - psi + 180) % 360 - 180)
        alike = np.where(spin < 3 * sigma, np.exp(-0.5 * (spin / sigma) ** 2), 0)
        if near.any():
            total += near / near[first].sum() * alike / alike[: poses.n_psi].sum()
    return total / total.sum()


def translations(reach, step):
    """Points (y, x) of the search circle, x outermost."""
    n = int(np.ceil(reach / step))
    return [
        (iy * step, ix * step)
        for ix in range(-n, n + 1)
        for iy in range(-n, n + 1)
        if (ix * step) ** 2 + (iy * step) ** 2 < reach**2 + 0.001
    ]
