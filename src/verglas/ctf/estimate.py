"""CTF estimation of one micrograph: spectrum in, fit and pictures' material out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.ctf.backend import backend_for
from verglas.ctf.model import CtfTrial
from verglas.ctf.polar import polar_spectrum
from verglas.ctf.quality import (
    PhaseProfile,
    ctf_phase,
    figure_of_merit,
    fit_resolution,
    half_plane_frequencies,
    ice_ring,
    phase_profile,
    reliability,
)
from verglas.ctf.search import search
from verglas.ctf.settings import CtfFit, CtfSettings, Microscope
from verglas.ctf.spectrum import Spectrum


@dataclass(frozen=True)
class CtfEstimate:
    """The fit, its profile along the radius, and the spectrum beside the fitted CTF."""

    fit: CtfFit
    trial: CtfTrial  # the same fit as the model takes it
    profile: PhaseProfile
    diagnostic: NDArray[np.float32]  # (box, box): left half the fit, right half the data


def estimate_ctf(
    spectrum: Spectrum, microscope: Microscope, settings: CtfSettings, device: str = "cpu"
) -> CtfEstimate:
    """Fit the CTF of a spectrum. Raises ValueError when the range leaves nothing to fit."""
    highest = max(settings.resolution_max_angst, 2 * spectrum.pixel_size_angst * 1.02)
    polar = polar_spectrum(spectrum, settings.resolution_min_angst, highest)
    candidates = search(polar, microscope, settings, backend_for(device))
    trial = candidates[0].trial
    profile = phase_profile(spectrum, trial, microscope, settings.resolution_min_angst)
    limits = (settings.resolution_min_angst, highest)
    defocus_u, defocus_v, angle = trial.u_v_angle()
    fit = CtfFit(
        defocus_u_angst=defocus_u,
        defocus_v_angst=defocus_v,
        angle_deg=angle,
        phase_shift_deg=float(np.rad2deg(trial.phase_rad)),
        figure_of_merit=figure_of_merit(spectrum, trial, microscope, limits),
        resolution_angst=fit_resolution(profile),
        reliability=reliability(candidates, profile),
        ice_ring=ice_ring(spectrum),
    )
    return CtfEstimate(fit, trial, profile, _diagnostic(spectrum, trial, microscope, limits))


def _diagnostic(
    spectrum: Spectrum, trial: CtfTrial, microscope: Microscope, limits: tuple[float, float]
) -> NDArray[np.float32]:
    """Centred square image as the field knows it: CTF² at negative x, the spectrum at positive x."""
    kx, ky = half_plane_frequencies(spectrum)
    radius = np.hypot(kx, ky)
    step = 1 / (spectrum.box * spectrum.pixel_size_angst)
    ring = np.rint(radius / step).astype(int)
    logarithm = np.log(np.maximum(spectrum.power, 1e-30)).astype(np.float64)
    count = np.maximum(np.bincount(ring.ravel()), 1)
    mean = np.bincount(ring.ravel(), logarithm.ravel()) / count
    smooth = np.convolve(np.pad(mean, 12, mode="edge"), np.ones(25) / 25, "valid")
    flat = _for_eyes(logarithm - smooth[ring])
    good = radius > 1 / limits[0]
    low, high = np.percentile(flat[good], [1, 99.7])
    data = np.clip((flat - low) / max(high - low, 1e-6), 0, 1)
    model = np.sin(ctf_phase(trial, microscope, kx, ky)) ** 2
    model[(radius < 1 / limits[0]) | (radius > 1 / limits[1])] = 0.5
    data, model = (np.fft.fftshift(half, axes=0) for half in (data, model))
    n = spectrum.box // 2
    picture = np.empty((spectrum.box, spectrum.box), np.float32)
    picture[:, n:] = data[:, :n]
    mirrored = np.roll(model[::-1], 1, axis=0)[:, 1:]  # Friedel mates of kx = 1..n
    picture[:, :n] = mirrored[:, ::-1][:, -n:] if mirrored.shape[1] == n else mirrored[:, ::-1]
    return picture


def _for_eyes(half_plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """A 3 x 3 mean: the rings stand out of the noise of single pixels."""
    rows = sum(np.roll(half_plane, shift, axis=0) for shift in (-1, 0, 1))
    padded = np.pad(rows, ((0, 0), (1, 1)), mode="edge")
    return np.asarray((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 9)
