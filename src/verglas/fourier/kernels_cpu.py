"""Slices read from and added to centred half volumes on a CPU: trilinear in 3D, bilinear in 2D.

All kernels work on flat float views of contiguous arrays. `basis` (n, 2, 3) holds for each slice the steps
in the volume (x, y, z) of one image pixel along x and along y; `strides` are (class, z, y) in points,
`centre` is the index of the origin along y and z. Per block of pixels a first loop finds cells and weights
(it vectorises), a second one touches memory: twice as fast as one loop, because more loads are in flight.
2D is the case z = 0 with a z stride of 0: its weights along z are 1 and 0.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_BLOCK = 256
_options: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}


@numba.njit(**_options)
def _locate(steps, ys, xs, centre, centre_z, limit, cell, fraction, sign):  # type: ignore[no-untyped-def]
    """Cells (z, y, x) and fractions of pixels; sign is -1 for conjugates and 0 beyond the limit."""
    one, zero = steps.dtype.type(1), steps.dtype.type(0)
    for j in range(xs.shape[0]):
        x, y = xs[j], ys[j]
        lx = x * steps[0, 0] + y * steps[1, 0]
        ly = x * steps[0, 1] + y * steps[1, 1]
        lz = x * steps[0, 2] + y * steps[1, 2]
        outside = lx * lx + ly * ly + lz * lz > limit
        side = -one if lx < 0 else one
        lx *= side
        ly = ly * side + centre
        lz = lz * side + centre_z
        if outside:
            lx = zero
            ly = zero
            lz = zero
        ix, iy, iz = np.int32(lx), np.int32(ly), np.int32(lz)
        cell[0, j] = iz
        cell[1, j] = iy
        cell[2, j] = ix
        fraction[0, j] = lz - iz
        fraction[1, j] = ly - iy
        fraction[2, j] = lx - ix
        sign[j] = zero if outside else side


@numba.njit(**_options)
def read_slices(  # type: ignore[no-untyped-def]
    volume, strides, centre, centre_z, limit, classes, basis, ys, xs, out, first, last
):
    """Slices first..last-1 into out (n, 2P) from volume (flat, re/im interleaved)."""
    dtype = volume.dtype.type
    one = dtype(1)
    u1, u2, u3 = np.uint64(1), np.uint64(2), np.uint64(3)
    cell = np.empty((3, _BLOCK), np.int32)
    fraction = np.empty((3, _BLOCK), volume.dtype)
    sign = np.empty(_BLOCK, volume.dtype)
    dz, dy = np.uint64(2 * strides[1]), np.uint64(2 * strides[2])
    for i in range(first, last):
        start = classes[i] * strides[0]
        for begin in range(0, xs.shape[0], _BLOCK):
            end = min(begin + _BLOCK, xs.shape[0])
            _locate(basis[i], ys[begin:end], xs[begin:end], centre, centre_z, limit, cell, fraction, sign)
            for j in range(end - begin):
                offset = start + cell[0, j] * strides[1] + cell[1, j] * strides[2] + cell[2, j]
                fz, fy, fx = fraction[0, j], fraction[1, j], fraction[2, j]
                w01 = (one - fz) * fy
                w11 = fz * fy
                w00, w10 = one - fz - w01, fz - w11
                p = np.uint64(2 * offset)
                q, r = p + dy, p + dz
                s = r + dy
                a = w00 * volume[p] + w01 * volume[q] + w10 * volume[r] + w11 * volume[s]
                b = w00 * volume[p + u1] + w01 * volume[q + u1] + w10 * volume[r + u1] + w11 * volume[s + u1]
                c = w00 * volume[p + u2] + w01 * volume[q + u2] + w10 * volume[r + u2] + w11 * volume[s + u2]
                d = w00 * volume[p + u3] + w01 * volume[q + u3] + w10 * volume[r + u3] + w11 * volume[s + u3]
                keep = sign[j] * sign[j]
                out[i, 2 * (begin + j)] = keep * (a + fx * (c - a))
                out[i, 2 * (begin + j) + 1] = sign[j] * (b + fx * (d - b))


@numba.njit(**_options)
def _add_pair(data, weight, p, share, fx, re, im, w):  # type: ignore[no-untyped-def]
    """Add to the two neighbours along x at point p."""
    far = share * fx
    near = share - far
    d = np.uint64(2) * p
    data[d] += near * re
    data[d + np.uint64(1)] += near * im
    data[d + np.uint64(2)] += far * re
    data[d + np.uint64(3)] += far * im
    weight[p] += near * w
    weight[p + np.uint64(1)] += far * w


@numba.njit(**_options)
def add_slices(  # type: ignore[no-untyped-def]
    data, weight, strides, centre, centre_z, limit, classes, basis, ys, xs, values, weights, band
):
    """Add values (n, 2P) and weights (n, P) to planes band[0]..band[1]-1 of the slowest axis.

    `band[2]` tells which axis that is: 0 (z, 3D) or 1 (y, 2D). Threads own disjoint bands, so none waits and
    the order of additions, hence the result, does not depend on their number.
    """
    dtype = data.dtype.type
    one = dtype(1)
    cell = np.empty((3, _BLOCK), np.int32)
    fraction = np.empty((3, _BLOCK), basis.dtype)
    sign = np.empty(_BLOCK, basis.dtype)
    low, high, axis = band
    sz, sy = strides[1], strides[2]
    dz, dy = np.uint64(sz), np.uint64(sy)
    for i in range(classes.shape[0]):
        start = classes[i] * strides[0]
        for begin in range(0, xs.shape[0], _BLOCK):
            end = min(begin + _BLOCK, xs.shape[0])
            _locate(basis[i], ys[begin:end], xs[begin:end], centre, centre_z, limit, cell, fraction, sign)
            for j in range(end - begin):
                plane = cell[axis, j]
                w = dtype(weights[i, begin + j])
                if plane + 1 < low or plane >= high or sign[j] == 0 or w <= 0:
                    continue
                re = dtype(values[i, 2 * (begin + j)])
                im = dtype(values[i, 2 * (begin + j) + 1]) * sign[j]
                p = np.uint64(start + cell[0, j] * sz + cell[1, j] * sy + cell[2, j])
                fz, fy, fx = dtype(fraction[0, j]), dtype(fraction[1, j]), dtype(fraction[2, j])
                outer = fz if axis == 0 else fy
                inner = fy if axis == 0 else one
                if plane >= low:
                    share = one - outer
                    if axis == 0:
                        _add_pair(data, weight, p, share * (one - inner), fx, re, im, w)
                        _add_pair(data, weight, p + dy, share * inner, fx, re, im, w)
                    else:
                        _add_pair(data, weight, p, share, fx, re, im, w)
                if plane + 1 < high:
                    if axis == 0:
                        _add_pair(data, weight, p + dz, outer * (one - inner), fx, re, im, w)
                        _add_pair(data, weight, p + dz + dy, outer * inner, fx, re, im, w)
                    else:
                        _add_pair(data, weight, p + dy, outer, fx, re, im, w)
