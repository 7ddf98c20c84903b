"""How the resolution of a map grows with its particles, and how sure that is.

Rosenthal & Henderson (2003): the number of particles that a resolution d needs is N = N0 exp(B / (2 d²)), so that
1/d² is a line against ln N with the slope 2/B. Three things make it no mere regression:

* updates of one session share their particles, and so their noise: that of N and of N' particles has the correlation
  N/N' (their noise is N of N' parts the same), which in ln N is exp(-|difference|);
* early particles were aligned to a poor map, which is one more B-factor, and fades as the map gets better: early points
  lie below the line;
* few points over a short stretch say little about a slope: B-factors of other maps are the prior.

The posterior is summed on a grid of slope and fading part; level and scatter are integrated by formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

B_MEDIAN_ANGST2, B_SPREAD = 120.0, 0.6  # of other maps: median, and deviation of the logarithm
SCATTER, SCATTER_WORTH = 0.05, 2.0  # of ln N, and how many points that guess is worth
UNSHARED = 0.3  # of the variance: what is drawn anew with every update (the shell where the curve crosses)
FADING_ANGST2 = (0.0, 20.0, 40.0, 70.0, 100.0, 150.0, 220.0)  # B-factor of the poses found with the first map
FADING_SPREAD_ANGST2 = 50.0
POWERS = (0.5, 1.0)  # of N, with which that fades
FOLD = 0.5  # of ln N: what peaks and dips of proteins' spectra (10 Å, 6 Å, 4.5 Å) do to the line ...
FOLD_WIDTH = 0.03  # ... over such distances in 1/d², 1/Å²
DRAWS = 4000
LOW, HIGH = 0.1, 0.9  # the interval that is told


@dataclass(frozen=True)
class Interval:
    """Between `low` and `high` in four of five cases; `middle` is the median."""

    low: float
    middle: float
    high: float

    @staticmethod
    def of(draws: Floats) -> Interval:
        low, middle, high = np.quantile(draws, [LOW, 0.5, HIGH]).tolist()
        return Interval(low, middle, high)


@dataclass(frozen=True, eq=False)
class Growth:
    """Draws from what the line may be: ln N of a resolution is `level` + (1/d²)/`slope`, and what fades."""

    slope: Floats  # (DRAWS,) of 1/d² against ln N, 1/Å²
    level: Floats  # ln N at 1/d² = 0
    fading: Floats  # B-factor of the first poses, Å²
    power: Floats
    scatter: Floats  # of ln N about the line
    last_off: Floats  # how far the last point lies off the line, in ln N
    first_log: float  # ln N of the first and of the last point
    last_log: float
    last_squared: float  # 1/d² of the last point ...
    span_squared: float  # ... and the range of all
    noise: Floats  # standard normal, of the points to come
    folds: Floats  # the same, of the spectrum

    @property
    def b_factor_angst2(self) -> float:
        return float(np.median(2 / self.slope))

    @property
    def b_factor_error_angst2(self) -> float:
        """Standard error: half the distance between the quantiles 0.16 and 0.84, and what folds may add."""
        low, high = np.quantile(2 / self.slope, [0.1587, 0.8413])
        fold = FOLD * (1 - np.exp(-self.span_squared / FOLD_WIDTH)) * 2 / self.span_squared
        return float(np.hypot((high - low) / 2, fold))

    def particles_for(self, resolution_angst: float) -> Interval:
        """Number of particles with which the map will show that resolution; at least those there are."""
        squared = 1 / resolution_angst**2
        line = self.level + squared / self.slope
        log_n = np.maximum(line, self.last_log)
        for _ in range(4):  # what fades and what is shared depend on the answer
            off = squared / 2 * self._faded(log_n) + self._off(log_n) + self._folded(squared)
            log_n = np.maximum(line + off, self.last_log)
        return Interval.of(np.exp(np.minimum(log_n, 60.0)))

    def resolution_with(self, particles: float) -> Interval:
        """Resolution in Å with so many particles, the best one first."""
        log_n = np.full(len(self.slope), np.log(particles))
        per_square = 1 / self.slope + self._faded(log_n) / 2
        squared = (log_n - self.level - self._off(log_n)) / per_square
        squared -= self._folded(squared) / per_square
        return Interval.of(1 / np.sqrt(np.maximum(squared, 1e-6)))

    def line_at(self, particles: Floats) -> Floats:
        """The median line: resolution in Å with numbers of particles (k,), nothing fading any more."""
        squared = self.slope * (np.log(particles)[:, None] - self.level)
        found: Floats = 1 / np.sqrt(np.maximum(np.median(squared, 1), 1e-6))
        return found

    def _faded(self, log_n: Floats) -> Floats:
        """B-factor of the poses, above what will not fade."""
        return self.fading * np.exp(-self.power * (log_n - self.first_log))

    def _folded(self, squared: Floats | float) -> Floats:
        """What the spectrum of the molecule, which is no line, adds to ln N between the last point and 1/d²."""
        away = np.abs(squared - self.last_squared) / FOLD_WIDTH
        folded: Floats = FOLD * (1 - np.exp(-away)) * self.folds
        return folded

    def _off(self, log_n: Floats) -> Floats:
        """What a point with ln N will lie off the line: partly what the last one does."""
        shared = np.exp(-np.abs(log_n - self.last_log))
        spread = np.sqrt(np.maximum(1 - shared**2, 0) + UNSHARED)
        return shared * self.last_off + self.scatter * spread * self.noise


def fit_growth(
    particles: Floats,  # (n,) at the updates, in their order
    resolution_angst: Floats,  # (n,)
    settled: NDArray[np.bool_]
    | None = None,  # (n,): poses found with the last map (subsets of its particles)
    seed: int = 1,
) -> Growth:
    """The line through updates of one map. Raises ValueError for fewer than two points or none that differ."""
    if len(particles) < 2 or len(particles) != len(resolution_angst):
        raise ValueError(
            f"a line needs two points or more, got {len(particles)} numbers of particles and "
            f"{len(resolution_angst)} resolutions"
        )
    log_n, squared = np.log(particles), 1 / np.asarray(resolution_angst, np.float64) ** 2
    if np.ptp(log_n) == 0:
        raise ValueError(f"a line needs different numbers of particles, all are {particles[0]:.0f}")
    first = float(log_n.min())
    fresh: Floats = np.ones(len(log_n)) if settled is None else (~settled).astype(np.float64)
    inverse: Floats = np.linalg.inv(_covariance(log_n)).astype(np.float64)
    grid = _Grid.of(log_n, squared, fresh, first, inverse)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(grid.weight), DRAWS, p=grid.weight)
    worth = SCATTER_WORTH + len(log_n) - 1
    scatter = np.sqrt(worth * grid.variance[chosen] / rng.chisquare(worth, DRAWS))
    wobble = scatter / np.sqrt(inverse.sum()) * rng.standard_normal(DRAWS)
    last = int(np.flatnonzero(fresh)[-1]) if fresh.any() else int(np.argmax(log_n))
    return Growth(
        grid.slope[chosen],
        grid.level[chosen] + wobble,
        grid.fading[chosen],
        grid.power[chosen],
        scatter,
        (grid.off[chosen, last] - wobble) / (1 + UNSHARED),
        first,
        float(log_n[last]),
        float(squared[last]),
        max(float(np.ptp(squared)), 1e-6),
        *rng.standard_normal((2, DRAWS)),
    )


def _covariance(log_n: Floats) -> Floats:
    """Of ln N about the line, in units of the scatter's variance, (n, n)."""
    shared: Floats = np.exp(-np.abs(log_n[:, None] - log_n[None]))
    return shared + UNSHARED * np.eye(len(log_n))


@dataclass(frozen=True, eq=False)
class _Grid:
    """Lines (g,) with their posterior weight, the level and variance that suit each, and the points off it (g, n)."""

    slope: Floats
    fading: Floats
    power: Floats
    weight: Floats
    level: Floats
    variance: Floats
    off: Floats

    @staticmethod
    def of(log_n: Floats, squared: Floats, fresh: Floats, first: float, inverse: Floats) -> _Grid:
        logs = np.log(B_MEDIAN_ANGST2) + B_SPREAD * np.linspace(-3.5, 3.5, 141)
        b, fading, power = (
            part.ravel() for part in np.meshgrid(np.exp(logs), FADING_ANGST2, POWERS, indexing="ij")
        )
        prior = -0.5 * ((np.log(b / B_MEDIAN_ANGST2) / B_SPREAD) ** 2 + (fading / FADING_SPREAD_ANGST2) ** 2)
        faded = fading[:, None] * fresh * np.exp(-power[:, None] * (log_n - first))
        levels = log_n - squared * (b[:, None] + faded) / 2  # what each point says of the level, (g, n)
        level = levels @ inverse.sum(0) / inverse.sum()
        off = levels - level[:, None]
        misfit = np.einsum("gi,ij,gj->g", off, inverse, off)
        worth = SCATTER_WORTH + len(log_n) - 1
        variance = (SCATTER_WORTH * SCATTER**2 + misfit) / worth
        log_weight = prior + (len(log_n) - 1) * np.log(b) - 0.5 * worth * np.log(variance)
        weight = np.exp(log_weight - log_weight.max())
        return _Grid(2 / b, fading, power, weight / weight.sum(), level, variance, off)
