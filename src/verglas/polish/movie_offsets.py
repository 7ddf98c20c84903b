"""Offsets of movie particles as RELION 2 found them: each frame's running average by itself, near the refined pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.polish.correlation import CorrelationTables, correlation_tables
from verglas.polish.movie_spectra import MovieSpectra

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MovieOffsets:
    """Of P particles in F frames: where they are from where they should be, and how clearly."""

    places_px: Array  # (P, F, 2) as (y, x), pixels of the particle images
    log_posterior: Array  # (P, F) at the maximum, up to a constant common to all orientations
    probability: Array  # (P, F) of the best point of the grid among all


def running_average(spectra: MovieSpectra, width: int) -> MovieSpectra:
    """Every frame with its neighbours, `width` in all (fewer at the ends): sums, not means."""
    before, after = (width - 1) // 2, width // 2
    frames = spectra.n_frames
    summed = torch.empty((len(spectra.values), frames, *spectra.band.shape), dtype=torch.complex64)
    for particle, out in enumerate(summed):
        values = spectra.of(particle)
        for frame in range(frames):
            out[frame] = values[max(0, frame - before) : min(frames, frame + after + 1)].sum(0)
    return MovieSpectra(spectra.band, summed, spectra.power, spectra.box_px)


def movie_offsets(
    averaged: MovieSpectra,
    predictions: Tensor,  # (P, 2r+1, r+1), on the scale of normalised particles
    noise: Tensor,  # (r+1,) power of single frames by shell
    sigma_px: float,  # of the offsets' prior
    reach_px: float,
) -> MovieOffsets:
    """The most probable offsets under a Gaussian prior about none.

    A sum of n frames shows n times a frame's share of the particle in n times its noise: n drops out of the
    likelihood, Σ Re(X conj(P) exp(2πi k·t/N)) / (F σ²) over the whole plane.
    """
    weights = averaged.band.of_shells(1 / noise.clamp_min(1e-30)).float() / averaged.n_frames
    tables = correlation_tables(averaged, predictions, weights, reach_px)
    return _best(tables, sigma_px)


def _best(tables: CorrelationTables, sigma_px: float) -> MovieOffsets:
    n = tables.values.shape[-1]
    steps = (np.arange(n) - n // 2) * tables.step_px
    prior = -(steps[:, None] ** 2 + steps[None] ** 2) / (2 * sigma_px**2)
    posterior = tables.values.astype(np.float64) + prior
    particles, frames = posterior.shape[:2]
    flat = posterior.reshape(particles, frames, -1)
    at = flat.argmax(axis=-1)
    highest = np.take_along_axis(flat, at[..., None], -1)[..., 0]
    probability = 1 / np.exp(flat - highest[..., None]).sum(axis=-1)
    rows, columns = np.divmod(at, n)
    rows, columns = rows.clip(1, n - 2), columns.clip(1, n - 2)
    p, f = np.indices((particles, frames))
    y = rows + _peak(*(posterior[p, f, rows + k, columns] for k in (-1, 0, 1)))
    x = columns + _peak(*(posterior[p, f, rows, columns + k] for k in (-1, 0, 1)))
    places = (np.stack([y, x], axis=-1) - n // 2) * tables.step_px
    return MovieOffsets(places, highest, probability)


def _peak(before: Array, middle: Array, after: Array) -> Array:
    """Where the parabola through three points is highest, from the middle one."""
    bend = before - 2 * middle + after
    safe = np.where(bend < 0, bend, -1.0)
    found: Array = np.where(bend < 0, 0.5 * (before - after) / safe, 0.0).clip(-0.5, 0.5)
    return found
