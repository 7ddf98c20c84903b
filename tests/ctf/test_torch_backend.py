"""CTF estimation on a device of torch gives the CPU's fits; on CUDA where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.ctf import CtfFit, CtfSettings, Microscope, estimate_ctf, micrograph_spectrum
from verglas.ctf.local import local_defocus
from verglas.ctf.model import CtfTrial, SpectrumModel
from verglas.ctf.polar import polar_spectrum
from verglas.ctf.quality import ctf_phase

torch = pytest.importorskip("torch")
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
DEVICES = ["torch-cpu", pytest.param("cuda:0", marks=cuda)]
KRIOS = Microscope(voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)
PIXEL_ANGST = 1.1
DEFOCUS_TOLERANCE_ANGST = 5.0
SCORE_TOLERANCE = 1e-3
PHASE_TOLERANCE_DEG = 0.5


def micrograph(trial: CtfTrial, seed: int, size: int = 1024) -> np.ndarray:
    """Scattering noise through the CTF with an envelope, and white noise on top."""
    rng = np.random.default_rng(seed)
    k = np.fft.fftfreq(size, PIXEL_ANGST)
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, PIXEL_ANGST), k)
    transfer = np.sin(ctf_phase(trial, KRIOS, kx, ky)) * np.exp(-25 * (kx**2 + ky**2))
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + 400 * (kx**2 + ky**2))
    image = np.fft.irfft2(4 * specimen * transfer, s=(size, size)) + rng.normal(0, 0.25, (size, size))
    return image.astype(np.float32)


def assert_same(found: CtfFit, expected: CtfFit, step_per_angst: float) -> None:
    """Within the tolerances above; the resolution within a shell."""
    for name in ("defocus_u_angst", "defocus_v_angst"):
        assert abs(getattr(found, name) - getattr(expected, name)) <= DEFOCUS_TOLERANCE_ANGST
    turn = np.deg2rad(found.angle_deg - expected.angle_deg)
    assert abs(np.sin(turn)) * expected.astigmatism_angst <= DEFOCUS_TOLERANCE_ANGST
    assert abs(found.phase_shift_deg - expected.phase_shift_deg) <= PHASE_TOLERANCE_DEG
    for name in ("figure_of_merit", "reliability", "ice_ring"):
        assert abs(getattr(found, name) - getattr(expected, name)) <= SCORE_TOLERANCE
    shells = (1 / found.resolution_angst - 1 / expected.resolution_angst) / step_per_angst
    assert abs(shells) <= 1.01


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("trial", "settings"),
    [
        (CtfTrial(9000, 80, -30), CtfSettings()),
        (CtfTrial(16000, -250, 120), CtfSettings()),
        (CtfTrial(28000, 0, 300), CtfSettings(defocus_max_angst=40000, box_size=400)),
        (CtfTrial(12000, 60, 0, np.deg2rad(70)), CtfSettings(search_phase_shift=True)),
    ],
)
def test_same_fit_as_the_cpu(device: str, trial: CtfTrial, settings: CtfSettings) -> None:
    image = micrograph(trial, seed=round(trial.mean_angst))
    expected_spectrum = micrograph_spectrum(image, PIXEL_ANGST, settings.box_size)
    spectrum = micrograph_spectrum(image, PIXEL_ANGST, settings.box_size, device)
    assert spectrum.n_tiles == expected_spectrum.n_tiles
    np.testing.assert_allclose(spectrum.power, expected_spectrum.power, rtol=1e-3)
    expected = estimate_ctf(expected_spectrum, KRIOS, settings)
    found = estimate_ctf(spectrum, KRIOS, settings, device)
    assert_same(found.fit, expected.fit, 1 / (spectrum.box * spectrum.pixel_size_angst))
    # a pixel is shown as it is but for the scale of the data, which follows a percentile
    np.testing.assert_allclose(found.diagnostic, expected.diagnostic, atol=0.05)


@pytest.mark.parametrize("device", DEVICES)
def test_scores_are_the_same_to_rounding(device: str) -> None:
    from verglas.ctf.torch_backend import TorchBackend

    polar = polar_spectrum(micrograph_spectrum(micrograph(CtfTrial(15000), 1), PIXEL_ANGST), 30, 5)
    model = TorchBackend("cpu" if device == "torch-cpu" else device).model(polar, KRIOS)
    rng = np.random.default_rng(0)
    trials = rng.normal([15000, 0, 0, 0.5], [4000, 300, 300, 0.3], (40, 4))
    round_trials = trials * [1, 0, 0, 1]
    for rows in (trials, round_trials):
        expected = SpectrumModel(polar, KRIOS).explained_many(rows)
        np.testing.assert_allclose(model.explained_many(rows), expected, atol=1e-9)
        model._chunk = 7
        np.testing.assert_allclose(model.explained_many(rows), expected, atol=1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["int8", "uint16", "int16", "float16", ">f4"])
def test_pixels_of_any_kind(device: str, kind: str) -> None:
    """As the file holds them; also read-only."""
    image = np.clip(30 * micrograph(CtfTrial(15000), 2, 512), -100, 100) + 100 * (kind == "uint16")
    image = image.astype(kind)
    image.flags.writeable = False
    expected = micrograph_spectrum(image.astype(np.float32), PIXEL_ANGST, 256)
    found = micrograph_spectrum(image, PIXEL_ANGST, 256, device)
    np.testing.assert_allclose(found.power, expected.power, rtol=1e-2, atol=1e-5 * expected.power.max())


@pytest.mark.parametrize("device", DEVICES)
def test_bad_images_are_refused_in_the_same_words(device: str) -> None:
    image = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    with pytest.raises(ValueError, match="same value"):
        micrograph_spectrum(np.ones_like(image), 1.0, device=device)
    image[3, 4:6] = np.nan
    with pytest.raises(ValueError, match="2 pixels are NaN"):
        micrograph_spectrum(image, 1.0, device=device)


@pytest.mark.parametrize("device", DEVICES)
def test_local_fits_are_the_same(device: str) -> None:
    trial = CtfTrial(15000, 50, 20)
    image = micrograph(trial, 5, size=1100)
    expected = local_defocus(image, PIXEL_ANGST, trial, KRIOS, CtfSettings(), grid=3)
    found = local_defocus(image, PIXEL_ANGST, trial, KRIOS, CtfSettings(), grid=3, device=device)
    np.testing.assert_allclose(found.offsets_angst, expected.offsets_angst, atol=DEFOCUS_TOLERANCE_ANGST)
    assert abs(found.tilt_deg - expected.tilt_deg) < 0.1
