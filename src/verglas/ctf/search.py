"""Finding the CTF: a wide one-dimensional search, then refinement of every good minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from verglas.ctf.model import CtfTrial, SpectrumModel
from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import CtfSettings, Microscope

CANDIDATES = 4
COARSE_RESOLUTION_ANGST = 8.0  # astigmatism blurs the rings little up to here
STEP_ANGST = 100.0


@dataclass(frozen=True)
class Candidate:
    """A refined minimum and what it explains."""

    trial: CtfTrial
    explained: float


def search(polar: PolarSpectrum, microscope: Microscope, settings: CtfSettings) -> list[Candidate]:
    """Refined candidates, best first; the second best tells how unique the first is."""
    coarse_limit = min(
        max(COARSE_RESOLUTION_ANGST, settings.resolution_max_angst),
        0.7 * settings.resolution_min_angst,
    )
    coarse = SpectrumModel(polar.up_to(coarse_limit), microscope)
    full = SpectrumModel(polar, microscope)
    found: list[Candidate] = []
    for start in _coarse_candidates(coarse, settings):
        trial = _refine(coarse, _best_astigmatism(coarse, start), settings)
        trial = _refine(full, trial, settings)
        found.append(Candidate(trial, full.explained(trial)))
    return _distinct(sorted(found, key=lambda candidate: -candidate.explained))


def _coarse_candidates(model: SpectrumModel, settings: CtfSettings) -> list[CtfTrial]:
    """The best separate maxima over defocus (and phase shift) without astigmatism."""
    step = min(STEP_ANGST, settings.defocus_step_angst)
    low, high = settings.defocus_min_angst, settings.defocus_max_angst
    defocus = np.arange(low, high + step / 2, step)
    phases = np.array([0.0])
    if settings.search_phase_shift:
        phases = np.deg2rad(
            np.arange(
                settings.phase_min_deg, settings.phase_max_deg + 1e-6, settings.phase_step_deg
            )
        )
    scores = np.array(
        [[model.explained(CtfTrial(d, phase_rad=p)) for d in defocus] for p in phases]
    )
    best_phase = scores.argmax(axis=0)
    peaks = _peaks(scores.max(axis=0))[:CANDIDATES]
    return [CtfTrial(float(defocus[i]), phase_rad=float(phases[best_phase[i]])) for i in peaks]


def _peaks(scores: NDArray[np.float64]) -> list[int]:
    """Indices of local maxima (the ends count), best first."""
    padded = np.pad(scores, 1, constant_values=-np.inf)
    maxima = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    order: list[int] = maxima[np.argsort(-scores[maxima])].tolist()
    return order


def _best_astigmatism(model: SpectrumModel, start: CtfTrial) -> CtfTrial:
    """A coarse look over astigmatism vectors, so that the refinement starts in the right basin."""
    best, best_score = start, model.explained(start)
    for half in (150.0, 400.0, 900.0):
        for angle in np.arange(8) * np.pi / 4:
            trial = replace(start, cos2_angst=half * np.cos(angle), sin2_angst=half * np.sin(angle))
            score = model.explained(trial)
            if score > best_score:
                best, best_score = trial, score
    return best


def _refine(model: SpectrumModel, start: CtfTrial, settings: CtfSettings) -> CtfTrial:
    """Nelder-Mead over mean defocus, astigmatism vector and phase, inside the asked ranges."""
    scale = np.array([100.0, 100.0, 100.0, np.deg2rad(5)])
    origin = np.array([start.mean_angst, start.cos2_angst, start.sin2_angst, start.phase_rad])
    free = 4 if settings.search_phase_shift else 3

    def cost(x: NDArray[np.float64]) -> float:
        values = origin.copy()
        values[:free] += x * scale[:free]
        trial = CtfTrial(*values)
        return -model.explained(trial) + _penalty(trial, settings)

    simplex = np.vstack([np.zeros(free), np.eye(free)])
    options = {"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-7, "maxiter": 300}
    solution = minimize(cost, np.zeros(free), method="Nelder-Mead", options=options)
    origin[:free] += solution.x * scale[:free]
    return CtfTrial(*origin.tolist())


def _penalty(trial: CtfTrial, settings: CtfSettings) -> float:
    """Zero inside the ranges; outside, enough to turn back. Large astigmatism must earn itself."""
    slack = 2000.0
    outside = max(0.0, settings.defocus_min_angst - slack - trial.mean_angst)
    outside += max(0.0, trial.mean_angst - settings.defocus_max_angst - slack)
    half = np.hypot(trial.cos2_angst, trial.sin2_angst)
    excess = max(0.0, 2 * half - 10 * max(settings.astigmatism_angst, 100.0))
    penalty = outside / 1000 + (excess / 5000) ** 2
    if settings.search_phase_shift:
        low, high = np.deg2rad(settings.phase_min_deg), np.deg2rad(settings.phase_max_deg)
        penalty += max(0.0, low - trial.phase_rad) + max(0.0, trial.phase_rad - high)
    return float(penalty)


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Drop candidates that converged to a better one."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if all(abs(candidate.trial.mean_angst - k.trial.mean_angst) > 400 for k in kept):
            kept.append(candidate)
    return kept
