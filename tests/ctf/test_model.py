"""The model's share of variance against plain least squares; windowed correlations one by one."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.ctf import Microscope
from verglas.ctf.model import CtfTrial, SpectrumModel
from verglas.ctf.polar import N_SECTORS, PolarSpectrum
from verglas.ctf.quality import _sliding_correlation, ctf_phase

KRIOS = Microscope(voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)


@pytest.fixture(scope="module")
def polar() -> PolarSpectrum:
    """Rings of a known CTF with noise."""
    rng = np.random.default_rng(2)
    frequency = np.arange(24, 90) / 700
    angle = (np.arange(N_SECTORS) + 0.5) * np.pi / N_SECTORS - np.pi / 2
    kx, ky = frequency[:, None] * np.cos(angle), frequency[:, None] * np.sin(angle)
    squared = np.sin(ctf_phase(CtfTrial(14000, 150, -80, 0.3), KRIOS, kx, ky)) ** 2
    values = 1 + np.exp(-30 * frequency[:, None]) * squared + rng.normal(0, 0.1, squared.shape)
    weights = rng.integers(0, 9, values.shape).astype(float)
    return PolarSpectrum(values, weights, frequency, angle, np.ones(len(frequency)))


def plainly_explained(polar: PolarSpectrum, trial: CtfTrial) -> float:
    """Weighted least squares over every value: background, envelope, background again."""
    model = SpectrumModel(polar, KRIOS)
    kx = polar.frequency[:, None] * np.cos(polar.angle_rad)
    ky = polar.frequency[:, None] * np.sin(polar.angle_rad)
    squared = np.sin(ctf_phase(trial, KRIOS, kx, ky)).ravel() ** 2
    b = np.repeat(model.background_splines, N_SECTORS, axis=0)
    e = np.repeat(model.envelope_splines, N_SECTORS, axis=0)
    root, values = np.sqrt(polar.weights.ravel()), polar.values.ravel()

    def fit(columns: np.ndarray, data: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(columns * root[:, None], data * root, rcond=None)[0]

    both = fit(np.hstack([b, e * squared[:, None]]), values)
    rest = values - np.maximum(e @ both[b.shape[1] :], 0) * squared
    left = ((rest - b @ fit(b, rest)) ** 2 * root**2).sum()
    return float(1 - left / ((values - b @ fit(b, values)) ** 2 * root**2).sum())


def test_shares_of_variance_are_those_of_plain_least_squares(polar: PolarSpectrum) -> None:
    trials = [CtfTrial(14000, 150, -80, 0.3), CtfTrial(9000), CtfTrial(22000, -300, 50)]
    model = SpectrumModel(polar, KRIOS)
    for trial in trials:
        assert model.explained(trial) == pytest.approx(plainly_explained(polar, trial), abs=1e-7)
    rows = np.array([trial.as_row() for trial in trials * 9])
    alone = np.tile([model.explained(trial) for trial in trials], 9)
    assert np.allclose(model.explained_many(rows), alone, atol=1e-12)


def test_sliding_correlation_is_that_of_each_window() -> None:
    rng = np.random.default_rng(0)
    phase = np.cumsum(rng.uniform(-0.1, 0.5, 150))
    rings, squared = rng.uniform(size=150), np.sin(phase) ** 2
    rings[40:90] = 0
    found = _sliding_correlation(rings, squared, phase)
    for index in range(150):
        near = np.flatnonzero(np.abs(phase - phase[index]) <= 1.5 * np.pi)
        part = slice(max(0, min(near[0], index - 3)), max(near[-1], index + 3) + 1)
        varies = rings[part].std() > 0
        expected = np.corrcoef(rings[part], squared[part])[0, 1] if varies else 0
        assert found[index] == pytest.approx(expected, abs=1e-9)
