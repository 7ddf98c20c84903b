"""Exact Euclidean distances to a region, up to a limit: what masks of large maps need.

A distance transform of a whole 512³ map takes a minute; masks ask only about voxels a few pixels away.
Squared distances separate: along x, then the least of d² + dy² over |dy| <= limit, then the same along z.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from verglas.fourier.threads import run_ranges

Region = NDArray[np.bool_]
FAR = np.uint16(65535)
_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


def squared_distance(region: Region, limit_px: float) -> NDArray[np.uint16]:
    """d² (z, y, x) of every voxel to the nearest one of the region where d <= limit; FAR elsewhere.

    Raises ValueError for limits beyond 255 pixels.
    """
    reach = int(np.ceil(limit_px))
    if not 0 <= reach <= 255:
        raise ValueError(f"distances are found up to 255 pixels, asked for {limit_px:g}")
    result = np.full(region.shape, FAR, np.uint16)
    box = bounding_box(region, reach)
    if box is None:
        return result
    inside = np.ascontiguousarray(region[box])
    first, second = np.empty(inside.shape, np.uint16), np.empty(inside.shape, np.uint16)
    depth = inside.shape[0]
    run_ranges(lambda a, b: _along_x(inside, reach, first, a, b), depth)
    run_ranges(lambda a, b: _along_y(first, reach, second, a, b), depth)
    run_ranges(lambda a, b: _along_z(second, reach, first, a, b), depth)
    result[box] = np.where(first > limit_px**2, FAR, first)
    return result


def bounding_box(region: Region, margin: int) -> tuple[slice, slice, slice] | None:
    """The part of the array that holds the region and a margin; None for an empty one."""
    slices = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        found = np.flatnonzero(region.any(axis=others))
        if not len(found):
            return None
        slices.append(slice(max(0, found[0] - margin), found[-1] + 1 + margin))
    return slices[0], slices[1], slices[2]


@numba.njit(**_options)
def _along_x(region, reach, out, first, last):  # type: ignore[no-untyped-def]
    far = np.uint16(65535)
    for z in range(first, last):
        for y in range(region.shape[1]):
            gap = reach + 1
            for x in range(region.shape[2]):
                gap = 0 if region[z, y, x] else gap + 1
                out[z, y, x] = np.uint16(gap * gap) if gap <= reach else far
            gap = reach + 1
            for x in range(region.shape[2] - 1, -1, -1):
                gap = 0 if region[z, y, x] else gap + 1
                if gap <= reach and gap * gap < out[z, y, x]:
                    out[z, y, x] = np.uint16(gap * gap)


@numba.njit(**_options)
def _along_y(squares, reach, out, first, last):  # type: ignore[no-untyped-def]
    far = np.uint16(65535)
    height, width = squares.shape[1], squares.shape[2]
    for z in range(first, last):
        for y in range(height):
            for x in range(width):
                out[z, y, x] = squares[z, y, x]
            for row in range(max(0, y - reach), min(height, y + reach + 1)):
                step = np.uint16((row - y) * (row - y))
                for x in range(width):
                    value = squares[z, row, x]
                    # sums beyond the type's end stay far
                    total = np.uint16(value + step) if value <= far - step else far
                    out[z, y, x] = min(out[z, y, x], total)


@numba.njit(**_options)
def _along_z(squares, reach, out, first, last):  # type: ignore[no-untyped-def]
    far = np.uint16(65535)
    depth, height, width = squares.shape
    for z in range(first, last):
        for y in range(height):
            for x in range(width):
                out[z, y, x] = squares[z, y, x]
            for plane in range(max(0, z - reach), min(depth, z + reach + 1)):
                step = np.uint16((plane - z) * (plane - z))
                for x in range(width):
                    value = squares[plane, y, x]
                    total = np.uint16(value + step) if value <= far - step else far
                    out[z, y, x] = min(out[z, y, x], total)
