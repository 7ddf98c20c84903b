"""Expectation-maximisation written straight from the formulae: float64, one particle at a time, no tricks.

2D classes. Everything works on full transforms (no half planes, no pixel lists, no matrix products); Fourier
arrays have their origin in the middle. Section numbers are those of refinement.md. Slow and obvious on
purpose: the engine must agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Problem:
    """One iteration of a 2D classification; lengths in Å, angles in degrees."""

    images: np.ndarray  # (n, N, N)
    ctf: list[dict]  # defocus_u, defocus_v, angle, phase_shift, kv, cs, q0
    pixel: float
    references: np.ndarray  # (K, N, N)
    class_weight: np.ndarray
    class_offset: np.ndarray  # (K, 2) y, x
    sigma2: np.ndarray  # (G, S)
    noise_group: np.ndarray
    scale: np.ndarray  # (J,)
    scale_group: np.ndarray
    data_vs_prior: np.ndarray  # (K, S)
    sigma_offset: float
    norm_average: float
    norm: np.ndarray
    origin: np.ndarray  # (n, 2) y, x
    diameter: float
    mask_edge: float
    n_psi: int
    offset_range: float
    offset_step: float
    current_size: int
    coarse_size: int
    tau2_fudge: float
    fraction: float = 0.999
    perturbation: float = 0.0
    pad: int = 2
    filament: Filament | None = None


@dataclass
class Filament:
    """What is known of helical segments (§2.5, §2.11)."""

    psi: np.ndarray  # (n,)
    sigma_psi: float
    bimodal: bool
    rise: float
    diameter: float


@dataclass
class Result:
    """What the iteration gives."""

    psi: np.ndarray
    origin: np.ndarray
    klass: np.ndarray
    p_max: np.ndarray
    norm: np.ndarray
    n_significant: np.ndarray
    log_likelihood: np.ndarray
    class_weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    class_offset: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sigma2: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sigma_offset: float = 0.0
    norm_average: float = 0.0
    scale: np.ndarray = field(default_factory=lambda: np.zeros(0))
    tau2: np.ndarray = field(default_factory=lambda: np.zeros(0))
    data_vs_prior: np.ndarray = field(default_factory=lambda: np.zeros(0))
    references: np.ndarray = field(default_factory=lambda: np.zeros(0))


def nearest(x):
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def transform(image):
    """Normalised transform, origin and phase origin in the middle: index N/2 is frequency 0 (§1.2)."""
    n = image.shape[0]
    f = np.fft.fftshift(np.fft.fft2(image)) / n**2
    k = np.arange(n) - n // 2
    return f * (-1.0) ** (k[:, None] + k[None, :])


def frequencies(n):
    k = np.arange(n) - n // 2
    return np.meshgrid(k, k, indexing="ij")  # y, x


def counted(n):
    """Half-plane pixels, each independent pixel once (§1.1); row -N/2 stands for +N/2."""
    y, x = frequencies(n)
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


def masked(image, radius, edge):
    """§1.11 with the zero mask."""
    n = image.shape[0]
    y, x = np.mgrid[:n, :n] - n // 2
    r = np.hypot(y, x)
    m = 0.5 + 0.5 * np.cos(np.pi * (radius + edge - r) / edge)
    m = np.where(r < radius, 0, np.where(r > radius + edge, 1, m))
    return (1 - m) * image + m * (m * image).sum() / m.sum()


def masked_tube(image, radius, edge, tube_radius, psi):
    """The same with a tube through the middle: its axis (x, y) = (cos ψ, -sin ψ) is x of the class."""
    n = image.shape[0]
    y, x = np.mgrid[:n, :n] - n // 2
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    weights = []
    for distance, limit in ((np.hypot(y, x), radius), (np.abs(x * s + y * c), tube_radius)):
        m = 0.5 + 0.5 * np.cos(np.pi * (limit + edge - distance) / edge)
        weights.append(np.where(distance < limit, 0, np.where(distance > limit + edge, 1, m)))
    m = np.maximum(*weights)
    return (1 - m) * image + m * (m * image).sum() / m.sum()


def psi_prior(p: Problem, i: int, psis: np.ndarray) -> np.ndarray:
    """Prior of each coarse angle of a segment, times their number."""
    if p.filament is None:
        return np.ones(len(psis))
    total = np.zeros(len(psis))
    for turn in (0, 180) if p.filament.bimodal else (0,):
        away = np.abs((psis - p.filament.psi[i] - turn + 180) % 360 - 180)
        near = away < 3 * p.filament.sigma_psi
        if not near.any():
            near = away == away.min()
        w = np.where(
            near, np.exp(-0.5 * ((away**2) - (away[near] ** 2).min()) / p.filament.sigma_psi**2), 0
        )
        total += w
    return total / total.sum() * len(psis)


def padded_reference(image, pad, r_max):
    """§1.13: gridding correction, padding, transform up to r_max; its slices equal normalised transforms."""
    n = image.shape[0]
    y, x = np.mgrid[:n, :n] - n // 2
    corrected = image / np.sinc(np.hypot(y, x) / (n * pad)) ** 2
    big = np.zeros((n * pad, n * pad))
    start = n * pad // 2 - n // 2
    big[start : start + n, start : start + n] = corrected
    y, x = frequencies(n * pad)
    return np.where(y**2 + x**2 <= (pad * r_max) ** 2, transform(big) * pad**2, 0)


def bilinear(values, y, x):
    """Value of a centred array at frequency (y, x)."""
    c = values.shape[0] // 2
    y0, x0 = int(np.floor(y)), int(np.floor(x))
    fy, fx = y - y0, x - x0
    total = 0.0
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            if wy * wx != 0:
                total += wy * wx * values[c + y0 + dy, c + x0 + dx]
    return total


def rotated(y, x, psi):
    """Position in the reference of image frequency (y, x): A(0, 0, psi)^T k (§1.6)."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    return s * x + c * y, c * x - s * y


def slice_of(padded, pad, r_max, ks, psi):
    out = np.zeros(len(ks), complex)
    for i, (y, x) in enumerate(ks):
        yy, xx = rotated(y, x, psi)
        if xx**2 + yy**2 <= r_max**2 + 1e-9:
            out[i] = bilinear(padded, yy * pad, xx * pad)
    return out


def significant(weights, fraction):
    """§2.8: smallest set holding the fraction; its threshold and size."""
    order = np.sort(weights)[::-1]
    running = np.cumsum(order)
    count = int(np.argmax(running > fraction * running[-1])) + 1
    return order[count - 1], count


def iterate(p: Problem) -> Result:
    """One iteration: expectation, then maximisation."""
    n, box = len(p.images), p.images.shape[1]
    k_classes = len(p.references)
    r_max = p.current_size // 2
    keep, ky, kx = counted(box)
    radius = np.hypot(ky, kx)
    shell = nearest(radius).astype(int)
    inside = keep & (shell <= r_max)
    ks = np.stack([ky[inside], kx[inside]], 1)
    s = shell[inside]
    coarse = s <= p.coarse_size // 2
    scored = s >= 1
    step = 360 / p.n_psi
    move_psi, move_t = p.perturbation * step, p.perturbation * p.offset_step
    psis = np.arange(p.n_psi) * step
    reach = int(np.ceil(p.offset_range / p.offset_step))
    shifts = [
        (iy * p.offset_step, ix * p.offset_step)
        for ix in range(-reach, reach + 1)
        for iy in range(-reach, reach + 1)
        if (ix * p.offset_step) ** 2 + (iy * p.offset_step) ** 2 < p.offset_range**2 + 0.001
    ]
    padded = [padded_reference(r, p.pad, r_max) for r in p.references]
    in_circle = (ks**2).sum(1) <= (p.coarse_size // 2) ** 2  # a slice ends at its own size, §1.13
    coarse_slices = {
        (k, a): slice_of(padded[k], p.pad, r_max, ks, psi + move_psi) * in_circle
        for k in range(k_classes)
        for a, psi in enumerate(psis)
    }
    fine_psis = {
        (a, j): psis[a] + (j - 0.5) * step / 2 + move_psi for a in range(p.n_psi) for j in (0, 1)
    }
    fine_slices = {
        (k, a, j): slice_of(padded[k], p.pad, r_max, ks, psi)
        for k in range(k_classes)
        for (a, j), psi in fine_psis.items()
    }
    zero = lambda: np.zeros(n)  # noqa: E731
    out = Result(
        zero(), np.zeros((n, 2)), np.zeros(n, int), zero(), zero(), np.zeros(n, int), zero()
    )
    side = 2 * (p.pad * r_max + 1) + 1
    data = np.zeros((k_classes, side, side), complex)
    weight = np.zeros((k_classes, side, side))
    sum_class, sum_offset, sum_move = np.zeros(k_classes), np.zeros((k_classes, 2)), 0.0
    collected: dict = {}
    sum_noise, sum_w = np.zeros_like(p.sigma2), np.zeros(len(p.sigma2))
    cross_sum, power_sum = np.zeros(len(p.scale)), np.zeros(len(p.scale))
    for i in range(n):
        sigma2, scale = p.sigma2[p.noise_group[i]], p.scale[p.scale_group[i]]
        old = nearest(p.origin[i] / p.pixel).astype(int)
        image = shift_without_wrap(p.images[i] * p.norm_average / p.norm[i], *old)
        raw = transform(image)[inside]
        shown = masked(image, p.diameter / (2 * p.pixel), p.mask_edge)
        axis = np.zeros(2)
        if p.filament is not None:
            psi = p.filament.psi[i]
            axis = np.array([-np.sin(np.deg2rad(psi)), np.cos(np.deg2rad(psi))])  # y, x
            tube = p.filament.diameter / (2 * p.pixel)
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

        turn_prior = psi_prior(p, i, psis)
        log_prior = {}
        for k in range(k_classes):
            for t, (ty, tx) in enumerate(shifts):
                away = old * p.pixel + (ty, tx) - p.class_offset[k]
                across2 = (away**2).sum() - (away @ axis) ** 2
                log_prior[k, t] = np.log(p.class_weight[k] / p.n_psi) - across2 / (
                    2 * p.sigma_offset**2
                )
                if p.filament is not None and p.filament.rise > 0:
                    reach = p.filament.rise / 2 + p.offset_step / 2 * np.abs(axis).sum()
                    if abs((old * p.pixel + (ty, tx)) @ axis) > reach:
                        log_prior[k, t] = -np.inf
        poses = [
            (k, a, t) for k in range(k_classes) for a in range(p.n_psi) for t in range(len(shifts))
        ]
        log_w = np.array([
            log_prior[k, t] + np.log(np.maximum(turn_prior[a], 1e-300))
            - misfit(coarse_slices[k, a], np.add(shifts[t], move_t), coarse)
            for k, a, t in poses
        ])  # fmt: skip
        w = np.exp(log_w - log_w.max())
        limit, out.n_significant[i] = significant(w, p.fraction)
        fine = []
        for (k, a, t), here in zip(poses, w):
            if here < limit:
                continue
            for j in (0, 1):
                for ty in (-0.25, 0.25):
                    for tx in (-0.25, 0.25):
                        move = (
                            np.array(shifts[t]) + (ty * p.offset_step, tx * p.offset_step) + move_t
                        )
                        fine.append((k, a, j, t, move))
        log_w = np.array([
            log_prior[k, t] + np.log(turn_prior[a])
            - misfit(fine_slices[k, a, j], move, np.ones(len(s), bool))
            for k, a, j, t, move in fine
        ])  # fmt: skip
        best = int(log_w.argmax())
        w = np.exp(log_w - log_w.max())
        total = w.sum()
        limit, _ = significant(w, p.fraction)
        k, a, j, _, move = fine[best]
        out.klass[i], out.psi[i] = k, fine_psis[a, j]
        out.origin[i] = old * p.pixel + move
        out.p_max[i] = w[best] / total
        log_total = log_w.max() + np.log(total) - np.log(2 * 4 * len(shifts))
        out.log_likelihood[i] = log_total - np.log(2 * np.pi * v[scored]).sum()
        residual = np.zeros(len(s))
        for (k, a, j, _, move), here in zip(fine, w):
            if here < limit:
                continue
            g = here / total
            model, seen = sc * fine_slices[k, a, j], shifted(x, move)
            residual += g * np.abs(model - seen) ** 2
            used = p.data_vs_prior[k][s] > 3
            cross_sum[p.scale_group[i]] += g * (model.conj() * seen).real[used].sum() / scale
            power_sum[p.scale_group[i]] += g * (np.abs(model) ** 2)[used].sum() / scale**2
            sum_class[k] += g
            position = old * p.pixel + move
            sum_offset[k] += g * position
            away = position - p.class_offset[k]
            sum_move += g * ((away**2).sum() - (away @ axis) ** 2)
            sum_w[p.noise_group[i]] += g
            slots = collected.setdefault((k, a, j), [np.zeros(len(s), complex), np.zeros(len(s))])
            slots[0] += g * sc / v * shifted(raw, move)
            slots[1] += g * sc**2 / v
        np.add.at(sum_noise[p.noise_group[i]], s, residual)
        np.add.at(sum_noise[p.noise_group[i]], shell[beyond], np.abs(whole[beyond]) ** 2)
        out.norm[i] = p.norm[i] / p.norm_average * np.sqrt(2 * (residual.sum() + high))
    for (k, a, j), (values, weights) in collected.items():
        splat(data[k], weight[k], ks, fine_psis[a, j], p.pad, r_max, values, weights)
    maximise(
        p,
        out,
        data,
        weight,
        padded,
        sum_class,
        sum_offset,
        sum_move,
        sum_noise,
        sum_w,
        cross_sum,
        power_sum,
    )
    return out


def splat(data, weight, ks, psi, pad, r_max, values, weights):
    """§3.1 on the full plane: every pixel and its conjugate mate; the origin once."""
    c = data.shape[0] // 2
    for (y, x), value, w in zip(ks, values, weights):
        yy, xx = rotated(y, x, psi)
        if xx**2 + yy**2 > r_max**2 + 1e-9:
            continue
        mates = (
            [(yy, xx, value)] if (y, x) == (0, 0) else [(yy, xx, value), (-yy, -xx, np.conj(value))]
        )
        for py, px, v in mates:
            py, px = py * pad, px * pad
            y0, x0 = int(np.floor(py)), int(np.floor(px))
            for dy in (0, 1):
                for dx in (0, 1):
                    part = (1 - abs(py - y0 - dy)) * (1 - abs(px - x0 - dx))
                    if part > 0:
                        data[c + y0 + dy, c + x0 + dx] += part * v
                        weight[c + y0 + dy, c + x0 + dx] += part * w


def maximise(
    p, out, data, weight, padded, sum_class, sum_offset, sum_move, sum_noise, sum_w, cross, power
):
    """§3.3-§3.8."""
    box, shells = p.images.shape[1], p.images.shape[1] // 2 + 1
    total = sum_class.sum()
    out.class_weight = sum_class / total
    out.class_offset = sum_offset / sum_class[:, None]
    axes = 2 if p.filament is None else 1
    out.sigma_offset = np.sqrt(max(sum_move / (axes * total), 2.0))
    out.norm_average = out.norm.sum() / total
    keep, ky, kx = counted(box)
    shell = nearest(np.hypot(ky, kx)).astype(int)
    count = np.bincount(shell[keep], minlength=shells)[:shells]
    out.sigma2 = sum_noise / (2 * sum_w[:, None] * count)
    scale = cross / power
    scale = np.clip(scale, np.median(scale) / 5, np.median(scale) * 5)
    members = np.bincount(p.scale_group, minlength=len(scale))
    out.scale = scale / ((scale * members).sum() / members.sum())
    out.tau2, out.data_vs_prior = np.zeros((len(data), shells)), np.zeros((len(data), shells))
    images = [reconstruct(p, k, data[k], weight[k], padded[k], out) for k in range(len(data))]
    out.references = np.stack(images)


def reconstruct(p, k, data, weight, padded, out):
    box, shells = p.images.shape[1], p.images.shape[1] // 2 + 1
    r_max = p.current_size // 2
    c = data.shape[0] // 2
    y, x = np.mgrid[: data.shape[0], : data.shape[0]] - c
    r = np.hypot(y, x)
    s = np.minimum(nearest(r / p.pad).astype(int), shells - 1)
    half = x >= 0
    middle = padded.shape[0] // 2
    reference = padded[middle - c : middle + c + 1, middle - c : middle + c + 1]
    use = half & (r <= p.pad * r_max)
    sums = np.bincount(s[use], 0.5 * np.abs(reference[use]) ** 2, minlength=shells)
    out.tau2[k] = sums / np.maximum(np.bincount(s[use], minlength=shells), 1)
    o, limit = p.pad**2, (p.pad * r_max) ** 2
    use = half & (r**2 < limit)
    ratio = weight * o * p.tau2_fudge * out.tau2[k][s]
    voxels = np.bincount(s[use], minlength=shells)
    out.data_vs_prior[k] = np.bincount(s[use], ratio[use], minlength=shells) / np.maximum(voxels, 1)
    everywhere = r**2 < limit
    w = weight + np.where(
        (s >= 5) & everywhere, 1 / (o * p.tau2_fudge * np.maximum(out.tau2[k][s], 1e-20)), 0
    )
    ring = np.minimum(np.floor(r / p.pad).astype(int), shells - 1)
    ring_mean = np.bincount(ring[use], w[use], minlength=shells) / np.maximum(
        np.bincount(ring[use], minlength=shells), 1
    )
    floor = ring_mean[np.minimum(ring, r_max - 1)] / 1000
    quotient = np.where(everywhere, data / np.maximum(w, floor), 0)
    big = np.zeros((box * p.pad, box * p.pad), complex)
    m = box * p.pad // 2
    reach = min(c, m - 1)
    big[m - reach : m + reach + 1, m - reach : m + reach + 1] = quotient[
        c - reach : c + reach + 1, c - reach : c + reach + 1
    ]
    ky = np.arange(box * p.pad) - m
    big *= (-1.0) ** (ky[:, None] + ky[None, :])
    image = np.fft.ifft2(np.fft.ifftshift(big)).real * (box * p.pad) ** 2
    start = m - box // 2
    image = image[start : start + box, start : start + box] / p.pad**2
    image = masked(image, box / 2, 3.0)
    yy, xx = np.mgrid[:box, :box] - box // 2
    return image / np.sinc(np.hypot(yy, xx) / (box * p.pad)) ** 2
