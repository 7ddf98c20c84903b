"""The model of a polar spectrum and its fit for given CTF parameters.

    values(r, theta) ~ b(r) + e(r) * C(r, theta)^2

b and e are smooth cubic splines, solved linearly for every trial CTF (variable projection), so the
background never has to be guessed beforehand. What a trial is worth is how much of the variance it
explains beyond the background alone; where the envelope comes out negative it explains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import Microscope

BACKGROUND_SPLINES = 9
ENVELOPE_SPLINES = 6


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
        self.polar = polar
        self.microscope = microscope
        frequency = polar.frequency
        wavelength = microscope.wavelength_angst
        self._quadratic = np.pi * wavelength * frequency**2
        self._constant = (
            -np.pi / 2 * microscope.cs_mm * 1e7 * wavelength**3 * frequency**4
            + microscope.amplitude_phase_rad
        )
        self._cos2 = np.cos(2 * polar.angle_rad)
        self._sin2 = np.sin(2 * polar.angle_rad)
        self._background = _splines(len(frequency), BACKGROUND_SPLINES)
        self._envelope = _splines(len(frequency), ENVELOPE_SPLINES)
        weights = polar.weights
        self._weight = weights.sum(axis=1)
        self._sum = (weights * polar.values).sum(axis=1)
        self._square = float((weights * polar.values**2).sum())
        self._solve_background()

    def squared_ctf(self, trial: CtfTrial) -> NDArray[np.float64]:
        """C² on the polar grid, (rings, sectors)."""
        defocus = trial.mean_angst + trial.cos2_angst * self._cos2 + trial.sin2_angst * self._sin2
        gamma = np.multiply.outer(self._quadratic, defocus)
        gamma += (self._constant + trial.phase_rad)[:, None]
        return np.sin(gamma) ** 2

    def explained(self, trial: CtfTrial) -> float:
        """Share of the variance left by the background that the trial explains (<= 1)."""
        squared = self.squared_ctf(trial)
        weights = self.polar.weights
        w1 = (weights * squared).sum(axis=1)
        w2 = (weights * squared**2).sum(axis=1)
        wy = (weights * squared * self.polar.values).sum(axis=1)
        b, e = self._background, self._envelope
        cross = b.T @ (w1[:, None] * e)
        normal = np.block([[self._normal, cross], [cross.T, e.T @ (w2[:, None] * e)]])
        right = np.concatenate([b.T @ self._sum, e.T @ wy])
        normal[np.diag_indices_from(normal)] *= 1 + 1e-9
        solution = np.linalg.solve(normal, right)
        envelope = np.maximum(e @ solution[b.shape[1] :], 0)
        return self._variance_explained(envelope, w1, w2, wy)

    def explained_many(self, trials: NDArray[np.float64]) -> NDArray[np.float64]:
        """`explained` of rows (n, 4) of `CtfTrial.as_row`."""
        return np.array([self.explained(CtfTrial(*trial)) for trial in trials.tolist()])

    def background(self) -> NDArray[np.float64]:
        """The background fitted without a CTF, per ring."""
        return self._background @ self._coefficients

    def _solve_background(self) -> None:
        b = self._background
        self._normal = b.T @ (self._weight[:, None] * b)
        self._coefficients = np.linalg.solve(self._normal, b.T @ self._sum)
        self._residual = self._square - float(self._coefficients @ (b.T @ self._sum))

    def _variance_explained(
        self,
        envelope: NDArray[np.float64],
        w1: NDArray[np.float64],
        w2: NDArray[np.float64],
        wy: NDArray[np.float64],
    ) -> float:
        """Refit the background beside a fixed non-negative envelope; the gain over no CTF."""
        b = self._background
        right = b.T @ (self._sum - envelope * w1)
        coefficients = np.linalg.solve(self._normal, right)
        left = self._square - 2 * float(envelope @ wy) + float(envelope**2 @ w2)
        left -= float(coefficients @ right)
        return 1 - left / self._residual


def _splines(n: int, count: int) -> NDArray[np.float64]:
    """Cubic B-splines over n equidistant points, (n, count)."""
    inner = np.linspace(0, 1, count - 2)
    knots = np.concatenate([[0.0] * 3, inner, [1.0] * 3])
    return BSpline.design_matrix(np.linspace(0, 1, n), knots, 3).toarray()
