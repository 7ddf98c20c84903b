"""The expectation step over a list of particles (refinement.md §2, Appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from verglas.em.accumulate import accumulate
from verglas.em.coarse import CoarsePass, coarse_pass, old_offsets_px, shift_log_prior
from verglas.em.fine import FineBatch, make_tile, score_tile
from verglas.em.fixed_poses import FixedPoses, fixed_pass
from verglas.em.helix import axes_yx, forgotten_axes_yx, turn_log_prior
from verglas.em.images import noise_images
from verglas.em.initialise import OUTLIER
from verglas.em.outcome import Outcome, PriorSums
from verglas.em.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.plan import Iteration, Plan
from verglas.em.shells import sums_by_shell
from verglas.em.slices import SliceSums, insert
from verglas.em.sparse import sparse_second_pass
from verglas.em.sparse_batch import batched_second_pass
from verglas.em.sums import WeightedSums
from verglas.em.tiles import tiles
from verglas.em.weighting import SMALLEST_SCALE, Weighted, noise_group, weigh

BATCH_BYTES = 64 << 20  # arrays small enough to be used again instead of being given back
TILE_BYTES, TILE_PARTICLES = 96 << 20, 16
GPU_BATCH_BYTES, GPU_BATCH_PARTICLES = 24 << 30, 8192  # of all threads; of each
GPU_TILE_BYTES, GPU_TILE_PARTICLES = 1 << 30, 192  # of each thread
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
        for batch in _batches(rows, batch_size(plan, self.threads)):
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
        on_cpu = self.iteration.device.type == "cpu"
        n = torch.get_num_threads() if on_cpu else 1
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
        good = self._acceptable(images, rows)
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
        scored = self._scored(rows, images, outcome)
        if not scored.all():
            chosen = torch.from_numpy(scored.nonzero()[0])
            rows, old_px = rows[scored], old_px[scored]
            weighted, outcome = weighted.rows(chosen.to(images.device)), outcome.rows(chosen)
        self._add(plan, rows, old_px, weighted, outcome)

    def _scored(self, rows: Ints, images: Tensor, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Which particles have a pose; numbers beyond all bounds set a particle aside, not the run."""
        power = outcome.spectra.sum(1)
        scored: npt.NDArray[np.bool_] = ((outcome.p_max > 0) & torch.isfinite(power)).numpy()
        for place in (~scored).nonzero()[0]:
            largest = float(images[int(place)].abs().max())
            self.found.set_aside[int(rows[place])] = (
                f"no pose has a probability that is a number; its pixels reach {largest:.3g}"
            )
        return scored

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
        self._add_results(plan, rows, weighted, fixed.outcome)

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
        for chosen in tiles(coarse, many, _row_bytes(plan), *tile_limits(self.iteration.device)):
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

    def _acceptable(self, images: Tensor, rows: Ints) -> npt.NDArray[np.bool_]:
        """Which images can be used; the others are set aside with a reason."""
        flat = images.flatten(1)
        high, low = flat.amax(1), flat.amin(1)
        ends = torch.stack([high, low]).cpu().numpy()
        finite, varied = np.isfinite(ends[0] - ends[1]), ends[0] > ends[1]
        known: dict[int, str] = getattr(self.source, "problems", {})
        for row in rows[~finite]:
            unknown = "pixel values that are not finite (NaN or infinite)"
            self.found.set_aside[int(row)] = known.get(int(row), unknown)
        for row in rows[finite & ~varied]:
            self.found.set_aside[int(row)] = "all pixels have the same value"
        good: npt.NDArray[np.bool_] = finite & varied
        return good & self._alike(flat, rows, good)

    def _alike(
        self, flat: Tensor, rows: Ints, good: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Which images vary about as much as most of the batch: one of another scale drowns a class."""
        spread = flat.std(1).cpu().numpy()
        usual = float(np.median(spread[good])) if good.any() else 0.0
        alike: npt.NDArray[np.bool_] = spread < OUTLIER * usual
        for place in (good & ~alike).nonzero()[0]:
            self.found.set_aside[int(rows[place])] = (
                f"its pixels vary by {spread[place]:.3g}, those of most particles by {usual:.3g}: "
                "it was not normalised, or an image is damaged"
            )
        return alike

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

    def _add(
        self, plan: Plan, rows: Ints, old_px: Ints, images: Weighted, outcome: Outcome
    ) -> None:
        """The batch's share of noise, scale and particle sums, and its rows of the assignments."""
        grid, found = plan.grid, self.found
        n_fine = len(grid.fine_angles_deg)
        angles = grid.fine_angles_deg[outcome.column % n_fine].numpy()
        found.rot_deg[rows], found.tilt_deg[rows] = angles[:, 0], angles[:, 1]
        found.psi_deg[rows] = np.remainder(angles[:, 2] + 180, 360) - 180
        found.class_index[rows] = (outcome.column // n_fine).numpy()
        moves = grid.fine_shifts_angst[outcome.shift].numpy()
        found.origin_yx_angst[rows] = old_px * plan.optics.pixel_size_angst + moves
        self._add_results(plan, rows, images, outcome)

    def _add_results(self, plan: Plan, rows: Ints, images: Weighted, outcome: Outcome) -> None:
        """What does not depend on how poses were searched: noise, scale, norm and likelihoods."""
        self._add_noise(plan, rows, images, outcome)
        found, model = self.found, self.iteration.model
        found.p_max[rows] = outcome.p_max.numpy()
        found.log_likelihood[rows] = log_likelihoods(plan, images, outcome).numpy()
        unexplained = outcome.spectra.sum(1) + images.prepared.high_power.cpu().double()
        norm = found.norm[rows] / model.norm_average * np.sqrt(2 * unexplained.clamp_min(0).numpy())
        if self.iteration.settings.correct_norm:
            found.norm[rows] = norm
        self.sums.norm += float(norm.sum())
        self.sums.log_likelihood += float(found.log_likelihood[rows].sum())
        self.sums.p_max += float(found.p_max[rows].sum())

    def _add_noise(self, plan: Plan, rows: Ints, images: Weighted, outcome: Outcome) -> None:
        n = self.iteration.model.n_shells
        groups = torch.from_numpy(noise_group(self.iteration.settings, self.particles, rows))
        spectra = outcome.spectra + images.prepared.power_outside.cpu().double()
        self.sums.noise.index_add_(0, groups, spectra)
        self.sums.noise_weight.index_add_(0, groups, outcome.accepted)
        scales = torch.from_numpy(self.particles.scale_group[rows])
        s = torch.from_numpy(np.maximum(self.iteration.model.scale, SMALLEST_SCALE))[scales]
        self.sums.scale_cross.index_add_(0, scales, outcome.scale_sums[:, 0] / s)
        self.sums.scale_power.index_add_(0, scales, outcome.scale_sums[:, 1] / s**2)
        self.sums.scale_weight.index_add_(0, scales, torch.ones(len(rows), dtype=torch.float64))
        if plan.optics.ctf_premultiplied:
            power = sums_by_shell(images.prepared.ctf, plan.pixels.model_shells, n)
            self.sums.ctf_power.index_add_(0, groups, power.cpu().double())


def log_likelihoods(plan: Plan, images: Weighted, outcome: Outcome) -> Tensor:
    """ln Σ π e^-D - Σ ln(2πσ²) per particle, with π normalised to 1 over the grid (refinement.md §2.10)."""
    if plan.iteration.cross_correlation:
        return outcome.log_sum
    noise = images.noise_power[:, 1:].double()
    misfit = (images.image_power[:, 1:].double() / (2 * noise)).sum(1)
    misfit += images.prepared.high_power.double() / 2
    constants = torch.log(2 * torch.pi * noise).sum(1)
    children = plan.grid.children * plan.grid.shift_children
    shifts = plan.grid.prior_shifts_angst.shape[0]
    return outcome.log_sum - (misfit + constants).cpu() - float(np.log(children * shifts))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or on the host (where torch has no error class for it)."""
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or "DefaultCPUAllocator: can't allocate memory" in str(error)


def tile_limits(device: torch.device) -> tuple[int, int]:
    """Bytes and particles a tile may have: a GPU wants much larger products than a core."""
    if device.type == "cpu":
        return TILE_BYTES, TILE_PARTICLES
    free, _ = torch.cuda.mem_get_info(device)
    return min(free // 4, GPU_TILE_BYTES), GPU_TILE_PARTICLES


def batch_size(plan: Plan, threads: int = 1) -> int:
    """Particles per batch such that the coarse operands and scores of all threads fit."""
    n_shifts = plan.coarse_phases.shape[0]
    n_scores = plan.coarse.rows.shape[0]
    per_particle = n_shifts * (plan.n_coarse * 8 + n_scores * 14) + len(plan.pixels) * 80
    if plan.iteration.device.type == "cpu":
        return int(max(1, min(1024, BATCH_BYTES // per_particle)))
    free, _ = torch.cuda.mem_get_info(plan.iteration.device)
    room = min(free // 4, GPU_BATCH_BYTES // threads)
    return int(max(1, min(GPU_BATCH_PARTICLES, room // per_particle)))


def _row_bytes(plan: Plan) -> int:
    n_shifts = plan.fine_phases.shape[0]
    n_columns = plan.coarse.rows.shape[0] * plan.grid.children
    return int(n_shifts * (len(plan.pixels) * 24 + n_columns * 12))


def _batches(rows: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
