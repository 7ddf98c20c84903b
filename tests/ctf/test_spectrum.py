"""Power spectra: level, axes and cropping."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.ctf.spectrum import centred_spectrum, crop_half_plane, micrograph_spectrum


def test_a_wave_appears_at_its_frequency() -> None:
    pixel, size = 1.0, 1024
    y, x = np.indices((size, size))
    image = np.cos(2 * np.pi * (0.1 * x + 0.05 * y)).astype(np.float32)
    spectrum = micrograph_spectrum(image, pixel, box=256)
    ky, kx = np.unravel_index(spectrum.power.argmax(), spectrum.power.shape)
    scale = spectrum.box * spectrum.pixel_size_angst
    assert kx / scale == pytest.approx(0.1, abs=1 / scale)
    assert ky / scale == pytest.approx(0.05, abs=1 / scale)


def test_pixel_is_never_finer_than_the_target() -> None:
    image = np.random.default_rng(0).normal(size=(1100, 1000)).astype(np.float32)
    assert micrograph_spectrum(image, 0.7).pixel_size_angst == pytest.approx(1.4, rel=0.02)
    assert micrograph_spectrum(image, 2.0).pixel_size_angst == pytest.approx(2.0)


def test_cropping_keeps_low_frequencies() -> None:
    image = np.random.default_rng(0).normal(size=(64, 64))
    power = np.abs(np.fft.rfft2(image)).astype(np.float32) ** 2
    cropped = crop_half_plane(power, 32)
    assert cropped.shape == (32, 17)
    assert np.array_equal(cropped[:16], power[:16, :17])
    assert np.array_equal(cropped[16:], power[48:, :17])


def test_a_centred_image_becomes_the_same_half_plane() -> None:
    image = np.random.default_rng(1).normal(size=(32, 32))
    full = np.abs(np.fft.fft2(image)).astype(np.float32)
    spectrum = centred_spectrum(np.fft.fftshift(full), 1.5, 10)
    assert np.allclose(spectrum.power, full[:, :17])
    with pytest.raises(ValueError, match="square"):
        centred_spectrum(np.zeros((4, 6)), 1.0, 1)
