"""The most probable tracks of a micrograph's particles under the prior (refinement.md §10.12.1).

E = - Σ CC(track) + prior(velocities). The search goes through coordinates in which E would be a sphere if
all particles were equally clear: few steps are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.polish.correlation import CorrelationTables
from verglas.polish.interpolation import sum_at
from verglas.polish.prior import MotionPrior

Array = NDArray[np.float64]
REMEMBERED = 8  # steps that the search learns curvature from


@dataclass(frozen=True)
class Search:
    """When a search ends."""

    iterations: int = 10_000
    tolerance: float = 1e-5  # of the gradient
    progress: float = 1e-7  # of the energy: less in an iteration is none


@dataclass(frozen=True)
class Tracks:
    """Tracks (P, F, 2) as (y, x) in pixels of the particle images."""

    places_px: Array
    energy: float
    iterations: int
    at_edge: bool  # a track left its table: make it larger


def most_probable_tracks(
    tables: CorrelationTables,
    first_px: Array,  # (P, F, 2) the tracks that the tables are centred on
    prior: MotionPrior,
    search: Search | None = None,
    start_px: Array | None = None,  # where to begin; the first tracks if not given
) -> Tracks:
    """Search from `start_px`. One particle alone, or one frame, keeps its first track."""
    if len(first_px) < 2 or first_px.shape[1] < 2:
        return Tracks(first_px.copy(), 0.0, 0, False)
    problem = _Problem(tables, first_px, prior)
    places, energy, iterations = problem.solve(search or Search(), first_px if start_px is None else start_px)
    edge = float(np.abs(places - first_px).max()) > tables.reach_px
    return Tracks(places, energy, iterations, edge)


class _Problem:
    """The energy as a function of one vector: coordinates z_d = R_d u_d of each mode (P, F, 2)."""

    def __init__(self, tables: CorrelationTables, first_px: Array, prior: MotionPrior) -> None:
        self.tables, self.first, self.prior = tables, first_px, prior
        self.shape = first_px.shape
        self.slopes = np.empty_like(first_px)
        self.precision = prior.precision(self.shape[1])
        curvature = 2 * self.precision + np.diag(tables.stiffness_per_px2)[None]
        self.roots = np.linalg.cholesky(curvature).transpose(0, 2, 1)  # R: upper triangles
        self.back = np.linalg.inv(self.roots)

    def solve(self, search: Search, start_px: Array) -> tuple[Array, float, int]:
        from scipy.optimize import minimize

        start = (self.roots @ self._by_mode(start_px)).ravel()
        options = {
            "maxiter": search.iterations,
            "maxfun": 4 * search.iterations,
            "maxcor": REMEMBERED,
            "gtol": search.tolerance,
            "ftol": search.progress,
        }
        found = minimize(self.energy, start, jac=True, method="L-BFGS-B", options=options)
        modes = self.back @ found.x.reshape(self.shape)
        return self._by_particle(modes), float(found.fun), int(found.nit)

    def energy(self, vector: Array) -> tuple[float, Array]:
        """Energy and gradient."""
        modes = self.back @ vector.reshape(self.shape)
        places = (self._by_particle(modes) - self.first) / self.tables.step_px
        correlation = sum_at(self.tables.values, places, self.slopes)
        pull = self.precision @ modes
        cost = float((modes * pull).sum())
        slope = 2 * pull - self._by_mode(self.slopes) / self.tables.step_px
        return cost - correlation, (self.back.transpose(0, 2, 1) @ slope).ravel()

    def _by_mode(self, places: Array) -> Array:
        return (self.prior.modes.T @ places.reshape(len(places), -1)).reshape(self.shape)

    def _by_particle(self, modes: Array) -> Array:
        return (self.prior.modes @ modes.reshape(len(modes), -1)).reshape(self.shape)
