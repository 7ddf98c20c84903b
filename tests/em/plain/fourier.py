"""Transforms, masks, CTF, slices and their adjoint (§1)."""

from __future__ import annotations

import itertools

import numpy as np


def nearest(x):
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def grid(n, dims):
    """Indices relative to the middle, one array per axis."""
    return np.meshgrid(*[np.arange(n) - n // 2] * dims, indexing="ij")


def transform(image):
    """Normalised transform, origin and phase origin in the middle: index N/2 is frequency 0 (§1.2)."""
    n, dims = image.shape[0], image.ndim
    return np.fft.fftshift(np.fft.fftn(image)) / n**dims * (-1.0) ** sum(grid(n, dims))


def back(values):
    """The inverse of `transform`."""
    n, dims = values.shape[0], values.ndim
    return np.fft.ifftn(np.fft.ifftshift(values * (-1.0) ** sum(grid(n, dims)))).real * n**dims


def counted(n):
    """Half-plane pixels, each independent pixel once (§1.1); row -N/2 stands for +N/2."""
    y, x = grid(n, 2)
    y = np.where(y == -(n // 2), n // 2, y)
    keep = (x > 0) | ((x == 0) & (y >= 0)) | (x == -(n // 2))
    return keep, y, np.abs(x) * (x == -(n // 2)) + x * (x != -(n // 2))


def ctf_value(p, y, x):
    """§1.8."""
    lam = 12.2643247 / np.sqrt(p["kv"] * 1e3 * (1 + 0.978466e-6 * p["kv"] * 1e3))
    angle = np.arctan2(y, x) - np.deg2rad(p["angle"])
    defocus = 0.5 * (p["u"] + p["v"]) + 0.5 * (p["u"] - p["v"]) * np.cos(2 * angle)
    u2 = x**2 + y**2
    gamma = -np.pi * lam * defocus * u2 + np.pi / 2 * p["cs"] * 1e7 * lam**3 * u2**2
    gamma -= np.deg2rad(p["phase"]) + np.arctan(p["q0"] / np.sqrt(1 - p["q0"] ** 2))
    return -np.sin(gamma)


def shift_without_wrap(image, dy, dx):
    n = image.shape[0]
    out = np.zeros_like(image)
    for row in range(n):
        for column in range(n):
            if 0 <= row - dy < n and 0 <= column - dx < n:
                out[row, column] = image[row - dy, column - dx]
    return out


def outside(distance, radius, edge):
    """Weight of the background: 0 inside, a cosine edge outside the radius, 1 beyond (§1.11)."""
    m = 0.5 + 0.5 * np.cos(np.pi * (radius + edge - distance) / edge)
    return np.where(distance < radius, 0, np.where(distance > radius + edge, 1, m))


def masked(image, radius, edge):
    """§1.11 with the zero mask, in any number of dimensions."""
    r = np.sqrt(sum(axis**2 for axis in grid(image.shape[0], image.ndim)))
    m = outside(r, radius, edge)
    return (1 - m) * image + m * (m * image).sum() / m.sum()


def masked_tube(image, radius, edge, tube_radius, psi):
    """The same with a tube through the middle: its axis (x, y) = (cos ψ, -sin ψ) is x of the class.

    The mean is that of everything outside the tube.
    """
    y, x = grid(image.shape[0], 2)
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    tube = outside(np.abs(x * s + y * c), tube_radius, edge)
    m = np.maximum(outside(np.hypot(y, x), radius, edge), tube)
    return (1 - m) * image + m * (tube * image).sum() / tube.sum()


def gridding(n, dims, pad):
    """Real-space effect of linear interpolation (§1.13 item 1)."""
    r = np.sqrt(sum(axis**2 for axis in grid(n, dims)))
    return np.sinc(r / (n * pad)) ** 2


def prefactor(n, dims, pad):
    """What makes slices equal to normalised transforms of projections (§1.13 item 3)."""
    return pad**2 if dims == 2 else pad**3 * n


def padded_reference(image, pad, r_max, correct_gridding=True):
    """§1.13: gridding correction, padding, transform up to r_max."""
    n, dims = image.shape[0], image.ndim
    if correct_gridding:
        image = image / gridding(n, dims, pad)
    big = np.zeros((n * pad,) * dims)
    start = n * pad // 2 - n // 2
    big[(slice(start, start + n),) * dims] = image
    values = np.pad(transform(big), (0, 1), mode="wrap")  # -N/2 is N/2, too
    r2 = sum(axis**2 for axis in grid(n * pad + 1, dims))
    return np.where(r2 <= (pad * r_max) ** 2, values * prefactor(n, dims, pad), 0)


def corners(points):
    """The 2^d lattice points around each point (P, d), and their weights."""
    low = np.floor(points).astype(int)
    part = points - low
    for corner in itertools.product((0, 1), repeat=points.shape[1]):
        up = np.array(corner)
        yield low + up, np.prod(np.where(up == 1, part, 1 - part), axis=1)


def interpolate(values, points):
    """Values of a centred array at frequencies (P, d); zero beyond its edge."""
    c, total = values.shape[0] // 2, np.zeros(len(points), values.dtype)
    for where, weight in corners(points):
        index = c + where
        inside = ((index >= 0) & (index < values.shape[0])).all(1)
        total[inside] += weight[inside] * values[tuple(index[inside].T)]
    return total


def positions(ks, matrix, dims):
    """Where image frequencies (P, 2) y, x lie in the reference: A^T (x, y, 0), axes (z,) y, x (§1.6)."""
    xyz = np.column_stack([ks[:, 1], ks[:, 0], np.zeros(len(ks))]) @ matrix
    return xyz[:, ::-1] if dims == 3 else xyz[:, 1::-1]


def slice_of(padded, pad, r_max, ks, matrix):
    """A central slice at frequencies (P, 2); zero beyond r_max."""
    at = positions(ks, matrix, padded.ndim)
    return np.where((at**2).sum(1) <= r_max**2 + 1e-9, interpolate(padded, at * pad), 0)


def splat(data, weight, ks, matrix, pad, r_max, values, weights):
    """§3.1 on the full lattice: every pixel and its conjugate mate; the origin once."""
    c, at = data.shape[0] // 2, positions(ks, matrix, data.ndim)
    inside = (at**2).sum(1) <= r_max**2 + 1e-9
    for sign in (1, -1):
        use = inside if sign == 1 else inside & (ks != 0).any(1)
        v = values[use] if sign == 1 else values[use].conj()
        for where, share in corners(sign * pad * at[use]):
            index = tuple((c + where).T)
            np.add.at(data, index, share * v)
            np.add.at(weight, index, share * weights[use])
