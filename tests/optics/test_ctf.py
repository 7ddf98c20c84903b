"""The CTF against an independent scalar formula, and each of its modifiers."""

import cmath
import math

import numpy as np
import pytest
import torch

from verglas.optics import CtfParameters, ctf, ctf_phase, electron_wavelength_angst

KEYS = [
    "defocus_u_angst",
    "defocus_v_angst",
    "defocus_angle_deg",
    "voltage_kv",
    "cs_mm",
    "amplitude_contrast",
]


def one_set(*values: float, **more: float) -> dict[str, float]:
    return dict(zip(KEYS, values, strict=True)) | more


SETS = [
    one_set(12000, 11000, 30, 300, 2.7, 0.1),
    one_set(9000, 9000, 0, 200, 1.4, 0.07, phase_shift_deg=90),
    one_set(20000, 22000, -45, 100, 0.01, 0.0),
    one_set(-3000, -2500, 77, 300, 0.01, 0.2, b_factor_a2=40),
    one_set(15000, 15500, 120, 300, 2.7, 0.1, scale_factor=0.8),
]


def textbook(y: float, x: float, **p: float) -> float:
    """The imaginary part of a phase plate, written with the direction-dependent defocus of the textbooks."""
    volts = p["voltage_kv"] * 1000
    wavelength = 12.2643247 / math.sqrt(volts + 0.978466e-6 * volts**2)
    k, azimuth = math.hypot(x, y), math.atan2(y, x)
    mean, half = (
        (p["defocus_u_angst"] + p["defocus_v_angst"]) / 2,
        (p["defocus_u_angst"] - p["defocus_v_angst"]) / 2,
    )
    defocus = mean + half * math.cos(2 * (azimuth - math.radians(p["defocus_angle_deg"])))
    phase = math.pi * wavelength * k**2 * (defocus - 0.5 * wavelength**2 * k**2 * p["cs_mm"] * 1e7)
    phase += math.radians(p.get("phase_shift_deg", 0)) + math.asin(p["amplitude_contrast"])
    damping = math.exp(-p.get("b_factor_a2", 0) * k * k / 4)
    return cmath.exp(1j * phase).imag * damping * p.get("scale_factor", 1)


@pytest.fixture
def frequencies() -> torch.Tensor:
    return (torch.rand(40, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) - 0.5) * 0.6


@pytest.mark.parametrize("values", SETS)
def test_agrees_with_the_textbook(values: dict[str, float], frequencies: torch.Tensor) -> None:
    ours = ctf(CtfParameters.of(**values), frequencies)[0]
    expected = [textbook(float(y), float(x), **values) for y, x in frequencies]
    np.testing.assert_allclose(ours, expected, atol=1e-8)
    single = ctf(CtfParameters.of(**values), frequencies.float())[0]
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, expected, atol=1e-4)


def test_batch_equals_one_by_one(frequencies: torch.Tensor) -> None:
    together = ctf(CtfParameters.of(**{k: [s[k] for s in SETS] for k in KEYS}), frequencies.reshape(5, 8, 2))
    assert together.shape == (5, 5, 8)
    for row, values in enumerate(SETS):
        alone = ctf(CtfParameters.of(**{k: values[k] for k in KEYS}), frequencies.reshape(5, 8, 2))[0]
        assert torch.equal(together[row], alone)


def test_origin_is_the_amplitude_contrast_and_white_particles_are_positive() -> None:
    parameters = CtfParameters.of(**SETS[0])
    np.testing.assert_allclose(ctf(parameters, torch.zeros(1, 2, dtype=torch.float64))[0], 0.1, atol=1e-12)
    assert float(ctf(parameters, torch.tensor([[0.0, 0.02]]))[0, 0]) > 0


def test_modifiers(frequencies: torch.Tensor) -> None:
    parameters = CtfParameters.of(**SETS[3])
    plain, gamma = ctf(parameters, frequencies), ctf_phase(parameters, frequencies)
    torch.testing.assert_close(ctf(parameters, frequencies, phase_flipped=True), plain.abs())
    torch.testing.assert_close(ctf(parameters, frequencies, only_flip_phases=True), torch.sign(plain))
    damping = torch.exp(-10 * frequencies.square().sum(-1))
    torch.testing.assert_close(ctf(parameters, frequencies, damping=False), -gamma.sin())
    intact = ctf(parameters, frequencies, intact_first_peak=True)
    torch.testing.assert_close(intact, torch.where(gamma.abs() < math.pi / 2, 1.0, -gamma.sin()) * damping)
    scaled = CtfParameters.of(**SETS[4])
    torch.testing.assert_close(ctf(scaled, frequencies, scale=False) * 0.8, ctf(scaled, frequencies))


def test_zeros_are_moved_away_from_zero() -> None:
    flat = CtfParameters.of(0, 0, voltage_kv=300, cs_mm=0, amplitude_contrast=0)
    assert float(ctf(flat, torch.zeros(1, 2))[0, 0]) == pytest.approx(1e-8)


def test_magnification_matrix_and_even_zernike(frequencies: torch.Tensor) -> None:
    matrix = torch.tensor([[1.01, 0.002], [-0.003, 0.98]], dtype=torch.float64)
    plain, stretched = (CtfParameters.of(**SETS[0]), CtfParameters.of(**SETS[0], magnification=matrix))
    true = (frequencies.flip(-1) @ matrix.T).flip(-1)
    torch.testing.assert_close(ctf(stretched, frequencies), ctf(plain, true))
    coefficients = [0.1, 2.0, -3.0, 4.0]
    y, x = frequencies.unbind(-1)
    bent = CtfParameters.of(**SETS[0], even_zernike=[coefficients])
    expected = 0.1 + 2 * 2 * x * y - 3 * (2 * (x * x + y * y) - 1) + 4 * (x * x - y * y)
    torch.testing.assert_close(ctf_phase(bent, frequencies) - ctf_phase(plain, frequencies), expected[None])


def test_dose_replaces_the_b_factor() -> None:
    u = torch.tensor([[0.0, 0.25]], dtype=torch.float64)
    parameters = CtfParameters.of(**SETS[3], dose_e_a2=20.0)
    expected = ctf(CtfParameters.of(**SETS[3]), u, damping=False) * math.exp(
        -10 / (0.245 * 0.25**-1.665 + 2.81)
    )
    torch.testing.assert_close(ctf(parameters, u), expected)


def test_wavelengths_and_errors() -> None:
    assert electron_wavelength_angst(300.0) == pytest.approx(0.019687, abs=2e-6)
    assert electron_wavelength_angst(200.0) == pytest.approx(0.025079, abs=2e-6)
    with pytest.raises(ValueError, match="amplitude contrast"):
        CtfParameters.of(1, 1, voltage_kv=300, cs_mm=2.7, amplitude_contrast=1.2)
    with pytest.raises(ValueError, match="voltage"):
        CtfParameters.of(1, 1, voltage_kv=0, cs_mm=2.7, amplitude_contrast=0.1)
