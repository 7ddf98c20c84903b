"""Odd aberrations, radiation damage and detector transfer."""

import math

import numpy as np
import pytest
import torch

from verglas.optics import (
    critical_exposure_e_a2,
    dose_weights,
    electron_wavelength_angst,
    mtf_at,
    odd_phase,
    split_beam_tilt,
)
from verglas.optics.zernike import even_basis, even_index, odd_basis, odd_index


@pytest.fixture
def frequencies() -> torch.Tensor:
    return (torch.rand(30, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) - 0.5) * 0.6


def test_numbering_of_zernike_polynomials() -> None:
    assert [odd_index(i) for i in range(6)] == [(1, -1), (1, 1), (3, -3), (3, -1), (3, 1), (3, 3)]
    assert [even_index(i) for i in range(9)] == [
        (0, 0),
        (2, -2),
        (2, 0),
        (2, 2),
        (4, -4),
        (4, -2),
        (4, 0),
        (4, 2),
        (4, 4),
    ]


def test_polynomials_in_closed_form_and_parity(frequencies: torch.Tensor) -> None:
    y, x = frequencies.unbind(-1)
    r2 = x * x + y * y
    odd, even = odd_basis(12, frequencies), even_basis(9, frequencies)
    torch.testing.assert_close(odd[:, 2], 3 * x * x * y - y**3)
    torch.testing.assert_close(odd[:, 4], (3 * r2 - 2) * x)
    torch.testing.assert_close(even[:, 6], 6 * r2 * r2 - 6 * r2 + 1)
    torch.testing.assert_close(odd_basis(12, -frequencies), -odd)
    torch.testing.assert_close(even_basis(9, -frequencies), even)


def test_beam_tilt_is_coma_and_back(frequencies: torch.Tensor) -> None:
    coefficients = (0.3, -0.2, 5.0, 7.0, -9.0, 2.0)
    tilt, rest = split_beam_tilt(coefficients, 300.0, 2.7)
    assert rest[3] == rest[4] == 0
    together = odd_phase(frequencies, rest, beam_tilt_mrad_xy=tilt, voltage_kv=300.0, cs_mm=2.7)
    torch.testing.assert_close(together, odd_phase(frequencies, coefficients))
    plain = odd_phase(torch.tensor([[0.0, 0.3]]), beam_tilt_mrad_xy=(1.0, 0.0), voltage_kv=300, cs_mm=2.7)
    expected = -2 * math.pi * 2.7e7 * electron_wavelength_angst(300.0) ** 2 * 1e-3 * 0.3**3
    assert float(plain) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="spherical"):
        split_beam_tilt(coefficients, 300.0, 0.0)


def test_dose_weights() -> None:
    k = torch.tensor([0.0, 0.1, 0.25], dtype=torch.float64)
    np.testing.assert_allclose(critical_exposure_e_a2(k)[1:], 0.245 * k[1:] ** -1.665 + 2.81)
    weights = dose_weights(k, 3, 1.5, pre_exposure_e_a2=2.0, voltage_kv=200)
    assert weights.shape == (3, 3)
    np.testing.assert_allclose(weights[:, 0], 1)
    damage = 2 * 0.8 * (0.245 * 0.25**-1.665 + 2.81)
    np.testing.assert_allclose(weights[:, 2], np.exp(-(2 + 1.5 * np.arange(1, 4)) / damage))


def test_mtf_follows_the_table_and_is_clamped() -> None:
    table_x, table_y = torch.tensor([0.0, 0.1, 0.5]), torch.tensor([1.0, 0.8, 0.2])
    found = mtf_at(torch.tensor([[0.0, 0.05], [0.15, 0.9]]), table_x, table_y, 2.0)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.8], [0.5, 0.2]]))
    with pytest.raises(ValueError, match="ascend"):
        mtf_at(torch.zeros(1), table_x.flip(0), table_y, 1.0)
    with pytest.raises(ValueError, match="two or more"):
        mtf_at(torch.zeros(1), table_x, table_y[:2], 1.0)
