"""Lists of poses by loops over slices, and a program that compares the (interpreted) kernels with torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.em.volumes import plain as volume_torch
from verglas.em.volumes.volume import (
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
)
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.lattice import Lattice
from verglas.fourier.pixels import half_disc
from verglas.fourier.projector import Projector
from verglas.fourier.slicing import slice_steps
from verglas.fourier.volume import Volume, pack_volume, scaled_volume
from verglas.geometry.euler import euler_matrices

N, K, ORIENTATIONS, SHIFTS, ALL_SHIFTS = 3, 2, 5, 4, 19
ROWS = (1, 0, 2)  # which image each list is of
COUNTS, SHIFT_COUNTS = (5, 3, 0), (4, 2, 1)
ENTRIES, PER_ENTRY = (3, 0, 2), (2, 1, 3, 1, 4)


@dataclass(frozen=True)
class Problem:
    """Three particles with lists of unequal length, two references, pixels beyond the lattice."""

    volume: Volume
    pixels: SlicePixels
    matrices: Tensor  # (N, O, 3, 3)
    poses: PoseLists
    shifts: ShiftLists
    images: ListImages
    accepted: AcceptedPoses
    particle: Tensor  # (E,)
    chosen: Tensor  # (E,) which orientation each entry has
    marks: Tensor
    n_targets: int = 2 * K

    @property
    def all_shifts(self) -> ShiftLists:
        return ShiftLists(self.shifts.phases)

    @classmethod
    def random(cls, dtype: torch.dtype) -> Problem:
        torch.manual_seed(4)
        lattice, indices = Lattice(3, 6, 2.0), half_disc(14).indices_yx
        indices = indices[torch.argsort(indices.square().sum(1), stable=True)]
        seen = indices.square().sum(1) <= 36
        seen[3] = False
        values = 100 * torch.randn(K, *lattice.shape, dtype=dtype.to_complex())
        angles = 360 * torch.rand(N * ORIENTATIONS, 3, dtype=torch.float64)
        matrices = 1.01 * euler_matrices(angles)
        steps = slice_steps(matrices, lattice, dtype, torch.device("cpu"))
        steps = steps.view(N, ORIENTATIONS, 2, 3)
        klass = torch.randint(K, (N, ORIENTATIONS), dtype=torch.int32)
        p = len(indices)
        turns = 6 * torch.rand(ALL_SHIFTS, p - 1, dtype=dtype)
        phases = torch.stack([turns.cos(), turns.sin()], 1)
        moves = torch.stack([torch.randperm(ALL_SHIFTS)[:SHIFTS] for _ in range(N)]).int()
        real = [torch.rand(N, p, dtype=dtype) for _ in range(4)]
        both = [torch.randn(N, p, dtype=dtype.to_complex()) for _ in range(2)]
        images = ListImages(both[0], 0.01 * real[0], both[1], *real[1:])
        per_entry = torch.tensor(PER_ENTRY)
        rows, entries = torch.tensor([2, 1, 0]), torch.tensor(ENTRIES)
        particle = torch.arange(N).repeat_interleave(entries)
        last = entries.cumsum(0)
        chosen = torch.tensor([0, 2, 4, 1, 3])
        n = int(per_entry.sum())
        starts = lambda counts: torch.cat([counts.new_zeros(1), counts.cumsum(0)])  # noqa: E731
        accepted = AcceptedPoses(
            rows,
            (last - entries)[rows],
            last[rows],
            klass[particle, chosen],
            torch.randint(2 * K, (len(chosen),)).int(),
            steps[particle, chosen],
            starts(per_entry),
            torch.randint(ALL_SHIFTS, (n,)).int(),
            torch.rand(n, dtype=dtype),
        )
        return cls(
            Volume(lattice, values),
            SlicePixels(indices, seen),
            matrices.view(N, ORIENTATIONS, 3, 3),
            PoseLists(torch.tensor(ROWS), klass, steps, torch.tensor(COUNTS, dtype=torch.int32)),
            ShiftLists(phases, moves, torch.tensor(SHIFT_COUNTS, dtype=torch.int32)),
            images,
            accepted,
            particle,
            chosen,
            torch.rand(K, p) < 0.4,
        )

    def slice(self, i: int, o: int) -> Tensor:
        """One slice by the projector, (P,)."""
        projector = Projector(self.volume.lattice, self.volume.values, torch.empty(0))
        which = self.poses.klass[i, o].long()[None]
        values = projector.at(self.matrices[i, o][None], self.pixels.indices_yx, which)[0]
        return values * self.pixels.seen

    def phase(self, t: int) -> Tensor:
        """exp(-2πi k·t/N) of one translation, (P,)."""
        moved = torch.complex(self.shifts.phases[t, 0], self.shifts.phases[t, 1])
        return torch.cat([torch.ones_like(moved[:1]), moved])


def scores_of(problem: Problem, shifts: ShiftLists) -> Tensor:
    """Re Σ conj(Y_t) P - ½ Σ V |P|² one by one, without the origin."""
    out = torch.full((N, shifts.longest, ORIENTATIONS), -torch.inf, dtype=torch.float64)
    for i, row in enumerate(ROWS):
        own = range(ALL_SHIFTS)
        if shifts.shifts is not None:
            own = shifts.shifts[i, : SHIFT_COUNTS[i]].tolist()
        for o in range(COUNTS[i]):
            p = problem.slice(i, o)
            power = problem.images.score_power[row] * p.abs().square()
            for place, t in enumerate(own):
                moved = problem.images.score[row] * problem.phase(t)
                out[i, place, o] = ((moved.conj() * p).real - 0.5 * power)[1:].sum()
    return out


def agreement_of(problem: Problem, gradient: bool) -> tuple[Agreement, BackProjector]:
    """The sums over accepted poses one by one."""
    images, accepted, lattice = problem.images, problem.accepted, problem.volume.lattice
    cross, power = torch.zeros_like(images.noise_power), torch.zeros_like(images.noise_power)
    scale_sums = cross.new_zeros((N, 2))
    shape = (problem.n_targets, *lattice.shape)
    back = BackProjector(0, lattice, torch.zeros(shape, dtype=torch.complex128), torch.zeros(shape).double())
    for e, i in enumerate(problem.particle.tolist()):
        o = int(problem.chosen[e])
        p = problem.slice(i, o)
        mark = problem.marks[problem.poses.klass[i, o].long()]
        for j in range(int(accepted.first_shift[e]), int(accepted.first_shift[e + 1])):
            gamma, phase = accepted.weights[j], problem.phase(int(accepted.shifts[j]))
            agreed = gamma * (images.score[i] * phase).conj().mul(p).real
            expected = gamma * p.abs().square()
            cross[i] += agreed
            power[i] += expected
            scale_sums[i, 0] += (images.noise_power[i] * agreed)[mark].sum()
            low = images.noise_power[i] * images.score_power[i] * expected
            scale_sums[i, 1] += low[mark].sum()
            data = images.back[i] * phase
            if gradient:
                data = data - images.back_power[i] * p
            back.insert_at(
                (gamma * data)[None],
                (gamma * images.back_power[i])[None],
                problem.matrices[i, o][None],
                problem.pixels.indices_yx,
                accepted.target[e].long()[None],
            )
    return Agreement(cross, power, scale_sums), back


def close(mine: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal to a part of the largest value; infinite where the other is."""
    finite = torch.isfinite(expected)
    assert torch.equal(finite, torch.isfinite(mine))
    mine, expected = mine[finite], expected[finite]
    assert float((mine - expected).abs().max()) <= tolerance * float(expected.abs().max())


def compare_scores(problem: Problem) -> None:
    from verglas.em.volumes import launch as volume_triton

    lattice, values = problem.volume.lattice, problem.volume.values
    packed = pack_volume(values, lattice)
    volume_triton._MOST_SHIFTS = 16  # two blocks of shifts
    blocks = volume_triton.Blocks(16, 32, 4)
    images = problem.images
    for shifts in (problem.shifts, problem.all_shifts):
        common = (problem.pixels, problem.poses, shifts, images.score, images.score_power)
        expected = volume_torch.score_lists(problem.volume, *common)
        for volume, precision, tolerance in (
            (packed, "single", 1e-5),
            (packed, "tensor", 1e-3),
            (pack_volume(values, lattice, 4), "tensor", 1e-3),
            (scaled_volume(values, lattice), "tensor", 1e-3),
        ):
            close(volume_triton.score_lists(volume, *common, precision, blocks), expected, tolerance)


def flushed(sums: LatticeSums) -> tuple[Tensor, Tensor]:
    """What was collected, complex and real, float64."""
    shape = (len(sums.buffer), *sums.lattice.shape)
    data, weight = torch.zeros(shape, dtype=torch.complex128), torch.zeros(shape).double()
    sums.flush(data, weight)
    return torch.view_as_real(data), weight


def compare_sums(problem: Problem, gradient: bool, marks: Tensor) -> None:
    from verglas.em.volumes import launch as volume_triton

    lattice, cpu = problem.volume.lattice, torch.device("cpu")
    common = (problem.pixels, problem.accepted, problem.shifts.phases, problem.images, marks)
    sums = LatticeSums.empty(lattice, problem.n_targets, torch.float32, cpu)
    expected = volume_torch.accumulate_lists(problem.volume, *common, sums, gradient=gradient)
    expected_back = flushed(sums)
    for volume, copies, tolerance in (
        (problem.volume, 1, 1e-5),
        (pack_volume(problem.volume.values, lattice), 2, 1e-3),
    ):
        sums = LatticeSums.empty(lattice, problem.n_targets, torch.float32, cpu, copies)
        found = volume_triton.accumulate_lists(
            volume, *common, sums, gradient=gradient, blocks=volume_triton.Blocks(1, 32, 4)
        )
        for mine, theirs in zip(flushed(sums), expected_back):
            close(mine, theirs, tolerance if gradient else 1e-5)
        for name in ("cross", "power", "scale_sums"):
            close(getattr(found, name), getattr(expected, name), tolerance)


if __name__ == "__main__":
    stated = Problem.random(torch.float32)
    compare_scores(stated)
    compare_sums(stated, False, stated.marks)
    compare_sums(stated, True, stated.marks[:, :0])
