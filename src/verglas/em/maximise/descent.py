"""VDAM: mini-batches with momentum instead of full iterations (refinement.md §7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.maximise.centring import moves_to_centre_px, translate_linear
from verglas.em.maximise.maximisation import flattened
from verglas.em.maximise.parameters import update_parameters
from verglas.em.maximise.references import (
    AT_ONCE_BYTES,
    SPECTRA,
    class_chunks,
    note_spectra,
    occupied,
    summed,
)
from verglas.em.operands.operands import EStep, particle_diameter_angst
from verglas.em.state.model import Model, Moments
from verglas.em.state.particles import Floats, Ints
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.em.state.sums import WeightedSums
from verglas.fourier import shift_phases
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.gridding import gridding_correction
from verglas.fourier.lattice import Lattice
from verglas.fourier.projector import Projector
from verglas.fourier.rounding import nearest
from verglas.maps.reconstruction import to_real_space
from verglas.maps.spectra import lattice_shell_means

TINY = 1e-12
LEAST_MOVE_PX = 2.0
SECOND_MOMENT_DECAY = 0.999
EARLY_STEP = 0.9


@dataclass(frozen=True)
class GradientStep:
    """What one mini-batch iteration uses (§7.1)."""

    subset: int  # particles; all of them if it is the whole set
    step_size: float
    tau2_fudge: float
    momentum: float  # of the parameters other than the references
    centre: bool
    may_replace: bool  # whether an inactive class may be replaced


@dataclass(frozen=True)
class _Rates:
    """Batches as share of the particles, least, most; the last step size; whether step and T fade in (§7.1)."""

    first: tuple[float, int, int]
    last: tuple[float, int, int]
    step: float
    fades: bool = True


_RATES = {
    "2D": _Rates((0.005, 200, 10_000), (0.05, 1000, 100_000), 0.3),
    "denovo": _Rates((0.005, 200, 5_000), (0.1, 1000, 50_000), 0.5),
    "3D": _Rates((0.1, 200, 100_000), (0.1, 200, 100_000), 0.3, fades=False),
}


def phases(settings: EmSettings, gradient: GradientSettings) -> tuple[int, int]:
    """Iterations of the initial phase, and of the one in between."""
    n = settings.n_iterations
    ini, fin = int(gradient.ini_fraction * n), int(gradient.fin_fraction * n)
    return ini, n - ini - fin


def gradient_step(
    settings: EmSettings, gradient: GradientSettings, n_particles: int, iteration: int
) -> GradientStep:
    """Batch size, step size and T of an iteration (§7.1)."""
    ini, mid = phases(settings, gradient)
    rates = _RATES["denovo" if settings.denovo else f"{settings.dims}D"]
    small = gradient.ini_subset if gradient.ini_subset > 0 else _bounded(n_particles, *rates.first)
    large = gradient.fin_subset if gradient.fin_subset > 0 else _bounded(n_particles, *rates.last)
    if iteration < ini:
        size = small
    elif iteration < ini + mid:
        size = small + (large - small) * (iteration - ini) // max(1, mid)
    else:
        size = large
    last = iteration == settings.n_iterations and settings.n_classes > 1
    if last or size >= n_particles:
        size = n_particles
    base = gradient.step_size if gradient.step_size > 0 else rates.step
    early = _fading(iteration, ini, mid // 2) if rates.fades else 0.0
    step = EARLY_STEP * early + base * (1 - early)
    early = _fading(iteration, ini, mid // 4) if rates.fades else 0.0
    tau2_fudge = early + settings.tau2_fudge * (1 - early)
    momentum = 0.0 if size == n_particles else gradient.momentum
    in_between = ini < iteration < ini + mid
    return GradientStep(size, step, tau2_fudge, momentum, iteration <= ini + mid, in_between)


def limit_angst(settings: EmSettings, gradient: GradientSettings, iteration: int) -> float:
    """Resolution (Å) up to which images of an iteration reach; 0: not limited.

    Between the phases the spatial frequency grows evenly from iteration to iteration.
    """
    first, last = gradient.ini_resolution_angst, gradient.fin_resolution_angst
    if first <= 0 and last <= 0:
        return 0.0
    ini, mid = phases(settings, gradient)
    passed = min(1.0, max(0.0, (iteration - ini) / max(1, mid)))
    if first <= 0 or last <= 0:  # one limit alone holds in its own phase
        holds = passed == 0 if first > 0 else passed == 1
        return max(first, last) if holds else 0.0
    return 1 / ((1 - passed) / first + passed / last)


def _bounded(n_particles: int, share: float, low: int, high: int) -> int:
    return int(max(min(share * n_particles, high), low))


def _fading(iteration: int, begin: int, width: int) -> float:
    """From 1 to 0 around begin + width/2."""
    exponent = (iteration - begin - width / 2) / max(width / 4, 1e-9)
    return float(1 / (10.0 ** min(exponent, 300) + 1))


def subset(order: Ints, size: int, seed: int, iteration: int) -> Ints:
    """The particles of a mini-batch: the first of a fresh shuffle."""
    if size >= len(order):
        return order
    return np.sort(np.random.default_rng(seed + iteration).permutation(order)[:size])


def start_moments(settings: EmSettings, model: Model, device: torch.device) -> Moments:
    """Moments before the first iteration, on the lattice of the whole box; they stay on the device.

    They are kept in single precision, as the checkpoint holds them, so that a restart changes nothing.
    """
    lattice = full_lattice(model, settings.padding)
    k = model.n_classes
    real, both = torch.float32, torch.complex64
    if settings.double:
        real, both = torch.float64, torch.complex128
    first = torch.zeros((2, k, *lattice.shape), dtype=both, device=device)
    second = torch.ones((k, *lattice.shape), dtype=real, device=device)
    return Moments(first, second, np.zeros(k))


def full_lattice(model: Model, padding: float) -> Lattice:
    return Lattice(model.dims, model.box_size // 2, padding)


def descend(
    estep: EStep, sums: WeightedSums, step: GradientStep, moments: Moments, solvent_mask: Tensor | None = None
) -> tuple[Model, Moments]:
    """New references and parameters from the residuals of one mini-batch (§7.3).

    The moments are changed in place; they belong to the state that ends here.
    """
    old, settings = estep.model, estep.settings
    model = update_parameters(settings, old, sums, estep.cross_correlation, step.momentum)
    lattice, device = estep.projector.lattice, estep.device
    correction = gridding_correction(old.box_size, old.dims, lattice.padding, device)
    where = device if old.dims == 3 else old.references.device
    references = old.references.to(where, copy=True)
    spectra = {name: getattr(old, name).copy() for name in SPECTRA}
    for classes in class_chunks(lattice, occupied(sums)):
        halves = [summed(estep, sums, [k + h * old.n_classes for k in classes]) for h in (0, 1)]
        total = BackProjector(old.box_size, lattice, halves[0].data, halves[0].weight + halves[1].weight)
        note_spectra(spectra, classes, total, estep.projector.power[classes], step.tau2_fudge)
        current = Projector.of(
            old.references[classes].double().to(device),
            2 * lattice.r_max,
            padding=settings.padding,
            dims=old.dims,
            correct_gridding=False,
        )
        values = _moved(current.values, halves, moments, classes, step, old)
        maps = to_real_space(values, lattice, old.box_size)
        references[classes] = (maps * correction).to(references)
        moments.age[classes] += 1
    model = replace(model, references=references, **spectra)
    if settings.center_classes and step.centre:
        model = _centred(model, moments, settings)
    return flattened(settings, model, solvent_mask), moments


def _moved(
    values: Tensor,
    halves: list[BackProjector],
    moments: Moments,
    classes: list[int],
    step: GradientStep,
    model: Model,
) -> Tensor:
    """The padded transforms (k, L...) of some classes after a step; their moments are updated in place."""
    lattice, device, n_shells = halves[0].lattice, values.device, model.n_shells
    squared = lattice.squared_radius(device)
    inside = squared < nearest(lattice.r_max * lattice.padding) ** 2
    shells = lattice.shell_of(squared).clamp_max(n_shells - 1)
    window = _window(moments.second[0], lattice)
    gradients = [torch.where(inside, h.data / h.weight.clamp_min(1), 0) for h in halves]
    at = torch.tensor(classes, device=device)
    axes = tuple(range(1, values.ndim))
    firsts = []
    for half, gradient in enumerate(gradients):
        stored = moments.first[half][(slice(None), *window)]
        first = stored[at]
        new = (first == 0).all(axes[-1], keepdim=True)
        for axis in axes[:-1]:
            new = new.all(axis, keepdim=True)
        fresh = torch.where(new, gradient, 0.9 * first + 0.1 * gradient)
        firsts.append(torch.where(inside, fresh, first))
        stored[at] = firsts[half].to(stored)
    mean = (gradients[0] + gradients[1]) / 2
    spread = (gradients[1] - gradients[0]).abs().square() / (mean.abs().square() + TINY)
    stored = moments.second[(slice(None), *window)]
    second = stored[at]
    decayed = SECOND_MOMENT_DECAY * second + (1 - SECOND_MOMENT_DECAY) * spread
    second = torch.where(inside, decayed, second)
    stored[at] = second.to(stored)
    direction = (firsts[0] + firsts[1]) / 2 / (second.sqrt() + TINY)
    noise = lattice_shell_means((firsts[0] - firsts[1]).abs(), lattice, n_shells)
    signal = lattice_shell_means(values.abs(), lattice, n_shells)
    ratio = 2 * step.tau2_fudge * signal / noise.clamp_min(TINY)
    trust = torch.where(noise > TINY, ratio / (1 + ratio), 1.0)[:, shells]
    share = 1 - np.exp(-(3 * model.n_classes + 10) * model.class_weights[classes])
    size = torch.as_tensor(step.step_size * share, device=device).reshape(-1, *[1] * len(axes))
    change = trust * direction - (1 - trust) * values
    return values + torch.where(inside, size * change, 0)


def _window(whole: Tensor, lattice: Lattice) -> tuple[slice, ...]:
    """Where a smaller lattice lies in the lattice of the whole box."""
    half, reach = whole.shape[-1] - 1, lattice.half
    centre = slice(half - reach, half + reach + 1)
    return (*[centre] * (whole.ndim - 1), slice(0, reach + 1))


def _centred(model: Model, moments: Moments, settings: EmSettings) -> Model:
    """Classes whose centre of mass is far off are moved, and their momentum with them (§3.9)."""
    diameter_px = particle_diameter_angst(settings, model) / model.pixel_size_angst
    least_px = max(0.01 * diameter_px, LEAST_MOVE_PX)
    moves = moves_to_centre_px(model.references, settings.offset_range_px, least_px)
    if not bool(moves.any()):
        return model
    chosen = moves.any(1).nonzero().flatten()
    references = model.references.clone()
    references[chosen] = translate_linear(references[chosen], -moves[chosen])
    first = moments.first
    indices = _lattice_indices(first.shape[2:]).to(first.device)
    padded_box = round(model.box_size * settings.padding)
    for classes in class_chunks(full_lattice(model, settings.padding), chosen.tolist()):
        away = moves[classes].double().to(first.device)
        first[:, classes] *= shift_phases(-away, indices, padded_box, first.dtype)
    return replace(model, references=references)


def _lattice_indices(shape: tuple[int, ...]) -> Tensor:
    """Frequencies (.., d) of a centred lattice."""
    half = shape[-1] - 1
    axes = [torch.arange(-half, half + 1)] * (len(shape) - 1) + [torch.arange(half + 1)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def _activity(moments: Moments) -> Floats:
    """How much each class changes, (K,): mean |g|² of its direction of descent (§7.3, step 4)."""
    axes = tuple(range(1, moments.second.ndim))
    size = max(1, AT_ONCE_BYTES // (moments.second[0].numel() * 16))
    powers = [
        (first.mean(0) / (second.sqrt() + TINY)).abs().square().mean(axes)
        for first, second in zip(torch.split(moments.first, size, 1), torch.split(moments.second, size))
    ]
    found: Floats = torch.cat(powers).double().cpu().numpy()
    return found


def replace_inactive(model: Model, moments: Moments, threshold: float) -> tuple[Model, Moments, int | None]:
    """If the least populated class is too small, overwrite it by a copy of a large, changing one (§7.5)."""
    weights = model.class_weights
    active = int((weights > 0).sum())
    least = int(np.argmin(weights))
    if active < 2 or weights[least] >= threshold / active:
        return model, moments, None
    donor = int(np.argmax(_activity(moments) * weights))
    if donor == least:
        return model, moments, None
    copied = {}
    for name in ("class_weights", "direction_weights", "class_offsets_angst", *SPECTRA):
        values = getattr(model, name).copy()
        values[least] = values[donor]
        copied[name] = values
    references = model.references.clone()
    references[least] = references[donor]
    first, second, age = moments.first.clone(), moments.second.clone(), moments.age.copy()
    first[:, least] = first[:, donor]
    first[0, least] *= 0.9
    second[least] = second[donor]
    age[least] = 0.9 * age[donor]
    total = copied["class_weights"].sum()
    copied["class_weights"] /= total
    copied["direction_weights"] /= total
    return replace(model, references=references, **copied), Moments(first, second, age), least
