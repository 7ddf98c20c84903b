"""The expectation step over a list of particles (refinement.md §2, Appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.compute.gemm import precision_of_products
from verglas.em.accumulate import Residuals, accumulate
from verglas.em.coarse import coarse_pass, old_offsets_px, shift_log_prior
from verglas.em.fine import TileResult, make_tile, score_tile
from verglas.em.images import noise_images
from verglas.em.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.plan import Iteration, Plan, make_plan
from verglas.em.shells import sums_by_shell
from verglas.em.slices import SliceSums, insert
from verglas.em.sums import WeightedSums
from verglas.em.tiles import tiles
from verglas.em.weighting import Weighted, noise_group, weigh

BATCH_BYTES = 256 << 20
TILE_BYTES = 96 << 20
FLUSH_EVERY = 2000  # particles between flushes of float32 accumulators
SCALE_SSNR = 3.0  # shells with more than this take part in the scale correction


@dataclass
class Expectation:
    """Runs the expectation step; `sums` and `found` hold what has been seen so far."""

    iteration: Iteration
    particles: Particles
    source: ImageSource
    sums: WeightedSums
    found: Assignments

    @classmethod
    def begin(cls, iteration: Iteration, particles: Particles, source: ImageSource) -> Expectation:
        """An expectation step with empty sums."""
        model, settings = iteration.model, iteration.settings
        halves = 2 if settings.gradient else 1
        sums = WeightedSums.zeros(
            iteration.projector.lattice, halves * model.n_classes, model.n_classes,
            model.direction_weights.shape[1], len(model.sigma2_noise), model.n_shells,
            len(particles.group_names),
        )  # fmt: skip
        return cls(iteration, particles, source, sums, iteration.state.assignments.copy())

    def run(self, order: Ints, on_progress: Callable[[int], None] = lambda done: None) -> None:
        """Process particles `order`, optics group by optics group."""
        done = 0
        for group, optics in enumerate(self.particles.optics):
            rows = order[self.particles.optics_group[order] == group]
            if not len(rows):
                continue
            plan = make_plan(self.iteration, optics)
            collected = self._slice_sums(plan)
            since_flush = 0
            for batch in _batches(rows, batch_size(plan)):
                self._process(plan, batch, collected)
                done += len(batch)
                since_flush += len(batch)
                if since_flush >= FLUSH_EVERY:
                    collected.flush()
                    since_flush = 0
                on_progress(done)
            self._insert(plan, collected)

    def _slice_sums(self, plan: Plan) -> SliceSums:
        n_slices = self.iteration.model.n_classes * len(plan.grid.fine_angles_deg)
        halves = 2 if self.iteration.settings.gradient else 1
        like = torch.zeros(0, dtype=self.iteration.dtype, device=self.iteration.device)
        return SliceSums(halves, n_slices, len(plan.pixels), like)

    def _insert(self, plan: Plan, collected: SliceSums) -> None:
        """Slices of each half into its lattices; in gradient mode the residual X° - S C P (§2.9)."""
        data, weight = collected.totals()
        k = self.iteration.model.n_classes
        angles = plan.grid.fine_angles_deg
        for half in range(data.shape[0]):
            d = data[half].reshape(k, len(angles), -1)
            w = weight[half].reshape(k, len(angles), -1)
            if self.iteration.settings.gradient:
                d = d - w * plan.maker.complex(angles, len(plan.pixels))
            part = slice(half * k, (half + 1) * k)
            insert(
                self.sums.data[part], self.sums.weight[part], plan.maker, angles, d.cpu(), w.cpu()
            )

    def _process(self, plan: Plan, rows: Ints, collected: SliceSums) -> None:
        images = self.source.read(rows)
        good = self._acceptable(images, rows)
        rows, images = rows[good], images[good]
        if not len(rows):
            return
        old_px = old_offsets_px(self.found, rows, plan.optics.pixel_size_angst)
        norm = self.found.norm[rows]
        model = self.iteration.model
        factor = (
            model.norm_average / norm
            if self.iteration.settings.correct_norm
            else np.ones(len(rows))
        )
        noise = self._noise(plan, rows)
        prepared = plan.preparer.prepare(
            torch.from_numpy(images), self.particles, rows, factor, old_px, noise
        )
        weighted = weigh(plan, prepared, self.particles, rows)
        settings = self.iteration.settings
        prior = shift_log_prior(plan, old_px)
        with precision_of_products(settings.coarse_precision):
            coarse = coarse_pass(plan, weighted, prior)
        with precision_of_products(settings.fine_precision):
            for chosen in tiles(coarse, _row_bytes(plan), TILE_BYTES):
                tile = make_tile(plan, coarse, chosen)
                result = score_tile(plan, tile, weighted.rows(chosen))
                self._collect(
                    plan,
                    rows[chosen.cpu().numpy()],
                    old_px[chosen.cpu().numpy()],
                    result,
                    collected,
                )
        self.found.n_significant[rows] = coarse.n_significant.cpu().numpy()

    def _acceptable(self, images: np.ndarray, rows: Ints) -> np.ndarray:
        """Which images can be used; the others are set aside with a reason."""
        flat = images.reshape(len(images), -1)
        finite = np.isfinite(flat).all(1)
        varied = flat.max(1) > flat.min(1)
        for row in rows[~finite]:
            self.found.set_aside[int(row)] = "pixel values that are not finite (NaN or infinite)"
        for row in rows[finite & ~varied]:
            self.found.set_aside[int(row)] = "all pixels have the same value"
        return finite & varied

    def _noise(self, plan: Plan, rows: Ints) -> Tensor | None:
        settings = self.iteration.settings
        if settings.zero_mask:
            return None
        groups = noise_group(self.iteration, self.particles, rows)
        stacks = [
            noise_images(
                self.iteration.model.sigma2_noise[group] * settings.sigma2_fudge,
                plan.optics.box_size, np.array([settings.random_seed + row]), self.iteration.device,
            )
            for group, row in zip(groups, rows)
        ]  # fmt: skip
        return torch.cat(stacks).to(self.iteration.dtype)

    def _well_determined(self, plan: Plan) -> Tensor | None:
        """(K, P) pixels of shells that take part in the scale correction, or None."""
        settings, model = self.iteration.settings, self.iteration.model
        if not settings.correct_scale or len(self.particles.group_names) < 2:
            return None
        shells = plan.pixels.model_shells.clamp_max(model.n_shells - 1)
        above = torch.as_tensor(model.data_vs_prior > SCALE_SSNR, device=self.iteration.device)
        return above[:, shells]

    def _collect(
        self, plan: Plan, rows: Ints, old_px: Ints, result: TileResult, collected: SliceSums
    ) -> None:  # fmt: skip
        halves = None
        if self.iteration.settings.gradient:
            halves = torch.as_tensor(rows % 2, device=self.iteration.device)
        residuals = accumulate(plan, result, collected, halves, self._well_determined(plan))
        self._add_noise(plan, rows, result.images, residuals)
        self._add_priors(plan, old_px, result)
        self._add_particles(plan, rows, old_px, result, residuals)

    def _add_noise(self, plan: Plan, rows: Ints, images: Weighted, residuals: Residuals) -> None:
        shells, n = plan.pixels.model_shells, self.iteration.model.n_shells
        spectra = sums_by_shell(residuals.power, shells, n) + images.prepared.power_outside
        groups = torch.from_numpy(noise_group(self.iteration, self.particles, rows))
        self.sums.noise.index_add_(0, groups, spectra.cpu().double())
        self.sums.noise_weight.index_add_(0, groups, residuals.weight.cpu().double())
        scales = torch.from_numpy(self.particles.scale_group[rows])
        s = torch.from_numpy(np.maximum(self.iteration.model.scale, 0.001))[scales]
        self.sums.scale_cross.index_add_(0, scales, residuals.scale_cross.cpu().double() / s)
        self.sums.scale_power.index_add_(0, scales, residuals.scale_power.cpu().double() / s**2)
        self.sums.scale_weight.index_add_(0, scales, torch.ones(len(rows), dtype=torch.float64))
        if plan.optics.ctf_premultiplied:
            power = sums_by_shell(images.prepared.ctf, shells, n)
            self.sums.ctf_power.index_add_(0, groups, power.cpu().double())

    def _add_priors(self, plan: Plan, old_px: Ints, result: TileResult) -> None:
        """Sums for class, direction and offset priors."""
        iteration, grid, tile = self.iteration, plan.grid, result.tile
        model, gamma = iteration.model, result.posterior.gamma
        k = model.n_classes
        klass = tile.columns // (grid.n_orientations * grid.children)
        direction = grid.direction.to(klass.device)[
            (tile.columns // grid.children) % grid.n_orientations
        ]
        per_column = gamma.sum((0, 1)).double()
        where = klass * grid.n_directions + direction
        self.sums.direction_weight.view(-1).index_add_(0, where.cpu(), per_column.cpu())
        per_class = (
            gamma.new_zeros((*gamma.shape[:2], k)).index_add_(2, klass, gamma).double().cpu()
        )
        self.sums.class_weight += per_class.sum((0, 1))
        self.sums.total += per_class.sum()
        absolute = (
            torch.from_numpy(old_px * plan.optics.pixel_size_angst)[:, None]
            + (grid.fine_shifts_angst[tile.fine_shifts.cpu()])
        )  # (m, T', 2)
        centres = torch.from_numpy(model.class_offsets_angst)
        if iteration.settings.parity.offset_prior_in_pixels:
            centres = centres * plan.optics.pixel_size_angst
        if model.dims == 2:
            self.sums.class_offset += torch.einsum("mtk,mtd->kd", per_class, absolute)
        else:
            centres = torch.zeros_like(centres)
        away = (absolute[:, :, None] - centres).square().sum(-1)
        self.sums.sigma2_offset += (per_class * away).sum()

    def _add_particles(
        self, plan: Plan, rows: Ints, old_px: Ints, result: TileResult, residuals: Residuals
    ) -> None:  # fmt: skip
        """Best pose, Pmax, norm and likelihood of each particle."""
        iteration, grid, tile = self.iteration, plan.grid, result.tile
        posterior, found = result.posterior, self.found
        n_columns = tile.columns.numel()
        column = tile.columns[posterior.best % n_columns].cpu()
        shift = tile.fine_shifts[posterior.best // n_columns].cpu()
        n_fine = len(grid.fine_angles_deg)
        angles = grid.fine_angles_deg[column % n_fine].numpy()
        found.rot_deg[rows], found.tilt_deg[rows] = angles[:, 0], angles[:, 1]
        found.psi_deg[rows] = np.remainder(angles[:, 2] + 180, 360) - 180
        found.class_index[rows] = (column // n_fine).numpy()
        pixel_size = plan.optics.pixel_size_angst
        found.origin_yx_angst[rows] = old_px * pixel_size + grid.fine_shifts_angst[shift].numpy()
        found.p_max[rows] = posterior.p_max.cpu().double().numpy()
        found.log_likelihood[rows] = log_likelihoods(plan, result).cpu().numpy()
        unexplained = residuals.power.sum(1).double() + result.images.prepared.high_power.double()
        previous = found.norm[rows] / iteration.model.norm_average
        norm = previous * np.sqrt(2 * unexplained.clamp_min(0).cpu().numpy())
        if iteration.settings.correct_norm:
            found.norm[rows] = norm
        self.sums.norm += float(norm.sum())
        self.sums.log_likelihood += float(found.log_likelihood[rows].sum())
        self.sums.p_max += float(found.p_max[rows].sum())


def log_likelihoods(plan: Plan, result: TileResult) -> Tensor:
    """ln Σ π e^-D - Σ ln(2πσ²) per particle, with π normalised to 1 over the grid (refinement.md §2.10)."""
    images, posterior = result.images, result.posterior
    if plan.iteration.cross_correlation:
        return posterior.log_sum.double()
    noise = images.noise_power[:, 1:].double()
    misfit = (images.image_power[:, 1:].double() / (2 * noise)).sum(1)
    misfit += images.prepared.high_power.double() / 2
    constants = torch.log(2 * torch.pi * noise).sum(1)
    children = plan.grid.children * plan.grid.shift_children
    shifts = plan.grid.prior_shifts_angst.shape[0]
    return posterior.log_sum.double() - misfit - constants - float(np.log(children * shifts))


def batch_size(plan: Plan) -> int:
    """Particles per batch such that the coarse operands and scores fit."""
    n_shifts = plan.coarse_phases.shape[0]
    n_scores = plan.coarse.rows.shape[0]
    per_particle = n_shifts * (plan.n_coarse * 8 + n_scores * 14) + len(plan.pixels) * 80
    return int(max(1, min(1024, BATCH_BYTES // per_particle)))


def _row_bytes(plan: Plan) -> int:
    n_shifts = plan.fine_phases.shape[0]
    n_columns = plan.coarse.rows.shape[0] * plan.grid.children
    return int(n_shifts * (len(plan.pixels) * 24 + n_columns * 12))


def _batches(rows: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
