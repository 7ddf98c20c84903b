"""Batches of particles as the expectation step wants them: images read and weighted, priors of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.preparation import noise_images
from verglas.em.operands.operands import EStep, Operands
from verglas.em.operands.weighting import Weighted, noise_group, weigh
from verglas.em.poses.helix import axes_yx, forgotten_axes_yx, turn_log_prior
from verglas.em.poses.local import LocalSearch
from verglas.em.run.screening import usable
from verglas.em.scoring.coarse import old_offsets_px, shift_log_prior
from verglas.em.scoring.tile import FineBatch
from verglas.em.start.seeds import seed_log_prior
from verglas.em.state.particles import Assignments, Floats, ImageSource, Ints, Particles
from verglas.geometry.symmetry import PointGroup


@dataclass(frozen=True)
class Read:
    """Images of a batch that can be used, ready to be scored."""

    rows: Ints  # (b,)
    images: Tensor  # (b, N, N)
    old_px: Ints  # (b, 2) whole-pixel offsets already applied

    def part(self, chosen: Tensor) -> Read:
        """Some of them."""
        places = chosen.cpu().numpy()
        return Read(self.rows[places], self.images[chosen.to(self.images.device)], self.old_px[places])


@dataclass(frozen=True)
class Reader:
    """Reads particles of one expectation step; `found` tells their last offsets and hears who is set aside."""

    estep: EStep
    particles: Particles
    source: ImageSource
    found: Assignments

    def read(self, operands: Operands, rows: Ints) -> Read:
        """The images of some particles; those that cannot be used are set aside."""
        images = torch.as_tensor(self.source.read(rows), device=self.estep.device)
        problems: dict[int, str] = getattr(self.source, "problems", {})
        good = usable(images, rows, problems, self.found.set_aside)
        if not good.all():
            rows, images = rows[good], images[torch.from_numpy(good).to(images.device)]
        settings, sampling = self.estep.settings, self.estep.state.sampling
        axes = forgotten_axes_yx(settings, sampling, self.particles, rows)
        size = operands.optics.pixel_size_angst
        return Read(rows, images, old_offsets_px(self.found, rows, size, axes))

    def last_angles(self, rows: Ints) -> Floats:
        found = self.estep.state.assignments
        return np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)

    def local_search(self, operands: Operands) -> LocalSearch:
        settings = self.estep.settings
        relaxed = PointGroup.of(settings.relax_symmetry) if settings.relax_symmetry else None
        group, device = PointGroup.of(settings.symmetry), self.estep.device
        return LocalSearch(operands.poses.grid, group, relaxed, device)

    def turn_prior(self, rows: Ints) -> Tensor | None:
        """ln of the prior of each orientation that filaments bring along, (b, O)."""
        estep = self.estep
        return turn_log_prior(estep.settings, estep.state.sampling, self.particles, rows)

    def shift_prior(self, operands: Operands, read: Read) -> Tensor:
        axes = axes_yx(self.estep.settings, self.particles, read.rows)
        return self.dealt(shift_log_prior(operands, read.old_px, axes), read.rows)

    def dealt(self, prior: Tensor, rows: Ints) -> Tensor:
        """The prior (b, K, ...) with what restricts each particle to one class, where something does."""
        number = self.estep.state.iteration + 1
        classes = seed_log_prior(self.estep.settings, number, self.particles.numbers[rows])
        return prior if classes is None else prior + classes[..., None].to(prior)

    def weighted(self, operands: Operands, read: Read) -> Weighted:
        settings, model, rows = self.estep.settings, self.estep.model, read.rows
        factor = np.ones(len(rows))
        if settings.correct_norm:
            factor = model.norm_average / self.found.norm[rows]
        noise = self._noise(operands, rows)
        psi = self.estep.state.assignments.psi_deg[rows]
        prepared = operands.preparer.prepare(
            read.images, self.particles, rows, factor, read.old_px, noise, psi
        )
        return weigh(operands, prepared, self.particles, rows)

    def fine_batch(self, operands: Operands, read: Read) -> FineBatch:
        settings, model, rows = self.estep.settings, self.estep.model, read.rows
        centres = torch.zeros((model.n_classes, 2), dtype=torch.float64)
        if model.dims == 2:
            centres += torch.from_numpy(model.class_offsets_angst)
            if settings.parity.offset_prior_in_pixels:
                centres *= operands.optics.pixel_size_angst
        halves = self.particles.numbers[rows] % 2 if self.estep.gradient else 0 * rows
        return FineBatch(
            torch.from_numpy(read.old_px * operands.optics.pixel_size_angst),
            centres,
            torch.as_tensor(halves, device=self.estep.device),
            operands.well_determined,
            axes_yx(settings, self.particles, rows),
        )

    def _noise(self, operands: Operands, rows: Ints) -> Tensor | None:
        settings = self.estep.settings
        if settings.zero_mask:
            return None
        groups = noise_group(self.estep.settings, self.particles, rows)
        stacks = [
            noise_images(
                self.estep.model.sigma2_noise[group] * settings.sigma2_fudge,
                operands.optics.box_size,
                np.array([settings.random_seed + number]),
                self.estep.device,
            )
            for group, number in zip(groups, self.particles.numbers[rows])
        ]
        return torch.cat(stacks).to(self.estep.dtype)
