"""Inner loops of extraction: cut, fit the background, normalise; one image stays in cache throughout.

Loops run over views from 0, so that the compiler need not look for indices that count from the end.
"""
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=False)
def cut_window(micrograph, x0, y0, out):
    """Copy the window whose first pixel is (x0, y0); pixels outside repeat the nearest edge pixel."""
    rows, columns = micrograph.shape
    size = out.shape[0]
    width = out.shape[1]
    begin = min(max(0, -x0), width)
    end = max(min(width, columns - x0), begin)
    for j in range(size):
        row = micrograph[min(max(y0 + j, 0), rows - 1)]
        line = out[j]
        inside, taken = line[begin:end], row[x0 + begin : x0 + end]
        for i in range(begin):
            line[i] = row[0]
        for i in range(inside.shape[0]):
            inside[i] = taken[i]
        for i in range(end, width):
            line[i] = row[columns - 1] if x0 + i >= columns else row[0]


@njit(cache=True, nogil=True)
def replicate_outside(image, x0, y0, rows, columns):
    """Overwrite pixels that lie outside the micrograph with the nearest pixel inside it."""
    size, width = image.shape
    top, bottom = max(0, -y0), min(size, rows - y0) - 1
    left, right = max(0, -x0), min(width, columns - x0) - 1
    for j in range(size):
        from_row = min(max(j, top), bottom)
        for i in range(width):
            from_column = min(max(i, left), right)
            if from_row != j or from_column != i:
                image[j, i] = image[from_row, from_column]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _row_sums(part, origin):
    """Sums of value, value * index and value^2 over part of a row."""
    total = 0.0
    moment = 0.0
    squares = 0.0
    for i in range(part.shape[0]):
        value = np.float64(part[i]) - origin
        total += value
        moment += value * i
        squares += value * value
    return total, moment, squares


@njit(cache=True, nogil=True)
def background_plane(image, first, last, count, inverse, ramp):
    """Plane (a, b, c) about the centre through the background, and the deviation from it."""
    size = image.shape[0]
    centre = size // 2
    origin = np.float64(image[0, 0])  # sums about a typical value: no cancellation
    s = 0.0
    sx = 0.0
    sy = 0.0
    ss = 0.0
    for j in range(size):
        row = image[j]
        t0, m0, q0 = _row_sums(row[: first[j]], origin)
        t1, m1, q1 = _row_sums(row[last[j] :], origin)
        s += t0 + t1
        sx += m0 - centre * t0 + m1 + (last[j] - centre) * t1
        sy += (t0 + t1) * (j - centre)
        ss += q0 + q1
    if ramp:
        a = inverse[0, 0] * sx + inverse[0, 1] * sy + inverse[0, 2] * s
        b = inverse[1, 0] * sx + inverse[1, 1] * sy + inverse[1, 2] * s
        c = inverse[2, 0] * sx + inverse[2, 1] * sy + inverse[2, 2] * s
        residual = ss - (a * sx + b * sy + c * s)
    else:
        a = 0.0
        b = 0.0
        c = s / count
        residual = ss - c * s
    return a, b, c + origin, np.sqrt(max(residual, 0.0) / count)


@njit(cache=True, nogil=True)
def normalise_image(image, first, last, count, inverse, ramp, sign):
    """Subtract the background plane and divide by its deviation, in place; the deviation returned.

    A deviation of zero leaves the image as it is (the caller refuses it).
    """
    size = image.shape[0]
    centre = size // 2
    a, b, c, deviation = background_plane(image, first, last, count, inverse, ramp)
    if not deviation > 0.0:
        return deviation
    scale = np.float32(sign / deviation)
    slope = np.float32(a)
    for j in range(size):
        start = np.float32(c + b * (j - centre) - a * centre)
        row = image[j]
        for i in range(size):
            row[i] = (row[i] - (start + slope * np.float32(i))) * scale
    return deviation


@njit(cache=True, nogil=True)
def normalise_stack(images, first, last, count, inverse, ramp, sign, deviations):
    """`normalise_image` for each of (n, size, size) images."""
    for k in range(images.shape[0]):
        deviations[k] = normalise_image(images[k], first, last, count, inverse, ramp, sign)


@njit(cache=True, nogil=True)
def cut_stack(micrograph, x0, y0, images):
    """`cut_window` for each particle."""
    for k in range(images.shape[0]):
        cut_window(micrograph, x0[k], y0[k], images[k])


@njit(cache=True, nogil=True)
def cut_and_normalise(micrograph, x0, y0, images, first, last, count, inverse, ramp, sign, deviations):
    """Both at once for each particle, while its pixels are in cache."""
    for k in range(images.shape[0]):
        cut_window(micrograph, x0[k], y0[k], images[k])
        deviations[k] = normalise_image(images[k], first, last, count, inverse, ramp, sign)
