"""A low pass whose cut-off follows a map of local resolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier import forward, inverse, low_pass_weights
from verglas.fourier.radial import radii, weight_radially

STEPS = 16
EDGE_SHELLS = 4


def local_low_pass(volume: Tensor, resolution_angst: Tensor, pixel_size_angst: float) -> Tensor:
    """A map (N, N, N), each voxel low-passed at its resolution (Å, same shape); 0 where that is 0.

    Between `STEPS` filters, evenly spaced in frequency, values are interpolated.
    """
    if volume.shape != resolution_angst.shape:
        raise ValueError(
            f"map and resolutions differ in size: {tuple(volume.shape)}, {tuple(resolution_angst.shape)}"
        )
    known = resolution_angst > 0
    if not bool(known.any()):
        raise ValueError("the map of local resolutions is 0 everywhere")
    size = int(volume.shape[-1])
    shell = size * pixel_size_angst / resolution_angst.clamp_min(1e-6)
    low, high = float(shell[known].min()), min(float(shell[known].max()), size / 2)
    cuts = torch.linspace(low, high, STEPS) if high > low else torch.tensor([low])
    spectrum, radius = forward(volume, 3), radii(size)
    width = float(cuts[1] - cuts[0]) if len(cuts) > 1 else 1.0
    result = torch.zeros_like(volume)
    for cut in cuts:
        # a hat around each cut-off: the weights of all filters add up to 1
        share = (1 - (shell.clamp(low, high) - cut).abs() / width).clamp_min(0)
        weights = low_pass_weights(radius, float(cut), EDGE_SHELLS)
        result += share * inverse(weight_radially(spectrum.clone(), weights), size, 3)
    return torch.where(known, result, 0.0)
