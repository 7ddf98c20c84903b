"""Local motion: one smooth model fitted to the likelihood of all tiles of the frame at once.

Every tile has the likelihood of `signal` in its own shifts; the shifts of all tiles are the global track
plus a polynomial in place and frame (pipeline.md §5.3), whose few coefficients and the track are found
together by Fisher scoring. No tile has to be aligned on its own, so weak ones cost nothing. The strength of
local motion is a prior averaged by evidence like that of the track: where a movie does not show local
motion, the model is zero. Low frequencies come first, which lets motion of many pixels be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verglas.motion.band import Band, Rows
from verglas.motion.devices.interface import Stack
from verglas.motion.local_motion import LocalMotion, orthonormal_basis, space_basis, time_basis
from verglas.motion.tiles import TileGrid
from verglas.motion.tracks.alignment import Alignment
from verglas.motion.tracks.prior import TRACK_PRIORS, TrackPrior, average_posterior
from verglas.motion.tracks.signal import SignalModel, signal_given_noise

Array = np.ndarray[Any, Any]
LAST = 0.5
ROUNDS = ((0.03, 0.03, 0.06), (0.12, LAST))  # cycles per pixel; tiles are cut before each group
STRENGTHS = (0.0, *np.logspace(-2, 1, 10).tolist())  # rms of one mode of local motion, pixels
SMALLEST_TILE = 96  # grid pixels
TILES = 10  # per side, if patches are coarser and tiles not too small: motion varies within a tile too
LEAST_GAIN = 3.0  # log-likelihood: twenty to one
TILE_SMOOTHING = 1.0  # rings, which are coarse here


@dataclass(frozen=True)
class LocalAlignment:
    """Global track and local model fitted together; pixels of the frames that were aligned."""

    shifts_yx: Array  # (M, 2) of the whole frame, relative to the first
    local: LocalMotion | None  # None: nothing that stands out
    covariance: Array  # (M, M) of the track, per axis
    prior: TrackPrior
    strength_px: float  # rms of a mode of local motion under the most likely prior


def align_locally(
    stack: Stack[Any],  # damped frames; the damping is taken back
    globally: Alignment,
    times: Array,  # (M,) frames from the first
    patches_yx: tuple[int, int],
) -> LocalAlignment:
    """Fit the local model on top of a global alignment."""
    work = _LocalFit(stack, globally, times, patches_yx)
    for limits in ROUNDS:
        work.cut()
        for limit in limits:
            work.improve(limit, "fit")
    better = work.is_better()
    work.improve(LAST, "all")
    return work.result(better)


class _LocalFit:
    """Tiles of one movie and the present model."""

    def __init__(
        self, stack: Stack[Any], globally: Alignment, times: Array, patches_yx: tuple[int, int]
    ) -> None:
        self.stack, self.band = stack, stack.band
        self.globally, self.times = globally, times
        # Damped noise is coloured, and windows would smear it over the rings: tiles are damped one by one.
        stack.weight(1 / globally.signal.amplitudes)
        self.images = stack.shifted_images(globally.shifts_yx)
        grid = self.band.grid_yx
        self.grid = TileGrid(grid, tuple(map(_tiles, grid, patches_yx)))  # type: ignore[arg-type]
        size = self.grid.size_yx
        extent = (size[0] * self.band.scale_yx[0], size[1] * self.band.scale_yx[1])
        limit = self.band.limit - 1 / max(extent)  # a ring reaches half its width further
        self.tile_band = Band.shared(extent, size, limit)
        self.signal = self._tile_signal()
        spatial, self.temporal = orthonormal_basis(times)
        self.spatial = spatial
        self.modes = np.einsum(
            "ta,mb->tmab", space_basis(self.grid.places_yx) @ spatial, time_basis(times) @ self.temporal
        ).reshape(len(self.grid.places_yx), len(times), -1)  # (T, M, C)
        self.track = np.zeros((len(times), 2))  # on top of the global alignment
        self.coefficients = np.zeros((self.modes.shape[2], 2))
        self.tiles: list[Stack[Any]] = []
        self.offsets = np.zeros((len(self.grid.places_yx), len(times), 2), int)  # grid pixels
        self.track_prior = globally.prior
        self.tracks: Sequence[TrackPrior] = TRACK_PRIORS
        self.strength = 0.0
        self.covariance = globally.covariance

    def cut(self) -> None:
        """Cut all tiles anew along the present model, to whole grid pixels."""
        self.offsets = -np.rint(self.shifts() / self.band.scale_yx).astype(int)
        self.tiles = []
        for corner, offsets in zip(self.grid.corners_yx, self.offsets):
            tile = self.stack.cut_tile(self.images, self.tile_band, corner, offsets)
            tile.weight(self.signal.amplitudes)
            self.tiles.append(tile)

    def shifts(self) -> Array:  # (T, M, 2)
        """Shifts of every tile to apply on top of the global alignment."""
        return self.track + np.einsum("tmc,ci->tmi", self.modes, self.coefficients)

    def improve(self, limit: float, rows: Rows) -> None:
        """One step of Fisher scoring with the frequencies up to `limit`."""
        columns = self.tile_band.columns_within(limit, rows)
        shifts = self.shifts()
        residual = shifts + self.offsets * self.band.scale_yx
        sums = [tile.shifted_sum(left, columns) for tile, left in zip(self.tiles, residual)]
        self._update_signal(sums, limit, rows)
        information = self.signal.information(self.tile_band, limit, rows)
        n_frames, n_modes = len(self.times), self.modes.shape[2]
        total = np.zeros((n_frames + n_modes, n_frames + n_modes))
        pull = np.zeros((n_frames + n_modes, 2))
        for tile, weighted, left, shift, modes in zip(self.tiles, sums, residual, shifts, self.modes):
            weighted.weight(self.signal.weights[None])
            tile_pull = tile.shift_gradients(left, weighted, columns) + information @ shift
            design = np.concatenate([np.eye(n_frames), modes], axis=1)
            total += design.T @ information @ design
            pull += design.T @ tile_pull
        self._solve(total, pull)

    def is_better(self) -> bool:
        """Whether rows kept out of the fit are clearly more likely with the local model than without.

        Weighted power is log-likelihood, and these rows have seen nothing of the fit: its gain is the
        logarithm of a proper likelihood ratio.
        """
        band = self.tile_band
        columns = band.columns_within(band.limit, "judge")
        weights = band.counts("judge") * self.signal.weights
        gain = 0.0
        for tile, offsets, shift in zip(self.tiles, self.offsets, self.shifts()):
            place = offsets * self.band.scale_yx
            local = tile.shifted_sum(shift + place, columns).mean_power("judge")
            rigid = tile.shifted_sum(place, columns).mean_power("judge")
            gain += float((weights * (local - rigid)).sum())
        return gain > LEAST_GAIN

    def _solve(self, information: Array, pull: Array) -> None:
        """The posterior of the whole track and the coefficients.

        First the strength of local motion under the track's present prior, then the track under all
        priors with that strength.
        """
        n_frames = len(self.times)
        start = np.concatenate([self.globally.shifts_yx, np.zeros((len(pull) - n_frames, 2))])
        pull = pull + information @ start
        first = average_posterior(information, pull, self._priors([self.track_prior], STRENGTHS))
        self.strength = STRENGTHS[first.kept[first.best]]
        found = average_posterior(information, pull, self._priors(self.tracks, [self.strength]))
        self.tracks = [self.tracks[index] for index in found.kept]
        self.track_prior = self.tracks[found.best]
        self.track = found.mean[:n_frames] - self.globally.shifts_yx
        self.coefficients = found.mean[n_frames:]
        self.covariance = found.covariance[:n_frames, :n_frames]

    def _priors(self, tracks: Sequence[TrackPrior], strengths: Sequence[float]) -> Array:
        """Joint prior covariances of track and coefficients, for all combinations."""
        n_frames, n_modes = len(self.times), self.modes.shape[2]
        size = n_frames + n_modes
        out = np.zeros((len(tracks), len(strengths), size, size))
        for track, per_track in zip(tracks, out):
            per_track[:, :n_frames, :n_frames] = track.covariance(self.times)
        for index, strength in enumerate(strengths):
            out[:, index, n_frames:, n_frames:] = strength**2 * np.eye(n_modes)
        return out.reshape(-1, size, size)

    def _tile_signal(self) -> SignalModel:
        """The whole frame's spectra on the rings of a tile."""
        rings, fine = self.tile_band.ring_frequencies, self.band.ring_frequencies
        given = self.globally.signal
        amplitudes = np.stack([np.interp(rings, fine, a) for a in given.amplitudes])
        ssnr, noise = (np.interp(rings, fine, values) for values in (given.ssnr, given.noise))
        return SignalModel(amplitudes, ssnr, noise)

    def _update_signal(self, sums: list[Stack[Any]], limit: float, rows: Rows) -> None:
        """Signal spectrum from the tiles as they are aligned now, up to the present limit."""
        power = np.mean([one.mean_power(rows) for one in sums], axis=0)
        counts = self.tile_band.counts(rows) * len(sums)
        found = signal_given_noise(power, self.signal.noise, self.signal.amplitudes, counts, TILE_SMOOTHING)
        within = self.tile_band.ring_frequencies <= limit
        self.signal = replace(self.signal, ssnr=np.where(within, found.ssnr, self.signal.ssnr))

    def result(self, better: bool) -> LocalAlignment:
        """The joint fit, or the global alignment as it was if the local model does not help."""
        if not better:
            given = self.globally
            return LocalAlignment(given.shifts_yx, None, given.covariance, given.prior, 0.0)
        shifts = self.globally.shifts_yx + self.track
        shifts = shifts - shifts[0]
        local = None
        if self.strength > 0:
            by_mode = self.coefficients.reshape(self.spatial.shape[1], -1, 2)
            polynomial = np.einsum("sa,tb,abi->ist", self.spatial, self.temporal, by_mode)
            local = LocalMotion(polynomial.reshape(2, -1))
        return LocalAlignment(shifts, local, self.covariance, self.track_prior, self.strength)


def _tiles(size: int, patches: int) -> int:
    """Tiles along one side: a multiple of the patches, about `TILES`, unless they became too small."""
    most = max(1, size // SMALLEST_TILE // patches)
    return patches * min(most, max(1, round(TILES / patches)))
