"""Solvent masks from maps (refinement.md §10.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from verglas.fourier.filters import low_pass
from verglas.maps.masks import outside_weight
from verglas.maps.near_distance import FAR, Region, squared_distance

Combination = Literal["and", "or", "and_not", "or_not"]


@dataclass(frozen=True)
class MaskShape:
    """What becomes of a binary region; lengths in pixels, a negative extension shrinks."""

    extend_px: float = 0.0
    soft_edge_px: float = 0.0
    fill: bool = False  # holes that are closed on all sides belong to the particle
    central_z_share: float = 1.0  # helices: keep this part of the box along z, with a soft cut
    invert: bool = False


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
    region = region_above(volume, threshold, pixel_size_angst, low_pass_angst)
    return mask_of(region, MaskShape(extend_px, soft_edge_px, invert=invert)).to(volume)


def region_above(
    volume: Tensor,
    threshold: float,
    pixel_size_angst: float = 1.0,
    low_pass_angst: float = 0.0,
    others: Sequence[tuple[Combination, Tensor]] = (),
) -> Region:
    """Voxels with value >= threshold of a map, after a low pass (0: none), combined with other maps.

    Raises ValueError if nothing reaches the threshold.
    """
    if low_pass_angst > 0:
        volume = low_pass(volume, pixel_size_angst, low_pass_angst)
    region = (volume >= threshold).cpu().numpy()
    for how, other in others:
        region = _combined(region, how, (other >= threshold).cpu().numpy())
    if not region.any():
        raise ValueError(
            f"no voxel reaches the threshold {threshold:g}: the highest value is {float(volume.max()):g}"
        )
    return np.asarray(region)


def _combined(region: Region, how: Combination, other: Region) -> Region:
    other = ~other if how.endswith("not") else other
    return region & other if how.startswith("and") else region | other


def mask_of(region: Region, shape: MaskShape) -> Tensor:
    """The soft mask of a binary region, float32."""
    if shape.fill:
        region = np.asarray(binary_fill_holes(region), bool)
    mask = torch.from_numpy(soften(extend(region, shape.extend_px), shape.soft_edge_px))
    if shape.central_z_share < 1:
        mask *= _central_part(len(region), shape.central_z_share, shape.soft_edge_px)
    return 1 - mask if shape.invert else mask


def _central_part(size: int, share: float, edge_px: float) -> Tensor:
    """1 in the central share of the z axis, a cosine beyond it over the edge; (N, 1, 1) float32."""
    beyond = (torch.arange(size) - size // 2).abs() - share * size / 2
    part = (beyond / max(edge_px, 1e-6)).clamp(0.0, 1.0)
    return (0.5 + 0.5 * torch.cos(torch.pi * part)).float()[:, None, None]


def extend(region: Region, distance_px: float) -> Region:
    """Add voxels closer than a distance to a region; a negative one takes away those near the outside."""
    if distance_px == 0 or region.all() or not region.any():
        return region
    if distance_px > 0:
        return _closer(region, distance_px)
    return region & ~_closer(~region, -distance_px)


def _closer(region: Region, distance_px: float) -> Region:
    return np.asarray(squared_distance(region, distance_px) < distance_px**2)


def soften(region: Region, edge_px: float) -> NDArray[np.float32]:
    """1 in the region, a raised cosine of the distance to it over the edge outside, 0 beyond; float32."""
    mask = region.astype(np.float32)
    if edge_px <= 0 or not region.any():
        return mask
    squared = squared_distance(region, edge_px)
    near = (squared > 0) & (squared != FAR)
    mask[near] = 0.5 + 0.5 * np.cos(np.pi * np.sqrt(squared[near], dtype=np.float32) / edge_px)
    return mask


def spherical_shell(
    size: int, outer_radius_px: float, inner_radius_px: float = 0.0, edge_px: float = 0.0
) -> Tensor:
    """A sphere, or the shell between two radii, with cosine edges on both sides; (N, N, N) float32."""
    sphere = 1 - outside_weight(size, outer_radius_px, edge_px, 3)
    if inner_radius_px <= 0:
        return sphere
    return sphere * outside_weight(size, max(0.0, inner_radius_px - edge_px), edge_px, 3)
