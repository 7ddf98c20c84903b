"""The maximisation step of a classification: new references, spectra and priors (refinement.md §3)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from verglas.em.maximise.centring import centre_references, flatten_solvent
from verglas.em.maximise.parameters import update_parameters
from verglas.em.maximise.references import new_references
from verglas.em.operands.operands import EStep, particle_diameter_angst
from verglas.em.state.model import Model
from verglas.em.state.settings import EmSettings
from verglas.em.state.sums import WeightedSums


def maximise(estep: EStep, sums: WeightedSums, solvent_mask: Tensor | None = None) -> Model:
    """The model after an iteration of expectation-maximisation without half-sets."""
    settings = estep.settings
    model = update_parameters(settings, estep.model, sums, estep.cross_correlation)
    model = new_references(estep, model, sums)
    if settings.center_classes:
        diameter_px = particle_diameter_angst(settings, model) / model.pixel_size_angst
        sigma_px = model.sigma_offset_angst / model.pixel_size_angst
        centred = centre_references(model.references, settings.offset_range_px, diameter_px, sigma_px)
        model = replace(model, references=centred)
    return flattened(settings, model, solvent_mask)


def flattened(settings: EmSettings, model: Model, solvent_mask: Tensor | None) -> Model:
    """The model with its solvent flattened, where asked; 2D averages are also kept as they were."""
    unmasked = model.references if model.dims == 2 else None
    if not settings.flatten_solvent:
        return replace(model, unmasked=unmasked)
    radius_px = particle_diameter_angst(settings, model) / (2 * model.pixel_size_angst)
    flat = flatten_solvent(model.references, radius_px, solvent_mask)
    return replace(model, references=flat, unmasked=unmasked)
