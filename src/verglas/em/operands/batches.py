"""How many particles are treated together, by the memory of the device."""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch

from verglas.em.operands.operands import Operands
from verglas.em.state.particles import Ints

BATCH_BYTES = 64 << 20  # arrays small enough to be used again instead of being given back
SOLID_BATCH_BYTES = 384 << 20  # the same in 3D, where slices are read anew for every batch
TILE_BYTES, TILE_PARTICLES = 96 << 20, 16
GPU_BATCH_BYTES, GPU_BATCH_PARTICLES = 24 << 30, 8192  # of all threads; of each
SUMMED_BYTES = 36  # a pixel of summed slices: data and weight in single and in double precision
GPU_TILE_BYTES, GPU_TILE_PARTICLES = 1 << 30, 192  # of each thread


def host_bytes() -> int:
    """Memory of this machine: the same in every run, so that what depends on it is repeatable."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def collections(operands: Operands, n_slices: int, threads: int) -> int:
    """Sets of summed slices that each of `threads` may have: one a core, if all fit a quarter of memory."""
    if operands.estep.device.type != "cpu":
        return 1
    halves = 2 if operands.estep.gradient else 1
    each = halves * n_slices * len(operands.pixels) * SUMMED_BYTES
    room = host_bytes() // 4 // max(1, each * threads)
    return max(1, min(torch.get_num_threads(), room))


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


def batch_size(operands: Operands, threads: int = 1) -> int:
    """Particles per batch such that the coarse operands and scores of all threads fit."""
    n_shifts = operands.coarse_phases.shape[0]
    n_scores = operands.coarse.rows.shape[0]
    per_particle = n_shifts * (operands.n_coarse * 8 + n_scores * 14) + len(operands.pixels) * 80
    if operands.estep.device.type == "cpu":
        room = BATCH_BYTES if operands.estep.model.dims == 2 else SOLID_BATCH_BYTES
        return int(max(1, min(1024, room // per_particle)))
    free, _ = torch.cuda.mem_get_info(operands.estep.device)
    room = min(free // 4, GPU_BATCH_BYTES // threads)
    return int(max(1, min(GPU_BATCH_PARTICLES, room // per_particle)))


def row_bytes(operands: Operands) -> int:
    """What a particle takes in a tile of all fine poses."""
    n_shifts = operands.fine_phases.shape[0]
    n_columns = operands.coarse.rows.shape[0] * operands.poses.children
    return int(n_shifts * (len(operands.pixels) * 24 + n_columns * 12))


def batches(rows: Ints, size: int) -> Iterator[Ints]:
    """Runs of at most `size` particles."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
