"""How much of each ring is specimen: power common to the aligned frames against power that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from verglas.motion.band import LEAST_INDEX, Band, Rows

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
    def weights(self) -> Array:  # (n_rings,) g
        total = (self.amplitudes**2).sum(axis=0)
        weights: Array = self.ssnr / (1 + self.ssnr * total) / self.noise
        return weights

    def information(self, band: Band, limit: float = np.inf, rows: Rows = "all") -> Array:
        """Expected curvature of the log-likelihood up to a frequency, (M, M) per axis, 1/pixel^2.

        This is the Fisher information of the shifts; a shift common to all frames has none.
        """
        squares = self.amplitudes**2
        total = squares.sum(axis=0)
        frequencies = np.where(band.ring_frequencies <= limit, band.ring_frequencies, 0)
        strength = self.ssnr**2 / (1 + self.ssnr * total)
        per_ring = band.counts(rows) * (2 * np.pi * frequencies) ** 2 * strength
        information: Array = np.diag((per_ring * total * squares).sum(axis=1))
        return information - (per_ring * squares) @ squares.T


def estimate_signal(
    sum_power: Array,  # (n_rings,) mean power per pixel of sum_m a_m F_m, aligned
    all_power: Array,  # (n_rings,) mean power per pixel, summed over the frames
    amplitudes: Array,  # (M, n_rings)
    counts: Array,  # (n_rings,) pixels behind the means
    smoothing: float = SIGNAL_SMOOTHING,
) -> SignalModel:
    """Solve |S|^2 = A^2 P + A N and sum_m |F_m|^2 = A P + M N on every ring, then smooth along the rings.

    The signal is shrunk where it does not stand out from its own error, so that rings without signal
    get no weight by chance.
    """
    n_frames = len(amplitudes)
    total = np.maximum((amplitudes**2).sum(axis=0), 1e-12)
    signal = (sum_power - total * all_power / n_frames) / (total**2 * (1 - 1 / n_frames))
    noise = gaussian_filter1d((all_power - total * signal) / n_frames, NOISE_SMOOTHING)
    noise = np.maximum(noise, 1e-9 * max(float(all_power.max()), 1e-30))
    ssnr = _shrunk(signal / noise, counts * total**2, smoothing)
    return SignalModel(amplitudes, ssnr, noise)


def signal_given_noise(
    sum_power: Array, noise: Array, amplitudes: Array, counts: Array, smoothing: float
) -> SignalModel:
    """The same when the noise spectrum is known already."""
    total = np.maximum((amplitudes**2).sum(axis=0), 1e-12)
    ssnr = (sum_power / noise - total) / total**2
    return SignalModel(amplitudes, _shrunk(ssnr, counts * total**2, smoothing), noise)


def _shrunk(ssnr: Array, certainty: Array, smoothing: float) -> Array:
    """Smooth along the rings by certainty (1 / variance), then shrink what is not significant."""
    certainty = certainty.copy()
    certainty[:LEAST_INDEX] = 0
    local = np.maximum(gaussian_filter1d(certainty, smoothing), 1e-30)
    smooth = np.maximum(gaussian_filter1d(ssnr * certainty, smoothing) / local, 0)
    variance = 1 / np.maximum(local * 2 * np.sqrt(np.pi) * smoothing, 1e-30)
    shrunk: Array = smooth**3 / (smooth**2 + variance)
    shrunk[:LEAST_INDEX] = 0
    return shrunk
