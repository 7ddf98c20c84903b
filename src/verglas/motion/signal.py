"""How much of each ring is specimen: power common to the aligned frames against power that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from verglas.motion.band import LEAST_INDEX

Array = np.ndarray[Any, Any]
NOISE_SMOOTHING = 5.0  # rings: noise spectra are smooth
SIGNAL_SMOOTHING = 4.0  # rings: Thon rings must survive


@dataclass(frozen=True, slots=True)
class SignalModel:
    """F_m(k) = a_m(k) T(k) exp(-2 pi i k d_m) + noise; |T|^2 = ssnr * noise on average.

    The log-likelihood of shifts d, with T integrated out, is the sum over pixels of
    g |sum_m a_m F_m exp(2 pi i k d_m)|^2 with g = ssnr / (1 + ssnr A) / noise, A = sum_m a_m^2.
    """

    amplitudes: Array  # (M, n_rings): what radiation damage leaves, a
    ssnr: Array  # (n_rings,) of an undamaged frame
    noise: Array  # (n_rings,) power per pixel

    @property
    def weights(self) -> Array:  # (M, n_rings): sqrt(g) a
        total = (self.amplitudes**2).sum(axis=0)
        weights: Array = self.amplitudes * np.sqrt(self.ssnr / (1 + self.ssnr * total) / self.noise)
        return weights

    def information(self, ring_counts: Array, ring_frequencies: Array) -> Array:
        """Expected curvature of the log-likelihood, (M, M) per axis, 1/pixel^2 (Fisher information)."""
        squares = self.amplitudes**2
        total = squares.sum(axis=0)
        strength = self.ssnr**2 / (1 + self.ssnr * total)
        per_ring = ring_counts * (2 * np.pi * ring_frequencies) ** 2 * strength
        information: Array = np.diag((per_ring * total * squares).sum(axis=1))
        return information - (per_ring * squares) @ squares.T


def estimate_signal(
    frame_powers: Array,  # (M, n_rings) sums over the rings
    sum_power: Array,  # (n_rings,) of sum_m a_m F_m, aligned
    amplitudes: Array,  # (M, n_rings)
    ring_counts: Array,  # (n_rings,)
) -> SignalModel:
    """Solve |S|^2 = A^2 P + A N and sum_m |F_m|^2 = A P + M N on every ring, then smooth along the rings.

    The signal is shrunk where it does not stand out from its own error, so that rings without signal
    get no weight by chance.
    """
    n_frames = len(frame_powers)
    counts = np.maximum(ring_counts, 1)
    total = np.maximum((amplitudes**2).sum(axis=0), 1e-12)
    all_power = frame_powers.sum(axis=0) / counts
    signal = (sum_power / counts - total * all_power / n_frames) / (total**2 * (1 - 1 / n_frames))
    noise = gaussian_filter1d((all_power - total * signal) / n_frames, NOISE_SMOOTHING)
    noise = np.maximum(noise, 1e-9 * max(float(all_power.max()), 1e-30))
    certainty = counts * total**2
    certainty[:LEAST_INDEX] = 0
    smooth = gaussian_filter1d(certainty, SIGNAL_SMOOTHING)
    ssnr = gaussian_filter1d(signal / noise * certainty, SIGNAL_SMOOTHING) / np.maximum(
        smooth, 1e-30
    )
    rings_averaged = 2 * np.sqrt(np.pi) * SIGNAL_SMOOTHING
    variance = 1 / np.maximum(smooth * rings_averaged, 1e-30)
    ssnr = np.maximum(ssnr, 0)
    ssnr = ssnr**3 / (ssnr**2 + variance)
    ssnr[:LEAST_INDEX] = 0
    return SignalModel(amplitudes, ssnr, noise)
