"""The maximisation step of two half-sets: what they may know of each other (refinement.md §3.6, §3.7, §3.11).

Each half has its own sums, noise and priors. They meet in the low shells, which are joined, in the FSC that
regularises both, and in the last iteration, which adds all sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.maximisation import flattened
from verglas.em.maximise.parameters import update_parameters
from verglas.em.maximise.references import summed
from verglas.em.operands.operands import EStep
from verglas.em.state.model import Model
from verglas.em.state.particles import Floats
from verglas.em.state.sums import WeightedSums
from verglas.fourier.backprojector import BackProjector
from verglas.maps.reconstruction import reconstruct
from verglas.maps.shell_correlation import RANDOMISE_BELOW, first_shell_below, fsc, randomise_phases, true_fsc
from verglas.maps.spectra import coverage, half_map_fsc, join_low_resolution, noise_power, signal_from_fsc

HIGH_FSC = 0.2  # at the rim of the images: they may grow faster
SHELLS_BEYOND = 5  # that images hold more than the FSC falls in


@dataclass(frozen=True)
class Halves:
    """What an iteration found out: a model for each half, and the FSC between them."""

    models: tuple[Model, Model]
    fsc: Floats  # (S,)


def maximise_halves(
    esteps: Sequence[EStep],
    sums: Sequence[WeightedSums],
    solvent_mask: Tensor | None = None,
    *,
    joined: bool = False,
) -> Halves:
    """The models after an iteration; `joined`: the last one, whose map comes from the sums of both halves."""
    first, second = (summed(estep, part, [0]) for estep, part in zip(esteps, sums))
    unfiltered = [reconstruct(part) for part in (first, second)] if joined else [None, None]
    shell = join_shell(esteps[0])
    if shell > 0:
        join_low_resolution(first, second, shell)
    curve = _fsc(esteps[0], first, second, solvent_mask)
    if joined:
        first.add_(second)
        second = first
    models = []
    for estep, part, own, maps in zip(esteps, sums, (first, second), unfiltered):
        model = update_parameters(estep.settings, estep.model, part, estep.cross_correlation)
        model = _regularised(estep, model, own, curve, joined)
        model = replace(model, unfiltered=maps)
        models.append(model if joined else flattened(estep.settings, model, solvent_mask))
    second_model = replace(models[1], average_p_max=models[0].average_p_max)
    return Halves((models[0], second_model), curve.cpu().numpy())


def join_shell(estep: EStep) -> int:
    """The last shell that both halves share; 0: none."""
    halves, model = estep.settings.halves, estep.model
    if halves is None or halves.low_res_join_angst <= 0:
        return 0
    reached = 1 / model.current_resolution if model.current_resolution > 0 else math.inf
    return math.ceil(model.extent_angst / max(halves.low_res_join_angst, reached) - 1e-9)


def _regularised(estep: EStep, model: Model, sums: BackProjector, curve: Tensor, joined: bool) -> Model:
    """The model with the map of its sums, τ² following from the FSC; T enters once (§3.3)."""
    noise = noise_power(sums)
    signal = signal_from_fsc(curve, noise[0], estep.settings.tau2_fudge, joined=joined)
    tau2 = signal.tau2[None]
    prior = sums.lattice.oversampling * tau2
    maps = reconstruct(
        sums, tau2 if estep.settings.do_map else None, keep_edge=estep.settings.parity.keep_edge_voxels
    )
    return replace(
        model,
        references=maps.to(model.references.dtype),
        tau2=tau2.cpu().numpy(),
        data_vs_prior=signal.ssnr[None].cpu().numpy(),
        sigma2_reference=noise.cpu().numpy(),
        coverage=coverage(sums, prior).cpu().numpy(),
        gold_standard_fsc=curve[None].cpu().numpy(),
    )


def _fsc(estep: EStep, first: BackProjector, second: BackProjector, mask: Tensor | None) -> Tensor:
    """FSC of the halves, or with a mask, where asked, that of the masked halves freed of the mask's part."""
    settings, model = estep.settings, estep.model
    if settings.halves is None or not settings.halves.solvent_correct_fsc or mask is None:
        return half_map_fsc(first, second)[0]
    seed = settings.random_seed + estep.state.iteration + 1
    curve = solvent_corrected_fsc(reconstruct(first)[0], reconstruct(second)[0], mask, seed)
    shells = torch.arange(len(curve), device=curve.device)
    return torch.where(shells > model.current_size // 2, 0.0, curve)


def solvent_corrected_fsc(first: Tensor, second: Tensor, mask: Tensor, seed: int) -> Tensor:
    """FSC (S,) of two masked half maps, corrected by that of halves with random phases (§3.7)."""
    mask = mask.to(first)
    unmasked, masked = fsc(first, second), fsc(first * mask, second * mask)
    start = first_shell_below(unmasked, RANDOMISE_BELOW)
    if start is None:
        return masked
    random = [
        randomise_phases(half, start, torch.Generator().manual_seed(2 * seed + number)) * mask
        for number, half in enumerate((first, second))
    ]
    return true_fsc(masked, fsc(random[0], random[1]), start, zero_negative=True)


def shells_to_add(curve: Floats, before: int) -> int:
    """How many shells beyond the resolution images hold: as many as the FSC falls in, and some (§3.11)."""

    def below(threshold: float) -> int:
        found = np.nonzero(curve[1:] < threshold)[0]
        return int(found[0]) + 1 if found.size else len(curve) - 1

    return max(before, below(0.143) - below(0.5) + SHELLS_BEYOND)


def is_high_at_limit(curve: Floats, current_size: int) -> bool:
    """Whether the halves still agree at the rim of the images (§2.2)."""
    shell = current_size // 2 - 1
    return bool(0 < shell < len(curve) and curve[shell] > HIGH_FSC)
