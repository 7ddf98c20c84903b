"""Correlating an image with thousands of templates through a few hundred of their common parts.

Rotated copies of a few references at low resolution span a small space: a template is a mixture of
eigen-templates. Each eigen-template costs a transform; each template then costs r multiplications per
pixel in one matrix product (r = number of eigen-templates), which is faster than a transform of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.picking.picks import Array

LOST_ENERGY = 0.01  # largest part of a template's energy that eigen-templates may miss
_COLUMNS = 8192  # pixels per matrix product: the scores of one block stay in cache
_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class EigenTemplates:
    """Unit-norm templates W (T, b*b) as `loadings` @ `patches`, to within `LOST_ENERGY`."""

    patches: Tensor  # (r, b, b), orthonormal, centre at b//2
    loadings: Tensor  # (T, r)

    @classmethod
    def of(cls, templates: Tensor) -> EigenTemplates:
        """From templates (T, b, b) of any scale. Raises ValueError if one of them is empty."""
        flat = templates.reshape(len(templates), -1)
        norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        if not bool((norm > 0).all()) or not bool(torch.isfinite(norm).all()):
            empty = int((~(norm > 0)).nonzero()[0, 0])
            raise ValueError(f"template {empty + 1} is empty within its mask and resolution")
        unit = flat / norm
        gram = (unit.T @ unit if unit.shape[0] > unit.shape[1] else unit @ unit.T).double()
        values, vectors = torch.linalg.eigh(gram)
        values, vectors = values.flip(0), vectors.flip(1).to(unit.dtype)
        if unit.shape[0] > unit.shape[1]:
            basis = vectors
        else:
            kept = values > 1e-6 * values[0]
            basis = unit.T @ (vectors[:, kept] / torch.sqrt(values[kept]).to(unit.dtype))
        loadings = unit @ basis
        kept_energy = (loadings**2).cumsum(1).amin(0)  # of the worst template
        enough = int((kept_energy < 1 - LOST_ENERGY).sum()) + 1
        loadings = loadings[:, :enough]
        side = templates.shape[-1]
        return cls(
            basis[:, :enough].T.reshape(-1, side, side).contiguous(),
            loadings / torch.linalg.vector_norm(loadings, dim=1, keepdim=True),
        )


def best_scores(image: Tensor, bank: EigenTemplates) -> Tensor:  # (y, x)
    """At each pixel the largest correlation of any template centred there.

    The image continues as zero beyond its edges. Tiles bound the memory.
    """
    box = bank.patches.shape[-1]
    tile = max(128, 1 << (4 * box - 1).bit_length())
    step = tile - box
    rows, columns = image.shape
    half = box // 2
    beyond = (half, tile, half, tile)
    padded = torch.nn.functional.pad(image, beyond)
    transform = torch.conj(torch.fft.rfft2(_corner(bank.patches, tile)))
    best = torch.empty_like(image)
    for top in range(0, rows, step):
        for left in range(0, columns, step):
            window = padded[top : top + tile, left : left + tile]
            maps = torch.fft.irfft2(torch.fft.rfft2(window) * transform, s=(tile, tile))
            height, width = min(step, rows - top), min(step, columns - left)
            parts = maps[:, :height, :width].reshape(len(maps), -1)
            largest = _largest(bank.loadings, parts).reshape(height, width)
            best[top : top + height, left : left + width] = largest
    return best


def _corner(patches: Tensor, tile: int) -> Tensor:
    """Patches in the corner of tiles: correlation at (0, 0) is with the window's first box."""
    box = patches.shape[-1]
    return torch.nn.functional.pad(patches, (0, tile - box, 0, tile - box))


def _largest(loadings: Tensor, parts: Tensor) -> Tensor:  # (P,)
    columns = parts.shape[1]
    best = parts.new_full((columns,), -torch.inf)
    width = _COLUMNS if parts.device.type == "cpu" else columns
    for first in range(0, columns, width):
        block = parts[:, first : first + width]
        for row in range(0, len(loadings), _ROWS):
            scores = loadings[row : row + _ROWS] @ block
            largest = best[first : first + width]
            torch.maximum(largest, scores.amax(0), out=largest)
    return best


def side_lobes(bank: EigenTemplates, samples: int = 8) -> Array:  # (box + 1,)
    """How much of a particle's score its surroundings show, by distance in pixels: at most 1.

    The largest correlation of any template with a few shifted ones, over all directions.
    """
    box = bank.patches.shape[-1]
    side = 3 * box
    position = torch.arange(side, device=bank.patches.device) - (side // 2)
    radius = torch.sqrt((position[:, None] ** 2 + position**2).double()).round().long()
    lobes = torch.zeros(2 * side, device=bank.patches.device)
    corner = side // 2 - box // 2
    for index in torch.linspace(0, len(bank.loadings) - 1, samples).long().tolist():
        image = bank.patches.new_zeros(side, side)
        template = torch.tensordot(bank.loadings[index], bank.patches, 1)
        image[corner : corner + box, corner : corner + box] = template
        score = best_scores(image, bank)
        lobes.scatter_reduce_(0, radius.flatten(), score.flatten(), "amax")
    return lobes[: box + 1].cpu().numpy()


def best_templates(image: Tensor, bank: EigenTemplates, xy: Array) -> Tensor:  # (n,) template index
    """Which template scores best at the pixel nearest to each position."""
    box = bank.patches.shape[-1]
    half = box // 2
    padded = torch.nn.functional.pad(image, (half, box, half, box))
    place = torch.as_tensor(xy, device=image.device).round().long()
    offset = torch.arange(box, device=image.device)
    found = []
    for some in torch.split(place, 512):
        y = some[:, 1, None, None] + offset[:, None]
        x = some[:, 0, None, None] + offset
        windows = padded[y, x].reshape(len(some), -1)
        parts = windows @ bank.patches.reshape(len(bank.patches), -1).T
        found.append((parts @ bank.loadings.T).argmax(1))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)
