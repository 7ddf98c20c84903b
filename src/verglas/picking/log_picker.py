"""Picking without templates: Laplacian of Gaussian, then the particles' own mean profile.

A first pass answers to round blobs of the given diameters (refinement.md §10.3). Its surest picks show
what particles look like here, CTF, hollow middle and neighbours included; their mean radial profile,
divided by the noise spectrum of the quietest patches, is the best linear detector for them, and scores
the micrograph again. The figure of merit is in standard deviations of the background, and the threshold
is where noise alone would give one pick in the micrograph: nothing is left to be set by hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.picking.background import frequency_radius, noise_spectrum
from verglas.picking.blobs import blob_responses, searched_diameters
from verglas.picking.dirty_areas import DirtyAreas
from verglas.picking.peaks import keep_apart, local_maxima
from verglas.picking.picks import Array, Picks
from verglas.picking.radial_profile import radial_profile, radial_template
from verglas.picking.significance import automatic_threshold, noise_peaks, noise_scale
from verglas.picking.working_image import WorkingImage, working_image

SURE_FRACTION = 0.3  # of the first pass's peaks, in rank order, from which the profile is learnt
LEAST_SURE = 10
LEAST_FOM = 1.0  # candidates below this are not even recorded


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Everything the blob picker needs to know."""

    smallest_diameter_angst: float
    largest_diameter_angst: float
    resolution_angst: float = 20.0  # nothing finer is looked at
    white_particles: bool = False
    refinements: int = 2  # passes with the learnt profile; 0: the Laplacian alone
    neighbour_fraction: float = 1.0  # least distance, in units of the smallest diameter times 0.8

    def __post_init__(self) -> None:
        if not 0 < self.smallest_diameter_angst <= self.largest_diameter_angst:
            raise ValueError(
                "diameters must be positive and in order, got "
                f"{self.smallest_diameter_angst:g} to {self.largest_diameter_angst:g} Å"
            )

    @property
    def working_pixel_angst(self) -> float:
        """Half the resolution, or a twelfth of the particle where that is finer."""
        return min(self.resolution_angst / 2, self.smallest_diameter_angst / 12)

    @property
    def distance_angst(self) -> float:
        """The least distance between two picks."""
        return 0.8 * self.smallest_diameter_angst * self.neighbour_fraction


def pick_blobs(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    settings: LogSettings,
    dirty: DirtyAreas | None = None,
) -> Picks:
    """All candidates outside `dirty` areas, and the automatic threshold. Raises ValueError (bad image)."""
    pixel = max(pixel_size_angst, settings.working_pixel_angst)
    window = 1.5 * settings.smallest_diameter_angst
    white = settings.white_particles
    image = working_image(micrograph, pixel_size_angst, pixel, window, white_particles=white, dirty=dirty)
    return _Search(image, settings, dirty).candidates()


class _Search:
    """One micrograph under search: its spectrum, its noise, and the passes over it."""

    def __init__(self, image: WorkingImage, settings: LogSettings, dirty: DirtyAreas | None) -> None:
        self.image, self.settings, self.dirty = image, settings, dirty
        pixels = image.pixels
        self.shape = (int(pixels.shape[0]), int(pixels.shape[1]))
        self.spectrum = torch.fft.rfft2(pixels)
        self.frequency = frequency_radius(self.shape, image.pixel_size_angst, pixels.device)
        middle = math.sqrt(settings.smallest_diameter_angst * settings.largest_diameter_angst)
        patch = 2 * round(1.25 * middle / image.pixel_size_angst)
        spectrum = noise_spectrum(pixels, image.pixel_size_angst, patch, image.hidden)
        self.noise = spectrum.at(self.frequency)

    def candidates(self) -> Picks:
        settings = self.settings
        diameters = searched_diameters(settings.smallest_diameter_angst, settings.largest_diameter_angst)
        blobs = blob_responses(self.spectrum, self.frequency, self.shape, diameters)
        score, bin_of = blobs.max(0)
        score = _in_sigmas(score, self.image.hidden)
        filter_ = self._blob_filter(math.sqrt(diameters[0] * diameters[-1]))
        for _ in range(settings.refinements):
            template = self._learn(score)
            if template is None:
                break
            filter_ = torch.conj(template) / self.noise
            filter_[0, 0] = 0
            filtered = torch.fft.irfft2(self.spectrum * filter_, s=self.shape)
            score = _in_sigmas(filtered, self.image.hidden)
        return self._collect(score, bin_of, filter_)

    def _blob_filter(self, diameter: float) -> Tensor:
        ratio = (self.frequency * math.pi * diameter / math.sqrt(2.0)) ** 2
        return ratio * torch.exp(-0.5 * ratio)

    def _peaks(self, score: Tensor, floor: float, border: float) -> tuple[Array, Array]:
        position, value = local_maxima(score, floor, border)
        kept = keep_apart(position, self.settings.distance_angst / self.image.pixel_size_angst)
        return position[kept], value[kept]

    def _learn(self, score: Tensor) -> Tensor | None:
        position, value = self._peaks(score, -np.inf, 0.0)
        sure = max(LEAST_SURE, round(SURE_FRACTION * len(value)))
        position, value = position[:sure], value[:sure]
        radius = 0.65 * self.settings.largest_diameter_angst / self.image.pixel_size_angst
        taper = 0.25 * self.settings.largest_diameter_angst / self.image.pixel_size_angst
        profile = radial_profile(self.image.pixels, position, np.ones(len(value)), math.ceil(radius + taper))
        return None if profile is None else radial_template(profile, self.shape, radius, taper)

    def _collect(self, score: Tensor, bin_of: Tensor, filter_: Tensor) -> Picks:
        border = 0.5 * self.settings.smallest_diameter_angst / self.image.pixel_size_angst
        position, value = self._peaks(score, LEAST_FOM, border)
        column, row = np.rint(position).astype(int).T if len(position) else np.zeros((2, 0), int)
        classes = bin_of.cpu().numpy()[row, column].astype(np.int64)
        xy = self.image.to_micrograph(torch.as_tensor(position)).numpy()
        if self.dirty is not None:
            clean = ~self.dirty.holds(xy)
            xy, value, classes = xy[clean], value[clean], classes[clean]
        area = self.shape[0] * self.shape[1] * self.image.pixel_size_angst**2
        expected = noise_peaks(filter_.abs() ** 2 * self.noise, self.frequency, area)
        return Picks(xy, value, classes, np.zeros(len(value)), automatic_threshold(value, expected))


def _in_sigmas(score: Tensor, hidden: Tensor | None) -> Tensor:
    middle, sigma = noise_scale(score, hidden)
    return (score - middle) / max(sigma, 1e-12)
