"""The expectation step over a list of particles (refinement.md §2, Appendix B)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome, PriorSums
from verglas.em.accumulate.tally import add_results, note_poses
from verglas.em.accumulate.tile_sums import accumulate
from verglas.em.images.preparation import noise_images
from verglas.em.operands.batches import (
    batch_size,
    batches,
    collections,
    is_out_of_memory,
    row_bytes,
    tile_limits,
)
from verglas.em.operands.plan import Iteration, Plan
from verglas.em.operands.slices import SliceSums, insert
from verglas.em.operands.weighting import Weighted, noise_group, weigh
from verglas.em.poses.helix import axes_yx, forgotten_axes_yx, turn_log_prior
from verglas.em.run.screening import scored, usable
from verglas.em.scoring.coarse import CoarsePass, coarse_pass, old_offsets_px, shift_log_prior
from verglas.em.scoring.fixed_poses import FixedPoses, fixed_pass
from verglas.em.scoring.sparse import sparse_second_pass
from verglas.em.scoring.sparse_batch import batched_second_pass
from verglas.em.scoring.tile import FineBatch, make_tile, score_tile
from verglas.em.scoring.tiling import tiles
from verglas.em.state.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.state.sums import WeightedSums

PARTICLES_PER_SLICES = 32  # that share fine slices where these are not kept
FLUSH_EVERY = 2000  # particles between flushes of float32 accumulators
SPARSE_POSES = 600  # particles with no more significant poses take the sparse pass (CPU)
GPU_SPARSE_POSES = 64  # the same on a GPU


@dataclass
class Expectation:
    """Runs the expectation step; `sums` and `found` hold what has been seen so far."""

    iteration: Iteration
    particles: Particles
    source: ImageSource
    sums: WeightedSums
    found: Assignments
    threads: int = 1  # that share the device
    notes: set[str] = field(default_factory=set)  # what the user should know afterwards

    @classmethod
    def begin(
        cls, iteration: Iteration, particles: Particles, source: ImageSource, threads: int = 1
    ) -> Expectation:
        """An expectation step with empty sums, one of `threads` on its device."""
        model = iteration.model
        halves = 2 if iteration.gradient else 1
        sums = WeightedSums.zeros(
            iteration.projector.lattice, halves * model.n_classes, model.n_classes,
            model.direction_weights.shape[1], len(model.sigma2_noise), model.n_shells,
            len(particles.group_names), iteration.device,
        )  # fmt: skip
        found = iteration.state.assignments.copy()
        return cls(iteration, particles, source, sums, found, threads)

    def run(
        self, plan: Plan, rows: Ints, on_progress: Callable[[int], None] = lambda done: None
    ) -> None:
        """Process particles `rows` of one optics group."""
        done = since_flush = 0
        resident = plan.fine is not None
        collected = self._slice_sums(plan, plan.n_fine) if resident else []
        for batch in batches(rows, batch_size(plan, self.threads)):
            self._process(plan, batch, collected)
            done += len(batch)
            since_flush += len(batch)
            if since_flush >= FLUSH_EVERY:
                for part in collected:
                    part.flush()
                since_flush = 0
            on_progress(done)
        if resident:
            self._insert(plan, collected)

    def _slice_sums(self, plan: Plan, n_slices: int) -> list[SliceSums]:
        """One collection per thread of the sparse pass; the first serves the tiles, too."""
        halves = 2 if self.iteration.gradient else 1
        like = torch.zeros(0, dtype=self.iteration.dtype, device=self.iteration.device)
        n = collections(plan, n_slices, self.threads)
        return [SliceSums(halves, n_slices, len(plan.pixels), like) for _ in range(n)]

    def _insert(
        self, plan: Plan, collected: list[SliceSums], columns: Tensor | None = None
    ) -> None:
        """Slices of each half into its lattices; in gradient mode the residual X° - S C P (§2.9).

        `columns`: the numbers of the collected slices; None: all of them in order.
        """
        data, weight = collected[0].totals()
        for more in collected[1:]:
            other_data, other_weight = more.totals()
            data += other_data
            weight += other_weight
        angles = plan.grid.fine_angles_deg
        numbers = torch.arange(plan.n_fine) if columns is None else columns.cpu()
        classes, turns = numbers // len(angles), angles[numbers % len(angles)]
        k = self.iteration.model.n_classes
        for half in range(data.shape[0]):
            d, w = data[half], weight[half]
            if self.iteration.gradient:
                d = d - w * plan.maker.at(numbers, angles, len(plan.pixels))
            part = slice(half * k, (half + 1) * k)
            insert(
                self.sums.data[part], self.sums.weight[part], self.iteration.projector.lattice,
                plan.maker, turns, d, w, classes,
            )  # fmt: skip

    def _process(self, plan: Plan, rows: Ints, collected: list[SliceSums]) -> None:
        """One batch; if the device's memory does not suffice, in two halves."""
        images = torch.as_tensor(self.source.read(rows), device=self.iteration.device)
        problems: dict[int, str] = getattr(self.source, "problems", {})
        good = usable(images, rows, problems, self.found.set_aside)
        if not good.all():
            rows, images = rows[good], images[torch.from_numpy(good).to(images.device)]
        if len(rows):
            self._process_images(plan, rows, images, collected)

    def _process_images(
        self, plan: Plan, rows: Ints, images: Tensor, collected: list[SliceSums]
    ) -> None:
        settings, state = self.iteration.settings, self.iteration.state
        forgotten = forgotten_axes_yx(settings, state.sampling, self.particles, rows)
        old_px = old_offsets_px(self.found, rows, plan.optics.pixel_size_angst, forgotten)
        if settings.skip_align or settings.skip_rotate:
            self._fixed(plan, rows, images, old_px)
            return
        try:
            weighted, coarse = self._first_pass(plan, rows, images, old_px)
        except (RuntimeError, MemoryError) as error:
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
            torch.cuda.empty_cache()
            middle = len(rows) // 2
            self.notes.add("memory ran out: batches are halved")
            self._process_images(plan, rows[:middle], images[:middle], collected)
            self._process_images(plan, rows[middle:], images[middle:], collected)
            return
        batch = self._fine_batch(plan, rows, old_px)
        outcome = self._second_pass(plan, coarse, weighted, batch, collected)
        self.found.n_significant[rows] = coarse.n_significant.cpu().numpy()
        good = scored(images, rows, outcome, self.found.set_aside)
        if not good.all():
            chosen = torch.from_numpy(good.nonzero()[0])
            rows, old_px = rows[good], old_px[good]
            weighted, outcome = weighted.rows(chosen.to(images.device)), outcome.rows(chosen)
        note_poses(plan, self.found, rows, old_px, outcome)
        add_results(plan, self.particles, rows, weighted, outcome, self.sums, self.found)

    def _fixed(self, plan: Plan, rows: Ints, images: Tensor, old_px: Ints) -> None:
        """Particles keep their orientation; with `skip_align` their offset, too."""
        found, pixel_size = self.found, plan.optics.pixel_size_angst
        weighted = self._weighted(plan, rows, images, old_px)
        rest = torch.from_numpy(found.origin_yx_angst[rows] - old_px * pixel_size)[:, None]
        prior = torch.zeros(
            (len(rows), self.iteration.model.n_classes, 1), dtype=self.iteration.dtype
        )
        if self.iteration.settings.skip_rotate:
            rest = plan.grid.fine_shifts_angst.expand(len(rows), -1, -1)
            prior = self._shift_prior(plan, rows, old_px)
            prior = prior.repeat_interleave(plan.grid.shift_children, 2)
        angles = np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)
        poses = FixedPoses(torch.from_numpy(angles), rest, prior.to(self.iteration.device))
        priors = PriorSums.zeros(self.iteration.model.n_classes, plan.grid.n_directions)
        batch = self._fine_batch(plan, rows, old_px)
        fixed = fixed_pass(plan, poses, weighted, batch, self.sums, priors)
        self._add_priors(priors)
        found.n_significant[rows] = fixed.n_significant.cpu().numpy()
        found.class_index[rows] = fixed.klass.cpu().numpy()
        best = rest[torch.arange(len(rows)), fixed.shift.cpu()].numpy()
        found.origin_yx_angst[rows] = old_px * pixel_size + best
        add_results(plan, self.particles, rows, weighted, fixed.outcome, self.sums, found)

    def _first_pass(
        self, plan: Plan, rows: Ints, images: Tensor, old_px: Ints
    ) -> tuple[Weighted, CoarsePass]:
        weighted = self._weighted(plan, rows, images, old_px)
        turn_prior = turn_log_prior(
            self.iteration.settings, self.iteration.state.sampling, self.particles, rows
        )
        if turn_prior is not None:
            turn_prior = turn_prior.to(self.iteration.device, self.iteration.dtype)
        shift_prior = self._shift_prior(plan, rows, old_px)
        return weighted, coarse_pass(plan, weighted, shift_prior, turn_prior)

    def _shift_prior(self, plan: Plan, rows: Ints, old_px: Ints) -> Tensor:
        axes = axes_yx(self.iteration.settings, self.particles, rows)
        return shift_log_prior(plan, old_px, axes)

    def _weighted(self, plan: Plan, rows: Ints, images: Tensor, old_px: Ints) -> Weighted:
        settings, model = self.iteration.settings, self.iteration.model
        factor = np.ones(len(rows))
        if settings.correct_norm:
            factor = model.norm_average / self.found.norm[rows]
        noise = self._noise(plan, rows)
        psi = self.iteration.state.assignments.psi_deg[rows]
        prepared = plan.preparer.prepare(images, self.particles, rows, factor, old_px, noise, psi)
        return weigh(plan, prepared, self.particles, rows)

    def _sparse(
        self, plan: Plan, coarse: CoarsePass, few: Tensor, images: Weighted, batch: FineBatch,
        collected: list[SliceSums], priors: PriorSums, outcome: Outcome,
    ) -> None:  # fmt: skip
        """Particles one by one; slices that are not kept are made for some particles at a time."""
        if not few.numel():
            return
        slice_of = torch.arange(plan.n_fine)
        if plan.fine is not None:
            on_cpu = self.iteration.device.type == "cpu"
            second_pass = sparse_second_pass if on_cpu else batched_second_pass
            outcome.put(few.cpu(), second_pass(
                plan, coarse, few, images, batch, plan.fine, slice_of, collected, priors
            ))  # fmt: skip
            return
        for some in torch.split(few, PARTICLES_PER_SLICES):
            columns = plan.children_of(coarse.hits(some).flatten(0, 1).any(0).nonzero().flatten())
            slice_of[columns] = torch.arange(len(columns))
            sums = self._slice_sums(plan, len(columns))
            outcome.put(some, sparse_second_pass(
                plan, coarse, some, images, batch, plan.fine_slices(columns), slice_of, sums, priors
            ))  # fmt: skip
            self._insert(plan, sums, columns)

    def _fine_batch(self, plan: Plan, rows: Ints, old_px: Ints) -> FineBatch:
        settings, model = self.iteration.settings, self.iteration.model
        centres = torch.zeros((model.n_classes, 2), dtype=torch.float64)
        if model.dims == 2:
            centres += torch.from_numpy(model.class_offsets_angst)
            if settings.parity.offset_prior_in_pixels:
                centres *= plan.optics.pixel_size_angst
        halves = self.particles.numbers[rows] % 2 if self.iteration.gradient else 0 * rows
        return FineBatch(
            torch.from_numpy(old_px * plan.optics.pixel_size_angst), centres,
            torch.as_tensor(halves, device=self.iteration.device), plan.well_determined,
            axes_yx(settings, self.particles, rows),
        )  # fmt: skip

    def _second_pass(
        self, plan: Plan, coarse: CoarsePass, images: Weighted, batch: FineBatch,
        collected: list[SliceSums],
    ) -> Outcome:  # fmt: skip
        """Particles with few significant poses one by one (on a CPU), the others in tiles."""
        outcome = Outcome.empty(len(images.score), self.iteration.model.n_shells)
        priors = PriorSums.zeros(self.iteration.model.n_classes, plan.grid.n_directions)
        count = coarse.n_significant
        sparse = torch.zeros_like(count, dtype=torch.bool)
        on_cpu = self.iteration.device.type == "cpu"
        if (on_cpu or plan.fine is not None) and not self.iteration.cross_correlation:
            sparse = count <= (SPARSE_POSES if on_cpu else GPU_SPARSE_POSES)
            few = (sparse & (count > 0)).nonzero().flatten()
            self._sparse(plan, coarse, few, images, batch, collected, priors, outcome)
        many = (~sparse & (count > 0)).nonzero().flatten()
        for chosen in tiles(coarse, many, row_bytes(plan), *tile_limits(self.iteration.device)):
            self._tile(plan, coarse, chosen, images, batch, collected, priors, outcome)
        self._add_priors(priors)
        return outcome

    def _add_priors(self, priors: PriorSums) -> None:
        self.sums.class_weight += priors.class_weight
        self.sums.direction_weight.view(-1).add_(priors.direction_weight)
        self.sums.class_offset += priors.class_offset
        self.sums.sigma2_offset += priors.sigma2_offset[0]
        self.sums.total += priors.class_weight.sum()

    def _tile(
        self, plan: Plan, coarse: CoarsePass, chosen: Tensor, images: Weighted, batch: FineBatch,
        collected: list[SliceSums], priors: PriorSums, outcome: Outcome,
    ) -> None:  # fmt: skip
        """One tile; if the device's memory does not suffice, in two halves."""
        try:
            tile = make_tile(plan, coarse, chosen)
            result = score_tile(plan, tile, images.rows(chosen))
            kept = plan.fine is not None
            sums = collected[0] if kept else self._slice_sums(plan, len(tile.columns))[0]
            found = accumulate(plan, result, sums, priors, batch)
        except (RuntimeError, MemoryError) as error:
            if len(chosen) == 1 or not is_out_of_memory(error):
                raise
            torch.cuda.empty_cache()
            self.notes.add("memory ran out: tiles are halved")
            for half in torch.tensor_split(chosen, 2):
                self._tile(plan, coarse, half, images, batch, collected, priors, outcome)
            return
        outcome.put(chosen.cpu(), found)
        if plan.fine is None:
            self._insert(plan, [sums], tile.columns)

    def _noise(self, plan: Plan, rows: Ints) -> Tensor | None:
        settings = self.iteration.settings
        if settings.zero_mask:
            return None
        groups = noise_group(self.iteration.settings, self.particles, rows)
        stacks = [
            noise_images(
                self.iteration.model.sigma2_noise[group] * settings.sigma2_fudge,
                plan.optics.box_size, np.array([settings.random_seed + number]), self.iteration.device,
            )
            for group, number in zip(groups, self.particles.numbers[rows])
        ]  # fmt: skip
        return torch.cat(stacks).to(self.iteration.dtype)
