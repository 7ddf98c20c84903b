"""Picking with templates: matched filters for coloured noise, best over views and angles.

The micrograph is normalised locally and whitened by its own noise spectrum; every template, multiplied by
the micrograph's CTF and whitened in the same way, has unit norm. The largest correlation at a pixel is
then a likelihood ratio in disguise (z^2/2 = log ratio at the best amplitude), in standard deviations of
noise. How high noise alone climbs is measured: the same search runs once over white noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from verglas.fourier import frequency_grid
from verglas.optics import CtfParameters, ctf
from verglas.picking.background import NoiseSpectrum, frequency_radius, noise_spectrum
from verglas.picking.dirty_areas import DirtyAreas
from verglas.picking.peaks import keep_apart, local_maxima
from verglas.picking.picks import Array, Picks
from verglas.picking.significance import automatic_threshold, noise_scale
from verglas.picking.template_bank import TemplateBank
from verglas.picking.template_search import EigenTemplates, best_scores, best_templates, side_lobes
from verglas.picking.working_image import WorkingImage, good_size, working_image

LEAST_FOM = 2.0
LOBE_MARGIN = 1.5  # noise, and side lobes of views between the sampled ones
_NOISE_TILE = 320  # pixels of the white noise that is searched


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """What the template picker needs besides the templates."""

    distance_angst: float  # least distance between two picks
    white_particles: bool = False  # in the micrographs
    shrink: float = 0.0  # reduction of the micrograph; 0: what the resolution allows
    ctf_intact_first_peak: bool = False
    threshold_fraction: float | None = None  # of the typical particle; None: automatic
    highpass_angst: float = -1.0  # not positive: none beyond the local normalisation
    max_noise_deviation: float = -1.0  # local over global deviation; not positive: any
    min_noise_average: float = -999.0  # local mean in global deviations


@dataclass(frozen=True, slots=True, eq=False)
class TemplateSearch:
    """The scores of one micrograph, and what they were made from."""

    image: WorkingImage
    white: Tensor  # (y, x) the whitened image
    eigen: EigenTemplates
    score: Tensor  # (y, x) best over the templates, in standard deviations of noise
    expected: Callable[[float], float]  # number of peaks of noise above a score


def search_templates(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    bank: TemplateBank,
    settings: TemplateSettings,
    ctf_parameters: CtfParameters | None = None,
    dirty: DirtyAreas | None = None,
) -> TemplateSearch:
    """Score every place of a micrograph. Raises ValueError (bad image, empty templates)."""
    image = _image(micrograph, pixel_size_angst, bank, settings, dirty)
    patch = 2 * round(1.25 * bank.diameter_angst / image.pixel_size_angst)
    noise = noise_spectrum(image.pixels, image.pixel_size_angst, patch, image.hidden)
    white = _whitened(image, noise, bank.resolution_angst, settings.highpass_angst)
    eigen = _eigen_templates(image, noise, bank, settings, ctf_parameters)
    score = best_scores(white, eigen)
    reference, expected = _noise_search(eigen, image, bank.resolution_angst, score.numel())
    score = _on_scale_of(score, image.hidden, reference)
    return TemplateSearch(image, white, eigen, score, expected)


def pick_with_templates(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    bank: TemplateBank,
    settings: TemplateSettings,
    ctf_parameters: CtfParameters | None = None,
    dirty: DirtyAreas | None = None,
) -> Picks:
    """All candidates outside `dirty` areas. Raises ValueError (bad image, empty templates)."""
    search = search_templates(micrograph, pixel_size_angst, bank, settings, ctf_parameters, dirty)
    image, expected = search.image, search.expected
    border = 0.5 * bank.diameter_angst / image.pixel_size_angst
    position, value = local_maxima(search.score, LEAST_FOM, border)
    kept = keep_apart(position, settings.distance_angst / image.pixel_size_angst)
    position, value = position[kept], value[kept]
    clean = allowed_places(image, position, settings)
    if dirty is not None:
        clean &= ~dirty.holds(image.to_micrograph(torch.as_tensor(position)).numpy())
    position, value = position[clean], value[clean]
    kept = explained_by_better(position, value, side_lobes(search.eigen), expected)
    position, value = position[kept], value[kept]
    best = best_templates(search.white, search.eigen, position).cpu()
    return Picks(
        image.to_micrograph(torch.as_tensor(position)).numpy(),
        value,
        bank.view[best].numpy() + 1,
        bank.psi_deg[best].numpy(),
        score_threshold(value, expected, settings.threshold_fraction),
    )


def _image(
    micrograph: Tensor,
    pixel_size_angst: float,
    bank: TemplateBank,
    settings: TemplateSettings,
    dirty: DirtyAreas | None,
) -> WorkingImage:
    pixel = bank.resolution_angst / 2
    if settings.shrink > 0:
        pixel = pixel_size_angst / settings.shrink
    pixel = max(pixel_size_angst, pixel)
    window = 1.5 * bank.diameter_angst
    white = settings.white_particles
    return working_image(micrograph, pixel_size_angst, pixel, window, white_particles=white, dirty=dirty)


def _whitened(
    image: WorkingImage, noise: NoiseSpectrum, resolution_angst: float, highpass_angst: float
) -> Tensor:
    """The image with unit noise power up to the resolution, and nothing beyond."""
    shape = (int(image.pixels.shape[0]), int(image.pixels.shape[1]))
    frequency = frequency_radius(shape, image.pixel_size_angst, image.pixels.device)
    factor = torch.rsqrt(noise.at(frequency)) * (frequency <= 1.05 / resolution_angst)
    if highpass_angst > 0:
        factor *= frequency >= 1 / highpass_angst
    factor[0, 0] = 0
    return torch.fft.irfft2(torch.fft.rfft2(image.pixels) * factor, s=shape)


def _eigen_templates(
    image: WorkingImage,
    noise: NoiseSpectrum,
    bank: TemplateBank,
    settings: TemplateSettings,
    ctf_parameters: CtfParameters | None,
) -> EigenTemplates:
    """The bank as this micrograph would show it: CTF, whitening, centred boxes."""
    pixel, device = image.pixel_size_angst, image.pixels.device
    box = good_size(1.5 * bank.diameter_angst / pixel + 4)
    frequency = frequency_radius((box, box), pixel, device)
    factor = torch.rsqrt(noise.at(frequency))
    factor[0, 0] = 0
    if ctf_parameters is not None:
        grid = frequency_grid(box, pixel, device=device)
        intact = settings.ctf_intact_first_peak
        factor = factor * ctf(ctf_parameters.to(device), grid, intact_first_peak=intact)[0]
    spectra = bank.spectra(box, pixel).to(device) * factor
    templates = torch.fft.irfft2(spectra, s=(box, box))
    return EigenTemplates.of(torch.roll(templates, (box // 2, box // 2), (1, 2)))


def _noise_search(
    eigen: EigenTemplates, image: WorkingImage, resolution_angst: float, pixels: int
) -> tuple[tuple[float, float], Callable[[float], float]]:
    """Median and lower scale of the search over white noise, and its expected number of peaks.

    The tail of the peak heights is that of a Gaussian field over places and angles, z^2 exp(-z^2/2)
    (leading term); its constant comes from the highest quarter of the peaks seen.
    """
    side = _NOISE_TILE
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(side, side, generator=generator).to(image.pixels.device)
    frequency = frequency_radius((side, side), image.pixel_size_angst, noise.device)
    band = frequency <= 1.05 / resolution_angst
    band[0, 0] = False
    noise = torch.fft.irfft2(torch.fft.rfft2(noise) * band, s=(side, side))
    score = best_scores(noise, eigen)
    heights = np.sort(local_maxima(score, 0.0)[1])
    level = float(np.quantile(heights, 0.75))
    count = 0.25 * len(heights) * pixels / side**2

    def expected(z: float) -> float:
        return count * (z / level) ** 2 * float(np.exp(-0.5 * (z * z - level * level)))

    return noise_scale(score), expected


def _on_scale_of(score: Tensor, hidden: Tensor | None, reference: tuple[float, float]) -> Tensor:
    """Shift and scale a score map so that its lower half agrees with that of the noise search."""
    middle, width = noise_scale(score, hidden)
    return (score - middle) * (reference[1] / max(width, 1e-12)) + reference[0]


def allowed_places(image: WorkingImage, position: Array, settings: TemplateSettings) -> Array:
    """(n,) bool: positions whose surroundings are neither too noisy nor too dark for the user."""
    row, column = np.rint(position[:, ::-1]).astype(int).T
    deviation = image.local_deviation.cpu().numpy()[row, column]
    average = image.local_mean.cpu().numpy()[row, column]
    allowed = average >= settings.min_noise_average
    if settings.max_noise_deviation > 0:
        allowed &= deviation <= settings.max_noise_deviation
    return np.asarray(allowed)


def explained_by_better(
    position: Array, value: Array, lobes: Array, expected: Callable[[float], float]
) -> Array:
    """Indices of the peaks that are more than side lobes of better ones, given best first.

    A peak stays if it is well above the largest side lobe that any better kept peak can have at its
    place, together with noise (the two add in squares).
    """
    enough = 0.75 * automatic_threshold(value, expected)
    reach = len(lobes) - 1
    neighbours = cKDTree(position).query_ball_point(position, reach) if len(position) else []
    kept = np.zeros(len(position), bool)
    for index, near in enumerate(neighbours):
        better = np.array([other for other in near if other < index and kept[other]], int)
        lobe = 0.0
        if len(better):
            distance = np.hypot(*(position[better] - position[index]).T)
            lobe = float((value[better] * np.interp(distance, np.arange(reach + 1), lobes)).max())
        kept[index] = value[index] >= np.hypot(LOBE_MARGIN * lobe, enough)
    return np.flatnonzero(kept)


def score_threshold(value: np.ndarray, expected: Callable[[float], float], fraction: float | None) -> float:
    """The automatic threshold, or the given fraction of the typical particle's figure of merit."""
    automatic = automatic_threshold(value, expected)
    if fraction is None:
        return automatic
    sure = value[value >= automatic]
    return fraction * float(np.median(sure)) if len(sure) else automatic
