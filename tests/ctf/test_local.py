"""Tilt from local defocus."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.ctf import CtfSettings, Microscope
from verglas.ctf.local import local_defocus
from verglas.ctf.model import CtfTrial
from verglas.ctf.quality import ctf_phase

KRIOS = Microscope(voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)


def tilted_micrograph(tilt_deg: float, along_x: bool, pixel: float, size: int) -> np.ndarray:
    """One specimen seen through strips of different defocus, blended linearly."""
    rng = np.random.default_rng(1)
    kx, ky = np.meshgrid(np.fft.rfftfreq(size, pixel), np.fft.fftfreq(size, pixel))
    radius2 = kx**2 + ky**2
    specimen = np.fft.rfft2(rng.normal(size=(size, size))) / (1 + radius2 * 400)
    strips = np.linspace(0, size, 9)
    image = rng.normal(scale=0.25, size=(size, size)).astype(np.float32)
    for centre in strips:
        defocus = 15000 + (centre - size / 2) * pixel * np.tan(np.deg2rad(tilt_deg))
        transfer = np.sin(ctf_phase(CtfTrial(defocus), KRIOS, kx, ky)) * np.exp(-25 * radius2)
        part = np.fft.irfft2(specimen * transfer * 4, s=(size, size))
        weight = np.clip(1 - np.abs(np.arange(size) - centre) / (strips[1] - strips[0]), 0, 1)
        image += (part * (weight if along_x else weight[:, None])).astype(np.float32)
    return image


@pytest.mark.parametrize(("tilt", "along_x", "axis"), [(20, True, 90), (12, False, 0)])
def test_tilt_and_axis_are_found(tilt: float, along_x: bool, axis: float) -> None:
    image = tilted_micrograph(tilt, along_x, pixel=1.4, size=1536)
    local = local_defocus(image, 1.4, CtfTrial(15000), KRIOS, CtfSettings(), grid=4)
    assert local.tilt_deg == pytest.approx(tilt, abs=2)
    error = (local.axis_deg - axis + 90) % 180 - 90
    assert abs(error) < 10
    assert local.at(np.zeros((1, 2)))[0] == pytest.approx(0, abs=60)


def test_a_small_micrograph_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        local_defocus(np.zeros((512, 512)), 1.4, CtfTrial(1e4), KRIOS, CtfSettings())
