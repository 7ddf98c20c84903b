"""The expectation step (§2), one particle after the other."""

from __future__ import annotations

from functools import cache

import numpy as np

from plain.fourier import (
    counted,
    ctf_value,
    masked,
    masked_tube,
    nearest,
    padded_reference,
    shift_without_wrap,
    slice_of,
    splat,
    transform,
)
from plain.poses import local_prior, translations
from plain.problem import Problem, Result, Sums


def significant(weights, fraction, most=None):
    """§2.8: smallest set holding the fraction; its threshold and size."""
    order = np.sort(weights)[::-1]
    running = np.cumsum(order)
    count = int(np.argmax(running > fraction * running[-1])) + 1
    count = min(count, most or count)
    return order[count - 1], count


def orientation_prior(p: Problem, i: int) -> np.ndarray:
    """ln π (K, O) of the classes and coarse orientations of a particle (§2.6)."""
    poses = p.poses
    with np.errstate(divide="ignore"):
        if p.local is not None:
            around = local_prior(poses, p.local.angles[i], p.local.sigma, p.symmetry)
            return np.log(p.direction_weight.sum(1)[:, None] * around)
        return np.log(p.direction_weight[:, poses.direction] / poses.n_psi * psi_prior(p, i))


def psi_prior(p: Problem, i: int) -> np.ndarray:
    """Prior of each coarse orientation of a segment, times the number of psis."""
    psis, n = p.poses.psis, p.poses.n_psi
    if p.filament is None:
        return np.ones(len(psis))
    total = np.zeros(len(psis))
    for turn in (0, 180) if p.filament.bimodal else (0,):
        away = np.abs((psis - p.filament.psi[i] - turn + 180) % 360 - 180)
        near = away < 3 * p.filament.sigma_psi
        if not near.any():
            near = away == away.min()
        w = np.where(near, np.exp(-0.5 * ((away**2) - (away[near] ** 2).min()) / p.filament.sigma_psi**2), 0)
        total += w
    return total / total.sum() * n


def expect(p: Problem) -> tuple[Result, Sums]:
    """Poses of all particles and the sums over them."""
    n, box = len(p.images), p.images.shape[1]
    r_max, poses, k_classes = p.r_max, p.poses, len(p.references)
    keep, ky, kx = counted(box)
    shell = nearest(np.hypot(ky, kx)).astype(int)
    inside = keep & (shell <= r_max)
    ks = np.stack([ky[inside], kx[inside]], 1)
    s = shell[inside]
    coarse = s <= p.coarse_size // 2
    scored = s >= 1
    orientations, children = range(len(poses.coarse)), range(poses.fine.shape[1])
    shifts = translations(p.offset_range, p.offset_step)
    move_t = p.perturbation * p.offset_step
    padded = [padded_reference(r, p.pad, r_max) for r in p.references]
    in_circle = (ks**2).sum(1) <= (p.coarse_size // 2) ** 2  # a slice ends at its own size, §1.13
    coarse_slices = {
        (k, a): slice_of(padded[k], p.pad, r_max, ks, poses.coarse[a]) * in_circle
        for k in range(k_classes)
        for a in orientations
    }

    @cache
    def fine_slice(k, a, j):
        return slice_of(padded[k], p.pad, r_max, ks, poses.fine[a, j])

    out, sums = Result.zeros(n), Sums.zeros(p)
    collected: dict = {}
    for i in range(n):
        sigma2, scale = p.sigma2[p.noise_group[i]], p.scale[p.scale_group[i]]
        axis = np.zeros(2)  # along which offsets have a limit instead of a prior
        if p.filament is not None and p.filament.rise > 0:
            psi = np.deg2rad(p.filament.psi[i])
            axis = np.array([-np.sin(psi), np.cos(psi)])  # y, x
        old = nearest((p.origin[i] - axis * (axis @ p.origin[i])) / p.pixel).astype(int)
        image = shift_without_wrap(p.images[i] * p.norm_average / p.norm[i], *old)
        raw = transform(image)[inside]
        shown = masked(image, p.diameter / (2 * p.pixel), p.mask_edge)
        if p.filament is not None:
            tube, psi = p.filament.diameter / (2 * p.pixel), p.filament.tube_psi[i]
            shown = masked_tube(image, p.diameter / (2 * p.pixel), p.mask_edge, tube, psi)
        whole = transform(shown)
        x = whole[inside]
        beyond = keep & (shell > r_max) & (shell <= box // 2)
        high = (np.abs(whole[beyond]) ** 2).sum()
        u = ks / (box * p.pixel)
        sc = scale * ctf_value(p.ctf[i], u[:, 0], u[:, 1])
        v = sigma2[s]

        def shifted(values, t):
            phase = np.exp(-2j * np.pi * (ks[:, 0] * t[0] + ks[:, 1] * t[1]) / (p.pixel * box))
            return values * phase

        def misfit(slices, t, use, sc=sc, x=x, v=v, high=high):
            d = np.abs(sc * slices - shifted(x, t)) ** 2 / (2 * v)
            return d[use & scored].sum() + high / 2

        log_orientation = orientation_prior(p, i)
        log_prior = {}
        for k in range(k_classes):
            for t, (ty, tx) in enumerate(shifts):
                away = old * p.pixel + (ty, tx) - p.class_offset[k]
                across2 = (away**2).sum() - (away @ axis) ** 2
                here = -across2 / (2 * p.sigma_offset**2)
                if axis.any():
                    reach = p.filament.rise / 2 + p.offset_step / 2 * np.abs(axis).sum()
                    if abs((old * p.pixel + (ty, tx)) @ axis) > reach:
                        here = -np.inf
                for a in orientations:
                    if log_orientation[k, a] > -np.inf:
                        log_prior[k, a, t] = log_orientation[k, a] + here
        log_w = np.array(
            [
                prior - misfit(coarse_slices[k, a], np.add(shifts[t], move_t), coarse)
                for (k, a, t), prior in log_prior.items()
            ]
        )
        w = np.exp(log_w - log_w.max())
        limit, out.n_significant[i] = significant(w, p.fraction, p.most_significant)
        fine = []
        for (k, a, t), here in zip(log_prior, w):
            if here < limit:
                continue
            for j in children:
                for ty in (-0.25, 0.25):
                    for tx in (-0.25, 0.25):
                        square = (ty * p.offset_step, tx * p.offset_step)
                        fine.append((k, a, j, t, np.array(shifts[t]) + square + move_t))
        log_w = np.array(
            [
                log_prior[k, a, t] - misfit(fine_slice(k, a, j), move, np.ones(len(s), bool))
                for k, a, j, t, move in fine
            ]
        )
        best = int(log_w.argmax())
        w = np.exp(log_w - log_w.max())
        total = w.sum()
        limit, _ = significant(w, p.fraction)
        k, a, j, _, move = fine[best]
        out.klass[i], out.orientation[i] = k, poses.fine[a, j]
        out.origin[i] = old * p.pixel + move
        out.p_max[i] = w[best] / total
        log_total = log_w.max() + np.log(total) - np.log(len(children) * 4 * len(shifts))
        out.log_likelihood[i] = log_total - np.log(2 * np.pi * v[scored]).sum()
        residual = np.zeros(len(s))
        for (k, a, j, _, move), here in zip(fine, w):
            if here < limit:
                continue
            g = here / total
            model, seen = sc * fine_slice(k, a, j), shifted(x, move)
            residual += g * np.abs(model - seen) ** 2
            used = p.data_vs_prior[k][s] > 3
            sums.cross[p.scale_group[i]] += g * (model.conj() * seen).real[used].sum() / scale
            sums.power[p.scale_group[i]] += g * (np.abs(model) ** 2)[used].sum() / scale**2
            sums.direction[k, poses.direction[a]] += g
            position = old * p.pixel + move
            sums.offset[k] += g * position
            away = position - p.class_offset[k]
            sums.move += g * ((away**2).sum() - (away @ axis) ** 2)
            sums.noise_weight[p.noise_group[i]] += g
            half = i % 2 if p.gradient else 0
            slots = collected.setdefault((half, k, a, j), [np.zeros(len(s), complex), np.zeros(len(s))])
            slots[0] += g * sc / v * (shifted(raw, move) - (model if p.gradient else 0))
            slots[1] += g * sc**2 / v
        np.add.at(sums.noise[p.noise_group[i]], s, residual)
        np.add.at(sums.noise[p.noise_group[i]], shell[beyond], np.abs(whole[beyond]) ** 2)
        out.norm[i] = p.norm[i] / p.norm_average * np.sqrt(2 * (residual.sum() + high))
    for (half, k, a, j), (values, weights) in collected.items():
        matrix = poses.fine[a, j]
        splat(sums.data[half, k], sums.weight[half, k], ks, matrix, p.pad, r_max, values, weights)
    return out, sums
