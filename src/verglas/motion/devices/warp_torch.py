"""Moving every pixel of a frame by its own shift (see `warp`), on a device of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from verglas.motion.devices.warp import reach

Array = np.ndarray[Any, Any]


def warp(frame: Tensor, coefficients_yx: Array) -> Tensor:
    """See `warp_cpu.warp`: the same kernel and the same edges."""
    height, width = frame.shape
    rows = torch.arange(height, device=frame.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=frame.device, dtype=torch.float32)[None, :]
    y, x = rows / height - 0.5, columns / width - 0.5
    shift_y, shift_x = (
        c[0] + x * (c[1] + c[2] * x + c[5] * y) + y * (c[3] + c[4] * y)
        for c in np.asarray(coefficients_yx, float).tolist()
    )
    whole_y, whole_x = torch.floor(-shift_y), torch.floor(-shift_x)
    weights_y, weights_x = _weights(-shift_y - whole_y), _weights(-shift_x - whole_x)
    margin = reach(coefficients_yx)
    padded = functional.pad(frame[None, None], (margin,) * 4, mode="replicate")[0, 0]
    pitch, flat = padded.shape[1], padded.reshape(-1)
    top, left = (rows + whole_y).long() + (margin - 1), (columns + whole_x).long() + (margin - 1)
    first = top * pitch + left
    out = torch.zeros_like(frame)
    for j, weight_y in enumerate(weights_y):
        along = torch.zeros_like(frame)
        for i, weight_x in enumerate(weights_x):
            along.addcmul_(weight_x, flat[j * pitch + i :][first])  # a view: no indices are made
        out.addcmul_(weight_y, along)
    return out


def _weights(fraction: Tensor) -> tuple[Tensor, ...]:
    rest = 1 - fraction
    first, last = rest**3 / 6, fraction**3 / 6
    second = 2 / 3 - fraction**2 * (1 - 0.5 * fraction)
    return first, second, 1 - first - second - last, last
