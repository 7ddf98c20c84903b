"""What the particles of one micrograph tell: their own CTFs, and sums for what their optics group shares.

Arrays of the same optics group only. The particles' parameters are fitted first, and what is summed is
summed with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from verglas.ctf.refinement.band import Band
from verglas.ctf.refinement.damping import DampingRange, DampingSums, fit_damping
from verglas.ctf.refinement.even import EvenSums
from verglas.ctf.refinement.odd import OddSums
from verglas.ctf.refinement.parametric import FreeTerms, Weighted, fit_terms
from verglas.ctf.refinement.scan import scan_defocus
from verglas.ctf.refinement.terms import ASTIGMATISM, DAMPING, DEFOCUS, PHASE, TermBasis
from verglas.optics.wavelength import electron_wavelength_angst

_LETTERS = (PHASE, DEFOCUS, ASTIGMATISM, (), DAMPING)  # of a fit mode; the fourth, Cs, is the optics group's
_FARTHEST_ANGST = 5000.0  # of a defocus from where it began: beyond it the fit has lost its way


@dataclass(frozen=True)
class FitMode:
    """RELION's five letters: phase, defocus, astigmatism, Cs, B-factor; p, m or f for each."""

    letters: str = "fpmff"

    def __post_init__(self) -> None:
        if len(self.letters) != 5 or set(self.letters) - set("pmf"):
            raise ValueError(f"a fit mode is five letters p, m or f, got {self.letters!r}")
        if self.letters[3] != "f":
            raise ValueError(
                f"fit mode {self.letters!r}: Cs belongs to the optics group; its fourth-order aberrations "
                "(--fit_aberr) hold what it would be changed by"
            )

    def free(self, particles: int) -> FreeTerms:
        """What is fitted to so many particles: of a single one nothing is common but its defocus."""
        if particles > 1:
            return FreeTerms(self._of("p"), self._of("m"))
        alone = DEFOCUS if self.letters[1] == "m" else ()
        return FreeTerms(tuple(sorted(self._of("p") + alone)), ())

    @property
    def has_common(self) -> bool:
        """Whether a micrograph's particles share something besides their defocus."""
        return "m" in self.letters[:1] + self.letters[2:]

    def _of(self, letter: str) -> tuple[int, ...]:
        return tuple(
            index for place, terms in zip(self.letters, _LETTERS) if place == letter for index in terms
        )


@dataclass(frozen=True)
class FitSettings:
    """What is fitted. Resolutions in Å: the lowest that takes part in each fit."""

    mode: FitMode | None = None  # None: the particles' CTFs stay
    defocus_from_angst: float = 30.0
    iterations: int = 100
    scan_before: bool = False
    scan_after: bool = False
    scan_reach_angst: float = 2000.0
    damping: DampingRange | None = None
    damping_per_micrograph: bool = False
    damping_from_angst: float = 30.0
    odd: bool = False
    odd_from_angst: float = 20.0
    odd_degree: int = 0
    odd_ring_angst: tuple[float, float] | None = None
    even: bool = False
    even_from_angst: float = 20.0
    even_degree: int = 4
    even_ring_angst: tuple[float, float] | None = None
    magnification: bool = False
    magnification_from_angst: float = 20.0

    @property
    def lowest_angst(self) -> float:
        """The lowest resolution that any of the fits takes."""
        used = (
            (self.mode is not None or self.scan_before or self.scan_after, self.defocus_from_angst),
            (self.damping is not None, self.damping_from_angst),
            (self.odd, self.odd_from_angst),
            (self.even, self.even_from_angst),
            (self.magnification, self.magnification_from_angst),
        )
        return max(lowest for wanted, lowest in used if wanted)


@dataclass(frozen=True, eq=False)
class Seen:
    """Particles beside their predictions: X and P (n, P) complex64, odd phases of the optics (P,) float32.

    X is as recorded; `kept_odd_phase` is the part of the odd phase that a fit of beam tilt leaves alone.
    """

    observed: Tensor
    predicted: Tensor
    odd_phase: Tensor
    kept_odd_phase: Tensor


@dataclass
class MicrographFit:
    """θ (n, 7) of the particles, why some of them kept theirs, and sums for the optics group."""

    theta: Tensor
    kept: dict[int, str] = field(default_factory=dict)
    alone: bool = False  # a single particle: what would be common to several was kept
    odd: OddSums | None = None
    even: EvenSums | None = None


def fit_micrograph(
    seen: Seen, theta: Tensor, basis: TermBasis, band: Band, voltage_kv: float, settings: FitSettings
) -> MicrographFit:
    """Fit what belongs to particles, then sum what belongs to the optics; `theta` (n, 7) is where to begin."""
    result = MicrographFit(theta.clone())
    freed = _turned(seen.observed, seen.odd_phase)
    if settings.mode is not None or settings.scan_before or settings.scan_after:
        weights = band.weights_from(settings.defocus_from_angst)
        data = Weighted.of(freed, seen.predicted, weights)
        _fit_particles(result, data, basis, band, voltage_kv, settings)
    if settings.damping is not None:
        _fit_damping(result, freed, seen.predicted, basis, band, settings)
    scaled = result.theta * basis.scales
    if settings.odd:
        transfer = basis.phase(scaled).sin_().mul_(basis.amplitude(scaled)).neg_()
        result.odd = OddSums.of(_turned(seen.observed, seen.kept_odd_phase), seen.predicted, transfer)
    if settings.even:
        plain = replace(basis, even_phase=torch.zeros_like(basis.even_phase))
        result.even = EvenSums.of(freed, seen.predicted, plain.phase(scaled), basis.amplitude(scaled))
    return result


def _fit_particles(
    result: MicrographFit, data: Weighted, basis: TermBasis, band: Band, voltage_kv: float, s: FitSettings
) -> None:
    unit = torch.pi * electron_wavelength_angst(voltage_kv)  # of the term of defocus by Å
    squared, reach = band.frequencies_yx.square().sum(-1), s.scan_reach_angst * unit
    start, found = result.theta, result.theta
    if s.scan_before:
        found = scan_defocus(data, basis, found, squared, reach)
    ended = torch.ones(len(start), dtype=torch.bool)
    if s.mode is not None:
        fit = fit_terms(data, basis, found, s.mode.free(len(start)), band, iterations=s.iterations)
        found, ended = fit.theta, fit.converged
        if len(start) == 1 and s.mode.has_common:
            result.alone = True
    if s.scan_after:
        found = scan_defocus(data, basis, found, squared, reach)
    strayed = (found[:, 1] - start[:, 1]).abs() > _FARTHEST_ANGST * unit
    strayed |= ~found.isfinite().all(1)
    for row in (strayed | ~ended).nonzero().flatten().tolist():
        far = f"its defocus moved by more than {_FARTHEST_ANGST:g} Å" if strayed[row] else ""
        result.kept[row] = far or f"its fit did not end within {s.iterations} steps"
    bad = strayed | ~ended
    result.theta = torch.where(bad[:, None], start, found)


def _fit_damping(
    result: MicrographFit, freed: Tensor, predicted: Tensor, basis: TermBasis, band: Band, s: FitSettings
) -> None:
    assert s.damping is not None
    data = Weighted.of(freed, predicted, band.weights_from(s.damping_from_angst))
    transfer = basis.phase(result.theta * basis.scales).sin_().neg_()
    sums = DampingSums.of(data.a, data.b, transfer, band)
    sums = sums.joined() if s.damping_per_micrograph else sums
    b_factor, scale = fit_damping(sums, band.extent_angst, s.damping)
    result.theta[:, 6], result.theta[:, 5] = b_factor, scale.log()


def _turned(observed: Tensor, phase: Tensor) -> Tensor:
    """X e^{-iφ}."""
    if not bool(phase.any()):
        return observed
    return observed * torch.polar(torch.ones_like(phase), -phase)
