"""The expectation step over a list of particles (refinement.md §2, Appendix B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.accumulate.tally import add_results, likelihood_constants, note_poses
from verglas.em.operands.batches import batch_size, batches
from verglas.em.operands.operands import EStep, Operands
from verglas.em.operands.retry import Additions, in_parts
from verglas.em.operands.slices import SliceSums
from verglas.em.operands.weighting import Weighted
from verglas.em.poses.local import Bucket, LocalSearch
from verglas.em.run.reading import Read, Reader
from verglas.em.run.screening import scored
from verglas.em.run.second_pass import SecondPass, insert_slices, slice_sums
from verglas.em.scoring.coarse import coarse_pass
from verglas.em.scoring.fixed_poses import FixedPoses, fixed_pass
from verglas.em.state.particles import Assignments, ImageSource, Ints, Particles
from verglas.em.state.sums import PriorSums, WeightedSums
from verglas.em.volumes.search import VolumeSearch
from verglas.em.volumes.volume import LatticeSums

READ_TOGETHER = 256  # particles of local searches whose images are read at once
LISTS_TOGETHER = 4096  # the same where every particle has a list of poses
FLUSH_EVERY = 2000  # particles between flushes of float32 accumulators
SUMS_SHARE = 0.25  # of the free memory of a device
CPU = torch.device("cpu")
Progress = Callable[[int], None]


@dataclass
class Expectation:
    """Runs the expectation step; `sums` and `found` hold what has been seen so far."""

    estep: EStep
    particles: Particles
    source: ImageSource
    sums: WeightedSums
    found: Assignments
    threads: int = 1  # that share the device
    notes: set[str] = field(default_factory=set)  # what the user should know afterwards
    lattice_sums: LatticeSums | None = None  # where poses are scored straight from the volumes
    additions: Additions = field(default_factory=Additions)

    @property
    def reader(self) -> Reader:
        """Who reads the particles."""
        return Reader(self.estep, self.particles, self.source, self.found)

    @classmethod
    def begin(cls, estep: EStep, particles: Particles, source: ImageSource, threads: int = 1) -> Expectation:
        """An expectation step with empty sums, one of `threads` on its device."""
        model = estep.model
        halves = 2 if estep.gradient else 1
        lattice, n = estep.projector.lattice, halves * model.n_classes
        sums = WeightedSums.zeros(
            lattice,
            n,
            model.n_classes,
            model.direction_weights.shape[1],
            len(model.sigma2_noise),
            model.n_shells,
            len(particles.group_names),
            _room_for_sums(estep, n),
        )
        found = estep.state.assignments.copy()
        collected = None
        if estep.volume is not None:
            collected = LatticeSums.empty(lattice, n, estep.dtype, estep.device)
        return cls(estep, particles, source, sums, found, threads, lattice_sums=collected)

    def run(self, operands: Operands, rows: Ints, on_progress: Progress = lambda done: None) -> None:
        """Process particles `rows` of one optics group."""
        settings, volume = self.estep.settings, self.estep.volume
        fixed = settings.skip_align or settings.skip_rotate
        search = None if volume is None or fixed else VolumeSearch.of(operands, volume)
        if self.estep.is_local and not fixed:
            if search is None:
                self._run_local(operands, rows, on_progress)
            else:
                self._run_lists(search, rows, on_progress)
        else:
            self._run_global(operands, rows, on_progress, search)
        self._flush()

    def _flush(self) -> None:
        if self.lattice_sums is not None:
            self.lattice_sums.flush(self.sums.data, self.sums.weight)

    def _run_global(
        self, operands: Operands, rows: Ints, on_progress: Progress, search: VolumeSearch | None
    ) -> None:
        """All particles are searched over the same poses."""
        done = since_flush = 0
        resident = operands.fine is not None
        collected = slice_sums(operands, operands.n_fine, self.threads) if resident else []
        for batch in batches(rows, batch_size(operands, self.threads)):
            read = self.reader.read(operands, batch)
            prior = self.reader.turn_prior(read.rows)
            self._batch(operands, read, prior, collected, search)
            done += len(batch)
            since_flush += len(batch)
            if since_flush >= FLUSH_EVERY:
                for part in collected:
                    part.flush()
                self._flush()
                since_flush = 0
            on_progress(done)
        if resident:
            insert_slices(operands, self.sums, collected)

    def _run_local(self, operands: Operands, rows: Ints, on_progress: Progress) -> None:
        """Particles are searched around their last orientations, neighbours together."""
        done = 0
        for buckets in self._bucket_batches(operands, rows):
            read = self.reader.read(operands, np.concatenate([bucket.rows for bucket in buckets]))
            place = {int(row): k for k, row in enumerate(read.rows)}
            for bucket in buckets:
                mine = [k for k, row in enumerate(bucket.rows) if int(row) in place]
                if not mine:
                    continue
                chosen = torch.tensor([place[int(bucket.rows[k])] for k in mine])
                poses = operands.poses.part(bucket.numbers)
                here = operands.searching(poses, keep_fine=False)
                self._batch(here, read.part(chosen), bucket.log_prior[mine], [])
            done += sum(len(bucket.rows) for bucket in buckets)
            on_progress(done)

    def _run_lists(self, search: VolumeSearch, rows: Ints, on_progress: Progress) -> None:
        """The same with a list of poses for every particle."""
        operands, local = search.operands, self.reader.local_search(search.operands)
        done = since_flush = 0
        for batch in batches(rows, LISTS_TOGETHER):
            read = self.reader.read(operands, batch)

            def work(chosen: Tensor, read: Read = read) -> None:
                self._listed(search, local, read.part(chosen))

            in_parts(torch.arange(len(read.rows)), work, self.notes.add, self.additions)
            done += len(batch)
            since_flush += len(batch)
            if since_flush >= FLUSH_EVERY:
                self._flush()
                since_flush = 0
            on_progress(done)

    def _listed(self, search: VolumeSearch, local: LocalSearch, read: Read) -> None:
        operands = search.operands
        weighted = self.reader.weighted(operands, read)
        around = local.around(self.reader.last_angles(read.rows))
        batch = self.reader.fine_batch(operands, read)
        priors = PriorSums.zeros(self.estep.model.n_classes, operands.poses.n_directions)
        if self.lattice_sums is None:
            raise ValueError("a pass from the volumes needs sums to add to")
        sums, shift_prior = self.lattice_sums, self.reader.shift_prior(operands, read)
        constants = likelihood_constants(weighted)
        outcome = Outcome.empty(len(read.rows), self.estep.model.n_shells)
        counts = torch.zeros(len(read.rows), dtype=torch.int64)

        def work(rows: Tensor) -> None:
            at = rows.to(weighted.score.device)
            found, counts[rows] = search.local_passes(
                around.rows(at),
                weighted.rows(at),
                shift_prior[at],
                batch.rows(rows),
                sums,
                priors,
                self.additions,
            )
            outcome.put(rows, found)

        for rows in torch.split(torch.arange(len(read.rows)), search.together(around)):
            in_parts(rows, work, self.notes.add, self.additions)
        self.sums.add_priors(priors)
        self._note(operands, read, weighted, outcome, counts, constants)

    def _bucket_batches(self, operands: Operands, rows: Ints) -> Iterator[list[Bucket]]:
        waiting: list[Bucket] = []
        for bucket in self.reader.local_search(operands).buckets(rows, self.reader.last_angles(rows)):
            waiting.append(bucket)
            if sum(len(one.rows) for one in waiting) >= READ_TOGETHER:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _batch(
        self,
        operands: Operands,
        read: Read,
        turn_prior: Tensor | None,
        collected: list[SliceSums],
        search: VolumeSearch | None = None,
    ) -> None:
        """Search particles over the poses of `operands`; `turn_prior` (b, O): of their own."""
        settings = self.estep.settings
        fixed = settings.skip_align or settings.skip_rotate

        def work(chosen: Tensor) -> None:
            part = read.part(chosen)
            if fixed:
                self._fixed(operands, part)
            else:
                prior = None if turn_prior is None else turn_prior[chosen]
                self._searched(operands, part, prior, collected, search)

        in_parts(torch.arange(len(read.rows)), work, self.notes.add, self.additions)

    def _searched(
        self,
        operands: Operands,
        read: Read,
        turn_prior: Tensor | None,
        collected: list[SliceSums],
        search: VolumeSearch | None,
    ) -> None:
        weighted = self.reader.weighted(operands, read)
        if turn_prior is not None:
            turn_prior = turn_prior.to(self.estep.device, self.estep.dtype)
        shift_prior = self.reader.shift_prior(operands, read)
        coarse = coarse_pass(operands, weighted, shift_prior, turn_prior)
        batch = self.reader.fine_batch(operands, read)
        second = SecondPass(
            operands,
            coarse,
            weighted,
            batch,
            self.sums,
            collected,
            self.threads,
            self.additions,
            search,
            self.lattice_sums,
        )
        constants = likelihood_constants(weighted)
        outcome = second.run(self.notes.add)
        self._note(operands, read, weighted, outcome, coarse.n_significant.cpu(), constants)

    def _note(
        self,
        operands: Operands,
        read: Read,
        weighted: Weighted,
        outcome: Outcome,
        n_significant: Tensor,
        constants: Tensor,
    ) -> None:
        """Write down the poses of a batch and add what it tells beside its back-projections."""
        self.additions.begin()
        rows, old_px = read.rows, read.old_px
        self.found.n_significant[rows] = n_significant.numpy()
        good = scored(read.images, rows, outcome, self.found.set_aside)
        if not good.all():
            chosen = torch.from_numpy(good.nonzero()[0])
            rows, old_px = rows[good], old_px[good]
            weighted, outcome = (weighted.rows(chosen.to(weighted.score.device)), outcome.rows(chosen))
            constants = constants[chosen]
        note_poses(operands, self.found, rows, old_px, outcome)
        add_results(operands, self.particles, rows, weighted, outcome, self.sums, self.found, constants)

    def _fixed(self, operands: Operands, read: Read) -> None:
        """Particles keep their orientation; with `skip_align` their offset, too."""
        found, pixel_size = self.found, operands.optics.pixel_size_angst
        rows, old_px = read.rows, read.old_px
        weighted = self.reader.weighted(operands, read)
        rest = torch.from_numpy(found.origin_yx_angst[rows] - old_px * pixel_size)[:, None]
        prior = torch.zeros((len(rows), self.estep.model.n_classes, 1), dtype=self.estep.dtype)
        prior = self.reader.dealt(prior, rows)
        if self.estep.settings.skip_rotate:
            rest = operands.poses.fine_shifts_angst.expand(len(rows), -1, -1)
            prior = self.reader.shift_prior(operands, read)
            prior = prior.repeat_interleave(operands.poses.shift_children, 2)
        angles = np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)
        poses = FixedPoses(torch.from_numpy(angles), rest, prior.to(self.estep.device))
        priors = PriorSums.zeros(self.estep.model.n_classes, operands.poses.n_directions)
        batch = self.reader.fine_batch(operands, read)
        constants = likelihood_constants(weighted)
        fixed = fixed_pass(operands, poses, weighted, batch, self.sums, priors, self.additions)
        self.sums.add_priors(priors)
        found.n_significant[rows] = fixed.n_significant.cpu().numpy()
        found.class_index[rows] = fixed.klass.cpu().numpy()
        best = rest[torch.arange(len(rows)), fixed.shift.cpu()].numpy()
        found.origin_yx_angst[rows] = old_px * pixel_size + best
        add_results(operands, self.particles, rows, weighted, fixed.outcome, self.sums, found, constants)


def _room_for_sums(estep: EStep, n: int) -> torch.device:
    """Where double-precision sums of n lattices lie: on the device, or on the host where they crowd it.

    Only passes from the volumes, which collect in single precision, can keep them elsewhere.
    """
    if estep.volume is None or estep.device.type != "cuda":
        return estep.device
    free, _ = torch.cuda.mem_get_info(estep.device)
    return estep.device if 24 * n * estep.projector.lattice.points <= SUMS_SHARE * free else CPU
