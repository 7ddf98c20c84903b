"""The model of a polar spectrum and its fit for given CTF parameters.

    values(r, theta) ~ b(r) + e(r) * C(r, theta)^2

b and e are smooth cubic splines, solved linearly for every trial CTF (variable projection), so the
background never has to be guessed beforehand. What a trial is worth is how much of the variance it
explains beyond the background alone; where the envelope comes out negative it explains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import Microscope

Array = np.ndarray[Any, Any]
BACKGROUND_SPLINES = 9
ENVELOPE_SPLINES = 6
RIDGE = 1e-9  # of the diagonal: rings without contrast leave the envelope undetermined
CHUNK = 16  # trials at a time: their rings and sectors stay in the cache


@dataclass(frozen=True)
class CtfTrial:
    """Defocus as mean and astigmatism vector: D(theta) = mean + a cos 2theta + b sin 2theta (Å)."""

    mean_angst: float
    cos2_angst: float = 0.0
    sin2_angst: float = 0.0
    phase_rad: float = 0.0

    def as_row(self) -> tuple[float, float, float, float]:
        """Mean, cos2, sin2 (Å), phase (rad): a row of an array of trials."""
        return self.mean_angst, self.cos2_angst, self.sin2_angst, self.phase_rad

    def u_v_angle(self) -> tuple[float, float, float]:
        """Defocus U >= V (Å) and the angle of U (degrees, in (-90, 90])."""
        half = float(np.hypot(self.cos2_angst, self.sin2_angst))
        angle = float(np.rad2deg(0.5 * np.arctan2(self.sin2_angst, self.cos2_angst)))
        return self.mean_angst + half, self.mean_angst - half, angle


class SpectrumModel:
    """Fits the model to one polar spectrum; made once, asked for many trials."""

    def __init__(self, polar: PolarSpectrum, microscope: Microscope) -> None:
        frequency = polar.frequency
        wavelength = microscope.wavelength_angst
        self.quadratic = np.pi * wavelength * frequency**2  # times defocus: phase
        self.constant = (
            -np.pi / 2 * microscope.cs_mm * 1e7 * wavelength**3 * frequency**4
            + microscope.amplitude_phase_rad
        )
        self.double_angle = np.stack([np.cos(2 * polar.angle_rad), np.sin(2 * polar.angle_rad)])
        self.weights = polar.weights
        self.weighted = polar.weights * polar.values
        self.background_splines = _splines(len(frequency), BACKGROUND_SPLINES)
        self.envelope_splines = _splines(len(frequency), ENVELOPE_SPLINES)
        self._fit_background(float((self.weighted * polar.values).sum()))

    def explained(self, trial: CtfTrial) -> float:
        """Share of the variance left by the background that the trial explains (<= 1)."""
        return float(self.explained_many(np.array([trial.as_row()]))[0])

    def explained_many(self, trials: Array) -> Array:
        """`explained` of rows (n, 4) of `CtfTrial.as_row`."""
        chunks = (trials[start : start + CHUNK] for start in range(0, len(trials), CHUNK))
        return np.concatenate([self._explained(chunk) for chunk in chunks])

    def _explained(self, trials: Array) -> Array:
        w1, w2, wy = self._ring_sums(trials)
        b, e = self.background_splines, self.envelope_splines
        n_b, n_e = b.shape[1], e.shape[1]
        normal = np.empty((len(trials), n_b + n_e, n_b + n_e))
        normal[:, :n_b, :n_b] = self.normal
        normal[:, :n_b, n_b:] = (w1 @ column_products(b, e)).reshape(-1, n_b, n_e)
        normal[:, n_b:, :n_b] = normal[:, :n_b, n_b:].transpose(0, 2, 1)
        normal[:, n_b:, n_b:] = (w2 @ column_products(e, e)).reshape(-1, n_e, n_e)
        diagonal = np.arange(n_b + n_e)
        normal[:, diagonal, diagonal] *= 1 + RIDGE
        right = np.empty((len(trials), n_b + n_e))
        right[:, :n_b], right[:, n_b:] = self.ring_total @ b, wy @ e
        solution = np.linalg.solve(normal, right[..., None])[..., 0]
        envelope = np.maximum(solution[:, n_b:] @ e.T, 0)
        return self._variance_explained(envelope, w1, w2, wy)

    def _ring_sums(self, trials: Array) -> tuple[Array, Array, Array]:
        """Sums over the sectors of w C², w C⁴ and w C² value, each (n, rings)."""
        weights, weighted = self.weights, self.weighted
        defocus = trials[:, :1] + trials[:, 1:3] @ self.double_angle
        if not trials[:, 1:3].any():  # the rings are round
            weights, weighted = (each.sum(axis=1, keepdims=True) for each in (weights, weighted))
            defocus = trials[:, :1]
        gamma = self.quadratic[:, None] * defocus[:, None, :]
        gamma += self.constant[:, None] + trials[:, 3, None, None]
        squared = np.sin(gamma) ** 2
        once = squared * weights
        w2 = np.einsum("nrs,nrs->nr", once, squared)
        return once.sum(axis=2), w2, np.einsum("nrs,rs->nr", squared, weighted)

    def _fit_background(self, square: float) -> None:
        """What the background alone explains; the normal matrix of its splines."""
        b = self.background_splines
        self.square, self.ring_total = square, self.weighted.sum(axis=1)
        self.normal = b.T @ (self.weights.sum(axis=1)[:, None] * b)
        right = b.T @ self.ring_total
        self.residual = square - float(np.linalg.solve(self.normal, right) @ right)

    def _variance_explained(self, envelope: Array, w1: Array, w2: Array, wy: Array) -> Array:
        """Refit the background beside a fixed non-negative envelope; the gain over no CTF."""
        right = (self.ring_total - envelope * w1) @ self.background_splines
        left = self.square - 2 * (envelope * wy).sum(axis=1) + (envelope**2 * w2).sum(axis=1)
        left -= (np.linalg.solve(self.normal, right.T).T * right).sum(axis=1)
        explained: Array = 1 - left / self.residual
        return explained


def column_products(a: Array, b: Array) -> Array:  # (rings, m), (rings, n) -> (rings, m n)
    """Per ring the products of every column of one with every column of the other."""
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


def _splines(n: int, count: int) -> NDArray[np.float64]:
    """Cubic B-splines over n equidistant points, (n, count)."""
    inner = np.linspace(0, 1, count - 2)
    knots = np.concatenate([[0.0] * 3, inner, [1.0] * 3])
    return BSpline.design_matrix(np.linspace(0, 1, n), knots, 3).toarray()
