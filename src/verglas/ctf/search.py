"""Finding the CTF: a wide one-dimensional search, then refinement of every good minimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verglas.ctf.ascent import climb
from verglas.ctf.backend import Backend, TrialModel
from verglas.ctf.model import CtfTrial
from verglas.ctf.polar import PolarSpectrum
from verglas.ctf.settings import CtfSettings, Microscope

Array = np.ndarray[Any, Any]
CANDIDATES = 4
COARSE_RESOLUTION_ANGST = 8.0  # astigmatism blurs the rings little up to here
STEP_ANGST = 100.0
SCALE = np.array([100.0, 100.0, 100.0, np.deg2rad(5)])  # of the columns of trials while climbing


@dataclass(frozen=True)
class Candidate:
    """A refined minimum and what it explains."""

    trial: CtfTrial
    explained: float


def search(
    polar: PolarSpectrum, microscope: Microscope, settings: CtfSettings, backend: Backend[Any]
) -> list[Candidate]:
    """Refined candidates, best first; the second best tells how unique the first is."""
    coarse_limit = min(
        max(COARSE_RESOLUTION_ANGST, settings.resolution_max_angst), 0.7 * settings.resolution_min_angst
    )
    coarse = backend.model(polar.up_to(coarse_limit), microscope)
    full = backend.model(polar, microscope)
    trials = _best_astigmatism(coarse, _coarse_candidates(coarse, settings))
    for model in (coarse, full):
        trials = _refine(model, trials, settings)
    scores = full.explained_many(trials)
    found = [
        Candidate(CtfTrial(*trial), float(score))
        for trial, score in zip(trials.tolist(), scores, strict=True)
    ]
    return _distinct(sorted(found, key=lambda candidate: -candidate.explained))


def _coarse_candidates(model: TrialModel, settings: CtfSettings) -> Array:  # (m, 4)
    """The best separate maxima over defocus (and phase shift) without astigmatism."""
    step = min(STEP_ANGST, settings.defocus_step_angst)
    low, high = settings.defocus_min_angst, settings.defocus_max_angst
    defocus = np.arange(low, high + step / 2, step)
    phases = np.array([0.0])
    if settings.search_phase_shift:
        phases = np.deg2rad(
            np.arange(settings.phase_min_deg, settings.phase_max_deg + 1e-6, settings.phase_step_deg)
        )
    trials = np.zeros((len(phases), len(defocus), 4))
    trials[..., 0], trials[..., 3] = defocus, phases[:, None]
    scores = model.explained_many(trials.reshape(-1, 4)).reshape(len(phases), len(defocus))
    best_phase = scores.argmax(axis=0)
    peaks = _peaks(scores.max(axis=0))[:CANDIDATES]
    return trials[best_phase[peaks], peaks]


def _peaks(scores: NDArray[np.float64]) -> list[int]:
    """Indices of local maxima (the ends count), best first."""
    padded = np.pad(scores, 1, constant_values=-np.inf)
    maxima = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    order: list[int] = maxima[np.argsort(-scores[maxima])].tolist()
    return order


def _best_astigmatism(model: TrialModel, starts: Array) -> Array:
    """A coarse look over astigmatism vectors, so that the refinement starts in the right basin."""
    angles = np.arange(8) * np.pi / 4
    vectors = [[half * np.cos(angles), half * np.sin(angles)] for half in (150.0, 400.0, 900.0)]
    offsets = np.zeros((1 + 24, 4))
    offsets[1:, 1:3] = np.concatenate(vectors, axis=1).T
    trials = starts[:, None] + offsets
    scores = model.explained_many(trials.reshape(-1, 4)).reshape(trials.shape[:2])
    return trials[np.arange(len(starts)), scores.argmax(axis=1)]


def _refine(model: TrialModel, starts: Array, settings: CtfSettings) -> Array:
    """Climb over mean defocus, astigmatism vector and phase, inside the asked ranges."""
    free = 4 if settings.search_phase_shift else 3
    fixed = starts[0, free:]

    def score(scaled: Array) -> Array:
        trials = np.empty((len(scaled), 4))
        trials[:, :free] = scaled * SCALE[:free]
        trials[:, free:] = fixed
        return model.explained_many(trials) - _penalties(trials, settings)

    places, _ = climb(score, starts[:, :free] / SCALE[:free])
    refined = starts.copy()
    refined[:, :free] = places * SCALE[:free]
    return refined


def _penalties(trials: Array, settings: CtfSettings) -> Array:  # (n, 4) -> (n,)
    """Zero inside the ranges; outside, enough to turn back. Large astigmatism must earn itself."""
    slack = 2000.0
    mean, phase = trials[:, 0], trials[:, 3]
    outside = np.maximum(settings.defocus_min_angst - slack - mean, 0)
    outside += np.maximum(mean - settings.defocus_max_angst - slack, 0)
    half = np.hypot(trials[:, 1], trials[:, 2])
    excess = np.maximum(2 * half - 10 * max(settings.astigmatism_angst, 100.0), 0)
    penalties: Array = outside / 1000 + (excess / 5000) ** 2
    if settings.search_phase_shift:
        low, high = np.deg2rad(settings.phase_min_deg), np.deg2rad(settings.phase_max_deg)
        penalties += np.maximum(low - phase, 0) + np.maximum(phase - high, 0)
    return penalties


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Drop candidates that converged to a better one."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if all(abs(candidate.trial.mean_angst - k.trial.mean_angst) > 400 for k in kept):
            kept.append(candidate)
    return kept
