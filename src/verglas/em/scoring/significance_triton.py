"""Rows of log weights turned into weights and their thresholds on a CUDA device (Triton).

One program handles one row and keeps it in the cache: the same reductions as plain operations would read and
write it some sixty times in the device's memory, this nine times.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK, _WAYS, _ROUNDS = 1024, 8, 5  # 8^5 steps between the ends of the search: 0.1 % of a weight


@triton.jit
def _weigh(  # type: ignore[no-untyped-def]
    scores,
    tops,
    bests,
    totals,
    thresholds,
    counts,
    n,
    fraction,
    lowest,
    at_most,
    LIMITED: tl.constexpr,
    BLOCK: tl.constexpr,
    WAYS: tl.constexpr,
    ROUNDS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    values = scores + row * n
    lane = tl.arange(0, BLOCK)
    highest = tl.full([BLOCK], float("-inf"), tl.float32)
    where = tl.zeros([BLOCK], tl.int32)
    for begin in range(0, n, BLOCK):
        place = begin + lane
        value = tl.load(values + place, mask=place < n, other=float("-inf"))
        better = value > highest
        highest = tl.where(better, value, highest)
        where = tl.where(better, place, where)
    top = tl.max(highest, 0)
    best = tl.min(tl.where(highest == top, where, n), 0)
    part = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, n, BLOCK):
        place = begin + lane
        value = tl.load(values + place, mask=place < n, other=float("-inf"))
        weight = tl.exp(value - top)
        tl.store(values + place, weight, mask=place < n)
        part += tl.where(place < n, weight, 0.0)
    total = tl.sum(part.to(tl.float64), 0)
    tl.debug_barrier()
    low = lowest
    width = -low
    way = tl.arange(0, WAYS)
    for _ in range(ROUNDS):
        width = width / WAYS
        edges = tl.exp2(low + way.to(tl.float32) * width)
        held = tl.zeros([WAYS, BLOCK], tl.float32)
        number = tl.zeros([WAYS, BLOCK], tl.float32)
        for begin in range(0, n, BLOCK):
            place = begin + lane
            weight = tl.load(values + place, mask=place < n, other=0.0)
            kept = weight[None, :] >= edges[:, None]
            held += tl.where(kept, weight[None, :], 0.0)
            if LIMITED:
                number += tl.where(kept, 1.0, 0.0)
        enough = tl.sum(held.to(tl.float64), 1) > total * fraction
        if LIMITED:
            enough = enough | (tl.sum(number, 1) > at_most)
        low += tl.maximum(tl.sum(enough.to(tl.int32), 0) - 1, 0).to(tl.float32) * width
    threshold = tl.minimum(tl.exp2(low + width if LIMITED else low), 1.0)
    threshold = tl.where(total > 0, threshold, float("inf"))
    part = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, n, BLOCK):
        place = begin + lane
        weight = tl.load(values + place, mask=place < n, other=0.0)
        part += tl.where((weight >= threshold) & (place < n), 1.0, 0.0)
    tl.store(tops + row, top)
    tl.store(bests + row, best)
    tl.store(totals + row, total.to(tl.float32))
    tl.store(thresholds + row, threshold)
    tl.store(counts + row, tl.sum(part.to(tl.int32), 0))


def weigh(scores: Tensor, fraction: float, at_most: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`scores` (b, n) float32, contiguous, become weights; top, best, total, threshold, count, each (b,)."""
    b, n = scores.shape
    top, total, threshold = scores.new_empty((3, b)).unbind(0)
    best, count = torch.empty((2, b), dtype=torch.int64, device=scores.device).unbind(0)
    if b:
        lowest = math.log2((1 - fraction) / n) - 1
        with torch.cuda.device_of(scores):  # type: ignore[no-untyped-call]
            _weigh[(b,)](
                scores,
                top,
                best,
                total,
                threshold,
                count,
                n,
                fraction,
                lowest,
                float(at_most),
                LIMITED=at_most > 0,
                BLOCK=_BLOCK,
                WAYS=_WAYS,
                ROUNDS=_ROUNDS,
            )
    return top, best, total, threshold, count
