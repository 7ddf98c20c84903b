"""The kernels that take slices from volumes, on one GPU: are they right, and how many slice pixels a second.

    python benchmarks/gpu_volume_kernels.py [--particles 2048] [--sizes 40,96,160,224] [--seconds 85]

Needs torch, triton, numpy, scipy and numba. First the kernels are compared with plain float64 operations,
then timed with several block sizes, one line each; the lattice is padded twofold, every particle has its own
orientations within 3° of its base. `sorted`: base directions as 2,048 of 100,000 particles in order of their
direction have them; `unsorted`: from the whole sphere. A slice pixel is one pixel of one orientation of one
particle: a score takes it once for all translations, a sum interpolates it and adds it to eight points.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import triton
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from verglas.em.images.preparation import Prepared
from verglas.em.operands.retry import Additions
from verglas.em.operands.weighting import Weighted
from verglas.em.scoring.tile import FineBatch
from verglas.em.state.sums import PriorSums
from verglas.em.volumes import launch as volume_triton
from verglas.em.volumes import plain as volume_torch
from verglas.em.volumes.hit_lists import CoarseHits
from verglas.em.volumes.launch import Blocks
from verglas.em.volumes.locality import patch_order
from verglas.em.volumes.second_pass import VolumeOperands, volume_second_pass
from verglas.em.volumes.volume import (
    AcceptedPoses,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
)
from verglas.fourier.lattice import Lattice
from verglas.fourier.pixels import half_disc
from verglas.fourier.slicing import slice_steps
from verglas.fourier.volume import Volume, pack_volume, scaled_volume
from verglas.geometry.euler import euler_matrices

DEVICE = torch.device("cuda")
SPREAD_DEG, WHOLE_SET = 3.0, 100_000
SCORE = [
    Blocks(16, 16, 4),
    Blocks(32, 16, 4, 128),
    Blocks(32, 32, 8, 128),
    Blocks(64, 16, 8, 128),
    Blocks(64, 16, 8, 80),
    Blocks(64, 32, 8, 128),
]
SCORE_MANY = [Blocks(32, 16, 8, 128), Blocks(64, 16, 8), Blocks(64, 32, 8)]
SUM = [(Blocks(1, 64, 1), 2), (Blocks(1, 128, 4), 2), (Blocks(1, 256, 4), 2), (Blocks(1, 256, 4), 1)]


@dataclass
class Problem:
    """Particles of one image size with random operands."""

    volume: Volume
    pixels: SlicePixels
    images: ListImages
    steps: Tensor  # (n, O, 2, 3)
    phases: Tensor  # (T, 2, P-1)

    @classmethod
    def of(cls, size: int, n: int, orientations: int, shifts: int, in_order: bool) -> Problem:
        torch.manual_seed(1)
        lattice = Lattice(3, size // 2, 2.0)
        indices = half_disc(size).indices_yx
        indices = indices[torch.argsort(indices.square().sum(1), stable=True)]
        indices = indices[patch_order(indices)].to(DEVICE)
        p = len(indices)
        values = torch.randn(1, *lattice.shape, dtype=torch.complex64, device=DEVICE)
        both = [torch.randn(n, p, dtype=torch.complex64, device=DEVICE) for _ in range(2)]
        real = [torch.rand(n, p, device=DEVICE) for _ in range(4)]
        turns = torch.rand(shifts, p - 1, device=DEVICE) * 6
        steps = slice_steps(orientations_near(n, orientations, in_order), lattice, torch.float32, DEVICE)
        return cls(
            pack_volume(values, lattice),
            SlicePixels(indices, torch.ones_like(indices[:, 0] > 0)),
            ListImages(0.1 * both[0], 0.01 * real[0], both[1], *real[1:]),
            steps.view(n, orientations, 2, 3),
            torch.stack([turns.cos(), turns.sin()], 1),
        )

    @property
    def n_pixels(self) -> int:
        return len(self.pixels.indices_yx)

    @property
    def poses(self) -> PoseLists:
        n, o = self.steps.shape[:2]
        counts = torch.full((n,), o, dtype=torch.int32, device=DEVICE)
        rows = torch.arange(n, device=DEVICE)
        return PoseLists(rows, torch.zeros((n, o), dtype=torch.int32, device=DEVICE), self.steps, counts)

    def accepted(self, shifts: int) -> AcceptedPoses:
        """Everyone has all orientations, each with a few translations."""
        n, o = self.steps.shape[:2]
        zeros = torch.zeros(n * o, dtype=torch.int32, device=DEVICE)
        first = torch.arange(n, device=DEVICE) * o
        some = torch.randint(len(self.phases), (n * o * shifts,), device=DEVICE).int()
        return AcceptedPoses(
            first // o,
            first,
            first + o,
            zeros,
            zeros,
            self.steps.flatten(0, 1),
            torch.arange(n * o + 1, device=DEVICE) * shifts,
            some,
            torch.rand(len(some), device=DEVICE),
        )


def orientations_near(n: int, orientations: int, in_order: bool) -> Tensor:
    """Rotation matrices (n * O, 3, 3) float64 around n base orientations."""
    share = min(1.0, n / WHOLE_SET) if in_order else 1.0
    tilt = torch.rad2deg(torch.arccos(1 - 2 * share * torch.rand(n, dtype=torch.float64)))
    rot, psi = 360 * torch.rand(2, n, dtype=torch.float64)
    if in_order:
        y, x = tilt * torch.sin(torch.deg2rad(rot)), tilt * torch.cos(torch.deg2rad(rot))
        cell = float(tilt.max()) / 8
        order = torch.argsort((y / cell).floor() * 1000 + x)
        rot, tilt, psi = rot[order], tilt[order], psi[order]
    base = euler_matrices(torch.stack([rot, tilt, psi], 1)).to(DEVICE)
    turn = math.radians(SPREAD_DEG) * torch.randn(n, orientations, 3, device=DEVICE).double()
    cross = torch.zeros(n, orientations, 3, 3, dtype=torch.float64, device=DEVICE)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[..., a, b], cross[..., b, a] = -turn[..., c], turn[..., c]
    return (torch.linalg.matrix_exp(cross) @ base[:, None]).flatten(0, 1)


def milliseconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The best of a few runs after one that does not count."""
    work()
    best = math.inf
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        best = min(best, begin.elapsed_time(end))
    return best


def check() -> None:
    """Largest differences from plain operations in double precision, as parts of the largest value."""
    n, o, t = 5, 40, 21
    problem = Problem.of(40, n, o, t, True)
    exact = Problem(
        Volume(problem.volume.lattice, exactly(problem.volume.values)),
        problem.pixels,
        ListImages(*(exactly(values) for values in vars(problem.images).values())),
        exactly(problem.steps),
        exactly(problem.phases),
    )
    images = problem.images
    lists = torch.stack([torch.randperm(t, device=DEVICE)[:17] for _ in range(n)]).int()
    counts = torch.tensor([17, 3, 1, 0, 16], dtype=torch.int32, device=DEVICE)
    for name, own in (("all shifts", None), ("lists of shifts", lists)):
        shifts = [ShiftLists(p.phases, own, None if own is None else counts) for p in (problem, exact)]
        expected = volume_torch.score_lists(
            exact.volume, exact.pixels, exact.poses, shifts[1], exact.images.score, exact.images.score_power
        )
        for precision, volume in (
            ("single", problem.volume),
            ("tensor", problem.volume),
            ("tensor", pack_volume(problem.volume.values, problem.volume.lattice, 4)),
            ("tensor", scaled_volume(problem.volume.values, problem.volume.lattice)),
        ):
            found = volume_triton.score_lists(
                volume, problem.pixels, problem.poses, shifts[0], images.score, images.score_power, precision
            )
            kind = f"{precision}, {volume.corners} corners"
            print(f"check scores, {name}, {kind}: {difference(found, expected):.1e}")
    for gradient in (False, True):
        check_sums(problem, exact, gradient)


def exactly(values: Tensor) -> Tensor:
    """In double precision, if they are no whole numbers."""
    if values.is_complex():
        return values.to(torch.complex128)
    return values.double() if values.is_floating_point() else values


def check_sums(problem: Problem, exact: Problem, gradient: bool) -> None:
    accepted = problem.accepted(3)
    marks = torch.rand(1, problem.n_pixels, device=DEVICE) < 0.5
    lattice = problem.volume.lattice
    back = []
    for p, kind, copies in ((problem, torch.float32, 2), (exact, torch.float64, 1)):
        sums = LatticeSums.empty(lattice, 1, kind, DEVICE, copies)
        module = volume_triton if kind == torch.float32 else volume_torch
        poses = accepted
        if module is volume_torch:
            poses = AcceptedPoses(*(exactly(values) for values in vars(accepted).values()))
        found = module.accumulate_lists(
            p.volume, p.pixels, poses, p.phases, p.images, marks, sums, gradient=gradient
        )
        data = torch.zeros((1, *lattice.shape), dtype=torch.complex128, device=DEVICE)
        weight = torch.zeros_like(data.real)
        sums.flush(data, weight)
        back.append((torch.view_as_real(data), weight, found.cross, found.power, found.scale_sums))
    errors = [f"{difference(mine, other):.1e}" for mine, other in zip(*back)]
    print(f"check sums, gradient {gradient}: data, weight, cross, power, scale {' '.join(errors)}")


def difference(found: Tensor, expected: Tensor) -> float:
    finite = torch.isfinite(expected)
    if not torch.equal(finite, torch.isfinite(found)):
        return math.nan
    found, expected = found[finite].double(), expected[finite].double()
    return float((found - expected).abs().max() / expected.abs().max())


def say(what: str, blocks: Blocks | None, ms: float, pixels: int) -> float:
    shape = (
        "chosen blocks"
        if blocks is None
        else (f"{blocks.orientations}x{blocks.pixels} {blocks.warps} warps {blocks.registers or 'any'} regs")
    )
    print(f"{what}, {shape}: {pixels / ms * 1e3:.2e} slice px/s ({ms:.1f} ms)", flush=True)
    return ms


def scores(size: int, n: int) -> None:
    o, t = (64 if size > 60 else 256), 21
    problem = Problem.of(size, n, o, t, True)
    work = n * o * problem.n_pixels
    head = f"score {size} px, {o} orientations x"

    def run(problem: Problem, shifts: ShiftLists, precision: str, blocks: Blocks | None) -> float:
        images = problem.images
        return milliseconds(
            lambda: volume_triton.score_lists(
                problem.volume,
                problem.pixels,
                problem.poses,
                shifts,
                images.score,
                images.score_power,
                precision,
                blocks,
            )
        )

    few = ShiftLists(problem.phases)
    best = min((say(f"{head} {t}", b, run(problem, few, "tensor", b), work), k) for k, b in enumerate(SCORE))
    chosen = SCORE[best[1]]
    many = ShiftLists(
        problem.phases,
        torch.randint(t, (n, 84), device=DEVICE).int(),
        torch.full((n,), 84, dtype=torch.int32, device=DEVICE),
    )
    for b in SCORE_MANY:
        say(f"{head} 84 listed", b, run(problem, many, "tensor", b), work)
    values, lattice = problem.volume.values, problem.volume.lattice
    problem.volume = pack_volume(values, lattice, 4)
    say(f"{head} {t} four corners a point", chosen, run(problem, few, "tensor", chosen), work)
    problem.volume = scaled_volume(values, lattice)
    say(f"{head} {t} plain volume", chosen, run(problem, few, "tensor", chosen), work)
    say(f"{head} {t} single", chosen, run(problem, few, "single", chosen), work)
    other = Problem.of(size, n, o, t, False)
    say(f"{head} {t} unsorted", chosen, run(other, ShiftLists(other.phases), "tensor", chosen), work)


def sums(size: int, n: int) -> None:
    o = 16 if size > 60 else 64
    problem = Problem.of(size, n, o, 21, True)
    marks = torch.zeros((1, 0), dtype=torch.bool, device=DEVICE)

    def run(problem: Problem, blocks: Blocks, copies: int, label: str) -> float:
        accepted = problem.accepted(3)
        collected = LatticeSums.empty(problem.volume.lattice, 1, torch.float32, DEVICE, copies)
        ms = milliseconds(
            lambda: volume_triton.accumulate_lists(
                problem.volume,
                problem.pixels,
                accepted,
                problem.phases,
                problem.images,
                marks,
                collected,
                gradient=False,
                blocks=blocks,
            ),
            2,
        )
        work = n * o * problem.n_pixels
        return say(f"sum {size} px, {o} x 3 poses, {copies} copies{label}", blocks, ms, work)

    best = min((run(problem, b, copies, ""), k) for k, (b, copies) in enumerate(SUM))
    blocks = SUM[best[1]][0]
    other = Problem.of(size, n, o, 21, False)
    for number in (1, 2):
        run(other, blocks, number, " unsorted")


def second_pass(size: int, n: int) -> None:
    """A whole second pass of a local search: 64 coarse orientations, 21 translations, about 30 hits."""
    o, t, children, moves = 64, 21, 8, 4
    problem = Problem.of(size, n, o * children, t * moves, True)
    images, p = problem.images, problem.n_pixels
    table = problem.steps.reshape(-1, 2, 3)
    empty = images.score[:, :0]
    weighted = Weighted(
        images.score,
        images.score_power,
        images.back,
        images.back_power,
        images.noise_power,
        images.image_power,
        Prepared(empty, empty, empty.real, empty.real, empty.real[:, 0:0]),
    )
    columns = torch.arange(n * o, device=DEVICE).view(n, o)
    likely = torch.rand(n, 1, o, device=DEVICE) ** 3 * torch.rand(n, t, 1, device=DEVICE) ** 3
    found = CoarseHits(
        likely > likely.flatten(1).kthvalue(t * o - 30, 1).values[:, None, None],
        columns,
        torch.zeros_like(columns),
        torch.zeros(n, o, device=DEVICE),
        torch.zeros(n, 1, t, device=DEVICE),
    )
    operands = VolumeOperands(
        volume=problem.volume,
        pixels=problem.pixels,
        n_shells=size // 2 + 1,
        model_shells=problem.pixels.indices_yx.double().square().sum(1).sqrt().round().long(),
        marks=torch.zeros((1, 0), dtype=torch.bool, device=DEVICE),
        phases=problem.phases,
        fine_shifts_angst=torch.zeros(t * moves, 2, dtype=torch.float64, device=DEVICE),
        steps=lambda which: table[which],
        n_directions=n * o,
        n_psi=1,
        children=children,
        shift_children=moves,
        fraction=0.999,
    )
    zeros = torch.zeros(n, 2, dtype=torch.float64)
    batch = FineBatch(
        zeros, zeros[:1], torch.zeros(n, dtype=torch.int64, device=DEVICE), operands.marks, zeros
    )
    collected = LatticeSums.empty(problem.volume.lattice, 1, torch.float32, DEVICE, 2)
    priors = PriorSums.zeros(1, 1)
    work = partial(volume_second_pass, operands, found, weighted, batch, collected, priors, Additions())
    outcome = work()
    ms = milliseconds(work, 2)
    print(
        f"second pass {size} px ({p} pixels), ~30 hits: {ms:.0f} ms for {n} particles, "
        f"{ms * WHOLE_SET / n / 1e3:.1f} s for {WHOLE_SET}; mean p_max {float(outcome.p_max.mean()):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=2048)
    parser.add_argument("--sizes", default="40,96,160,224")
    parser.add_argument("--seconds", type=float, default=85)
    arguments = parser.parse_args()
    began = time.time()
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "triton", triton.__version__)
    check()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    stages = [(stage, size) for stage in (scores, sums, second_pass) for size in sizes]
    for stage, size in stages:
        if time.time() - began > arguments.seconds:
            print(f"left out for want of time: {stage.__name__} {size} px")
            continue
        stage(size, arguments.particles)
        torch.cuda.empty_cache()
    print(f"{time.time() - began:.0f} s in all, peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


if __name__ == "__main__":
    main()
