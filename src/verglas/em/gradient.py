"""VDAM: mini-batches with momentum instead of full iterations (refinement.md §7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.centring import centre_of_mass_px, clip_length, flatten_solvent, translate_linear
from verglas.em.hermitian import hermitian
from verglas.em.maximisation import update_parameters
from verglas.em.model import Model, Moments
from verglas.em.particles import Floats, Ints
from verglas.em.plan import Iteration, particle_diameter_angst
from verglas.em.settings import EmSettings, GradientSettings
from verglas.em.sums import WeightedSums
from verglas.em.wiener import ShellMap, spectra_of_weights
from verglas.fourier import shift_phases
from verglas.fourier.gridding import gridding_correction
from verglas.fourier.lattice import Lattice
from verglas.fourier.projector import Projector
from verglas.maps.reconstruct import to_real_space

TINY = 1e-12
SECOND_MOMENT_DECAY = 0.999
MIN_CENTRING_PX = 2.0


@dataclass(frozen=True)
class GradientStep:
    """What one mini-batch iteration uses (§7.1)."""

    subset: int  # particles; all of them if it is the whole set
    step_size: float
    tau2_fudge: float
    momentum: float  # of the parameters other than the references
    centre: bool
    may_replace: bool  # whether an inactive class may be replaced


def phases(settings: EmSettings, gradient: GradientSettings) -> tuple[int, int]:
    """Iterations of the initial phase, and of the one in between."""
    n = settings.n_iterations
    ini, fin = int(gradient.ini_fraction * n), int(gradient.fin_fraction * n)
    return ini, n - ini - fin


def gradient_step(
    settings: EmSettings, gradient: GradientSettings, n_particles: int, iteration: int
) -> GradientStep:
    """Batch size, step size and T of an iteration of a 2D classification."""
    ini, mid = phases(settings, gradient)
    small = (
        gradient.ini_subset
        if gradient.ini_subset > 0
        else _bounded(0.005 * n_particles, 200, 10_000)
    )
    large = (
        gradient.fin_subset
        if gradient.fin_subset > 0
        else _bounded(0.05 * n_particles, 1000, 100_000)
    )
    if iteration < ini:
        size = small
    elif iteration < ini + mid:
        size = small + (large - small) * (iteration - ini) // max(1, mid)
    else:
        size = large
    last = iteration == settings.n_iterations and settings.n_classes > 1
    if last or size >= n_particles:
        size = n_particles
    base = gradient.step_size if gradient.step_size > 0 else 0.3
    early = _fading(iteration, ini, mid // 2)
    step = 0.9 * early + base * (1 - early)
    early = _fading(iteration, ini, mid // 4)
    tau2_fudge = early + settings.tau2_fudge * (1 - early)
    momentum = 0.0 if size == n_particles else gradient.momentum
    in_between = ini < iteration < ini + mid
    return GradientStep(size, step, tau2_fudge, momentum, iteration <= ini + mid, in_between)


def _bounded(value: float, low: int, high: int) -> int:
    return int(max(min(value, high), low))


def _fading(iteration: int, begin: int, width: int) -> float:
    """From 1 to 0 around begin + width/2."""
    exponent = (iteration - begin - width / 2) / max(width / 4, 1e-9)
    return float(1 / (10.0 ** min(exponent, 300) + 1))


def subset(order: Ints, size: int, seed: int, iteration: int) -> Ints:
    """The particles of a mini-batch: the first of a fresh shuffle."""
    if size >= len(order):
        return order
    return np.sort(np.random.default_rng(seed + iteration).permutation(order)[:size])


def start_moments(model: Model, padding: float) -> Moments:
    """Moments before the first iteration, on the lattice of the whole box."""
    lattice = full_lattice(model, padding)
    k = model.n_classes
    first = torch.zeros((2, k, *lattice.shape), dtype=torch.complex128)
    return Moments(first, torch.ones((k, *lattice.shape), dtype=torch.float64), np.zeros(k))


def full_lattice(model: Model, padding: float) -> Lattice:
    return Lattice(model.dims, model.box_size // 2, padding)


def descend(
    iteration: Iteration, sums: WeightedSums, step: GradientStep, moments: Moments,
    solvent_mask: Tensor | None = None,
) -> tuple[Model, Moments]:  # fmt: skip
    """New references and parameters from the residuals of one mini-batch (§7.3)."""
    old, settings = iteration.model, iteration.settings
    model = update_parameters(settings, old, sums, iteration.cross_correlation, step.momentum)
    lattice = iteration.projector.lattice
    moments = Moments(moments.first.clone(), moments.second.clone(), moments.age.copy())
    where = ShellMap.of(lattice, old.n_shells)
    current = Projector.of(
        old.references.double().cpu(), 2 * lattice.r_max, padding=settings.padding, dims=old.dims,
        correct_gridding=False,
    )  # fmt: skip
    references = old.references.clone()
    spectra = {name: getattr(old, name).copy() for name in _SPECTRA}
    for k in range(old.n_classes):
        if float(sums.class_weight[k]) <= 0:
            continue
        halves = [k, k + old.n_classes]
        data = [hermitian(sums.data[h]) for h in halves]
        weight = [hermitian(sums.weight[h]) for h in halves]
        share = 1 - math.exp(-(3 * old.n_classes + 10) * old.class_weights[k])
        values = _moved(
            current.values[k],
            data,
            weight,
            where,
            moments,
            k,
            step.step_size * share,
            step.tau2_fudge,
        )
        image = to_real_space(values, lattice, old.box_size)
        correction = gridding_correction(old.box_size, old.dims, lattice.padding)
        references[k] = (image * correction).to(references)
        _note_spectra(spectra, iteration, k, weight[0] + weight[1], where, step.tau2_fudge)
        moments.age[k] += 1
    model = replace(model, references=references, **spectra)
    if settings.center_classes and step.centre:
        model, moments = _centred(model, moments, settings)
    if settings.flatten_solvent:
        radius = particle_diameter_angst(settings, model) / (2 * model.pixel_size_angst)
        flat = flatten_solvent(model.references, radius, solvent_mask)
        model = replace(model, references=flat)
    return model, moments


_SPECTRA = ("tau2", "data_vs_prior", "sigma2_reference", "coverage")


def _note_spectra(
    spectra: dict[str, Floats], iteration: Iteration, k: int, weight: Tensor, where: ShellMap, fudge: float
) -> None:  # fmt: skip
    """SSNR and its companions are those of §3.3 with τ² from the reference."""
    power = iteration.projector.power[k].cpu()
    found = spectra_of_weights(weight, power, fudge, where)
    spectra["tau2"][k] = power.numpy()
    spectra["data_vs_prior"][k] = found.data_vs_prior.numpy()
    spectra["sigma2_reference"][k] = found.sigma2_reference.numpy()
    spectra["coverage"][k] = found.coverage.numpy()


def _moved(
    values: Tensor, data: list[Tensor], weight: list[Tensor], where: ShellMap, moments: Moments, k: int,
    step_size: float, tau2_fudge: float,
) -> Tensor:  # fmt: skip
    """The padded transform of one class after a step; its moments are updated in place."""
    inside = where.inside
    window = _window(moments.second[k], where.lattice)
    gradients = [torch.where(inside, d / w.clamp_min(1), 0) for d, w in zip(data, weight)]
    for half, gradient in enumerate(gradients):
        first = moments.first[half, k][window]
        fresh = gradient if not bool(first.any()) else 0.9 * first + 0.1 * gradient
        moments.first[half, k][window] = torch.where(inside, fresh, first)
    one, two = (moments.first[half, k][window] for half in (0, 1))
    mean = (gradients[0] + gradients[1]) / 2
    spread = (gradients[1] - gradients[0]).abs().square() / (mean.abs().square() + TINY)
    second = moments.second[k][window]
    decayed = SECOND_MOMENT_DECAY * second + (1 - SECOND_MOMENT_DECAY) * spread
    second = torch.where(inside, decayed, second)
    moments.second[k][window] = second
    direction = (one + two) / 2 / (second.sqrt() + TINY)
    counts = where.counts().clamp_min(1)
    noise = where.sums((one - two).abs()) / counts
    signal = where.sums(values.abs()) / counts
    ratio = 2 * tau2_fudge * signal / noise.clamp_min(TINY)
    trust = torch.where(noise > TINY, ratio / (1 + ratio), 1.0)[where.shells]
    change = trust * direction - (1 - trust) * values
    return values + torch.where(inside, step_size * change, 0)


def _window(whole: Tensor, lattice: Lattice) -> tuple[slice, ...]:
    """Where a smaller lattice lies in the lattice of the whole box."""
    half, reach = whole.shape[-1] - 1, lattice.half
    centre = slice(half - reach, half + reach + 1)
    return (*[centre] * (whole.ndim - 1), slice(0, reach + 1))


def _centred(model: Model, moments: Moments, settings: EmSettings) -> tuple[Model, Moments]:
    """Classes whose centre of mass is far off are moved, and their momentum with them (§3.9)."""
    diameter_px = particle_diameter_angst(settings, model) / model.pixel_size_angst
    least = max(0.01 * diameter_px, MIN_CENTRING_PX)
    references = model.references.clone()
    first = moments.first.clone()
    indices = _lattice_indices(first.shape[2:])
    for k, image in enumerate(model.references):
        away = clip_length(centre_of_mass_px(image), settings.offset_range_px)
        if float(away.norm()) < least:
            continue
        references[k] = translate_linear(image, -away)
        padded_box = round(model.box_size * settings.padding)
        phase = shift_phases(-away[None].double().cpu(), indices, padded_box, torch.complex128)[0]
        first[:, k] *= phase
    return replace(model, references=references), replace(moments, first=first)


def _lattice_indices(shape: tuple[int, ...]) -> Tensor:
    """Frequencies (.., d) of a centred lattice."""
    half = shape[-1] - 1
    axes = [torch.arange(-half, half + 1)] * (len(shape) - 1) + [torch.arange(half + 1)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def replace_inactive(
    model: Model, moments: Moments, threshold: float
) -> tuple[Model, Moments, int | None]:
    """If the least populated class is too small, overwrite it by a copy of a large, changing one (§7.5)."""
    weights = model.class_weights
    active = int((weights > 0).sum())
    least = int(np.argmin(weights))
    if active < 2 or weights[least] >= threshold / active:
        return model, moments, None
    power = moments.first.mean(0).abs().square().flatten(1).mean(1).numpy()
    donor = int(np.argmax(power * weights))
    if donor == least:
        return model, moments, None
    copied = {}
    for name in ("class_weights", "direction_weights", "class_offsets_angst", *_SPECTRA):
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
