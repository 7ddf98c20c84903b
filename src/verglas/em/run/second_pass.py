"""Second pass over a batch: which scorer takes which particles, and where their sums go (refinement.md §2.8, §2.9).

Particles with few significant poses are treated one by one (compiled, on a CPU) or hit by hit (batched products,
on a GPU), the others in tiles. What they add lies in slices, which are inserted into the lattices: once at the end
where all fine slices are kept, else part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.operands.batches import collections, row_bytes, tile_limits
from verglas.em.operands.operands import Operands
from verglas.em.operands.retry import Additions, Work, in_parts
from verglas.em.operands.slices import Slices, SliceSums, insert
from verglas.em.operands.weighting import Weighted
from verglas.em.scoring.coarse import CoarsePass
from verglas.em.scoring.sparse import sparse_second_pass
from verglas.em.scoring.sparse_batch import batched_second_pass, chunks
from verglas.em.scoring.tile import FineBatch, make_tile, score_tile
from verglas.em.scoring.tile_sums import accumulate
from verglas.em.scoring.tiling import tiles
from verglas.em.state.sums import PriorSums, WeightedSums
from verglas.em.volumes.search import VolumeSearch
from verglas.em.volumes.volume import LatticeSums

PARTICLES_PER_SLICES = 32  # that share fine slices where these are not kept
SPARSE_POSES = 600  # particles with no more significant poses take the sparse pass (CPU)
SPARSE_SHARE = 0.1  # the same in 3D, as a share of the coarse poses
CPU_SLICES_BYTES, GPU_SLICES_BYTES = 4 << 20, 4 << 30  # of collected slices that are inserted in one go
SparsePass = Callable[..., Outcome]
GPU_SPARSE_POSES = 64  # the same on a GPU


def slice_sums(operands: Operands, n_slices: int, threads: int) -> list[SliceSums]:
    """One collection per thread of the sparse pass; the first serves the tiles, too."""
    estep = operands.estep
    like = torch.zeros(0, dtype=estep.dtype, device=estep.device)
    halves = 2 if estep.gradient else 1
    n = collections(operands, n_slices, threads)
    return [SliceSums(halves, n_slices, len(operands.pixels), like) for _ in range(n)]


def insert_slices(
    operands: Operands, sums: WeightedSums, collected: list[SliceSums], columns: Tensor | None = None
) -> None:
    """Slices of each half into its lattices; in gradient mode the residual X° - S C P (§2.9).

    `columns`: the numbers of the collected slices; None: all of them in order.
    """
    used = collected[0].used()
    for more in collected[1:]:
        used |= more.used()
    for chosen in torch.split(used.nonzero().flatten(), _slices_together(operands)):
        numbers = chosen.cpu() if columns is None else columns.cpu()[chosen.cpu()]
        _insert_some(operands, sums, collected, chosen, numbers)


def _slices_together(operands: Operands) -> int:
    """Slices in one go: on a CPU as many as stay in its caches; few calls on a GPU."""
    room = CPU_SLICES_BYTES if operands.estep.device.type == "cpu" else GPU_SLICES_BYTES
    return int(max(1, room // (16 * len(operands.pixels))))


def _insert_some(
    operands: Operands, sums: WeightedSums, collected: list[SliceSums], chosen: Tensor, numbers: Tensor
) -> None:
    """Collected slices `chosen` with their fine slice numbers."""
    data, weight = collected[0].totals(chosen)
    for more in collected[1:]:
        other_data, other_weight = more.totals(chosen)
        data += other_data
        weight += other_weight
    estep = operands.estep
    classes, turns = operands.pose_of(numbers)
    if estep.gradient:
        data = data - weight * operands.maker.at(classes, turns, len(operands.pixels))
    k, lattice = estep.model.n_classes, estep.projector.lattice
    for half in range(data.shape[0]):
        part = slice(half * k, (half + 1) * k)
        into = sums.data[part], sums.weight[part]
        insert(*into, lattice, operands.maker, turns, data[half], weight[half], classes)


@dataclass
class SecondPass:
    """One batch after its coarse pass; `collected`: sums of all fine slices, where these are kept."""

    operands: Operands
    coarse: CoarsePass
    images: Weighted
    batch: FineBatch
    sums: WeightedSums
    collected: list[SliceSums]
    threads: int
    additions: Additions
    volumes: VolumeSearch | None = None
    lattice_sums: LatticeSums | None = None  # of `volumes`
    priors: PriorSums = field(init=False)
    outcome: Outcome = field(init=False)

    def run(self, note: Callable[[str], None]) -> Outcome:
        """Score all particles and add what they show; `note` hears what the user should know."""
        operands, coarse, estep = self.operands, self.coarse, self.operands.estep
        self.outcome = Outcome.empty(len(self.images.score), estep.model.n_shells)
        self.priors = PriorSums.zeros(estep.model.n_classes, operands.poses.n_directions)
        if self.volumes is not None:
            in_parts(torch.arange(len(coarse.n_significant)), self._from_volumes, note, self.additions)
            self.sums.add_priors(self.priors)
            return self.outcome
        count = coarse.n_significant
        sparse = torch.zeros_like(count, dtype=torch.bool)
        on_cpu = estep.device.type == "cpu"
        if (on_cpu or operands.fine is not None) and not estep.cross_correlation:
            sparse = count <= (self._most_poses() if on_cpu else GPU_SPARSE_POSES)
            few = (sparse & (count > 0)).nonzero().flatten()
            for chosen, work in self._sparse_parts(few):
                in_parts(chosen, work, note, self.additions)
        many = (~sparse & (count > 0)).nonzero().flatten()
        for chosen in tiles(coarse, many, row_bytes(operands), *tile_limits(estep.device)):
            in_parts(chosen, self._tile, note, self.additions)
        self.sums.add_priors(self.priors)
        return self.outcome

    def _from_volumes(self, chosen: Tensor) -> None:
        """All particles from lists of poses."""
        volumes, sums = self.volumes, self.lattice_sums
        if volumes is None or sums is None:
            raise ValueError("a pass from the volumes needs sums to add to")
        coarse, images, batch = self.coarse, self.images, self.batch
        if len(chosen) < len(coarse.n_significant):
            at = chosen.to(images.score.device)
            coarse, images, batch = coarse.of(at), images.rows(at), batch.rows(chosen)
        self.outcome.put(
            chosen, volumes.second_pass(coarse, images, batch, sums, self.priors, self.additions)
        )

    def _most_poses(self) -> int:
        """Significant poses of a particle up to which the sparse pass costs less than tiles, on a CPU."""
        if self.operands.estep.model.dims == 2:
            return SPARSE_POSES
        return max(SPARSE_POSES, int(SPARSE_SHARE * self.coarse.weights[0].numel()))

    def _sparse_parts(self, few: Tensor) -> Iterator[tuple[Tensor, Work]]:
        """Particles with few significant poses in parts, and what treats them."""
        if self.operands.fine is None:
            for some in torch.split(few, PARTICLES_PER_SLICES):
                yield some, self._with_new_slices
        elif self.operands.estep.device.type == "cpu":
            yield few, partial(self._with_kept_slices, sparse_second_pass, self.operands.fine)
        else:
            for some in chunks(self.operands, self.coarse, few):
                yield some, partial(self._with_kept_slices, batched_second_pass, self.operands.fine)

    def _with_kept_slices(self, second_pass: SparsePass, slices: Slices, few: Tensor) -> None:
        """Particles one by one, or hit by hit, with the slices there are."""
        operands = self.operands
        found = second_pass(
            operands,
            self.coarse,
            few,
            self.images,
            self.batch,
            slices,
            torch.arange(operands.n_fine),
            self.collected,
            self.priors,
            self.additions,
        )
        self.outcome.put(few.cpu(), found)

    def _with_new_slices(self, some: Tensor) -> None:
        """The same with slices made for these particles."""
        operands, coarse = self.operands, self.coarse
        hit = coarse.hits(some).flatten(0, 1).any(0).nonzero().flatten()
        columns = operands.children_of(hit)
        slice_of = torch.zeros(operands.n_fine, dtype=torch.int64)
        slice_of[columns] = torch.arange(len(columns))
        sums = slice_sums(operands, len(columns), self.threads)
        found = sparse_second_pass(
            operands,
            coarse,
            some,
            self.images,
            self.batch,
            operands.fine_slices(columns),
            slice_of,
            sums,
            self.priors,
            self.additions,
        )
        insert_slices(operands, self.sums, sums, columns)
        self.outcome.put(some, found)

    def _tile(self, chosen: Tensor) -> None:
        """Particles × poses as dense products."""
        operands = self.operands
        tile = make_tile(operands, self.coarse, chosen)
        result = score_tile(operands, tile, self.images.rows(chosen))
        kept = operands.fine is not None
        sums = self.collected[0] if kept else slice_sums(operands, len(tile.columns), self.threads)[0]
        found = accumulate(operands, result, sums, self.priors, self.batch, self.additions)
        self.outcome.put(chosen.cpu(), found)
        if not kept:
            insert_slices(operands, self.sums, [sums], tile.columns)
