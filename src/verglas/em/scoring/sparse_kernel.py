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
from verglas.em.scoring.sparse_operands import Room

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
    first, last, coarse_weights, thresholds, images, slices, poses, bands, fraction, halves, found, sums
):
    """Treat particles first..last-1: coarse weights (b, T, KO), thresholds (b,), accumulators `halves` (b,)."""
    n_t, n_o = coarse_weights.shape[1:]
    n_p, n_marked, y = images.y_power.shape[1], bands.marks.shape[1], images.y
    n_shifts = poses.fine_shifts.shape[0]
    room = Room(
        np.empty(n_t * n_o, np.int64),
        np.empty(n_t * n_o, np.int64),
        np.empty((n_shifts, 2 * (n_p - 1)), y.dtype),
        np.zeros(n_t, np.bool_),
        np.empty((4, 2), y.dtype),
        np.empty(n_p - 1, y.dtype),
        np.empty(n_p - 1, y.dtype),
        np.empty(n_p, y.dtype),
        np.empty(n_p, y.dtype),
        np.empty(n_p, y.dtype),
        np.empty(n_p, y.dtype),
        np.empty(n_marked, y.dtype),
    )
    s, c = n_shifts // n_t, slices.number.size // n_o
    for i in range(first, last):
        hits = hits_of(coarse_weights[i], thresholds[i], room.hit_o, room.hit_t)
        if hits == 0:
            continue
        scores = np.empty((hits, s, c), y.dtype)
        score_children(i, hits, scores, images, slices, poses, room)
        best, top, total = to_weights(scores.ravel())
        limit = row_threshold(scores.ravel(), fraction)
        found.column[i] = room.hit_o[best // (s * c)] * c + best % c
        found.shift[i] = room.hit_t[best // (s * c)] * s + (best // c) % s
        found.p_max[i] = 1 / total
        found.log_sum[i] = top + math.log(total)
        mass = accumulate(i, hits, scores, limit, total, halves[i], images, slices, poses, bands, room, sums)
        found.accepted[i] = mass
        _add_spectra(i, mass, images, bands, room, found)


@njit(cache=True, nogil=True)
def score_children(i, hits, scores, images, slices, poses, room):
    """Log posterior, but for a constant, of the children of the hits of particle i: scores (hits, s, c)."""
    s, c = scores.shape[1:]
    n_p = images.y_power.shape[1]
    q = n_p - 1
    moved, phases = room.moved, poses.phases
    room.is_moved[:] = False
    y_re, y_im = images.y[i, 1:n_p], images.y[i, n_p + 1 :]
    h = 0
    while h < hits:
        o = room.hit_o[h]
        klass = o // poses.n_orientations
        end = _end_of(room.hit_o, h, hits)
        for child in range(c):
            at = slices.number[o * c + child]
            norm = 0.5 * _dot(images.y_power[i, 1:], slices.power[at, 1:]) - poses.orientation_prior[o]
            if poses.turn_prior.shape[0] > 0:
                norm -= poses.turn_prior[i, o % poses.n_orientations]
            for g in range(h, end):
                prior = poses.shift_prior[i, klass, room.hit_t[g]] - norm
                for child_shift in range(s):
                    scores[g, child_shift, child] = prior
        for g in range(h, end):
            t = room.hit_t[g]
            if not room.is_moved[t]:
                room.is_moved[t] = True
                for j in range(t * s, (t + 1) * s):
                    shift_row(y_re, y_im, phases[j, 0], phases[j, 1], moved[j, :q], moved[j, q:])
            _score(moved, t * s, s, slices.rows, slices.number, o * c, c, room.block, scores[g])
        h = end


@njit(cache=True, nogil=True)
def to_weights(flat):
    """Scores become weights in place, 1 for the best: the best's place, its score, the sum of weights."""
    top = flat[0]
    best = 0
    for k in range(flat.size):
        if flat[k] > top:
            top, best = flat[k], k
    total = 0.0
    for k in range(flat.size):
        flat[k] = math.exp(flat[k] - top)
        total += flat[k]
    return best, top, total


@njit(cache=True, nogil=True)
def accumulate(i, hits, scores, limit, total, half, images, slices, poses, bands, room, sums):
    """Add particle i, with weights not below `limit`, to the sums; the posterior mass that was added."""
    n_p, n_marked = images.y_power.shape[1], bands.marks.shape[1]
    c = scores.shape[2]
    room.cross[:] = 0
    room.predicted[:] = 0
    room.low_cross[:n_marked] = 0
    room.low_predicted[:n_marked] = 0
    mass = 0.0
    h = 0
    while h < hits:
        o = room.hit_o[h]
        klass = o // poses.n_orientations
        end = _end_of(room.hit_o, h, hits)
        here = 0.0
        for child in range(c):
            gamma_sum = _gather_shifts(i, h, end, child, klass, scores, limit, total, poses, room, sums)
            if gamma_sum == 0.0:
                continue
            here += gamma_sum
            gamma = images.y.dtype.type(gamma_sum)
            at = slices.number[o * c + child]
            room.before[:n_marked] = room.cross[:n_marked]
            _insert(i, at, gamma, n_p, images, slices, room, sums.data[half, at], sums.weight[half, at])
            for k in range(n_marked):
                if bands.marks[klass, k]:
                    room.low_cross[k] += room.cross[k] - room.before[k]
                    room.low_predicted[k] += gamma * slices.power[at, k]
        mass += here
        sums.class_weight[klass] += here
        direction = poses.directions[o % poses.n_orientations]
        sums.direction_weight[klass * sums.n_directions + direction] += here
        h = end
    return mass


@njit(cache=True, nogil=True)
def _end_of(hit_o, h, hits):
    """Where the hits of the orientation of hit h end."""
    end = h
    while end < hits and hit_o[end] == hit_o[h]:
        end += 1
    return end


@njit(cache=True, nogil=True)
def _gather_shifts(i, h, end, child, klass, scores, limit, total, poses, room, sums):
    """S = Σ_t Γ(t) exp(-2πi k·t/N) of one fine orientation into `room`, offsets into `sums`; returns Σ_t Γ(t)."""
    s = scores.shape[1]
    gamma_sum = 0.0
    for g in range(h, end):
        for child_shift in range(s):
            w = scores[g, child_shift, child]
            if w < limit:
                continue
            gamma = w / total
            j = room.hit_t[g] * s + child_shift
            if gamma_sum == 0.0:
                room.s_re[:] = 0
                room.s_im[:] = 0
            _add_scaled(room.s_re, poses.phases[j, 0], gamma)
            _add_scaled(room.s_im, poses.phases[j, 1], gamma)
            gamma_sum += gamma
            dy = poses.old_shift[i, 0] + poses.fine_shifts[j, 0]
            dx = poses.old_shift[i, 1] + poses.fine_shifts[j, 1]
            sums.class_offset[klass, 0] += gamma * dy
            sums.class_offset[klass, 1] += gamma * dx
            dy -= poses.centres[klass, 0]
            dx -= poses.centres[klass, 1]
            along = dy * poses.axes[i, 0] + dx * poses.axes[i, 1]
            sums.offset[0] += gamma * (dy * dy + dx * dx - along * along)
    return gamma_sum


@njit(cache=True, nogil=True)
def _insert(i, at, gamma, n_p, images, slices, room, out, out_w):
    """Add the particle, shifted by S, to a slice's sums; cross term and power with the reference into `room`."""
    y, back, q = images.y, images.back, n_p - 1
    _spread(
        room.s_re,
        room.s_im,
        y[i, 1:n_p],
        y[i, n_p + 1 :],
        back[i, 1:n_p],
        back[i, n_p + 1 :],
        slices.rows[at, :q],
        slices.rows[at, q:],
        out[1:n_p],
        out[n_p + 1 :],
        room.cross[1:],
    )
    out[0] += gamma * back[i, 0]
    out[n_p] += gamma * back[i, n_p]
    room.cross[0] += gamma * (y[i, 0] * slices.origin[at, 0] + y[i, n_p] * slices.origin[at, 1])
    _add_scaled(out_w, images.back_power[i], gamma)
    _add_scaled(room.predicted, slices.power[at], gamma)


@njit(cache=True, nogil=True)
def _add_spectra(i, mass, images, bands, room, found):
    """Residual power by shells, and the two sums of the scale correction."""
    for k in range(images.y_power.shape[1]):
        explained = images.y_power[i, k] * room.predicted[k] - 2 * room.cross[k]
        found.spectra[i, bands.shells[k]] += (
            images.noise_power[i, k] * explained + images.image_power[i, k] * mass
        )
    for k in range(bands.marks.shape[1]):
        found.scale_sums[i, 0] += images.noise_power[i, k] * room.low_cross[k]
        found.scale_sums[i, 1] += images.noise_power[i, k] * images.y_power[i, k] * room.low_predicted[k]


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
