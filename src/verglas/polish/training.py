"""Finding the prior: tracks from low frequencies are judged by the other half map at high ones (§10.12.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.polish.bands import FrequencyBand
from verglas.polish.correlation import CorrelationTables, correlation_tables
from verglas.polish.interpolation import sum_at
from verglas.polish.movie_spectra import MovieSpectra
from verglas.polish.prior import MotionParameters, MotionPrior
from verglas.polish.tracks import Search, most_probable_tracks

Array = NDArray[np.float64]
_SCALES = np.array([1e4, 1.0, 1e3])  # of velocity, divergence, acceleration in the simplex
_GAP = 2  # shells between those that align and those that judge
_EDGE = 1.0  # half the width of the cosine where alignment ends
QUICK = Search(iterations=200, tolerance=1e-4, progress=1e-6)
_IMPOSSIBLE = 1e3


@dataclass(frozen=True)
class Split:
    """Shells up to `align_to` align; from `judge_from` to the band's radius they judge."""

    align_to: float
    judge_from: float

    @classmethod
    def of(cls, last_shell: int, align_fraction: float, judge_fraction: float) -> Split:
        """Fractions of the Fourier pixels up to the last shell."""
        if not (0 < align_fraction < 1 and 0 < judge_fraction < 1):
            raise ValueError(
                f"fractions of the pixels lie between 0 and 1, got {align_fraction:g} and {judge_fraction:g}"
            )
        return cls(
            last_shell * float(np.sqrt(align_fraction)),
            last_shell * float(np.sqrt(1 - judge_fraction)) + _GAP,
        )

    def align(self, band: FrequencyBand) -> Tensor:
        """Weights (2r+1, r+1) of frequencies that align: 1, at the end falling as a cosine."""
        radius = band.squared.double().sqrt()
        course = ((radius - self.align_to + _EDGE) / (2 * _EDGE)).clamp(0, 1)
        return (0.5 + 0.5 * torch.cos(torch.pi * course)).float()

    def judge(self, band: FrequencyBand) -> Tensor:
        """1 for frequencies that judge."""
        return (band.squared.double().sqrt() >= self.judge_from).float()


@dataclass(frozen=True, eq=False)
class TrainingMicrograph:
    """What remains of a micrograph once its movie is read: two sets of tables."""

    align: CorrelationTables
    judge: CorrelationTables
    image_power: float
    reference_power: float
    first_px: Array
    places_angst: Array
    dose_per_frame_e_a2: float
    pixel_size_angst: float


@dataclass(frozen=True)
class Evidence:
    """How tables of a micrograph are made."""

    align_weights: Tensor  # (F, 2r+1, r+1)
    judge_weights: Tensor  # (F, 2r+1, r+1): what damage leaves
    split: Split
    reach_px: float


def training_micrograph(
    spectra: MovieSpectra,
    own: Tensor,  # (P, 2r+1, r+1) predictions of each particle's own half
    other: Tensor,
    evidence: Evidence,
    first_px: Array,
    places_angst: Array,
    dose_per_frame_e_a2: float,
    pixel_size_angst: float,
) -> TrainingMicrograph:
    """Tables for alignment and judgement; the spectra are needed no more."""
    band = spectra.band
    judging = evidence.judge_weights * evidence.split.judge(band)
    align = correlation_tables(
        spectra, own, evidence.align_weights * evidence.split.align(band), evidence.reach_px
    )
    judge = correlation_tables(spectra, other, judging, evidence.reach_px)
    counted = (judging * band.multiplicity).double()
    image = 0.0
    for particle in range(len(other)):
        values = spectra.of(particle)
        image += float(((values.real.square() + values.imag.square()) * counted).sum())
    reference = float(((other.real.square() + other.imag.square()).sum(0) * counted).sum())
    return TrainingMicrograph(
        align, judge, image, reference, first_px, places_angst, dose_per_frame_e_a2, pixel_size_angst
    )


class Training:
    """The score of parameters over some micrographs; tracks begin where the best ones so far ended."""

    def __init__(self, micrographs: Sequence[TrainingMicrograph]) -> None:
        self.micrographs = micrographs
        self._starts = [each.first_px for each in micrographs]
        self._best = -np.inf

    def score(self, parameters: MotionParameters) -> float:
        """Correlation with the other half at the judging frequencies; -1 to 1."""
        product = image = reference = 0.0
        found = []
        for micrograph, start in zip(self.micrographs, self._starts):
            prior = MotionPrior.of(
                micrograph.places_angst,
                parameters,
                micrograph.dose_per_frame_e_a2,
                micrograph.pixel_size_angst,
            )
            tracks = most_probable_tracks(micrograph.align, micrograph.first_px, prior, QUICK, start)
            moved = (tracks.places_px - micrograph.first_px) / micrograph.judge.step_px
            product += sum_at(micrograph.judge.values, moved, np.empty_like(moved))
            image += micrograph.image_power
            reference += micrograph.reference_power
            found.append(tracks.places_px)
        score = product / float(np.sqrt(image * reference))
        if score > self._best:
            self._best, self._starts = score, found
        return score


@dataclass(frozen=True)
class Simplex:
    """How the search over parameters begins and ends; lengths in Å of divergence."""

    step: float = 3000.0
    end: float = 30.0
    iterations: int = 100
    with_acceleration: bool = True


def train(
    training: Training,
    start: MotionParameters,
    simplex: Simplex | None = None,
    told: Callable[[int, MotionParameters, float], None] | None = None,
) -> tuple[MotionParameters, float]:
    """Nelder-Mead from `start`: the best parameters and their score; `told` hears of every trial."""
    from scipy.optimize import minimize

    simplex = simplex or Simplex()
    count = 3 if simplex.with_acceleration else 2
    first = np.array(
        [start.velocity_angst_per_dose, start.divergence_angst, start.acceleration_angst_per_dose]
    )
    first = (first * _SCALES)[:count]
    corners = np.vstack([first, first + simplex.step * np.eye(count)])
    trials = 0

    def cost(vector: Array) -> float:
        nonlocal trials
        trials += 1
        if not (vector > 0).all():
            return _IMPOSSIBLE - float(np.minimum(vector, 0).sum())
        parameters = _parameters(vector, start)
        score = training.score(parameters)
        if told is not None:
            told(trials, parameters, score)
        return -score

    options = {
        "initial_simplex": corners, "xatol": simplex.end, "fatol": np.inf, "maxiter": simplex.iterations,
    }  # fmt: skip
    found = minimize(cost, first, method="Nelder-Mead", options=options)
    grain = simplex.end / 2
    rounded = np.maximum(np.round(found.x / grain), 1) * grain
    return _parameters(rounded, start), -float(found.fun)


def _parameters(vector: Array, start: MotionParameters) -> MotionParameters:
    values = vector / _SCALES[: len(vector)]
    acceleration = float(values[2]) if len(values) == 3 else start.acceleration_angst_per_dose
    return MotionParameters(float(values[0]), float(values[1]), acceleration)
