"""New references of a classification from its sums: spectra, Wiener division (refinement.md §3.2-3.5)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.operands.operands import EStep
from verglas.em.state.model import Model
from verglas.em.state.sums import WeightedSums
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.filters import low_pass, low_pass_weights
from verglas.fourier.lattice import Lattice
from verglas.geometry.symmetry import PointGroup
from verglas.maps.reconstruction import reconstruct
from verglas.maps.spectra import data_vs_prior, noise_power

AT_ONCE_BYTES = 1 << 28  # lattices of classes that are treated together
SPECTRA = ("tau2", "data_vs_prior", "sigma2_reference", "coverage")


def class_chunks(lattice: Lattice, classes: list[int]) -> Iterator[list[int]]:
    """Classes that fit into memory together."""
    size = max(1, AT_ONCE_BYTES // (math.prod(lattice.shape) * 16))
    for start in range(0, len(classes), size):
        yield classes[start : start + size]


def summed(estep: EStep, sums: WeightedSums, accumulators: list[int]) -> BackProjector:
    """What some accumulators hold, Hermitian and symmetric, on the step's device."""
    lattice, device = estep.projector.lattice, estep.device
    data, weight = (part[accumulators].to(device) for part in (sums.data, sums.weight))
    found = BackProjector(estep.model.box_size, lattice, data, weight)
    found.make_hermitian()
    found.symmetrise(PointGroup.of(estep.settings.symmetry).operators)
    return found


def occupied(sums: WeightedSums) -> list[int]:
    """Classes that any particle belongs to."""
    found: list[int] = (sums.class_weight > 0).nonzero().flatten().tolist()
    return found


def new_references(estep: EStep, model: Model, sums: WeightedSums) -> Model:
    """References and spectra after an iteration without half-sets: τ² is the power of the old reference."""
    settings = estep.settings
    # maps stay where they are made: they are large, and come back there; a class without particles is dead
    where = estep.device if model.dims == 3 else model.references.device
    references = torch.zeros_like(model.references, device=where)
    spectra = {name: np.zeros_like(getattr(model, name)) for name in SPECTRA}
    for classes in class_chunks(estep.projector.lattice, occupied(sums)):
        found = summed(estep, sums, classes)
        power = estep.projector.power[classes]
        note_spectra(spectra, classes, found, power, settings.tau2_fudge)
        maps = reconstruct(
            found,
            power if settings.do_map else None,
            tau2_fudge=settings.tau2_fudge,
            keep_edge=settings.parity.keep_edge_voxels,
        )
        references[classes] = maps.to(references)
    return replace(model, references=references, **spectra)


def note_spectra(
    spectra: dict[str, np.ndarray], classes: list[int], sums: BackProjector, tau2: Tensor, tau2_fudge: float
) -> None:
    """Put the spectra of some classes, (k, S) each, in their rows."""
    ratio, coverage = data_vs_prior(sums, tau2, tau2_fudge)
    spectra["tau2"][classes] = tau2.cpu().numpy()
    spectra["data_vs_prior"][classes] = ratio.cpu().numpy()
    spectra["sigma2_reference"][classes] = noise_power(sums).cpu().numpy()
    spectra["coverage"][classes] = coverage.cpu().numpy()


def limited_to(model: Model, resolution_angst: float) -> Model:
    """References low-passed again after a cross-correlation iteration, their spectra tapered alike (§3.8)."""
    radius = torch.arange(model.n_shells, dtype=torch.float64)
    window = low_pass_weights(radius, model.extent_angst / resolution_angst).numpy()
    return replace(
        model,
        references=first_low_pass(model.references, model.pixel_size_angst, resolution_angst),
        tau2=model.tau2 * window**2,
        data_vs_prior=model.data_vs_prior * window**2,
    )


def first_low_pass(references: Tensor, pixel_size_angst: float, resolution_angst: float) -> Tensor:
    """First references (K, N, N[, N]) low-passed to a resolution (§4.3); unchanged where it is not positive."""
    if resolution_angst <= 0:
        return references
    dims = references.ndim - 1
    return low_pass(references, pixel_size_angst, resolution_angst, dims=dims, whole_shell=False)
