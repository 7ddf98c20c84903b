"""The maximisation step: new references, spectra and priors from the sums (refinement.md §3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.centring import centre_references, flatten_solvent
from verglas.em.maximise.hermitian import hermitian, symmetrise
from verglas.em.maximise.low_pass import low_pass, low_pass_window
from verglas.em.maximise.parameters import update_parameters
from verglas.em.maximise.wiener import ClassSpectra, ShellMap, divide, spectra_of_weights
from verglas.em.operands.plan import Iteration, particle_diameter_angst
from verglas.em.state.model import Model
from verglas.em.state.sums import WeightedSums
from verglas.fourier.lattice import Lattice
from verglas.geometry.symmetry import PointGroup
from verglas.maps.reconstruct import to_real_space

AT_ONCE_BYTES = 1 << 28  # lattices of classes that are treated together
SPECTRA = ("tau2", "data_vs_prior", "sigma2_reference", "coverage")


def maximise(iteration: Iteration, sums: WeightedSums, solvent_mask: Tensor | None = None) -> Model:
    """The model after an iteration of expectation-maximisation."""
    settings = iteration.settings
    model = update_parameters(settings, iteration.model, sums, iteration.cross_correlation)
    model = _new_references(iteration, model, sums)
    references = model.references
    diameter_px = particle_diameter_angst(settings, model) / model.pixel_size_angst
    if settings.center_classes:
        sigma_px = model.sigma_offset_angst / model.pixel_size_angst
        longest = settings.offset_range_px
        references = centre_references(references, longest, diameter_px, sigma_px)
    unmasked = references if model.dims == 2 else None
    if settings.flatten_solvent:
        references = flatten_solvent(references, diameter_px / 2, solvent_mask)
    return replace(model, references=references, unmasked=unmasked)


def class_chunks(lattice: Lattice, classes: list[int]) -> Iterator[list[int]]:
    """Classes that fit into memory together."""
    points = int(np.prod(lattice.shape))
    size = max(1, AT_ONCE_BYTES // (points * 16))
    for start in range(0, len(classes), size):
        yield classes[start : start + size]


def summed(
    iteration: Iteration, sums: WeightedSums, accumulators: list[int], operators: Tensor
) -> tuple[Tensor, Tensor]:
    """Data and weight (k, M) of some accumulators, Hermitian and symmetric, on the iteration's device."""
    lattice, device = iteration.projector.lattice, iteration.device
    data = hermitian(sums.data[accumulators].to(device), lattice.dims)
    weight = hermitian(sums.weight[accumulators].to(device), lattice.dims)
    for d, w in zip(data, weight):
        symmetrise(d, w, lattice, operators)
    return data.flatten(1), weight.flatten(1)


def occupied(sums: WeightedSums) -> list[int]:
    """Classes that any particle belongs to."""
    found: list[int] = (sums.class_weight > 0).nonzero().flatten().tolist()
    return found


def _new_references(iteration: Iteration, model: Model, sums: WeightedSums) -> Model:
    settings, lattice = iteration.settings, iteration.projector.lattice
    where = ShellMap.of(lattice, model.n_shells, iteration.device)
    operators = PointGroup.of(settings.symmetry).operators
    references = torch.zeros_like(model.references)  # a class without particles is dead
    spectra = {name: np.zeros_like(getattr(model, name)) for name in SPECTRA}
    for classes in class_chunks(lattice, occupied(sums)):
        data, weight = summed(iteration, sums, classes, operators)
        power = iteration.projector.power[classes]
        found = spectra_of_weights(weight, power, settings.tau2_fudge, where)
        values = divide(
            data, weight, where, power if settings.do_map else None, settings.tau2_fudge,
            keep_edge=settings.parity.keep_edge_voxels,
        )  # fmt: skip
        maps = to_real_space(values.reshape(-1, *lattice.shape), lattice, model.box_size)
        references[classes] = maps.to(references)
        note_spectra(spectra, classes, power, found)
    return replace(model, references=references, **spectra)


def note_spectra(
    spectra: dict[str, np.ndarray], classes: list[int], power: Tensor, found: ClassSpectra
) -> None:
    """Put the spectra of some classes in their rows."""
    spectra["tau2"][classes] = power.cpu().numpy()
    spectra["data_vs_prior"][classes] = found.data_vs_prior.cpu().numpy()
    spectra["sigma2_reference"][classes] = found.sigma2_reference.cpu().numpy()
    spectra["coverage"][classes] = found.coverage.cpu().numpy()


def limited_to(model: Model, resolution_angst: float) -> Model:
    """References low-passed again after a cross-correlation iteration, their spectra tapered alike (§3.8)."""
    window = low_pass_window(
        torch.arange(model.n_shells, dtype=torch.float64), model.extent_angst / resolution_angst
    ).numpy()
    references = low_pass(model.references, model.pixel_size_angst, resolution_angst)
    return replace(
        model, references=references, tau2=model.tau2 * window**2,
        data_vs_prior=model.data_vs_prior * window**2,
    )  # fmt: skip
