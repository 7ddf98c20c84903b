"""Solvent masks from maps (refinement.md §10.6)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from verglas.fourier.filters import low_pass
from verglas.maps.masks import outside_weight

Region = NDArray[np.bool_]


def create_mask(
    volume: Tensor,
    threshold: float,
    *,
    pixel_size_angst: float = 1.0,
    low_pass_angst: float = 0.0,
    extend_px: float = 0.0,
    soft_edge_px: float = 0.0,
    invert: bool = False,
) -> Tensor:
    """A mask in [0, 1] of a map (N, N, N): low-passed, binarised at value >= threshold, extended, softened.

    Distances are exact Euclidean ones. `low_pass_angst` 0 leaves the filter out, a negative extension
    shrinks.
    Raises ValueError if nothing reaches the threshold.
    """
    if low_pass_angst > 0:
        volume = low_pass(volume, pixel_size_angst, low_pass_angst)
    region = (volume >= threshold).cpu().numpy()
    if not region.any():
        raise ValueError(
            f"no voxel reaches the threshold {threshold:g}: the highest value is {float(volume.max()):g}"
        )
    mask = soften(extend(region, extend_px), soft_edge_px)
    result = torch.from_numpy(mask).to(volume)
    return 1 - result if invert else result


def extend(region: Region, distance_px: float) -> Region:
    """Add voxels closer than a distance to a region; a negative one takes away those near the outside."""
    if distance_px == 0 or region.all() or not region.any():
        return region
    if distance_px > 0:
        return region | (distance_transform_edt(~region) < distance_px)
    return region & ~(distance_transform_edt(region) < -distance_px)


def soften(region: Region, edge_px: float) -> NDArray[np.float32]:
    """1 in the region, a raised cosine of the distance to it over the edge outside, 0 beyond; float32."""
    mask = region.astype(np.float32)
    if edge_px <= 0 or not region.any():
        return mask
    distance = distance_transform_edt(~region)
    near = (distance > 0) & (distance < edge_px)
    mask[near] = 0.5 + 0.5 * np.cos(np.pi * distance[near] / edge_px)
    return mask


def spherical_shell(
    size: int, outer_radius_px: float, inner_radius_px: float = 0.0, edge_px: float = 0.0
) -> Tensor:
    """A sphere, or the shell between two radii, with cosine edges on both sides; (N, N, N) float32."""
    sphere = 1 - outside_weight(size, outer_radius_px, edge_px, 3)
    if inner_radius_px <= 0:
        return sphere
    return sphere * outside_weight(size, max(0.0, inner_radius_px - edge_px), edge_px, 3)
