"""What is done to new references in real space: centre of mass and solvent (refinement.md §3.9)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.maps.masks import outside_weight

SOLVENT_EDGE_PX = 5.0
FAR_OFF = 0.1  # of the particle's diameter: centres of mass beyond it are moved
REACH = 2.0  # standard deviations of the offsets


def centres_of_mass_px(images: Tensor) -> Tensor:
    """Centres of mass (k, d) of the positive densities relative to pixel N/2; zeros if there are none.

    With signed densities, as RELION has it, the sum of a noisy average may come close to zero and its
    "centre" lie anywhere.
    """
    dims = images.ndim - 1
    images = images.clamp_min(0)
    total = images.flatten(1).sum(1)
    axis = torch.arange(images.shape[-1], dtype=images.dtype, device=images.device)
    axis = axis - images.shape[-1] // 2
    parts = []
    for dim in range(1, dims + 1):
        others = [d for d in range(1, dims + 1) if d != dim]
        parts.append((images.sum(others) * axis).sum(1) / total)
    return torch.where(total[:, None] > 0, torch.stack(parts, 1), 0)


def moves_to_centre_px(images: Tensor, longest_px: float, least_px: float) -> Tensor:
    """Centres of mass (k, d), on the CPU, that are to be moved to the box centre; zeros where all is well.

    They are shortened to `longest_px`; images less than `least_px` away stay.
    """
    away = centres_of_mass_px(images).cpu()
    length = away.norm(dim=1, keepdim=True)
    away = torch.where(length > longest_px, away * (longest_px / length), away)
    return torch.where(length >= least_px, away, 0)


def translate_linear(images: Tensor, shifts_px: Tensor) -> Tensor:
    """Move the content of images (k, N..) by shifts (k, d) with linear interpolation; zeros come in."""
    for dim in range(1, images.ndim):
        shift = shifts_px[:, dim - 1].to(images)
        whole = shift.floor()
        part = (shift - whole).reshape(-1, *[1] * (images.ndim - 1))
        steps = whole.long()
        images = (1 - part) * _moved(images, dim, steps) + part * _moved(images, dim, steps + 1)
    return images


def _moved(images: Tensor, dim: int, steps: Tensor) -> Tensor:
    """Images (k, N..) moved along an axis by whole pixels (k,)."""
    n = images.shape[dim]
    source = torch.arange(n, device=images.device) - steps[:, None]
    shape = [len(images), *[1] * (images.ndim - 1)]
    shape[dim] = n
    inside = ((source >= 0) & (source < n)).reshape(shape)
    return images.gather(dim, source.clamp(0, n - 1).reshape(shape).expand_as(images)) * inside


def centre_references(
    references: Tensor, longest_px: float, diameter_px: float, sigma_offset_px: float
) -> Tensor:
    """References whose centre of mass is far from the box centre, moved there by whole pixels.

    The offset prior centres classes by itself. The centre of mass of a noisy average lies some pixels from
    there, in the first iterations further than particles are believed to be off at all; such moves are
    undone by the particles, and the averages blur (docs/parity.md). So a class stays unless it is far off,
    and if it is further off than offsets reach.
    """
    moves = moves_to_centre_px(references, longest_px, FAR_OFF * diameter_px)
    believable = moves.norm(dim=1) <= REACH * sigma_offset_px
    chosen = (moves.any(1) & believable).nonzero().flatten()
    result = references.clone()
    result[chosen] = translate_linear(references[chosen], -moves[chosen].round())
    return result


def flatten_solvent(references: Tensor, radius_px: float, mask: Tensor | None = None) -> Tensor:
    """Multiply by a user mask, or by a soft sphere with a 5 px cosine edge outside the radius."""
    if mask is None:
        box, dims = references.shape[-1], references.ndim - 1
        mask = 1 - outside_weight(
            box, radius_px, SOLVENT_EDGE_PX, dims, dtype=torch.float64, device=references.device
        )
    return references * mask.to(references)
