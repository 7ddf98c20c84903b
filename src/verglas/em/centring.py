"""What is done to new references in real space: centre of mass and solvent (refinement.md §3.9)."""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.em.images import soft_mask

SOLVENT_EDGE_PX = 5.0
LEAST_MOVE_PX = 2.0


def centre_of_mass_px(image: Tensor) -> Tensor:
    """Centre of mass (d,) of the positive densities relative to pixel N/2; zeros if there are none.

    With signed densities, as RELION has it, the sum of a noisy average may come close to zero and its
    "centre" lie anywhere.
    """
    image = image.clamp_min(0)
    total = image.sum()
    if float(total) <= 0:
        return image.new_zeros(image.ndim)
    axis = torch.arange(image.shape[-1], dtype=image.dtype, device=image.device)
    axis = axis - image.shape[-1] // 2
    parts = []
    for dim in range(image.ndim):
        others = tuple(d for d in range(image.ndim) if d != dim)
        parts.append((image.sum(others) * axis).sum() / total)
    return torch.stack(parts)


def clip_length(vector: Tensor, longest: float) -> Tensor:
    """The vector, shortened to `longest` if it is longer."""
    length = float(vector.norm())
    return vector if length <= longest else vector * (longest / length)


def translate_linear(image: Tensor, shift: Tensor) -> Tensor:
    """Move content by `shift` (d,) px with linear interpolation; zeros come in from outside."""
    for dim in range(image.ndim):
        whole = int(torch.floor(shift[dim]))
        part = float(shift[dim]) - whole
        image = (1 - part) * _moved(image, dim, whole) + part * _moved(image, dim, whole + 1)
    return image


def _moved(image: Tensor, dim: int, steps: int) -> Tensor:
    n = image.shape[dim]
    result = torch.zeros_like(image)
    if abs(steps) < n:
        target, origin = max(0, steps), max(0, -steps)
        length = n - abs(steps)
        result.narrow(dim, target, length).copy_(image.narrow(dim, origin, length))
    return result


def centre_references(references: Tensor, longest_px: float, diameter_px: float) -> Tensor:
    """References with their centre of mass moved to the box centre, by whole pixels.

    Those that are nearly centred stay: an interpolated move in every iteration blurs, and pulls particles
    back and forth between positions that the noise of the average decides (docs/parity.md).
    """
    least = max(0.01 * diameter_px, LEAST_MOVE_PX)
    moved = []
    for image in references:
        away = clip_length(centre_of_mass_px(image), longest_px)
        far = float(away.norm()) >= least
        moved.append(translate_linear(image, -away.round()) if far else image)
    return torch.stack(moved)


def flatten_solvent(references: Tensor, radius_px: float, mask: Tensor | None = None) -> Tensor:
    """Multiply by a user mask, or by a soft sphere with a 5 px cosine edge outside the radius."""
    if mask is None:
        box, dims = references.shape[-1], references.ndim - 1
        mask = 1 - soft_mask(box, radius_px, SOLVENT_EDGE_PX, dims)
    return references * mask.to(references)
