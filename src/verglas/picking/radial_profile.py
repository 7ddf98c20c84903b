"""The mean radial profile of the surest picks, and the matched template made of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verglas.picking.picks import Array


def radial_profile(
    image: Tensor,  # (y, x)
    xy: Array,  # (n, 2) working pixels
    weight: Array,  # (n,)
    radius_px: int,
) -> Tensor | None:  # (radius_px + 2,), value at each whole radius
    """Weighted mean over picks and angles of the image around the picks.

    Picks nearer to the edge than the radius are left out; None if none remain.
    """
    reach = radius_px + 2
    columns, rows = np.rint(xy[:, 0]).astype(int), np.rint(xy[:, 1]).astype(int)
    inside = (columns >= reach) & (columns < image.shape[1] - reach)
    inside &= (rows >= reach) & (rows < image.shape[0] - reach)
    if not inside.any():
        return None
    offsets = torch.arange(-reach, reach + 1, device=image.device)
    y = torch.as_tensor(rows[inside], device=image.device)[:, None, None] + offsets[:, None]
    x = torch.as_tensor(columns[inside], device=image.device)[:, None, None] + offsets[None]
    weights = torch.as_tensor(weight[inside], device=image.device, dtype=image.dtype)
    mean = torch.einsum("n,nyx->yx", weights / weights.sum(), image[y, x])
    return _average_on_circles(mean, offsets, radius_px + 2)


def _average_on_circles(mean: Tensor, offsets: Tensor, count: int) -> Tensor:
    radius = torch.sqrt((offsets[:, None] ** 2 + offsets[None] ** 2).to(mean.dtype)).reshape(-1)
    low = radius.floor().long()
    part = radius - low
    values = mean.reshape(-1)
    size = int(low.max()) + 2
    total = torch.bincount(low, values * (1 - part), size)
    total += torch.bincount(low + 1, values * part, size)
    share = torch.bincount(low, 1 - part, size) + torch.bincount(low + 1, part, size)
    return (total / share.clamp(min=1e-9))[:count]


def radial_template(
    profile: Tensor, shape: tuple[int, int], radius_px: float, taper_px: float
) -> Tensor:  # (rows, columns//2+1) transform with its centre at the first pixel
    """The profile as an image, zero at its rim and beyond, transformed."""
    y = torch.fft.fftfreq(shape[0], 1.0 / shape[0], device=profile.device)
    x = torch.fft.fftfreq(shape[1], 1.0 / shape[1], device=profile.device)
    radius = torch.sqrt(y[:, None] ** 2 + x[None] ** 2)
    position = radius.clamp(max=len(profile) - 1.001)
    low = position.floor().long()
    values = torch.lerp(profile[low], profile[low + 1], position - low)
    rim = (radius > radius_px - 1) & (radius < radius_px + taper_px)
    edge = ((radius - radius_px) / taper_px).clamp(0, 1)
    mask = 0.5 * (1 + torch.cos(torch.pi * edge))
    return torch.fft.rfft2((values - values[rim].mean()) * mask)
