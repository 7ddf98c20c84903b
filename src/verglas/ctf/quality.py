"""How good a CTF fit is: figure of merit, resolution of the fit, ice ring, reliability.

The equi-phase profile averages pixels of equal CTF phase, so that astigmatism does not blur it
(refinement.md §10.2, point 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.ctf.model import CtfTrial
from verglas.ctf.polar import AXIS_PIXELS
from verglas.ctf.search import Candidate
from verglas.ctf.settings import Microscope
from verglas.ctf.spectrum import Spectrum

ICE_BAND = (0.25, 0.28)  # 1/Å: the ring at 3.7-4 Å
CUT_RESOLUTION_ANGST = 25.0  # reported where no ring is followed at all


@dataclass(frozen=True)
class PhaseProfile:
    """Spectrum and squared CTF along the radius of the mean defocus."""

    frequency: NDArray[np.float64]  # (n,) 1/Å
    spectrum: NDArray[np.float64]  # (n,) background removed, rings scaled to 0..1
    squared_ctf: NDArray[np.float64]  # (n,)
    correlation: NDArray[np.float64]  # (n,) of the two in a sliding window


def ctf_phase(
    trial: CtfTrial, microscope: Microscope, kx: NDArray[np.float64], ky: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Phase gamma with CTF = -sin(-gamma)..., C² = sin² gamma; frequencies in 1/Å."""
    k2 = kx**2 + ky**2
    with np.errstate(invalid="ignore", divide="ignore"):
        cos2 = np.where(k2 > 0, (kx**2 - ky**2) / k2, 0)
        sin2 = np.where(k2 > 0, 2 * kx * ky / k2, 0)
    defocus = trial.mean_angst + trial.cos2_angst * cos2 + trial.sin2_angst * sin2
    wavelength = microscope.wavelength_angst
    spherical = np.pi / 2 * microscope.cs_mm * 1e7 * wavelength**3 * k2**2
    offset = trial.phase_rad + microscope.amplitude_phase_rad
    phase: NDArray[np.float64] = np.pi * wavelength * defocus * k2 - spherical + offset
    return phase


def half_plane_frequencies(spectrum: Spectrum) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """kx, ky (1/Å) of every pixel of a half-plane spectrum, each (box, box//2 + 1)."""
    scale = 1 / (spectrum.box * spectrum.pixel_size_angst)
    kx = np.arange(spectrum.box // 2 + 1) * scale
    ky = np.fft.fftfreq(spectrum.box, 1 / spectrum.box) * scale
    grid_y, grid_x = np.meshgrid(ky, kx, indexing="ij")
    return grid_x, grid_y


def figure_of_merit(
    spectrum: Spectrum, trial: CtfTrial, microscope: Microscope, limits: tuple[float, float]
) -> float:
    """Correlation of the background-free amplitude spectrum with |CTF| over the fitted ring."""
    kx, ky = half_plane_frequencies(spectrum)
    radius = np.hypot(kx, ky)
    step = 1 / (spectrum.box * spectrum.pixel_size_angst)
    use = (radius >= 1 / limits[0]) & (radius <= 1 / limits[1])
    use &= (kx > AXIS_PIXELS * step) & (np.abs(ky) > AXIS_PIXELS * step)
    amplitude = np.sqrt(spectrum.power[use].astype(np.float64))
    ring = np.rint(radius[use] / step).astype(int)
    ring -= ring.min()
    mean = np.bincount(ring, amplitude) / np.maximum(np.bincount(ring), 1)
    window = max(9, 2 * round(0.5 * spectrum.box * spectrum.pixel_size_angst / limits[0] * 1.41) + 1)
    background = _moving_mean(mean, window)
    flat = amplitude / background[ring] - 1
    flat = np.minimum(flat, 6 * flat.std())
    model = np.abs(np.sin(ctf_phase(trial, microscope, kx[use], ky[use])))
    return float(np.corrcoef(flat, model)[0, 1])


def phase_profile(
    spectrum: Spectrum, trial: CtfTrial, microscope: Microscope, resolution_min_angst: float
) -> PhaseProfile:
    """Average along lines of equal CTF phase, from the low limit to Nyquist."""
    kx, ky = half_plane_frequencies(spectrum)
    step = 1 / (spectrum.box * spectrum.pixel_size_angst)
    use = (kx > AXIS_PIXELS * step) & (np.abs(ky) > AXIS_PIXELS * step)
    radius = equivalent_radius(trial, kx[use], ky[use])
    n = spectrum.box // 2
    index = np.rint(radius / step).astype(int)
    inside = (index >= 0) & (index < n)
    count = np.bincount(index[inside], minlength=n)
    power = spectrum.power[use][inside].astype(np.float64)
    mean = np.bincount(index[inside], power, minlength=n) / np.maximum(count, 1)
    first = max(3, int(np.ceil(1 / (resolution_min_angst * step))))
    frequency = np.arange(first, n).astype(np.float64) * step
    symmetric = CtfTrial(trial.mean_angst, phase_rad=trial.phase_rad)
    phase = ctf_phase(symmetric, microscope, frequency, np.zeros_like(frequency))
    rings = _rings_to_unit(np.sqrt(mean[first:n]), phase)
    squared = np.sin(phase) ** 2
    return PhaseProfile(frequency, rings, squared, _sliding_correlation(rings, squared, phase))


def equivalent_radius(
    trial: CtfTrial, kx: NDArray[np.float64], ky: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Radius at which the astigmatism-free CTF has a pixel's phase (exact up to the Cs term)."""
    k2 = kx**2 + ky**2
    cos2, sin2 = (kx**2 - ky**2) / k2, 2 * kx * ky / k2
    local = trial.mean_angst + trial.cos2_angst * cos2 + trial.sin2_angst * sin2
    mean = max(abs(trial.mean_angst), 1.0)
    radius: NDArray[np.float64] = np.sqrt(np.maximum(local / mean, 0) * k2)
    return radius


def fit_resolution(profile: PhaseProfile) -> float:
    """Where the rings are lost: first frequency with more than 3 good bins before it that falls
    under 0.1, or under 0.5 after more than 3 bins above 0.66 (refinement.md §10.2)."""
    start = len(profile.correlation) // 10
    above_low = above_high = 0
    for index in range(start, len(profile.correlation)):
        value = profile.correlation[index]
        above_low += value > 0.1
        above_high += value > 0.66
        if (above_low > 3 and value < 0.1) or (above_high > 3 and value < 0.5):
            return float(1 / profile.frequency[index])
    if above_low <= 3:
        return CUT_RESOLUTION_ANGST
    return float(1 / profile.frequency[-1])


def ice_ring(spectrum: Spectrum) -> float:
    """Power of the 3.7 Å ring over that of its surroundings, minus one; 0 beyond Nyquist."""
    step = 1 / (spectrum.box * spectrum.pixel_size_angst)
    kx, ky = half_plane_frequencies(spectrum)
    index = np.rint(np.hypot(kx, ky) / step).astype(int)
    n = spectrum.box // 2
    if n * step < ICE_BAND[1] + 0.02:
        return 0.0
    inside = index < n
    count = np.maximum(np.bincount(index[inside], minlength=n), 1)
    mean = np.bincount(index[inside], spectrum.power[inside], minlength=n) / count
    frequency = np.arange(n) * step
    band = (frequency >= ICE_BAND[0]) & (frequency <= ICE_BAND[1])
    around = (frequency >= ICE_BAND[0] - 0.03) & (frequency <= ICE_BAND[1] + 0.03) & ~band
    line = np.polyfit(frequency[around], np.log(mean[around]), 1)
    excess = mean[band] / np.exp(np.polyval(line, frequency[band])) - 1
    return float(max(0.0, excess.max()))


def reliability(candidates: list[Candidate], profile: PhaseProfile) -> float:
    """0..1: whether this is the right minimum at all.

    Three independent doubts multiply: the CTF explains too little of the spectrum, another defocus
    explains nearly as much, or the rings are not followed where a true CTF shows them first.
    """
    best = candidates[0].explained
    second = candidates[1].explained if len(candidates) > 1 else 0.0
    explains = _ramp(best, 0.01, 0.06)
    unique = _ramp(1 - max(second, 0.0) / max(best, 1e-9), 0.05, 0.3)
    early = profile.correlation[: max(8, len(profile.correlation) // 4)]
    follows = _ramp(float(np.median(early)), 0.2, 0.6)
    return float(explains * unique * follows)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def _moving_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    half = window // 2
    padded = np.pad(values, half, mode="reflect" if half < len(values) else "edge")
    return np.convolve(padded, np.ones(window) / window, "valid")


def _rings_to_unit(amplitude: NDArray[np.float64], phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each stretch of half a CTF period around a bin to 0..1 (envelope and background off)."""
    result = np.zeros_like(amplitude)
    for index in range(len(amplitude)):
        near = np.abs(phase - phase[index]) <= np.pi * 0.75
        near[max(0, index - 2) : index + 3] = True
        low, high = amplitude[near].min(), amplitude[near].max()
        result[index] = (amplitude[index] - low) / max(high - low, 1e-30)
    return result


def _sliding_correlation(
    rings: NDArray[np.float64], squared: NDArray[np.float64], phase: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation over a window of about three CTF periods around each bin; 0 where nothing varies."""
    n, index = len(rings), np.arange(len(rings))
    minimum = max(3, n // 40)
    near = np.abs(phase[:, None] - phase) <= 1.5 * np.pi
    low = np.maximum(np.minimum(near.argmax(axis=1), index - minimum), 0)
    high = np.minimum(np.maximum(n - near[:, ::-1].argmax(axis=1), index + minimum + 1), n)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray((total[high] - total[low]) / (high - low))

    a, b = rings - rings.mean(), squared - squared.mean()
    spread = (means(a * a) - means(a) ** 2) * (means(b * b) - means(b) ** 2)
    together = means(a * b) - means(a) * means(b)
    varies = spread > 1e-24
    return np.where(varies, together / np.sqrt(np.where(varies, spread, 1)), 0.0)
