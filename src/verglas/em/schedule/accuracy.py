"""How precisely rotations and translations can be told apart at the present resolution (refinement.md §5.3).

For a few particles, the least error at which the reference's slice differs from the right one by ln 100 in
log-likelihood. No image is needed: only poses, CTFs and noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.pixels import pixel_list, sums_by_shell
from verglas.em.images.preparation import ImagePreparer
from verglas.em.operands.operands import coarse_image_size, image_size
from verglas.em.operands.slices import SliceMaker
from verglas.em.operands.weighting import noise_group
from verglas.em.state.model import UNKNOWN_ACCURACY, State
from verglas.em.state.particles import Floats, Ints, OpticsGroup, Particles
from verglas.em.state.settings import EmSettings
from verglas.fourier.projector import Projector

NOTICED = math.log(100)  # the wrong pose is a hundred times less probable
TRIALS = {2: 10, 3: 100}  # particles, by dimensions of the reference
LEAST_CLASS_WEIGHT = 0.01
AT_ONCE = 1 << 24  # slice pixels that are treated together


def rungs(steps: Sequence[tuple[float, float]]) -> Tensor:
    """Errors to try: (limit, step) pairs, each step used up to its limit."""
    errors, error = [], 0.0
    for limit, step in steps:
        while error < limit - 1e-9:
            error += step
            errors.append(round(error, 6))
    return torch.tensor(errors, dtype=torch.float64)


ANGLES_DEG = rungs([(0.2, 0.05), (1, 0.1), (2, 0.2), (5, 0.5), (10, 1), (20, 2), (30, 5)])
SHIFTS_PX = rungs([(1, 0.1), (2, 0.2), (5, 0.5), (10, 1)])


@dataclass(frozen=True)
class Accuracies:
    """Per class; UNKNOWN_ACCURACY for a class that hardly any particle belongs to."""

    rot_deg: Floats  # (K,)
    shift_angst: Floats  # (K,)
    orientability: Floats  # (K, S): share of each shell in telling rotations apart; sum 1, or 0

    def noted_in(self, state: State) -> State:
        """The state with these in its model; the best class stands for all."""
        models = [
            replace(
                model,
                accuracy_rot_deg=self.rot_deg,
                accuracy_shift_angst=self.shift_angst,
                orientability=self.orientability,
            )
            for model in state.models
        ]
        return replace(
            state,
            models=tuple(models),
            accuracy_rot_deg=float(self.rot_deg.min()),
            accuracy_shift_angst=float(self.shift_angst.min()),
        )


def trial_particles(order: Ints, dims: int) -> Ints:
    """Which particles are tried: a few, evenly spread over those of the iteration."""
    n = min(len(order), TRIALS[dims])
    return order[np.arange(n) * len(order) // max(n, 1)]


def estimate_accuracies(
    settings: EmSettings, state: State, projector: Projector, particles: Particles, rows: Ints
) -> Accuracies:
    """Expected errors of particles `rows`, for every class that counts, with their stored poses."""
    model = state.model
    classes = np.nonzero(model.class_weights >= LEAST_CLASS_WEIGHT)[0]
    rot, shift = np.full((2, model.n_classes), UNKNOWN_ACCURACY)
    orientability = np.zeros((model.n_classes, model.n_shells))
    if not len(rows):
        return Accuracies(rot, shift, orientability)
    totals = np.zeros((2, model.n_classes))
    for group, optics in enumerate(particles.optics):
        members = rows[particles.optics_group[rows] == group]
        if not len(members):
            continue
        trial = Trial.of(settings, state, projector, particles, optics, members)
        for part in trial.chunks(classes):
            errors, spectra = trial.angles(part)
            totals[0, part] += errors
            totals[1, part] += trial.shifts(part)
            orientability[part] += spectra
    rot[classes], shift[classes] = totals[:, classes] / len(rows)
    total = orientability.sum(1, keepdims=True)
    return Accuracies(rot, shift, orientability / np.where(total > 0, total, 1))


@dataclass(frozen=True)
class Trial:
    """b particles of one optics group with P pixels."""

    maker: SliceMaker
    angles_deg: Tensor  # (b, 3) float64
    turned: Tensor  # (b, 3) float64: unit vector of the angle that is changed
    moved: Tensor  # (b,) axis (0 y, 1 x) of the translation that is tried
    weights: Tensor  # (b, P): C²/(2fσ²), 0 at the origin
    optics: OpticsGroup
    n_shells: int

    @classmethod
    def of(
        cls,
        settings: EmSettings,
        state: State,
        projector: Projector,
        particles: Particles,
        optics: OpticsGroup,
        rows: Ints,
    ) -> Trial:
        model, device = state.model, projector.values.device
        ratio = optics.box_size * optics.pixel_size_angst / model.extent_angst
        size = image_size(model.current_size, ratio, optics.box_size)
        if settings.strict_highres_angst > 0:
            coarse = coarse_image_size(settings, state.sampling, model, ratio, optics.box_size)
            size = min(size, coarse)
        pixels = pixel_list(optics.box_size, size, device, 1 / ratio)
        preparer = ImagePreparer(settings, optics, pixels, model.n_shells, device)
        spectra = model.sigma2_noise[noise_group(settings, particles, rows)] * settings.sigma2_fudge
        shells = pixels.model_shells.clamp_max(model.n_shells - 1)
        noise = torch.as_tensor(spectra, dtype=preparer.dtype, device=device)[:, shells]
        weights = preparer.ctf(particles, rows).square() / (2 * noise)
        weights = torch.where(noise > 0, weights, 0)
        weights[:, 0] = 0
        found = state.assignments
        angles = np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)
        seeds = [(settings.random_seed, int(number)) for number in particles.numbers[rows]]
        which = np.array([np.random.default_rng(seed).random(2) for seed in seeds])
        turned = np.eye(3)[(3 * which[:, 0]).astype(int) if model.dims == 3 else [2] * len(rows)]
        moved = torch.as_tensor((2 * which[:, 1]).astype(int), device=device)
        maker = SliceMaker(projector, pixels, ratio, optics.magnification)
        return cls(
            maker, torch.from_numpy(angles), torch.from_numpy(turned), moved, weights, optics, model.n_shells
        )

    def chunks(self, classes: Ints) -> list[Ints]:
        """Classes in parts that need little memory."""
        size = max(1, AT_ONCE // max(1, self.weights.numel()))
        return [classes[start : start + size] for start in range(0, len(classes), size)]

    def angles(self, classes: Ints) -> tuple[Floats, Floats]:
        """Σ over particles of the least angular error (k,), and shell sums (k, S) of what tells it."""
        none = torch.zeros((len(classes), len(self.angles_deg)), dtype=torch.float64)
        right = self._slices(classes, none)

        def difference(error: Tensor) -> Tensor:
            return (self._slices(classes, error) - right).abs().square() * self.weights

        errors = least_noticed(ANGLES_DEG, lambda error: difference(error).sum(-1), none)
        by_shell = sums_by_shell(difference(errors), self.maker.pixels.model_shells, self.n_shells)
        return errors.sum(1).numpy(), by_shell.sum(1).double().cpu().numpy()

    def shifts(self, classes: Ints) -> Floats:
        """Σ over particles of the least error (k,) of a translation along y or x, Å."""
        none = torch.zeros((len(classes), len(self.angles_deg)), dtype=torch.float64)
        power = self._slices(classes, none).abs().square() * self.weights
        along = self.maker.pixels.indices_yx.T[self.moved].to(power)  # (b, P)
        turn = 2 * torch.pi / self.optics.box_size * along

        def misfit(error: Tensor) -> Tensor:
            phase = turn * error[..., None].to(power)
            return (power * (2 - 2 * phase.cos())).sum(-1)

        pixels: Floats = least_noticed(SHIFTS_PX, misfit, none).sum(1).numpy()
        return pixels * self.optics.pixel_size_angst

    def _slices(self, classes: Ints, error_deg: Tensor) -> Tensor:
        """Slices (k, b, P) of classes at the particles' angles with an error (k, b)."""
        angles = self.angles_deg + error_deg[..., None].double() * self.turned
        numbers = torch.from_numpy(classes).repeat_interleave(len(self.angles_deg))
        matrices = self.maker.matrices(angles.reshape(-1, 3))
        indices = self.maker.pixels.indices_yx
        values = self.maker.limited(self.maker.projector.at(matrices, indices, numbers))
        return values.view(len(classes), len(self.angles_deg), -1)


def least_noticed(errors: Tensor, misfit: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """The first of ascending `errors` whose misfit exceeds NOTICED, per entry of `like`; else the last.

    By bisection: the misfit grows with the error as long as that is small against the particle's features.
    """
    low = torch.full(like.shape, -1)
    high = torch.full(like.shape, len(errors) - 1)
    while bool((high - low > 1).any()):
        middle = ((low + high) // 2).clamp_min(0)
        seen = (misfit(errors[middle]) > NOTICED).cpu()
        open_ = high - low > 1
        high = torch.where(open_ & seen, middle, high)
        low = torch.where(open_ & ~seen, middle, low)
    return errors[high]
