"""Resolution by direction: FSC within cones, and how evenly views sample Fourier space.

Sums over shells and 768 patches of the sphere are made once; a cone is a sum over the patches within it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import forward, row_indices
from verglas.fourier.radial import slabs
from verglas.geometry import healpix_directions, view_vectors
from verglas.maps.shell_correlation import resolution_shell

CONE_DEG = 20.0
PATCH_ORDER, DIRECTION_ORDER = 3, 2
VIEW_WIDTH = 0.05  # sine of the angle within which a view samples a direction
UNSEEN = 0.01  # of the mean sampling: what a direction without any view counts as
FEW = 0.1  # of the mean sampling: less than that is as good as none


@dataclass(frozen=True, eq=False)
class DirectionalFsc:
    """Per direction (n, 3) as (x, y, z): curves (n, S) float64 and resolutions (n,) in Å."""

    directions: Tensor
    curves: Tensor
    resolution_angst: Tensor

    @property
    def worst_over_best(self) -> float:
        """One number: 1 for a map that is as good in all directions."""
        return float(self.resolution_angst.max() / self.resolution_angst.min())


def directional_fsc(
    first: Tensor, second: Tensor, pixel_size_angst: float, cone_deg: float = CONE_DEG
) -> DirectionalFsc:
    """Conical FSC of two (masked) maps (N, N, N) in 96 directions, one of each ± pair."""
    size = int(first.shape[-1])
    patches = view_vectors(healpix_directions(PATCH_ORDER))
    directions = view_vectors(healpix_directions(DIRECTION_ORDER))
    directions = directions[_upper(directions)]
    sums = _patch_sums(forward(first, 3), forward(second, 3), patches)
    angle_cos = torch.cos(torch.deg2rad(torch.tensor(cone_deg, dtype=torch.float64)))
    within = ((patches @ directions.T).abs() >= angle_cos).double()  # (P, n)
    cross, one, two = sums @ within  # (S, n) each
    norm = (one * two).sqrt()
    curves = torch.where(norm > 0, cross / norm.clamp_min(1e-300), 1.0).T
    curves[:, 0] = 1
    shells = torch.tensor([max(1, resolution_shell(curve)) for curve in curves])
    return DirectionalFsc(directions, curves, size * pixel_size_angst / shells.double())


def _upper(directions: Tensor) -> Tensor:
    """One of each ± pair: of those on the equator, the half with y > 0, or x > 0 on the axis."""
    x, y, z = directions.unbind(1)
    flat, on_axis = z.abs() < 1e-9, y.abs() < 1e-9
    return (z > 1e-9) | (flat & ((y > 1e-9) | (on_axis & (x > 0))))


def _patch_sums(first: Tensor, second: Tensor, patches: Tensor) -> Tensor:
    """Σ Re conj(F1) F2, Σ|F1|², Σ|F2|² per shell and patch, (3, N//2+1, P) float64."""
    side = int(first.shape[-2])
    n_shells, count = side // 2 + 1, len(patches)
    total = torch.zeros(3, n_shells * count, dtype=torch.float64)
    rows_yx, columns = row_indices(side), torch.arange(side // 2 + 1)
    for rows, squared in slabs(side):
        z, y, x = torch.meshgrid(rows_yx[rows], rows_yx, columns, indexing="ij")
        shells = squared.double().sqrt().round().long()
        inside = ((shells < n_shells) & (shells > 0)).flatten()
        vectors = torch.stack([x, y, z], -1).reshape(-1, 3)[inside].float()
        nearest = _nearest(vectors / vectors.norm(dim=1, keepdim=True), patches.float())
        places = shells.flatten()[inside] * count + nearest
        one, two = (half[rows].cpu().flatten()[inside] for half in (first, second))
        for line, values in zip(total, ((one.conj() * two).real, one.abs() ** 2, two.abs() ** 2)):
            line += torch.bincount(places, values.double(), len(line))
    return total.reshape(3, n_shells, count)


def _nearest(vectors: Tensor, patches: Tensor) -> Tensor:
    """The patch nearest to each unit vector or its opposite."""
    parts = [(part @ patches.T).abs().argmax(1) for part in torch.split(vectors, 1 << 14)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often each direction (n, 3) of Fourier space is sampled, its mean being 1."""

    directions: Tensor
    sampling: Tensor  # (n,)

    @property
    def efficiency(self) -> float:
        """1/mean(1/sampling), the sampling compensation factor: 1 for even views, 0 for a missing cone."""
        return float(1 / (1 / self.sampling.clamp_min(UNSEEN)).mean())

    @property
    def missing(self) -> float:
        """Share of the directions that are seen by next to no particle."""
        return float((self.sampling <= FEW).double().mean())


def coverage(rot_tilt_deg: Tensor, width: float = VIEW_WIDTH) -> Coverage:
    """Of views (m, 2): each samples the directions perpendicular to it (Baldwin & Lyumkis 2020), within `width`."""
    if not len(rot_tilt_deg):
        raise ValueError("there are no views: nothing samples Fourier space")
    views = view_vectors(rot_tilt_deg.double())
    directions = view_vectors(healpix_directions(PATCH_ORDER))
    seen = torch.zeros(len(directions), dtype=torch.float64)
    for part in torch.split(views, 1 << 14):
        seen += ((directions @ part.T).abs() < width).double().sum(1)
    return Coverage(directions, seen / seen.mean().clamp_min(1e-30))
