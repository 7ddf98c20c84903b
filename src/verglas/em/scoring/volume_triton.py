"""Lists of poses on a CUDA device (Triton): slices live in registers (refinement.md §11.7, §11.8).

Scores: a program handles a block of orientations of one particle. For one block of pixels after another it
interpolates their slices, shifts the image, and multiplies both on the matrix units; the norm term comes from
the same rounded slices. Sums: a program handles a block of pixels of one particle and goes through its
accepted orientations; the eight additions of a pixel into the lattice are one vector instruction each.
Additions are atomic, so the last bits may differ between runs.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.compute.gemm import Precision
from verglas.em.scoring.volume import (
    HALF_TOP,
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
    Volume,
)
from verglas.fourier.kernels_triton import cell
from verglas.fourier.lattice import Lattice

# mypy: disable-error-code="no-untyped-def"

_NOWHERE = 1e15  # a coordinate beyond every lattice
_SMALLEST_DOT, _MOST_SHIFTS = 16, 128
# that change from iteration to iteration and must not each cost a compilation
_SIZES = (
    "n_pixels",
    "n_shifts",
    "n_list",
    "stride",
    "points",
    "plane",
    "row",
    "room",
    "copy",
    "sum_plane",
    "sum_row",
)


@dataclass(frozen=True)
class Blocks:
    """What a kernel is compiled for: sizes of a program's block, warps, registers of a thread (None: any)."""

    orientations: int
    pixels: int
    warps: int
    registers: int | None = None

    @property
    def options(self) -> dict[str, int]:
        """Arguments of a launch."""
        limit = {} if self.registers is None else {"maxnreg": self.registers}
        return {"num_warps": self.warps, "num_stages": 1, **limit}


def score_blocks(n_list: int) -> Blocks:
    """Blocks for lists of up to `n_list` orientations: larger ones shift an image less often."""
    if n_list <= 16:
        return Blocks(16, 16, 4)
    return Blocks(32, 16, 4, 128) if n_list <= 32 else Blocks(64, 16, 8, 128)


SUM_BLOCKS = Blocks(1, 256, 4)


@triton.jit
def _quad(points, VECTOR: tl.constexpr):
    """Four neighbours of packed points: one read of 16 bytes (or four of 4)."""
    if VECTOR:
        a, b, c, d = tl.inline_asm_elementwise(
            "ld.global.nc.v4.b32 {$0, $1, $2, $3}, [$4];",
            "=r,=r,=r,=r,l",
            [points.to(tl.int64, bitcast=True)],
            dtype=(tl.int32, tl.int32, tl.int32, tl.int32),
            is_pure=True,
            pack=1,
        )
    else:
        a, b, c, d = (
            tl.load(points),
            tl.load(points + 1),
            tl.load(points + 2),
            tl.load(points + 3),
        )
    return a, b, c, d


@triton.jit
def _real(pair):
    return (pair & 0xFFFF).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _imaginary(pair):
    return (pair >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def _between(low, high, fraction):
    return low + fraction * (high - low)


@triton.jit
def _plane(values, at, row, fy, fx, PACKED: tl.constexpr, VECTOR: tl.constexpr):
    """Bilinear interpolation in one plane of the lattice, from point `at`."""
    if PACKED:
        a, b, c, d = _quad(values + at * 4, VECTOR)
        re = _between(_between(_real(a), _real(b), fx), _between(_real(c), _real(d), fx), fy)
        im = _between(
            _between(_imaginary(a), _imaginary(b), fx),
            _between(_imaginary(c), _imaginary(d), fx), fy,
        )  # fmt: skip
    else:
        first = values + at * 2
        second = first + 2 * row
        re = _between(
            _between(tl.load(first), tl.load(first + 2), fx),
            _between(tl.load(second), tl.load(second + 2), fx), fy,
        )  # fmt: skip
        im = _between(
            _between(tl.load(first + 1), tl.load(first + 3), fx),
            _between(tl.load(second + 1), tl.load(second + 3), fx), fy,
        )  # fmt: skip
    return re, im


@triton.jit
def _interpolate(
    values, iz, iy, ix, fz, fy, fx, sign, plane, row, PACKED: tl.constexpr, VECTOR: tl.constexpr
):  # fmt: skip
    """Slice values at cells of one reference or of several; 0 where the sign is 0."""
    at = iz * plane + iy * row + ix
    near_re, near_im = _plane(values, at, row, fy, fx, PACKED, VECTOR)
    far_re, far_im = _plane(values, at + plane, row, fy, fx, PACKED, VECTOR)
    return _between(near_re, far_re, fz) * tl.abs(sign), _between(near_im, far_im, fz) * sign


@triton.jit(do_not_specialize=_SIZES)
def _score(
    values, classes, steps, counts, shift_lists, shift_counts, score, power, pixels, phases, gains, out,
    n_pixels, n_shifts, n_list, stride, scale, half, limit, points, plane, row,
    LISTED: tl.constexpr, TENSOR: tl.constexpr, PACKED: tl.constexpr, VECTOR: tl.constexpr,
    BT: tl.constexpr, BO: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(n_list, BO)
    i = (tl.program_id(0) // blocks).to(tl.int64)
    o = (tl.program_id(0) % blocks) * BO + tl.arange(0, BO)
    t = tl.program_id(1) * BT + tl.arange(0, BT)
    n_o = tl.load(counts + i)
    n_t = n_shifts
    if LISTED:
        n_t = tl.load(shift_counts + i)
    live_o, live_t = o < n_o, t < n_t
    s = steps + (i * n_list + o) * 6
    ax = tl.load(s, mask=live_o, other=0.0)[:, None]
    ay = tl.load(s + 1, mask=live_o, other=0.0)[:, None]
    az = tl.load(s + 2, mask=live_o, other=0.0)[:, None]
    bx = tl.load(s + 3, mask=live_o, other=0.0)[:, None]
    by = tl.load(s + 4, mask=live_o, other=0.0)[:, None]
    bz = tl.load(s + 5, mask=live_o, other=0.0)[:, None]
    klass = tl.load(classes + i * n_list + o, mask=live_o, other=0)
    reference = values + (klass.to(tl.int64) * points * (4 if PACKED else 2))[:, None]
    shift = t
    if LISTED:
        shift = tl.load(shift_lists + i * n_shifts + t, mask=live_t, other=0)
    factors = phases + (shift.to(tl.int64) * 2 * n_pixels)[:, None]
    gain = tl.load(gains + i)
    y = score + i * 2 * stride
    v = power + i * stride
    empty = (tl.program_id(0) % blocks * BO >= n_o) | (tl.program_id(1) * BT >= n_t)
    end = tl.where(empty, 0, n_pixels)
    cross = tl.zeros([BT, BO], tl.float32)
    norm = tl.zeros([BO, BP], tl.float32)
    for begin in range(0, end, BP):
        p = begin + tl.arange(0, BP)
        live = p < n_pixels
        py = tl.load(pixels + p, mask=live, other=0.0)[None, :]
        px = tl.load(pixels + n_pixels + p, mask=live, other=0.0)[None, :]
        iz, iy, ix, fz, fy, fx, sign = cell(
            px * ax + py * bx, px * ay + py * by, px * az + py * bz, live[None, :] & live_o[:, None],
            half, limit, True,
        )  # fmt: skip
        re, im = _interpolate(reference, iz, iy, ix, fz, fy, fx, sign, plane, row, PACKED, VECTOR)
        yr = tl.load(y + 2 * p + 2, mask=live, other=0.0) * gain
        yi = tl.load(y + 2 * p + 3, mask=live, other=0.0) * gain
        weight = tl.load(v + p + 1, mask=live, other=0.0)
        use = live_t[:, None] & live[None, :]
        cos = tl.load(factors + p[None, :], mask=use, other=0.0)
        sin = tl.load(factors + n_pixels + p[None, :], mask=use, other=0.0)
        moved_re = yr[None, :] * cos - yi[None, :] * sin
        moved_im = yr[None, :] * sin + yi[None, :] * cos
        if TENSOR:
            re = re if PACKED else re * scale
            im = im if PACKED else im * scale
            short_re, short_im = re.to(tl.float16), im.to(tl.float16)
            cross = tl.dot(moved_re.to(tl.float16), tl.trans(short_re), cross)
            cross = tl.dot(moved_im.to(tl.float16), tl.trans(short_im), cross)
            re, im = short_re.to(tl.float32), short_im.to(tl.float32)
        else:
            cross = tl.dot(moved_re, tl.trans(re), cross, input_precision="tf32x3")
            cross = tl.dot(moved_im, tl.trans(im), cross, input_precision="tf32x3")
        norm += (re * re + im * im) * weight[None, :]
    unit = 1.0 / scale if TENSOR else 1.0
    total = cross * (unit / gain) - (0.5 * unit * unit) * tl.sum(norm, 1)[None, :]
    total = tl.where(live_t[:, None] & live_o[None, :], total, float("-inf"))
    target = out + (i * n_shifts + t[:, None]) * n_list + o[None, :]
    tl.store(target, total, mask=(t < n_shifts)[:, None] & (o < n_list)[None, :])


@triton.jit
def _add_four(address, re, im, weight, VECTOR: tl.constexpr):
    """Add three numbers and nothing to four neighbours in memory: one vector instruction, or atomics.

    Nothing is done where the weight is not above 0.
    """
    if VECTOR:
        tl.inline_asm_elementwise(
            """{
            .reg .pred wanted;
            setp.gt.f32 wanted, $4, 0f00000000;
            @wanted red.global.add.v4.f32 [$1], {$2, $3, $4, 0f00000000};
            mov.u32 $0, 0;
            }""",
            "=r,l,r,r,r",
            [address.to(tl.int64, bitcast=True), re, im, weight],
            dtype=tl.int32,
            is_pure=False,
            pack=1,
        )
    else:
        live = weight > 0
        tl.atomic_add(address, re, mask=live, sem="relaxed")
        tl.atomic_add(address + 1, im, mask=live, sem="relaxed")
        tl.atomic_add(address + 2, weight, mask=live, sem="relaxed")


@triton.jit
def _scatter(
    target, iz, iy, ix, fz, fy, fx, re, im, weight, plane, row, copy,
    COPIES: tl.constexpr, VECTOR: tl.constexpr,
):  # fmt: skip
    """Add values to the eight corners of their cells; left and right corner are neighbouring threads' work.

    Both lie in one sector of memory if the left one's place is even, which the second copy of the sums,
    moved by one place, makes of odd ones.
    """
    right = tl.arange(0, 2)[None, :]
    at = iz * plane + iy * row + ix
    if COPIES == 2:
        at += (ix & 1) * (copy + 1)
    at = at[:, None] + right
    fz, fy, fx = fz[:, None], fy[:, None], fx[:, None]
    wx = tl.where(right == 1, fx, 1.0 - fx)
    re, im, weight = wx * re[:, None], wx * im[:, None], wx * weight[:, None]
    for upper in tl.static_range(2):
        wz = fz if upper else 1.0 - fz
        for lower in tl.static_range(2):
            w = wz * (fy if lower else 1.0 - fy)
            address = target + (at + upper * plane + lower * row).to(tl.int64) * 4
            _add_four(address, w * re, w * im, w * weight, VECTOR)


@triton.jit(do_not_specialize=_SIZES)
def _sum(
    values, buffer, first_entry, classes, targets, steps, first_shift, shifts, weights,
    score, back, power, back_power, noise, pixels, seen, marks, phases, cross_out, power_out, scale_out,
    n_pixels, half, limit, points, plane, row, unit, room, copy, sum_plane, sum_row,
    GRADIENT: tl.constexpr, MARKED: tl.constexpr, PACKED: tl.constexpr, VECTOR: tl.constexpr,
    ADD_VECTOR: tl.constexpr, COPIES: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(n_pixels, BP)
    i = (tl.program_id(0) // blocks).to(tl.int64)
    block = tl.program_id(0) % blocks
    p = block * BP + tl.arange(0, BP)
    live = p < n_pixels
    moves = live & (p > 0)
    py = tl.load(pixels + p, mask=live, other=0.0)
    px = tl.load(pixels + n_pixels + p, mask=live, other=0.0)
    shown = tl.load(seen + p, mask=live, other=0.0)
    at = i * n_pixels + p
    yr = tl.load(score + 2 * at, mask=live, other=0.0)
    yi = tl.load(score + 2 * at + 1, mask=live, other=0.0)
    br = tl.load(back + 2 * at, mask=live, other=0.0)
    bi = tl.load(back + 2 * at + 1, mask=live, other=0.0)
    vb = tl.load(back_power + at, mask=live, other=0.0)
    cross = tl.zeros([BP], tl.float32)
    expected = tl.zeros([BP], tl.float32)
    low_cross = tl.zeros([BP], tl.float32)
    low_expected = tl.zeros([BP], tl.float32)
    for e in range(tl.load(first_entry + i), tl.load(first_entry + i + 1)):
        sr = tl.zeros([BP], tl.float32)
        si = tl.zeros([BP], tl.float32)
        mass = 0.0
        for j in range(tl.load(first_shift + e), tl.load(first_shift + e + 1)):
            gamma = tl.load(weights + j)
            factor = phases + tl.load(shifts + j).to(tl.int64) * 2 * (n_pixels - 1) + p - 1
            sr += gamma * tl.load(factor, mask=moves, other=1.0)
            si += gamma * tl.load(factor + n_pixels - 1, mask=moves, other=0.0)
            mass += gamma
        s = steps + e * 6
        klass = tl.load(classes + e).to(tl.int64)
        iz, iy, ix, fz, fy, fx, sign = cell(
            px * tl.load(s) + py * tl.load(s + 3), px * tl.load(s + 1) + py * tl.load(s + 4),
            px * tl.load(s + 2) + py * tl.load(s + 5), live, half, limit, True,
        )  # fmt: skip
        reference = values + klass * points * (4 if PACKED else 2)
        re, im = _interpolate(reference, iz, iy, ix, fz, fy, fx, sign, plane, row, PACKED, VECTOR)
        re, im = re * (shown * unit), im * (shown * unit)
        agreed = (yr * sr - yi * si) * re + (yr * si + yi * sr) * im
        predicted = mass * (re * re + im * im)
        cross += agreed
        expected += predicted
        if MARKED:
            mark = tl.load(marks + klass * n_pixels + p, mask=live, other=0.0)
            low_cross += mark * agreed
            low_expected += mark * predicted
        amount = mass * vb
        data_re, data_im = br * sr - bi * si, br * si + bi * sr
        if GRADIENT:
            data_re -= amount * re
            data_im -= amount * im
        target = buffer + tl.load(targets + e).to(tl.int64) * room
        _scatter(
            target, iz, iy, ix, fz, fy, fx, data_re, data_im * sign, tl.where(sign != 0, amount, 0.0),
            sum_plane, sum_row, copy, COPIES, ADD_VECTOR,
        )  # fmt: skip
    tl.store(cross_out + at, cross, mask=live)
    tl.store(power_out + at, expected, mask=live)
    if MARKED:
        own = tl.load(noise + at, mask=live, other=0.0)
        v = tl.load(power + at, mask=live, other=0.0)
        where = scale_out + (i * blocks + block) * 2
        tl.store(where, tl.sum(own * low_cross, 0))
        tl.store(where + 1, tl.sum(own * v * low_expected, 0))


def score_lists(
    volume: Volume, pixels: SlicePixels, poses: PoseLists, shifts: ShiftLists, score: Tensor,
    score_power: Tensor, precision: Precision, blocks: Blocks | None = None,
) -> Tensor:  # fmt: skip
    """As `volume.score_lists`; score complex64. With `tensor` products are of half-precision operands."""
    (m, n_list), n_shifts, device = poses.klass.shape, shifts.longest, score.device
    out = score_power.new_empty((m, n_shifts, n_list))
    if out.numel() == 0:
        return out
    blocks = blocks or score_blocks(n_list)
    tensor = precision == "tensor"
    packed = tensor and volume.packed is not None
    images = torch.view_as_real(score.resolve_conj().contiguous())
    top = torch.linalg.vector_norm(images.flatten(1), torch.inf, dim=1)
    gains = torch.where(top > 0, HALF_TOP / top, 1.0) if tensor else torch.ones_like(top)
    own_shifts = poses.counts if shifts.shifts is None else shifts.shifts.int().contiguous()
    counts = shifts.counts
    if counts is None:
        counts = torch.full((m,), n_shifts, dtype=torch.int32, device=device)
    bt = min(_MOST_SHIFTS, max(_SMALLEST_DOT, triton.next_power_of_2(n_shifts)))
    grid = (m * triton.cdiv(n_list, blocks.orientations), triton.cdiv(n_shifts, bt))
    with torch.cuda.device_of(score):  # type: ignore[no-untyped-call]
        _score[grid](
            _values(volume, packed), poses.klass.int().contiguous(), poses.steps.contiguous(),
            poses.counts.int(), own_shifts, counts.int(), images, score_power.contiguous(),
            _seen_coordinates(pixels), shifts.phases.contiguous(), gains, out,
            score.shape[1] - 1, n_shifts, n_list, score.shape[1], volume.scale,
            *_geometry(volume.lattice), LISTED=shifts.shifts is not None, TENSOR=tensor,
            PACKED=packed, VECTOR=not _interpreted(), BT=bt, BO=blocks.orientations,
            BP=blocks.pixels, **blocks.options,
        )  # fmt: skip
    return out


def accumulate_lists(
    volume: Volume, pixels: SlicePixels, accepted: AcceptedPoses, phases: Tensor, images: ListImages,
    marks: Tensor, sums: LatticeSums, *, gradient: bool, blocks: Blocks = SUM_BLOCKS,
) -> Agreement:  # fmt: skip
    """As `volume.accumulate_lists`; everything in single precision, slices from the packed copy if any."""
    m, n_pixels = images.score.shape
    n_blocks = triton.cdiv(n_pixels, blocks.pixels)
    cross, power = torch.zeros_like(images.noise_power), torch.zeros_like(images.noise_power)
    partial = power.new_zeros((m, n_blocks, 2))
    if m == 0:
        return Agreement(cross, power, partial.sum(1))
    packed, device = volume.packed is not None, images.score.device
    planar = pixels.indices_yx.to(device, torch.float32).T.contiguous()
    with torch.cuda.device_of(images.score):  # type: ignore[no-untyped-call]
        _sum[(m * n_blocks,)](
            _values(volume, packed), sums.buffer, accepted.first_entry, accepted.klass.int(),
            accepted.target.int(), accepted.steps.contiguous(), accepted.first_shift,
            accepted.shifts.int(), accepted.weights.float(),
            torch.view_as_real(images.score.resolve_conj().contiguous()),
            torch.view_as_real(images.back.resolve_conj().contiguous()),
            images.score_power.contiguous(), images.back_power.contiguous(),
            images.noise_power.contiguous(), planar, pixels.seen.float(), marks.float().contiguous(),
            phases.contiguous(), cross, power, partial, n_pixels, *_geometry(volume.lattice),
            1.0 / volume.scale if packed else 1.0, *sums.strides,
            GRADIENT=gradient, MARKED=marks.shape[1] > 0, PACKED=packed, VECTOR=not _interpreted(),
            ADD_VECTOR=_adds_vectors(device), COPIES=sums.buffer.shape[1], BP=blocks.pixels, **blocks.options,
        )  # fmt: skip
    return Agreement(cross, power, partial.sum(1))


def _values(volume: Volume, packed: bool) -> Tensor:
    if packed and volume.packed is not None:
        return volume.packed
    return torch.view_as_real(volume.values.contiguous())


def _seen_coordinates(pixels: SlicePixels) -> Tensor:
    """Frequencies of all pixels but the origin as float32 (2, P-1), all y, then all x."""
    planar = pixels.indices_yx[1:].to(torch.float32).T
    return torch.where(pixels.seen[1:], planar, _NOWHERE).contiguous()


def _geometry(lattice: Lattice) -> tuple[float, float, int, int, int]:
    width = lattice.half + 1
    return (
        float(lattice.half),
        lattice.squared_limit,
        lattice.points,
        lattice.side * width,
        width,
    )


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _adds_vectors(device: torch.device) -> bool:
    """Whether the device adds four numbers by one instruction (compute capability 9)."""
    return not _interpreted() and torch.cuda.get_device_capability(device) >= (9, 0)
