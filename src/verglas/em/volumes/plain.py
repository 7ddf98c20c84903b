"""Lists of poses in plain torch operations: any device and precision, the yardstick of the kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.em.operands.slices import shifted
from verglas.em.volumes.volume import (
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
)
from verglas.fourier import kernels_torch
from verglas.fourier.volume import Volume


def score_lists(
    volume: Volume,
    pixels: SlicePixels,
    poses: PoseLists,
    shifts: ShiftLists,
    score: Tensor,
    score_power: Tensor,
) -> Tensor:
    """As `volume.score_lists`."""
    m, n_o = poses.klass.shape
    out = score_power.new_full((m, shifts.longest, n_o), -torch.inf)
    for i, row in enumerate(poses.rows.tolist()):
        o = int(poses.counts[i])
        slices = _slices(volume, pixels, poses.klass[i, :o], poses.steps[i, :o])[:, 1:]
        phases = _phases(shifts, i)
        moved = shifted(score[row : row + 1, 1:], phases)
        norm = slices.abs().square() @ score_power[row, 1:]
        rows = torch.cat([slices.real, slices.imag], 1)
        out[i, : len(phases), :o] = moved @ rows.mT - 0.5 * norm
    return out


def _phases(shifts: ShiftLists, i: int) -> Tensor:
    if shifts.shifts is None:
        return shifts.phases
    wanted = shifts.shifts[i]
    if shifts.counts is not None:
        wanted = wanted[: int(shifts.counts[i])]
    return shifts.phases[wanted.long()]


def _slices(volume: Volume, pixels: SlicePixels, klass: Tensor, steps: Tensor) -> Tensor:
    """Slices (n, P), 0 where they are not seen."""
    out = volume.values.new_empty((len(steps), len(pixels.indices_yx)))
    kernels_torch.read_slices(volume.values, volume.lattice, klass.long(), steps, pixels.indices_yx, out)
    return out * pixels.seen


def accumulate_lists(
    volume: Volume,
    pixels: SlicePixels,
    accepted: AcceptedPoses,
    phases: Tensor,
    images: ListImages,
    marks: Tensor,
    sums: LatticeSums,
    *,
    gradient: bool,
) -> Agreement:
    """As `volume.accumulate_lists`."""
    cross, power = torch.zeros_like(images.noise_power), torch.zeros_like(images.noise_power)
    scale_sums = power.new_zeros((len(power), 2))
    marked = marks.to(power.dtype)
    ranges = torch.stack([accepted.rows, accepted.first_entry, accepted.last_entry], 1).tolist()
    for i, first, last in ranges:
        if last == first:
            continue
        entries = slice(first, last)
        factors, mass = _shift_factors(accepted, phases, entries)
        klass, steps = accepted.klass[entries], accepted.steps[entries]
        slices = _slices(volume, pixels, klass, steps)
        agreed = ((images.score[i] * factors).conj() * slices).real  # (n, P)
        expected = mass[:, None] * slices.abs().square()
        cross[i], power[i] = agreed.sum(0), expected.sum(0)
        if marks.shape[1]:
            weight = marked[klass.long()] * images.noise_power[i]
            scale_sums[i, 0] = (weight * agreed).sum()
            scale_sums[i, 1] = (weight * expected * images.score_power[i]).sum()
        weight = mass[:, None] * images.back_power[i]
        data = images.back[i] * factors
        _add(
            sums,
            volume,
            pixels,
            accepted.target[entries],
            steps,
            data - weight * slices if gradient else data,
            weight,
        )
    return Agreement(cross, power, scale_sums)


def _shift_factors(accepted: AcceptedPoses, phases: Tensor, entries: slice) -> tuple[Tensor, Tensor]:
    """Σ_t Γ exp(-2πi k·t/N) of some entries (n, P), ΣΓ at the origin, and ΣΓ (n,)."""
    edges = accepted.first_shift[entries.start : entries.stop + 1]
    used = slice(int(edges[0]), int(edges[-1]))
    number = torch.arange(len(edges) - 1, device=edges.device).repeat_interleave(edges.diff())
    weights = accepted.weights[used]
    moves = weights[:, None] * torch.complex(*phases[accepted.shifts[used].long()].unbind(1))
    moves = torch.cat([weights[:, None].to(moves.dtype), moves], 1)
    factors = moves.new_zeros((len(edges) - 1, moves.shape[1])).index_add_(0, number, moves)
    return factors, factors[:, 0].real


def _add(
    sums: LatticeSums,
    volume: Volume,
    pixels: SlicePixels,
    target: Tensor,
    steps: Tensor,
    data: Tensor,
    weight: Tensor,
) -> None:
    """Add slices (n, P) and their weights to the accumulators; pixels without weight are left out."""
    points, mirrored, inside = kernels_torch.lattice_points(volume.lattice, steps, pixels.indices_yx)
    keep = inside & (weight > 0)
    part = torch.view_as_real(torch.where(mirrored, data.conj(), data).resolve_conj())
    values = torch.cat([part, weight[..., None], torch.zeros_like(weight)[..., None]], -1)
    values *= keep[..., None]
    flat, width = sums.buffer.view(-1, 4), volume.lattice.half + 1
    room, _, _, row = sums.strides
    for position, share in kernels_torch.corners(volume.lattice, points, torch.zeros_like(target)):
        place = (position // width) * row + position % width + target[:, None].long() * (room // 4)
        added = (values * share[..., None]).flatten(0, 1).to(flat.dtype)
        flat.index_add_(0, place.flatten(), added)
