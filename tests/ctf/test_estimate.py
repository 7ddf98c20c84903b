"""CTF fits against simulated spectra with known truth and against published values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.ctf import CtfSettings, Microscope, centred_spectrum, estimate_ctf, micrograph_spectrum
from verglas.ctf.model import CtfTrial
from verglas.ctf.quality import ctf_phase, equivalent_radius
from verglas.formats.mrc import read_mrc

KRIOS = Microscope(voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)


def simulated_micrograph(
    trial: CtfTrial, microscope: Microscope, pixel: float, size: int = 1536, seed: int = 1
) -> np.ndarray:
    """Scattering noise through the CTF with an envelope, and white noise on top."""
    rng = np.random.default_rng(seed)
    k = np.fft.fftfreq(size, pixel)
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, pixel), k)
    radius2 = kx**2 + ky**2
    envelope = np.exp(-25 * radius2)
    transfer = np.sin(ctf_phase(trial, microscope, kx, ky)) * envelope
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + (radius2 * 400))
    noise = rng.normal(scale=0.25, size=(size, size))
    return (np.fft.irfft2(specimen * transfer * 4, s=(size, size)) + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("mean", "half", "angle"), [(8000, 50, 20), (15000, 250, -60), (22000, 100, 85), (30000, 400, 45)]
)
def test_defocus_and_astigmatism_are_found(mean: float, half: float, angle: float) -> None:
    twice = np.deg2rad(2 * angle)
    truth = CtfTrial(mean, half * np.cos(twice), half * np.sin(twice))
    image = simulated_micrograph(truth, KRIOS, pixel=1.1)
    fit = estimate_ctf(micrograph_spectrum(image, 1.1), KRIOS, CtfSettings()).fit
    assert fit.defocus_u_angst == pytest.approx(mean + half, abs=60)
    assert fit.defocus_v_angst == pytest.approx(mean - half, abs=60)
    error = (fit.angle_deg - angle + 90) % 180 - 90
    assert abs(error) * half / 100 < 12
    assert fit.reliability > 0.5


def test_phase_shift_is_found() -> None:
    truth = CtfTrial(9000, phase_rad=np.deg2rad(75))
    image = simulated_micrograph(truth, KRIOS, pixel=1.1)
    settings = CtfSettings(search_phase_shift=True)
    fit = estimate_ctf(micrograph_spectrum(image, 1.1), KRIOS, settings).fit
    assert fit.phase_shift_deg == pytest.approx(75, abs=6)
    assert (fit.defocus_u_angst + fit.defocus_v_angst) / 2 == pytest.approx(9000, abs=150)


def test_noise_alone_is_not_reliable() -> None:
    image = np.random.default_rng(3).normal(size=(1024, 1024)).astype(np.float32)
    fit = estimate_ctf(micrograph_spectrum(image, 1.2), KRIOS, CtfSettings()).fit
    assert fit.reliability < 0.3


def test_equivalent_radius_carries_the_phase() -> None:
    trial = CtfTrial(15000, 300, -200)
    rng = np.random.default_rng(0)
    kx, ky = rng.uniform(0.02, 0.2, (2, 100))
    radius = equivalent_radius(trial, kx, ky)
    symmetric = ctf_phase(CtfTrial(15000), Microscope(300, 0.0, 0.1), radius, np.zeros(100))
    assert np.allclose(symmetric, ctf_phase(trial, Microscope(300, 0.0, 0.1), kx, ky))


def test_diagnostic_halves_agree_on_a_clean_spectrum() -> None:
    """Fit and data meet at x = 0; mirrored, the left half is the model of the right one."""
    trial = CtfTrial(15000, 200, 100)
    image = simulated_micrograph(trial, KRIOS, pixel=1.4)
    estimate = estimate_ctf(micrograph_spectrum(image, 1.4), KRIOS, CtfSettings())
    picture = estimate.diagnostic
    n = picture.shape[0] // 2
    left = np.roll(picture[::-1, ::-1], (1, 1), axis=(0, 1))[:, n + 1 :]
    right = picture[:, n + 1 :]
    y, x = np.indices(left.shape)
    radius = np.hypot(y - n, x + 1) / (2 * n * 1.4)
    ring = (radius > 1 / 25) & (radius < 1 / 7)
    assert np.corrcoef(left[ring], right[ring])[0, 1] > 0.3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_micrograph_that_is_not_finite_is_refused(bad: float) -> None:
    image = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    image[3, 4] = bad
    with pytest.raises(ValueError, match="1 pixels are NaN"):
        micrograph_spectrum(image, 1.0)


def test_an_empty_micrograph_is_refused() -> None:
    with pytest.raises(ValueError, match="same value"):
        micrograph_spectrum(np.ones((512, 512), np.float32), 1.0)


def test_a_range_without_rings_is_refused() -> None:
    image = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    spectrum = micrograph_spectrum(image, 6.0, box=64)
    settings = CtfSettings(box_size=64, resolution_min_angst=15, resolution_max_angst=13)
    with pytest.raises(ValueError, match="rings between"):
        estimate_ctf(spectrum, KRIOS, settings)


def published_defocus(real_data: Path) -> dict[str, tuple[float, float]]:
    path = real_data / "empiar10204_betagal" / "truth" / "ctf_truth.tsv"
    rows = [line.split("\t") for line in path.read_text().splitlines() if line[0] != "#"]
    return {row[0]: (float(row[1]), float(row[2])) for row in rows[1:]}


@pytest.mark.real
def test_published_defocus_of_real_spectra(real_data: Path) -> None:
    """U and V within 100 Å of the published values on all 12; a forced wrong range is flagged."""
    truth = published_defocus(real_data)
    folder = real_data / "empiar10204_betagal" / "project" / "MotionCorr" / "job002" / "Movies"
    paths = sorted(folder.glob("*_PS.mrc"))
    assert len(paths) == 12
    microscope = Microscope(200, 1.4, 0.1)
    for path in paths:
        key = next(name for name in truth if path.name[:-7] in name)
        image = read_mrc(path)
        spectrum = centred_spectrum(image.data, image.pixel_size_angst, 30)
        fit = estimate_ctf(spectrum, microscope, CtfSettings()).fit
        assert fit.defocus_u_angst == pytest.approx(truth[key][0], abs=100), path.name
        assert fit.defocus_v_angst == pytest.approx(truth[key][1], abs=100), path.name
        assert fit.reliability > 0.9
        wrong = replace(CtfSettings(), defocus_min_angst=25000)
        assert estimate_ctf(spectrum, microscope, wrong).fit.reliability < 0.2
