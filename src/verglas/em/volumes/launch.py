"""Lists of poses on a CUDA device: how the kernels are launched (see `volume_kernels_triton`)."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from verglas.compute.gemm import Precision
from verglas.em.volumes.kernels import score_block, sum_block
from verglas.em.volumes.volume import (
    AcceptedPoses,
    Agreement,
    LatticeSums,
    ListImages,
    PoseLists,
    ShiftLists,
    SlicePixels,
)
from verglas.fourier.lattice import Lattice
from verglas.fourier.volume import HALF_TOP, Volume

_NOWHERE = 1e15  # a coordinate beyond every lattice
_SMALLEST_DOT, _MOST_SHIFTS = 16, 128


@dataclass(frozen=True)
class Blocks:
    """What a kernel is compiled for: sizes of a program's block, warps, registers of a thread (None: any)."""

    orientations: int
    pixels: int
    warps: int
    registers: int | None = None

    @property
    def options(self) -> dict[str, int]:
        """Arguments of a launch."""
        limit = {} if self.registers is None else {"maxnreg": self.registers}
        return {"num_warps": self.warps, "num_stages": 1, **limit}


def score_blocks(n_list: int) -> Blocks:
    """Blocks for lists of up to `n_list` orientations: larger ones shift an image less often."""
    if n_list <= 16:
        return Blocks(16, 16, 4)
    return Blocks(32, 16, 4, 128) if n_list <= 32 else Blocks(64, 16, 8, 128)


SUM_BLOCKS = Blocks(1, 256, 4)


def score_lists(
    volume: Volume,
    pixels: SlicePixels,
    poses: PoseLists,
    shifts: ShiftLists,
    score: Tensor,
    score_power: Tensor,
    precision: Precision,
    blocks: Blocks | None = None,
) -> Tensor:
    """As `volume.score_lists`; score complex64. With `tensor` products are of half-precision operands."""
    (m, n_list), n_shifts, device = poses.klass.shape, shifts.longest, score.device
    out = score_power.new_empty((m, n_shifts, n_list))
    if out.numel() == 0:
        return out
    blocks = blocks or score_blocks(n_list)
    tensor = precision == "tensor"
    packed = tensor and volume.corners > 0
    images = score.resolve_conj().contiguous()
    top = torch.linalg.vector_norm(torch.view_as_real(images).flatten(1), torch.inf, dim=1)
    gains = torch.where(top > 0, HALF_TOP / top, 1.0) if tensor else torch.ones_like(top)
    own_shifts = poses.counts if shifts.shifts is None else shifts.shifts.int().contiguous()
    counts = shifts.counts
    if counts is None:
        counts = torch.full((m,), n_shifts, dtype=torch.int32, device=device)
    bt = min(_MOST_SHIFTS, max(_SMALLEST_DOT, triton.next_power_of_2(n_shifts)))
    grid = (m * triton.cdiv(n_list, blocks.orientations), triton.cdiv(n_shifts, bt))
    with torch.cuda.device_of(score):  # type: ignore[no-untyped-call]
        score_block[grid](
            _values(volume, packed),
            poses.rows,
            poses.klass.int().contiguous(),
            poses.steps.contiguous(),
            poses.counts.int(),
            own_shifts,
            counts.int(),
            _pairs(images),
            score_power.contiguous(),
            _seen_coordinates(pixels),
            _phase_pairs(shifts.phases),
            gains,
            out,
            score.shape[1] - 1,
            n_shifts,
            n_list,
            score.shape[1],
            volume.scale,
            *_geometry(volume.lattice),
            LISTED=shifts.shifts is not None,
            TENSOR=tensor,
            CORNERS=volume.corners if packed else 0,
            VECTOR=not _interpreted(),
            BT=bt,
            BO=blocks.orientations,
            BP=blocks.pixels,
            **blocks.options,
        )
    return out


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
    blocks: Blocks = SUM_BLOCKS,
) -> Agreement:
    """As `volume.accumulate_lists`; everything in single precision, slices from the packed copy if any."""
    n, n_pixels = images.score.shape
    n_blocks = triton.cdiv(n_pixels, blocks.pixels)
    cross, power = torch.zeros_like(images.noise_power), torch.zeros_like(images.noise_power)
    partial = power.new_zeros((n, n_blocks, 2))
    if not len(accepted.rows):
        return Agreement(cross, power, partial.sum(1))
    packed, device = volume.corners > 0, images.score.device
    planar = pixels.indices_yx.to(device, torch.float32).T.contiguous()
    with torch.cuda.device_of(images.score):  # type: ignore[no-untyped-call]
        sum_block[(len(accepted.rows) * n_blocks,)](
            _values(volume, packed),
            sums.buffer,
            accepted.rows,
            accepted.first_entry,
            accepted.last_entry,
            accepted.klass.int(),
            accepted.target.int(),
            accepted.steps.contiguous(),
            accepted.first_shift,
            accepted.shifts.int(),
            accepted.weights.float(),
            _pairs(images.score),
            _pairs(images.back),
            images.score_power.contiguous(),
            images.back_power.contiguous(),
            images.noise_power.contiguous(),
            planar,
            pixels.seen.float(),
            marks.float().contiguous(),
            _phase_pairs(phases),
            cross,
            power,
            partial,
            n_pixels,
            *_geometry(volume.lattice),
            1.0 / volume.scale if packed else 1.0,
            *sums.strides,
            GRADIENT=gradient,
            MARKED=marks.shape[1] > 0,
            CORNERS=volume.corners if packed else 0,
            VECTOR=not _interpreted(),
            ADD_VECTOR=_adds_vectors(device),
            COPIES=sums.buffer.shape[1],
            BP=blocks.pixels,
            **blocks.options,
        )
    return Agreement(cross, power, partial.sum(1))


def _values(volume: Volume, packed: bool) -> Tensor:
    if packed and volume.packed is not None:
        return volume.packed
    return _pairs(volume.values)


def _pairs(values: Tensor) -> Tensor:
    """Complex numbers as numbers of 8 bytes, which one instruction reads."""
    return torch.view_as_real(values.resolve_conj().contiguous()).view(torch.int64)


def _phase_pairs(phases: Tensor) -> Tensor:
    """Phases (T, 2, P-1) as such numbers (T, P-1)."""
    return phases.mT.contiguous().view(torch.int64)


def _seen_coordinates(pixels: SlicePixels) -> Tensor:
    """Frequencies of all pixels but the origin as float32 (2, P-1), all y, then all x."""
    planar = pixels.indices_yx[1:].to(torch.float32).T
    return torch.where(pixels.seen[1:], planar, _NOWHERE).contiguous()


def _geometry(lattice: Lattice) -> tuple[float, float, int, int, int]:
    width = lattice.half + 1
    return (float(lattice.half), lattice.squared_limit, lattice.points, lattice.side * width, width)


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _adds_vectors(device: torch.device) -> bool:
    """Whether the device adds four numbers by one instruction (compute capability 9)."""
    return not _interpreted() and torch.cuda.get_device_capability(device) >= (9, 0)
