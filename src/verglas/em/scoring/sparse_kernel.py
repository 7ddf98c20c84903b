"""The second pass for one particle after another, where few poses matter (compiled; CPU only).

The same quantities as the tiles of `fine` and `accumulate`: children of the significant poses, their
posterior, and its sums. What makes it cheap: with S(k) = Σ_t Γ(t) exp(-2πi k·t/N) per slice, the
back-projection is Y°·S and the cross term Re(conj(Y·S) P): a translation costs one multiply-add per
pixel.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from verglas.em.operands.shift_kernel import shift_row
from verglas.em.scoring.significance import row_threshold

# mypy: disable-error-code="no-untyped-def"


@njit(cache=True, nogil=True, fastmath=True, inline="never")
def _four_by_two(a0, a1, a2, a3, b0, b1, out):
    """Eight dot products at once, so that every number loaded is used several times."""
    s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = a0.dtype.type(0)
    for k in range(a0.size):
        x, y = b0[k], b1[k]
        s00 += a0[k] * x
        s01 += a0[k] * y
        s10 += a1[k] * x
        s11 += a1[k] * y
        s20 += a2[k] * x
        s21 += a2[k] * y
        s30 += a3[k] * x
        s31 += a3[k] * y
    out[0, 0], out[0, 1], out[1, 0], out[1, 1] = s00, s01, s10, s11
    out[2, 0], out[2, 1], out[3, 0], out[3, 1] = s20, s21, s30, s31


@njit(cache=True, nogil=True, fastmath=True, inline="never")
def _dot(a, b):
    total = a.dtype.type(0)
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True, fastmath=True, inline="never")
def _add_scaled(out, values, factor):
    for k in range(out.size):
        out[k] += values[k] * factor


@njit(cache=True, nogil=True, fastmath=True, inline="never")
def _spread(s_re, s_im, y_re, y_im, b_re, b_im, p_re, p_im, data_re, data_im, cross):
    """data += b·S and cross += Re(conj(y·S) p)."""
    for k in range(s_re.size):
        data_re[k] += b_re[k] * s_re[k] - b_im[k] * s_im[k]
        data_im[k] += b_re[k] * s_im[k] + b_im[k] * s_re[k]
        cross[k] += (y_re[k] * s_re[k] - y_im[k] * s_im[k]) * p_re[k]
        cross[k] += (y_re[k] * s_im[k] + y_im[k] * s_re[k]) * p_im[k]


@njit(cache=True, nogil=True)
def hits_of(weights, threshold, hit_o, hit_t):
    """Significant coarse poses of a particle, weights (T, O), in order of orientation; how many."""
    n_t, n_o = weights.shape
    found = 0
    for o in range(n_o):
        for t in range(n_t):
            if weights[t, o] >= threshold:
                hit_o[found] = o
                hit_t[found] = t
                found += 1
    return found


@njit(cache=True, nogil=True)
def second_pass(
    first,
    last,
    coarse_weights,
    thresholds,  # (b, T, KO), (b,)
    y,
    back,
    y_power,
    back_power,
    noise_power,
    image_power,  # (b, 2P) twice, (b, P) four times
    rows,
    origin,
    power,  # slices (n, 2(P-1)), (n, 2), (n, P)
    slice_of,  # (KO * c,) row of each fine slice number
    phases,  # (T * s, 2, P-1)
    orientation_prior,
    shift_prior,
    turn_prior,  # (KO,), (b, K, T), (b, O) or (0, 0)
    n_orientations,
    directions,
    n_directions,
    shells,
    marks,  # (P,), (K, n_marked) bool: pixels of the scale correction
    old_shift,
    fine_shifts,
    centres,
    axes,  # (b, 2), (T * s, 2), (K, 2) Å, (b, 2) or zeros
    fraction,
    halves,  # halves (b,): accumulator of each particle
    data,
    weight,  # (A, n, 2P), (A, n, P): added to
    best_column,
    best_shift,
    p_max,
    log_sum,
    accepted,
    spectra,
    scale_sums,  # per particle, written
    class_weight,
    direction_weight,
    class_offset,
    offset_sum,  # float64, added to
):
    """Treat particles first..last-1. Layouts are those of `slices`: real parts before imaginary parts."""
    n_p = y_power.shape[1]
    q = n_p - 1
    n_t, n_o = coarse_weights.shape[1:]
    s, c = fine_shifts.shape[0] // n_t, slice_of.size // n_o
    n_marked = marks.shape[1]
    hit_o, hit_t = np.empty(n_t * n_o, np.int64), np.empty(n_t * n_o, np.int64)
    moved = np.empty((n_t * s, 2 * q), y.dtype)
    is_moved = np.zeros(n_t, np.bool_)
    block = np.empty((4, 2), y.dtype)
    s_re, s_im = np.empty(q, y.dtype), np.empty(q, y.dtype)
    cross, low_cross = np.empty(n_p, y.dtype), np.empty(n_p, y.dtype)
    predicted, low_predicted = np.empty(n_p, y.dtype), np.empty(n_p, y.dtype)
    before = np.empty(n_marked, y.dtype)
    for i in range(first, last):
        hits = hits_of(coarse_weights[i], thresholds[i], hit_o, hit_t)
        if hits == 0:
            continue
        scores = np.empty((hits, s, c), y.dtype)
        is_moved[:] = False
        y_re, y_im = y[i, 1:n_p], y[i, n_p + 1 :]
        h = 0
        while h < hits:
            o = hit_o[h]
            klass = o // n_orientations
            end = h
            while end < hits and hit_o[end] == o:
                end += 1
            for child in range(c):
                at = slice_of[o * c + child]
                norm = 0.5 * _dot(y_power[i, 1:], power[at, 1:]) - orientation_prior[o]
                if turn_prior.shape[0] > 0:
                    norm -= turn_prior[i, o % n_orientations]
                for g in range(h, end):
                    prior = shift_prior[i, klass, hit_t[g]] - norm
                    for child_shift in range(s):
                        scores[g, child_shift, child] = prior
            for g in range(h, end):
                t = hit_t[g]
                if not is_moved[t]:
                    is_moved[t] = True
                    for j in range(t * s, (t + 1) * s):
                        shift_row(y_re, y_im, phases[j, 0], phases[j, 1], moved[j, :q], moved[j, q:])
                _score(moved, t * s, s, rows, slice_of, o * c, c, block, scores[g])
            h = end
        flat = scores.ravel()
        top = flat[0]
        best = 0
        for k in range(flat.size):
            if flat[k] > top:
                top, best = flat[k], k
        total = 0.0
        for k in range(flat.size):
            flat[k] = math.exp(flat[k] - top)
            total += flat[k]
        limit = row_threshold(flat, fraction)
        best_column[i] = hit_o[best // (s * c)] * c + best % c
        best_shift[i] = hit_t[best // (s * c)] * s + (best // c) % s
        p_max[i] = 1 / total
        log_sum[i] = top + math.log(total)
        # sums
        cross[:] = 0
        predicted[:] = 0
        low_cross[:n_marked] = 0
        low_predicted[:n_marked] = 0
        mass = 0.0
        half = halves[i]
        h = 0
        while h < hits:
            o = hit_o[h]
            klass = o // n_orientations
            end = h
            while end < hits and hit_o[end] == o:
                end += 1
            here = 0.0
            for child in range(c):
                gamma_sum = 0.0
                for g in range(h, end):
                    for child_shift in range(s):
                        w = scores[g, child_shift, child]
                        if w < limit:
                            continue
                        gamma = w / total
                        j = hit_t[g] * s + child_shift
                        if gamma_sum == 0.0:
                            s_re[:] = 0
                            s_im[:] = 0
                        _add_scaled(s_re, phases[j, 0], gamma)
                        _add_scaled(s_im, phases[j, 1], gamma)
                        gamma_sum += gamma
                        dy = old_shift[i, 0] + fine_shifts[j, 0]
                        dx = old_shift[i, 1] + fine_shifts[j, 1]
                        class_offset[klass, 0] += gamma * dy
                        class_offset[klass, 1] += gamma * dx
                        dy -= centres[klass, 0]
                        dx -= centres[klass, 1]
                        along = dy * axes[i, 0] + dx * axes[i, 1]
                        offset_sum[0] += gamma * (dy * dy + dx * dx - along * along)
                if gamma_sum == 0.0:
                    continue
                here += gamma_sum
                at = slice_of[o * c + child]
                gamma = y.dtype.type(gamma_sum)
                out, out_w = data[half, at], weight[half, at]
                before[:n_marked] = cross[:n_marked]
                p_re, p_im = rows[at, :q], rows[at, q:]
                _spread(
                    s_re,
                    s_im,
                    y_re,
                    y_im,
                    back[i, 1:n_p],
                    back[i, n_p + 1 :],
                    p_re,
                    p_im,
                    out[1:n_p],
                    out[n_p + 1 :],
                    cross[1:],
                )
                out[0] += gamma * back[i, 0]
                out[n_p] += gamma * back[i, n_p]
                cross[0] += gamma * (y[i, 0] * origin[at, 0] + y[i, n_p] * origin[at, 1])
                _add_scaled(out_w, back_power[i], gamma)
                _add_scaled(predicted, power[at], gamma)
                for k in range(n_marked):
                    if marks[klass, k]:
                        low_cross[k] += cross[k] - before[k]
                        low_predicted[k] += gamma * power[at, k]
            mass += here
            class_weight[klass] += here
            direction_weight[klass * n_directions + directions[o % n_orientations]] += here
            h = end
        accepted[i] = mass
        for k in range(n_p):
            explained = y_power[i, k] * predicted[k] - 2 * cross[k]
            spectra[i, shells[k]] += noise_power[i, k] * explained + image_power[i, k] * mass
        for k in range(n_marked):
            scale_sums[i, 0] += noise_power[i, k] * low_cross[k]
            scale_sums[i, 1] += noise_power[i, k] * y_power[i, k] * low_predicted[k]


@njit(cache=True, nogil=True)
def _score(moved, first_row, n_rows, rows, slice_of, first_slice, n_slices, block, out):
    """Add the products of shifted images and slices to `out` (n_rows, n_slices)."""
    if n_rows % 4 == 0 and n_slices % 2 == 0:
        for r in range(0, n_rows, 4):
            at = first_row + r
            for k in range(0, n_slices, 2):
                b0, b1 = rows[slice_of[first_slice + k]], rows[slice_of[first_slice + k + 1]]
                _four_by_two(moved[at], moved[at + 1], moved[at + 2], moved[at + 3], b0, b1, block)
                for x in range(4):
                    out[r + x, k] += block[x, 0]
                    out[r + x, k + 1] += block[x, 1]
        return
    for r in range(n_rows):
        for k in range(n_slices):
            out[r, k] += _dot(moved[first_row + r], rows[slice_of[first_slice + k]])
