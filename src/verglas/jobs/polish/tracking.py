"""One micrograph: its particles followed through its movie, and how well every frame agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.motioncorr.recorded import RecordedMotion
from verglas.jobs.polish.files import PolishFiles, write_sums, write_tracks
from verglas.jobs.polish.inputs import MicrographItem, motion_of
from verglas.jobs.polish.movie_flags import adjusted
from verglas.jobs.polish.references import references_of
from verglas.jobs.polish.settings import damage_of, parameters_of, search_of, window_of
from verglas.polish.correlation import CorrelationTables, correlation_tables
from verglas.polish.frame_correlation import FrameSums, frame_sums
from verglas.polish.movie_spectra import Cutting, MovieSpectra, movie_spectra
from verglas.polish.prior import MotionPrior
from verglas.polish.tracks import Tracks, most_probable_tracks

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.polish.bands import FrequencyBand

Floats = npt.NDArray[np.float64]
Flags = Mapping[str, Any]
LIKELIHOOD = 4 / np.pi  # what a correlation counts beside the prior: RELION's, so that parameters compare
REACH_ANGST = 7.0  # how far from motion correction's tracks particles are looked for at first
LEAST_REACH_PX = 4.0


@dataclass(frozen=True, eq=False)
class MovieInHand:
    """A movie that was cut up: what tracking and training have in common."""

    motion: RecordedMotion
    frames: range
    spectra: MovieSpectra
    first_px: Floats  # (P, F, 2) tracks of motion correction in pixels of the particle images
    places_angst: Floats  # (P, 2)
    pixel_angst: float  # of the particle images
    dose_per_frame_e_a2: float
    damage: Tensor  # (F, 2r+1, r+1) amplitudes that are left
    whitening: Tensor  # (2r+1, r+1)

    @property
    def align_weights(self) -> Tensor:
        return self.damage * self.whitening * (LIKELIHOOD / self.spectra.n_frames)

    def prior(self, flags: Flags) -> MotionPrior:
        """Of the micrograph's particles."""
        dose = 1.0 if flags["--absolute_params"] else self.dose_per_frame_e_a2
        return MotionPrior.of(
            self.places_angst,
            parameters_of(flags),
            dose,
            self.pixel_angst,
            squared_exponential=flags["--sq_exp_ker"],
            most=flags["--max_ed"],
        )


def take_in_hand(
    item: MicrographItem, motion: RecordedMotion, band: FrequencyBand, flags: Flags
) -> MovieInHand:
    """Read and cut a movie. Raises SetAside."""
    group = item.group()
    box, pixel = group.box_size, group.pixel_size_angst
    frames = motion.used(flags["--first_frame"], flags["--last_frame"])
    dose = flags["--fdose"] if flags["--fdose"] > 0 else motion.dose_per_frame_e_a2
    if dose <= 0:
        raise SetAside(f"{motion.path} has no dose per frame: give --fdose")
    places = item.places_yx() * motion.binning
    moved = motion.displacements(places, frames, with_local=not flags["--gi"])
    window = window_of(box, pixel, motion.pixel_size_angst)
    images = motion.frames(motion.open(), frames)
    spectra = movie_spectra(images, places[:, None] + moved, Cutting(window, box, band))
    frequencies = band.frequencies(box * pixel)
    doses = motion.pre_exposure_e_a2 + dose * np.arange(frames.start, frames.stop)
    if flags["--no_whiten"]:
        whitening = torch.full(band.shape, float(box**2 * len(frames)))
    else:
        noise = spectra.noise()
        whitening = band.of_shells(1 / noise.clamp_min(1e-30)).float()
    return MovieInHand(
        motion,
        frames,
        spectra,
        moved * motion.pixel_size_angst / pixel,
        places * motion.pixel_size_angst,
        pixel,
        dose,
        damage_of(flags).left(frequencies, torch.from_numpy(doses)),
        whitening,
    )


def track(item: MicrographItem, files: PolishFiles, flags: Flags) -> None:
    """Tracks and frame correlations of a micrograph to its files; the sums come last. Raises SetAside."""
    motion = motion_of(item)
    if motion is None:
        return  # nothing to follow: its particles come from the sum
    motion = adjusted(motion, flags)
    references = references_of(flags)
    band = references.band(item.group(), flags["--bfac_maxfreq"])
    movie = take_in_hand(item, motion, band, flags)
    own = references.predictions(item, band, other=False)
    found = _tracks(movie, own, flags)
    sums = frame_sums(
        movie.spectra, references.predictions(item, band, other=True), found.places_px - movie.first_px
    )
    files.root.parent.mkdir(parents=True, exist_ok=True)
    write_tracks(files.tracks, found.places_px * movie.pixel_angst)
    write_sums(files, _from_first_frame(sums, movie.frames.start - flags["--first_frame"] + 1))


def reach_px(pixel_angst: float) -> float:
    return max(LEAST_REACH_PX, REACH_ANGST / pixel_angst)


def _tracks(movie: MovieInHand, own: Tensor, flags: Flags) -> Tracks:
    """Tables are made larger until no track leaves them."""
    prior, search = movie.prior(flags), search_of(flags)
    reach, most = reach_px(movie.pixel_angst), movie.spectra.box_px / 4
    while True:
        tables = correlation_tables(movie.spectra, own, movie.align_weights, reach)
        start = _offsets(tables, movie.first_px, flags) if flags["--glob_off"] else None
        found = most_probable_tracks(tables, movie.first_px, prior, search, start)
        if not found.at_edge or reach >= most:
            return found
        reach = min(2 * reach, most)


def _offsets(tables: CorrelationTables, first_px: Floats, flags: Flags) -> Floats:
    """First tracks moved to where each particle agrees best over all frames."""
    total = tables.values.sum(axis=1)
    middle = total.shape[-1] // 2
    most = min(int(flags["--glob_off_max"] / tables.step_px), middle)
    inside = total[:, middle - most : middle + most + 1, middle - most : middle + most + 1]
    places = np.unravel_index(inside.reshape(len(inside), -1).argmax(axis=1), inside.shape[1:])
    offsets = (np.stack(places, axis=1) - most) * tables.step_px
    moved: Floats = first_px + offsets[:, None]
    return moved


def _from_first_frame(sums: FrameSums, missing: int) -> FrameSums:
    """Rows of frames that this movie lacks at its beginning are 0."""
    if missing <= 0:
        return sums
    rows = ((missing, 0), (0, 0))
    return FrameSums(*(np.pad(each, rows) for each in (sums.product, sums.image, sums.reference)))
