"""Slices read from and added to lattices on a CUDA device (Triton); same arithmetic as the CPU kernels.

One program handles a block of pixels of one slice. Additions are atomic, so the order of summation, and with
it the last bits, may differ between runs.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.fourier.lattice import Lattice

_BLOCK = 256
_SIZES = ("n_pixels", "points", "plane", "row")  # a new one must not cost a compilation


@triton.jit
def cell(lx, ly, lz, live, half, limit, IS_3D: tl.constexpr):  # type: ignore[no-untyped-def]
    """Cell (z, y, x), fractions and sign of positions in the lattice; sign 0 beyond the limit."""
    inside = live & (lx * lx + ly * ly + lz * lz <= limit)
    sign = tl.where(lx < 0, -1.0, 1.0)
    lx = tl.where(inside, lx * sign, 0.0)
    ly = tl.where(inside, ly * sign + half, 0.0)
    lz = tl.where(inside, lz * sign + half, 0.0) if IS_3D else tl.zeros_like(lx)
    ix, iy, iz = lx.to(tl.int32), ly.to(tl.int32), lz.to(tl.int32)
    return iz, iy, ix, lz - iz, ly - iy, lx - ix, tl.where(inside, sign, 0.0)


@triton.jit
def _locate(steps, coordinates, i, pixel, live, n_pixels, half, limit, IS_3D: tl.constexpr):  # type: ignore[no-untyped-def]
    """The cells of a block of pixels of slice i."""
    y = tl.load(coordinates + pixel, mask=live, other=0.0)
    x = tl.load(coordinates + n_pixels + pixel, mask=live, other=0.0)
    s = steps + i * 6
    lx = x * tl.load(s) + y * tl.load(s + 3)
    ly = x * tl.load(s + 1) + y * tl.load(s + 4)
    lz = x * tl.load(s + 2) + y * tl.load(s + 5)
    return cell(lx, ly, lz, live, half, limit, IS_3D)


@triton.jit(do_not_specialize=_SIZES)
def _read(  # type: ignore[no-untyped-def]
    values, classes, steps, coordinates, out, n_pixels, half, limit, points, plane, row,
    IS_3D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64)
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    live = pixel < n_pixels
    iz, iy, ix, fz, fy, fx, sign = _locate(steps, coordinates, i, pixel, live, n_pixels, half, limit, IS_3D)
    start = tl.load(classes + i) * points
    offset = start + iz.to(tl.int64) * plane + iy * row + ix
    used = live & (sign != 0)
    re = tl.zeros([BLOCK], tl.float32)
    im = tl.zeros([BLOCK], tl.float32)
    for upper in tl.static_range(2 if IS_3D else 1):
        wz = (fz if upper else 1.0 - fz) if IS_3D else 1.0
        for lower in tl.static_range(2):
            wy = wz * (fy if lower else 1.0 - fy)
            for right in tl.static_range(2):
                w = wy * (fx if right else 1.0 - fx)
                p = values + 2 * (offset + upper * plane + lower * row + right)
                re += w * tl.load(p, mask=used, other=0.0)
                im += w * tl.load(p + 1, mask=used, other=0.0)
    target = out + 2 * (i * n_pixels + pixel)
    tl.store(target, re, mask=live)
    tl.store(target + 1, im * sign, mask=live)


@triton.jit(do_not_specialize=_SIZES)
def _add(  # type: ignore[no-untyped-def]
    data, weight, classes, steps, coordinates, slices, weights, n_pixels, half, limit, points, plane, row,
    IS_3D: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64)
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    live = pixel < n_pixels
    amount = tl.load(weights + i * n_pixels + pixel, mask=live, other=0.0)
    live = live & (amount > 0)
    iz, iy, ix, fz, fy, fx, sign = _locate(steps, coordinates, i, pixel, live, n_pixels, half, limit, IS_3D)
    start = tl.load(classes + i) * points
    offset = start + iz.to(tl.int64) * plane + iy * row + ix
    used = live & (sign != 0)
    source = slices + 2 * (i * n_pixels + pixel)
    re = tl.load(source, mask=used, other=0.0)
    im = tl.load(source + 1, mask=used, other=0.0) * sign
    kind = data.dtype.element_ty
    for upper in tl.static_range(2 if IS_3D else 1):
        wz = (fz if upper else 1.0 - fz) if IS_3D else 1.0
        for lower in tl.static_range(2):
            wy = wz * (fy if lower else 1.0 - fy)
            for right in tl.static_range(2):
                w = wy * (fx if right else 1.0 - fx)
                q = offset + upper * plane + lower * row + right
                tl.atomic_add(data + 2 * q, (w * re).to(kind), mask=used, sem="relaxed")
                tl.atomic_add(data + 2 * q + 1, (w * im).to(kind), mask=used, sem="relaxed")
                tl.atomic_add(weight + q, (w * amount).to(kind), mask=used, sem="relaxed")


def read_slices(
    values: Tensor, lattice: Lattice, classes: Tensor, steps: Tensor, indices_yx: Tensor, out: Tensor
) -> None:
    """As `slicing.read_slices`, into out (n, P) complex64."""
    if out.numel() == 0:
        return
    with torch.cuda.device(values.device):
        _read[_launch(out)](
            torch.view_as_real(values.contiguous()), classes, steps, _planar(indices_yx, values),
            torch.view_as_real(out), *_geometry(lattice, out), IS_3D=lattice.dims == 3, BLOCK=_BLOCK,
        )  # fmt: skip


def add_slices(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    classes: Tensor,
    steps: Tensor,
    indices_yx: Tensor,
    slices: Tensor,
    weights: Tensor,
) -> None:
    """As `slicing.add_slices`; data complex64 or complex128, slices complex64."""
    if slices.numel() == 0:
        return
    source = slices.resolve_conj().contiguous()
    with torch.cuda.device(data.device):
        _add[_launch(source)](
            torch.view_as_real(data), weight, classes, steps, _planar(indices_yx, data),
            torch.view_as_real(source), weights.float().contiguous(), *_geometry(lattice, source),
            IS_3D=lattice.dims == 3, BLOCK=_BLOCK,
        )  # fmt: skip


def _launch(slices: Tensor) -> tuple[int, int]:
    return len(slices), triton.cdiv(slices.shape[1], _BLOCK)


def _planar(indices_yx: Tensor, like: Tensor) -> Tensor:
    """Frequencies as float32 (2, P): all y, then all x."""
    return indices_yx.to(device=like.device, dtype=torch.float32).T.contiguous()


def _geometry(lattice: Lattice, slices: Tensor) -> tuple[int, float, float, int, int, int]:
    width = lattice.half + 1
    plane = lattice.side * width if lattice.dims == 3 else 0
    return slices.shape[1], float(lattice.half), lattice.squared_limit, lattice.points, plane, width
