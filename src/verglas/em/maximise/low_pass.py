"""The low-pass filter of first references (refinement.md §4.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier import forward, inverse, squared_radius

EDGE_SHELLS = 2.0


def low_pass_window(radius: Tensor, cutoff_shell: float) -> Tensor:
    """Raised cosine of 2 shells centred at the cut-off: 1 inside, 0 outside."""
    ramp = ((radius - cutoff_shell + EDGE_SHELLS / 2) / EDGE_SHELLS).clamp(0, 1)
    return 0.5 + 0.5 * torch.cos(torch.pi * ramp)


def low_pass(maps: Tensor, pixel_size_angst: float, resolution_angst: float) -> Tensor:
    """Maps (K, N, N[, N]) low-passed to a resolution; unchanged where it is not positive."""
    if resolution_angst <= 0:
        return maps
    box, dims = maps.shape[-1], maps.ndim - 1
    radius = squared_radius(box, dims, maps.device).double().sqrt()
    window = low_pass_window(radius, box * pixel_size_angst / resolution_angst)
    return inverse(forward(maps, dims) * window.to(maps.dtype), box, dims)
