"""Picking segments of helical filaments: template scores, followed along the filaments.

Along a filament the best score over the templates hardly changes, so a filament is a ridge of the score
map; it is traced (`filaments`), smoothed and cut into segments at equal steps. The direction of the path
is the prior for the segments' in-plane angle. A filament's mean score is the figure of merit of all its
segments, so that a threshold keeps or drops it as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.optics import CtfParameters
from verglas.picking.dirty_areas import DirtyAreas
from verglas.picking.filaments import FilamentSettings, trace_filaments
from verglas.picking.peaks import local_maxima
from verglas.picking.picks import Array, Picks, TubeSegments
from verglas.picking.template_bank import TemplateBank
from verglas.picking.template_picker import (
    TemplateSearch,
    TemplateSettings,
    allowed_places,
    score_threshold,
    search_templates,
)
from verglas.picking.template_search import best_templates

GOES_ON = 0.5  # of the score that starts a filament
LEAST_DIAMETERS = 2.0  # shortest filament, where the user says nothing


@dataclass(frozen=True, slots=True)
class TubeSettings:
    """What is known about the filaments."""

    diameter_angst: float
    max_curvature_per_angst: float
    step_angst: float  # between segments
    least_length_angst: float = -1.0  # not positive: two diameters

    def __post_init__(self) -> None:
        if not (self.diameter_angst > 0 and self.step_angst > 0):
            raise ValueError(
                "filaments need a diameter and a step (asymmetric units times rise) above zero, got "
                f"{self.diameter_angst:g} and {self.step_angst:g} Å"
            )


def pick_filaments(
    micrograph: Tensor,  # (y, x)
    pixel_size_angst: float,
    bank: TemplateBank,
    settings: TemplateSettings,
    tubes: TubeSettings,
    ctf_parameters: CtfParameters | None = None,
    dirty: DirtyAreas | None = None,
) -> Picks:
    """Segments of all filaments, best filament first. Raises ValueError (bad image, empty templates)."""
    search = search_templates(micrograph, pixel_size_angst, bank, settings, ctf_parameters, dirty)
    pixel = search.image.pixel_size_angst
    radius = 0.5 * tubes.diameter_angst / pixel
    position, value = local_maxima(search.score, 0.0, radius)
    high = score_threshold(value, search.expected, settings.threshold_fraction)
    least = tubes.least_length_angst
    least = least if least > 0 else LEAST_DIAMETERS * tubes.diameter_angst
    found = trace_filaments(
        _searched(search, settings, dirty),
        position[value >= high],
        FilamentSettings(radius, tubes.max_curvature_per_angst * pixel, least / pixel, high, GOES_ON * high),
    )
    parts = [(filament, *filament.every(tubes.step_angst / pixel)) for filament in found]
    if not parts:
        return Picks.none(GOES_ON * high)
    xy = np.concatenate([places for _, places, _, _ in parts])
    counts = [len(places) for _, places, _, _ in parts]
    psi = -np.rad2deg(np.concatenate([angles for _, _, angles, _ in parts]))
    best = best_templates(search.white, search.eigen, xy).cpu()
    return Picks(
        search.image.to_micrograph(torch.as_tensor(xy)).numpy(),
        np.repeat([filament.score for filament in found], counts),
        bank.view[best].numpy() + 1,
        bank.psi_deg[best].numpy(),
        GOES_ON * high,
        TubeSegments(
            np.repeat(np.arange(1, len(found) + 1), counts),
            psi,
            np.concatenate([track for _, _, _, track in parts]) * pixel,
        ),
    )


def _searched(search: TemplateSearch, settings: TemplateSettings, dirty: DirtyAreas | None) -> Array:
    """The scores (y, x); -inf in dirty areas and where the user's limits of noise forbid picks."""
    score = search.score.cpu().numpy().astype(np.float64)
    rows, columns = np.indices(score.shape)
    places = np.stack([columns.ravel(), rows.ravel()], axis=1)
    score[~allowed_places(search.image, places, settings).reshape(score.shape)] = -np.inf
    if dirty is not None:
        hidden = dirty.on_grid((score.shape[0], score.shape[1]), torch.device("cpu"))
        score[hidden.numpy()] = -np.inf
    return score
