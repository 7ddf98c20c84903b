"""Tracks, prior, training and frame weights against what is put in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from verglas.polish.bands import FrequencyBand
from verglas.polish.correlation import correlation_tables
from verglas.polish.frame_correlation import FrameSums, frame_sums
from verglas.polish.frame_weights import FrameWeights, fit_frame_weights
from verglas.polish.interpolation import sum_at
from verglas.polish.movie_spectra import Cutting, MovieSpectra, movie_spectra
from verglas.polish.prior import MotionParameters, MotionPrior
from verglas.polish.tracks import most_probable_tracks
from verglas.polish.training import Evidence, Split, Training, train, training_micrograph

BOX, FRAMES, PARTICLES, PIXEL = 48, 10, 24, 1.5
BAND = FrequencyBand(16)
PLACES = np.random.default_rng(0).uniform(0, 1200, (PARTICLES, 2))


def smooth_tracks(rng, speed=0.5, reach=600.0):
    apart = np.linalg.norm(PLACES[:, None] - PLACES[None], axis=-1)
    together = np.linalg.cholesky(np.exp(-apart / reach) + 1e-9 * np.eye(PARTICLES))
    steps = np.einsum("pq,qfi->pfi", together, speed * rng.standard_normal((PARTICLES, FRAMES - 1, 2)))
    return np.concatenate([np.zeros((PARTICLES, 1, 2)), np.cumsum(steps, axis=1)], axis=1)


def movie(tracks, noise, seed=1, damping=None):
    """Spectra of particles that were displaced, and the predictions."""
    generator = torch.Generator().manual_seed(seed)
    shape = (PARTICLES, *BAND.shape)
    real, imaginary = (torch.randn(shape, generator=generator) for _ in range(2))
    inside = BAND.multiplicity > 0
    predictions = torch.complex(real, imaginary) * inside
    moved = predictions[:, None] * BAND.ramps(torch.from_numpy(tracks / BOX)) / FRAMES
    if damping is not None:
        moved = moved * damping
    shape = (PARTICLES, FRAMES, *BAND.shape)
    real, imaginary = (noise * torch.randn(shape, generator=generator) * inside for _ in range(2))
    values = moved + torch.complex(real, imaginary)
    power = BAND.shell_sums(values.abs().square().sum(0))
    return MovieSpectra(BAND, values, power, BOX), predictions


def test_tables_are_the_correlation_and_its_slope():
    tracks = smooth_tracks(np.random.default_rng(1))
    spectra, predictions = movie(tracks, 0.01)
    tables = correlation_tables(spectra, predictions, torch.ones(BAND.shape), 5.0)
    shift = tracks + 0.3
    slopes = np.empty_like(shift)
    total = sum_at(tables.values, shift / tables.step_px, slopes)
    moved = spectra.values * BAND.ramps(torch.from_numpy(-shift / BOX))
    exact = ((moved * predictions.conj()[:, None]).real * BAND.multiplicity).sum()
    assert total == pytest.approx(float(exact), rel=0.02)
    nudged = shift + np.array([1e-3, 0])
    up = sum_at(tables.values, nudged / tables.step_px, np.empty_like(shift))
    assert (up - total) / 1e-3 == pytest.approx(slopes[..., 0].sum() / tables.step_px, rel=0.02)


def test_particles_help_each_other_to_their_tracks():
    tracks = smooth_tracks(np.random.default_rng(2), speed=0.3)
    spectra, predictions = movie(tracks, 1.2)
    weights = BAND.of_shells(2 / spectra.noise()).float() / FRAMES
    tables = correlation_tables(spectra, predictions, weights, 6.0)
    first = np.zeros_like(tracks)
    together = MotionPrior.of(PLACES, MotionParameters(0.45, 600.0, -1.0), 1.0, PIXEL)
    alone = MotionPrior.of(PLACES, MotionParameters(0.45, 1.0, -1.0), 1.0, PIXEL)

    def error(prior):
        off = most_probable_tracks(tables, first, prior).places_px - tracks
        return float(np.sqrt(((off - off.mean(axis=1, keepdims=True)) ** 2).mean()))

    still = float(np.sqrt(((tracks - tracks.mean(axis=1, keepdims=True)) ** 2).mean()))
    assert error(together) < 0.6 * still
    assert error(together) < 0.85 * error(alone)


def test_one_particle_keeps_its_track():
    tracks = np.zeros((1, FRAMES, 2))
    prior = MotionPrior.of(PLACES[:1], MotionParameters(), 1.0, PIXEL)
    assert (most_probable_tracks(None, tracks, prior).places_px == tracks).all()


def test_training_finds_that_particles_move_together():
    tracks = smooth_tracks(np.random.default_rng(3), speed=0.4, reach=3000.0)
    spectra, predictions = movie(tracks, 1.0)
    weights = BAND.of_shells(2 / spectra.noise()).float().expand(FRAMES, -1, -1) / FRAMES
    judging = torch.ones((FRAMES, *BAND.shape))
    evidence = Evidence(weights, judging, Split.of(16, 0.5, 0.5), 6.0)
    micrograph = training_micrograph(
        spectra, predictions, predictions, evidence, np.zeros_like(tracks), PLACES, 1.0, PIXEL
    )
    training = Training([micrograph])
    start = MotionParameters(0.6, 10000.0, 3.0)
    first = training.score(start)
    best, score = train(training, start)
    assert score >= first
    assert 0.1 < best.velocity_angst_per_dose < 3 and best.divergence_angst > 300


def test_b_factors_of_frames_come_back():
    extent = BOX * PIXEL
    b_factors = np.array([60.0, 15.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0])
    shells = np.arange(17)
    truth = 0.2 * np.exp(-shells / 12) * np.exp(-b_factors[:, None] / 4 * (shells / extent) ** 2)
    noisy = truth + 1e-4 * np.random.default_rng(4).standard_normal(truth.shape)
    found = fit_frame_weights(noisy, extent, 3, 16)
    assert np.abs(found.b_factor_a2 - b_factors).max() < 6
    weights = found.of_band(shells / extent)
    assert weights.sum(axis=0) == pytest.approx(1)
    assert weights[2, -1] == weights[:, -1].max()
    with pytest.raises(ValueError, match="no frame correlates"):
        fit_frame_weights(-truth, extent, 3, 16)


def test_correlations_add_up_over_movies_of_different_lengths():
    tracks = smooth_tracks(np.random.default_rng(5))
    spectra, predictions = movie(tracks, 0.02)
    sums = frame_sums(spectra, predictions, tracks)
    assert (sums.correlation[:, 3:] > 0.5).all()
    both = sums + FrameSums(*(each[:4] for each in (sums.product, sums.image, sums.reference)))
    assert both.product[:4] == pytest.approx(2 * sums.product[:4])
    assert both.product[4:] == pytest.approx(sums.product[4:])
    weights = FrameWeights(np.array([1.0, 2.0]), np.array([0.0, 5.0])).rows(1, 4)
    assert weights.amplitude.tolist() == [2, 2, 2]


def test_large_movies_are_kept_in_half_precision(monkeypatch):
    rng = np.random.default_rng(7)
    frames = [rng.poisson(3, (90, 90)).astype(np.float32) for _ in range(3)]
    centres = rng.uniform(40, 50, (4, 3, 2))
    full = movie_spectra(frames, centres, Cutting(BOX, BOX, BAND))
    monkeypatch.setattr("verglas.polish.movie_spectra.MOST_BYTES", 0)
    half = movie_spectra(frames, centres, Cutting(BOX, BOX, BAND))
    assert half.values.dtype == torch.float16
    off = (half.of(2) - full.of(2)).abs().square().sum() / full.of(2).abs().square().sum()
    assert float(off) ** 0.5 < 1e-3


def test_windows_follow_the_particle():
    rng = np.random.default_rng(6)
    frame = rng.poisson(5, (90, 90)).astype(np.float32)
    centres = np.array([[[40.0, 45.0]], [[41.0, 45.0]]])
    cut = movie_spectra([frame], centres, Cutting(BOX, BOX, BAND))
    back = cut.values[1, 0] * BAND.ramps(torch.tensor([1.0, 0.0]) / BOX)
    inside = float((back - cut.values[0, 0]).abs().square().sum() / back.abs().square().sum())
    assert inside < 0.15  # all but the rows at the edges
    assert float(cut.power.sum()) == pytest.approx(
        float((cut.values.abs().square() * BAND.multiplicity).sum()), rel=1e-4
    )
