"""Correlation of particles in frames with their predictions, as small tables about their first tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.polish.bands import waves
from verglas.polish.movie_spectra import MovieSpectra

FINEST = 0.2  # periods of the highest frequency from one point of a table to the next: cubics follow that


@dataclass(frozen=True, eq=False)
class CorrelationTables:
    """CC of P particles in F frames over displacements (y, x) from -m to m steps."""

    values: NDArray[np.float32]  # (P, F, n, n), n = 2m + 1
    step_px: float  # pixels of the particle images
    stiffness_per_px2: NDArray[np.float64]  # (F,) curvature at the peak that an average particle should have

    @property
    def reach_px(self) -> float:
        """The largest displacement that a cubic interpolates well."""
        return (self.values.shape[-1] // 2 - 1) * self.step_px


def correlation_tables(
    spectra: MovieSpectra,
    predictions: Tensor,  # (P, 2r+1, r+1) complex64, on the scale of normalised particles
    weights: Tensor,  # (F, 2r+1, r+1) or (2r+1, r+1), what each product counts
    reach_px: float,
) -> CorrelationTables:
    """Σ_k w Re(X conj(P) exp(2πi k·t/N)) over the whole plane, for displacements t up to `reach_px`."""
    band, box = spectra.band, spectra.box_px
    step = min(1.0, FINEST * box / band.radius)
    m = int(np.ceil(reach_px / step)) + 1
    displacements = torch.arange(-m, m + 1) * (step / box)
    along_x = _waves(displacements, band.columns).T.contiguous()  # (r+1, n)
    along_y = _waves(displacements, band.rows)  # (n, 2r+1)
    real, imaginary = along_y.real.contiguous(), along_y.imag.contiguous()
    weights = weights * band.multiplicity
    n = 2 * m + 1
    values = torch.empty((len(predictions), spectra.n_frames, n, n))
    for index, prediction in enumerate(predictions):
        products = spectra.of(index) * (prediction.conj() * weights)
        rows = products.reshape(-1, band.shape[1]) @ along_x
        rows = rows.reshape(spectra.n_frames, band.shape[0], n)
        values[index] = real @ rows.real - imaginary @ rows.imag
    return CorrelationTables(values.numpy(), step, _stiffness(spectra, predictions, weights))


def _stiffness(spectra: MovieSpectra, predictions: Tensor, weights: Tensor) -> NDArray[np.float64]:
    """Mean of -d²CC/dt² per axis for particles that look in each frame as predicted."""
    power = (predictions.real.square() + predictions.imag.square()).double().mean(0)
    turns = (2 * np.pi / spectra.box_px) ** 2 * spectra.band.squared / 2
    found = (weights.double() * power * turns).sum((-2, -1)) / spectra.n_frames
    by_frame = found.expand(spectra.n_frames).numpy()
    return np.maximum(by_frame, 1e-3 * max(float(by_frame.max()), 1e-12))


def _waves(displacements: Tensor, frequencies: Tensor) -> Tensor:
    """exp(2πi k t) (n, K) complex64."""
    return waves(-displacements.double()[:, None] * frequencies.double()[None])
