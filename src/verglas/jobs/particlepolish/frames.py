"""Images of movie particles: added up for half maps, compared with these, added up with weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from verglas.em.images.transfer import ctf_parameters
from verglas.fourier import BackProjector, Projector, forward, frequency_grid, inverse, shift_in_fourier
from verglas.geometry import PointGroup
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.extract.settings import AUTOMATIC_RADIUS
from verglas.jobs.particlepolish.movies import MovieParticles
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.images.geometry import image_geometry, poses_of
from verglas.jobs.refine.images.stacks import StackSource
from verglas.maps import reconstruct
from verglas.maps.prediction import ImageFrame, Poses, Predictor
from verglas.particles.background import background_of
from verglas.particles.dust import remove_dust
from verglas.particles.extraction import normalise_particles
from verglas.polish.bands import FrequencyBand
from verglas.polish.frame_correlation import FrameSums, frame_sums
from verglas.polish.movie_spectra import MovieSpectra

if TYPE_CHECKING:
    from verglas.polish.frame_weights import FrameWeights

Floats = npt.NDArray[np.float64]
Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Batch:
    """Transforms (n, N, N//2+1) of particles, phase origin in pixel 0, rows of their list, origins in Å."""

    listed: ParticleList
    rows: npt.NDArray[np.int64]
    spectra: Tensor
    origins_angst: Floats


class FrameImages:
    """The movie particles of a list, movie by movie, with the tracks that they are taken to have."""

    def __init__(self, listed: ParticleList, movies: Sequence[tuple[MovieParticles, Floats]]) -> None:
        self.listed, self.movies = listed, movies
        kinds = {(group.box_size, group.pixel_size_angst) for group in listed.particles.optics}
        if len(kinds) > 1:
            raise JobFailed(f"movie particles have different boxes or pixels: {sorted(kinds)}")
        self.box, self.pixel_angst = next(iter(kinds))
        boxes = np.full(len(listed.table), self.box)
        self.source = StackSource(listed.particles.names, boxes)

    def summed(self, told: Told) -> Iterator[Batch]:
        """Sums over frames of every particle, centred by the origins of each."""
        told(0, len(self.movies))
        for number, (movie, _) in enumerate(self.movies):
            total = self._centred(number).sum(1)
            yield Batch(self.listed, movie.rows[:, 0], total, np.zeros((len(total), 2)))
            told(number + 1, len(self.movies))

    def agreement(
        self, maps: tuple[Tensor, Tensor], mask: Tensor, finest_angst: float, told: Told
    ) -> FrameSums:
        """Frame by frame, with the half map that a particle is not of."""
        band = FrequencyBand(int(min(self.box * self.pixel_angst / finest_angst, self.box // 2 - 1)))
        projectors = [Projector.of(volume * mask, 2 * band.radius + 4) for volume in maps]
        total: FrameSums | None = None
        told(0, len(self.movies))
        for number, (movie, _) in enumerate(self.movies):
            values = band.take(self._centred(number)).contiguous()
            power = band.shell_sums(values.abs().square().sum(0))
            spectra = MovieSpectra(band, values, power, self.box)
            predictions = self._predictions(movie.rows[:, 0], projectors, band)
            found = frame_sums(spectra, predictions, np.zeros((*movie.rows.shape, 2)))
            total = found if total is None else total + found
            told(number + 1, len(self.movies))
        if total is None:
            raise JobFailed("there are no movies")
        return total

    def polished(
        self, number: int, weights: FrameWeights | None, flags: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.float32], Floats]:
        """Particles (P, N, N) of a movie, normalised, and the origins (P, 2) in Å that remain."""
        movie, tracks = self.movies[number]
        origins = movie.origins(self.listed, tracks)
        remaining = origins.mean(axis=1)
        spectra = self._shifted(number, (origins - remaining[:, None]) / self.pixel_angst)
        frames = movie.rows.shape[1]
        if weights is None:
            total = spectra.mean(1)
        else:
            radius = frequency_grid(self.box, self.pixel_angst).double().square().sum(-1).sqrt()
            mixed = torch.from_numpy(weights.rows(0, frames).of_band(radius.numpy())).float()
            total = (spectra * mixed).sum(1)
        images = np.ascontiguousarray(inverse(total, self.box).numpy(), np.float32)
        radius_px = flags["--bg_radius"] if flags["--bg_radius"] > 0 else int(AUTOMATIC_RADIUS * self.box)
        around = background_of(self.box, radius_px)
        if max(flags["--white_dust"], flags["--black_dust"]) > 0:
            remove_dust(images, around, flags["--white_dust"], flags["--black_dust"], 1)
        normalise_particles(images, around)
        return images, remaining

    def _centred(self, number: int) -> Tensor:
        movie, tracks = self.movies[number]
        return self._shifted(number, movie.origins(self.listed, tracks) / self.pixel_angst)

    def _shifted(self, number: int, shifts_px: Floats) -> Tensor:
        """Transforms (P, F, N, N//2+1) of a movie's particles, moved. Raises JobFailed for missing images."""
        movie, _ = self.movies[number]
        images = self.source.read(movie.rows.ravel())
        if self.source.problems:
            raise JobFailed(f"{movie.name}: {next(iter(self.source.problems.values()))}")
        spectra = forward(torch.from_numpy(images)).unflatten(0, movie.rows.shape)  # type: ignore[no-untyped-call]
        moved = shift_in_fourier(spectra, torch.from_numpy(shifts_px))
        moved[..., 0, 0] = 0
        return moved

    def _predictions(
        self, rows: npt.NDArray[np.int64], projectors: Sequence[Projector], band: FrequencyBand
    ) -> Tensor:
        found = torch.zeros((len(rows), *band.shape), dtype=torch.complex64)
        particles, halves = self.listed.particles, np.asarray(self.listed.table.ints("rlnRandomSubset"))[rows]
        for number in np.unique(particles.optics_group[rows]):
            group = particles.optics[number]
            for half in (1, 2):
                chosen = np.flatnonzero((particles.optics_group[rows] == number) & (halves == half))
                if not len(chosen):
                    continue
                predictor = Predictor(
                    projectors[2 - half], self.box * self.pixel_angst, image_geometry(group),
                    indices_yx=band.indices_yx,
                )  # fmt: skip
                poses = poses_of(self.listed.assignments, rows[chosen], self.pixel_angst, one_class=True)
                still = Poses(poses.angles_deg, torch.zeros_like(poses.origins_yx_px))
                parameters = ctf_parameters(particles, rows[chosen], group)
                found[chosen] = band.laid(predictor.transforms(still, parameters))
        return found


def polished_sums(path: Path, images: FrameImages) -> Iterator[Batch]:
    """The polished particles of a list, as `summed` gives the frames' sums."""
    listed = read_particles(str(path), with_ctf=True)
    source = StackSource(listed.particles.names, np.full(len(listed.table), images.box))
    for start in range(0, len(listed.table), 256):
        rows = np.arange(start, min(start + 256, len(listed.table)))
        spectra = forward(torch.from_numpy(source.read(rows)))
        yield Batch(listed, rows, spectra, listed.assignments.origin_yx_angst[rows])
    source.close()


def half_maps(batches: Iterator[Batch], images: FrameImages, symmetry: str) -> tuple[Tensor, Tensor]:
    """Maps of both half-sets, unfiltered."""
    sums = [BackProjector.empty(images.box, images.box) for _ in range(2)]
    for batch in batches:
        particles = batch.listed.particles
        halves = np.asarray(batch.listed.table.ints("rlnRandomSubset"))[batch.rows]
        for number in np.unique(particles.optics_group[batch.rows]):
            group = particles.optics[number]
            frame = ImageFrame(image_geometry(group), images.box * images.pixel_angst)
            for half in (1, 2):
                of_both = (particles.optics_group[batch.rows] == number) & (halves == half)
                chosen = np.flatnonzero(of_both)
                if not len(chosen):
                    continue
                rows = batch.rows[chosen]
                shifts = torch.from_numpy(batch.origins_angst[chosen] / images.pixel_angst)
                values = frame.centred_spectra(batch.spectra[chosen], shifts)
                transfer = frame.transfer(ctf_parameters(particles, rows, group))
                poses = poses_of(batch.listed.assignments, rows, images.pixel_angst, one_class=True)
                sums[half - 1].insert(values * transfer, transfer.square(), frame.matrices(poses.angles_deg))
    for each in sums:
        each.make_hermitian()
        each.symmetrise(PointGroup.of(symmetry).operators)
    return reconstruct(sums[0])[0], reconstruct(sums[1])[0]
