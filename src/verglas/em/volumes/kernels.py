"""Kernels over lists of poses (Triton): slices live in registers (refinement.md §11.7, §11.8).

Scores: a program handles a block of orientations of one particle. For one block of pixels after another it
interpolates their slices, shifts the image, and multiplies both on the matrix units; the norm term comes from
the same rounded slices. Sums: a program handles a block of pixels of one particle and goes through its
accepted orientations. Additions are atomic, so the last bits may differ between runs.
"""

from __future__ import annotations

import triton
import triton.language as tl

from verglas.fourier.kernels_triton import cell

# mypy: disable-error-code="no-untyped-def"

_ONE = tl.constexpr(0x3F800000)  # 1 + 0i as a number of 8 bytes
# Sizes that change from iteration to iteration and must not each cost a compilation.
_SIZES = (
    "n_pixels", "n_shifts", "n_list", "stride", "points", "plane", "row", "room", "copy", "sum_plane",
    "sum_row",
)  # fmt: skip


@triton.jit
def _quad(points, VECTOR: tl.constexpr):
    """Four neighbours of packed points, real and imaginary parts: one read of 16 bytes (or four of 4)."""
    if VECTOR:
        ar, ai, br, bi, cr, ci, dr, di = tl.inline_asm_elementwise(
            """{
            .reg .b32 a, b, c, d;
            .reg .f16 low, high;
            ld.global.nc.v4.b32 {a, b, c, d}, [$8];
            mov.b32 {low, high}, a;
            cvt.f32.f16 $0, low;
            cvt.f32.f16 $1, high;
            mov.b32 {low, high}, b;
            cvt.f32.f16 $2, low;
            cvt.f32.f16 $3, high;
            mov.b32 {low, high}, c;
            cvt.f32.f16 $4, low;
            cvt.f32.f16 $5, high;
            mov.b32 {low, high}, d;
            cvt.f32.f16 $6, low;
            cvt.f32.f16 $7, high;
            }""",
            "=f,=f,=f,=f,=f,=f,=f,=f,l",
            [points.to(tl.int64, bitcast=True)],
            dtype=(tl.float32,) * 8,
            is_pure=True,
            pack=1,
        )
    else:
        ar, ai = _pair(points)
        br, bi = _pair(points + 1)
        cr, ci = _pair(points + 2)
        dr, di = _pair(points + 3)
    return ar, ai, br, bi, cr, ci, dr, di


@triton.jit
def _pair(point):
    pair = tl.load(point)
    low = (pair & 0xFFFF).to(tl.int16).to(tl.float16, bitcast=True)
    high = (pair >> 16).to(tl.int16).to(tl.float16, bitcast=True)
    return low.to(tl.float32), high.to(tl.float32)


@triton.jit
def _two(pair):
    """Two floats that were read as one number of 8 bytes."""
    low, high = (pair & 0xFFFFFFFF).to(tl.int32), (pair >> 32).to(tl.int32)
    return low.to(tl.float32, bitcast=True), high.to(tl.float32, bitcast=True)


@triton.jit
def _between(low, high, fraction):
    return low + fraction * (high - low)


@triton.jit
def _plane(points, row, fy, fx, CORNERS: tl.constexpr, VECTOR: tl.constexpr):
    """Bilinear interpolation in one plane of the lattice."""
    if CORNERS > 0:
        ar, ai, br, bi, cr, ci, dr, di = _quad(points, VECTOR)
    else:
        ar, ai = _two(tl.load(points))
        br, bi = _two(tl.load(points + 1))
        cr, ci = _two(tl.load(points + row))
        dr, di = _two(tl.load(points + row + 1))
    re = _between(_between(ar, br, fx), _between(cr, dr, fx), fy)
    im = _between(_between(ai, bi, fx), _between(ci, di, fx), fy)
    return re, im


@triton.jit
def _interpolate(
    values, iz, iy, ix, fz, fy, fx, sign, plane, row, CORNERS: tl.constexpr, VECTOR: tl.constexpr
):  # fmt: skip
    """Slice values at cells of one reference or of several; 0 where the sign is 0.

    CORNERS: how many numbers of its cell a packed point holds; 0: complex numbers, not packed.
    """
    size: tl.constexpr = CORNERS if CORNERS > 0 else 1
    near = values + (iz * plane + iy * row + ix) * size
    far = near + (4 if CORNERS == 8 else plane * size)
    near_re, near_im = _plane(near, row, fy, fx, CORNERS, VECTOR)
    far_re, far_im = _plane(far, row, fy, fx, CORNERS, VECTOR)
    return _between(near_re, far_re, fz) * tl.abs(sign), _between(near_im, far_im, fz) * sign


@triton.jit(do_not_specialize=_SIZES)
def score_block(
    values, rows, classes, steps, counts, shift_lists, shift_counts, score, power, pixels, phases, gains, out,
    n_pixels, n_shifts, n_list, stride, scale, half, limit, points, plane, row,
    LISTED: tl.constexpr, TENSOR: tl.constexpr, CORNERS: tl.constexpr, VECTOR: tl.constexpr,
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
    reference = values + (klass.to(tl.int64) * points * (CORNERS if CORNERS > 0 else 1))[:, None]
    shift = tl.where(live_t, t, 0)  # those beyond the count are thrown away at the end
    if LISTED:
        shift = tl.load(shift_lists + i * n_shifts + t, mask=live_t, other=0)
    first = (shift * n_pixels)[:, None]
    particle = tl.load(rows + i)
    gain = tl.load(gains + particle)
    y = score + particle * stride
    v = power + particle * stride
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
        re, im = _interpolate(reference, iz, iy, ix, fz, fy, fx, sign, plane, row, CORNERS, VECTOR)
        yr, yi = _two(tl.load(y + p + 1, mask=live, other=0))
        yr, yi = yr * gain, yi * gain
        weight = tl.load(v + p + 1, mask=live, other=0.0)
        at = tl.where(live, p, 0)[None, :] + first
        cos, sin = _two(tl.load(phases + at))
        moved_re = yr[None, :] * cos - yi[None, :] * sin
        moved_im = yr[None, :] * sin + yi[None, :] * cos
        if TENSOR:
            re = re if CORNERS > 0 else re * scale
            im = im if CORNERS > 0 else im * scale
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
def sum_block(
    values, buffer, rows, first_entry, last_entry, classes, targets, steps, first_shift, shifts, weights,
    score, back, power, back_power, noise, pixels, seen, marks, phases, cross_out, power_out, scale_out,
    n_pixels, half, limit, points, plane, row, unit, room, copy, sum_plane, sum_row,
    GRADIENT: tl.constexpr, MARKED: tl.constexpr, CORNERS: tl.constexpr, VECTOR: tl.constexpr,
    ADD_VECTOR: tl.constexpr, COPIES: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(n_pixels, BP)
    visit = tl.program_id(0) // blocks
    i = tl.load(rows + visit)
    block = tl.program_id(0) % blocks
    p = block * BP + tl.arange(0, BP)
    live = p < n_pixels
    moves = live & (p > 0)
    py = tl.load(pixels + p, mask=live, other=0.0)
    px = tl.load(pixels + n_pixels + p, mask=live, other=0.0)
    shown = tl.load(seen + p, mask=live, other=0.0)
    at = i * n_pixels + p
    yr, yi = _two(tl.load(score + at, mask=live, other=0))
    br, bi = _two(tl.load(back + at, mask=live, other=0))
    vb = tl.load(back_power + at, mask=live, other=0.0)
    cross = tl.zeros([BP], tl.float32)
    expected = tl.zeros([BP], tl.float32)
    low_cross = tl.zeros([BP], tl.float32)
    low_expected = tl.zeros([BP], tl.float32)
    for e in range(tl.load(first_entry + visit), tl.load(last_entry + visit)):
        sr = tl.zeros([BP], tl.float32)
        si = tl.zeros([BP], tl.float32)
        mass = 0.0
        for j in range(tl.load(first_shift + e), tl.load(first_shift + e + 1)):
            gamma = tl.load(weights + j)
            factor = phases + tl.load(shifts + j).to(tl.int64) * (n_pixels - 1) + p - 1
            cos, sin = _two(tl.load(factor, mask=moves, other=_ONE))
            sr += gamma * cos
            si += gamma * sin
            mass += gamma
        s = steps + e * 6
        klass = tl.load(classes + e).to(tl.int64)
        iz, iy, ix, fz, fy, fx, sign = cell(
            px * tl.load(s) + py * tl.load(s + 3), px * tl.load(s + 1) + py * tl.load(s + 4),
            px * tl.load(s + 2) + py * tl.load(s + 5), live, half, limit, True,
        )  # fmt: skip
        reference = values + klass * points * (CORNERS if CORNERS > 0 else 1)
        re, im = _interpolate(reference, iz, iy, ix, fz, fy, fx, sign, plane, row, CORNERS, VECTOR)
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
