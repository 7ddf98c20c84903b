"""Helical symmetry of a map about its z axis: measured, and imposed in real space (refinement.md §3.9).

The map is the same after a turn by the twist about z together with a move by the rise along z: ρ(T v + r z) = ρ(v).
Only the central part along z is trusted: there all views contribute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from verglas.fourier import low_pass
from verglas.fourier.gridding import real_radius
from verglas.maps.masks import outside_weight

EDGE_PX = 5.0
SPHERE_SHARE = 0.9  # of the box
_MOST_COPIES = 4  # a map is compared with those one, two ... units on, as far as the central part reaches
_SMOOTH_PX = 3.5  # resolution in pixels: finer noise would favour moves that interpolation smooths most
_AT_ONCE = 1 << 21  # points of a batch
_HALVINGS = 6
_COARSE_STEPS = 21  # along an axis of the search unless a step is given


@dataclass(frozen=True)
class Helix:
    """One helical symmetry; twist in degrees per unit, positive for right-handed, rise in Å."""

    twist_deg: float
    rise_angst: float

    def __post_init__(self) -> None:
        if not self.rise_angst > 0:
            raise ValueError(f"the helical rise must be above 0 Å, got {self.rise_angst:g}")


@dataclass(frozen=True)
class Tube:
    """Where the helix is in its box: diameters in Å (not positive: no limit), central share of the length."""

    central_share: float = 0.3
    outer_diameter_angst: float = -1.0
    inner_diameter_angst: float = -1.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.central_share <= 0.9:
            raise ValueError(f"the central share of z must lie in 0.05 to 0.9, got {self.central_share:g}")
        if 0 < self.outer_diameter_angst <= self.inner_diameter_angst:
            raise ValueError(
                f"the outer diameter {self.outer_diameter_angst:g} Å must be larger than the inner one, "
                f"{self.inner_diameter_angst:g} Å"
            )


@dataclass(frozen=True)
class SearchRange:
    """Twists (degrees) and rises (Å) that are tried; steps are chosen where none is given."""

    twist_deg: tuple[float, float]
    rise_angst: tuple[float, float]
    twist_step_deg: float = -1.0
    rise_step_angst: float = -1.0

    def __post_init__(self) -> None:
        for name, (low, high) in (("twist", self.twist_deg), ("rise", self.rise_angst)):
            if not low < high:
                raise ValueError(
                    f"the {name} is searched from {low:g} to {high:g}: the second must be larger"
                )
        if not self.rise_angst[0] > 0:
            raise ValueError(f"the rise is searched above 0 Å, got {self.rise_angst[0]:g}")


def impose_helix(
    volume: NDArray[np.floating],  # (z, y, x)
    pixel_size_angst: float,
    helix: Helix,
    tube: Tube,
    cyclic: int = 1,
) -> NDArray[np.float32]:
    """The mean over all copies of each voxel that lie in the central part, masked softly by tube and sphere.

    `cyclic` is the order of a further axis along z. ValueError where the central part is shorter than the rise.
    """
    size = volume.shape[0]
    half = tube.central_share * size / 2
    rise = helix.rise_angst / pixel_size_angst
    if 2 * half < rise:
        raise ValueError(
            f"the central part along z is {2 * half * pixel_size_angst:.1f} Å long, shorter than the rise, "
            f"{helix.rise_angst:g} Å: take a larger share of z"
        )
    centre = size // 2
    smooth = ndimage.spline_filter(volume.astype(np.float64), order=3)
    places = np.arange(size, dtype=np.float64) - centre
    total, count = np.zeros(volume.shape), np.zeros(size)
    most = math.ceil((size / 2 + half) / rise)
    for unit in range(-most, most + 1):
        planes = np.flatnonzero(np.abs(places + unit * rise) <= half)
        for turn in range(cyclic if len(planes) else 0):
            angle = math.radians(unit * helix.twist_deg + 360 * turn / cyclic)
            total[planes] += _turned_planes(smooth, angle, planes + unit * rise, len(planes))
            count[planes] += 1
    mean = total / np.maximum(count, 1)[:, None, None]
    return np.asarray(mean * _tube_mask(size, pixel_size_angst, tube), np.float32)


def _turned_planes(
    smooth: NDArray[np.float64], angle: float, z: NDArray[np.floating], n: int
) -> NDArray[np.float64]:
    """Planes of ρ at consecutive heights z (voxels from the first plane), each point turned by the angle."""
    size, centre = smooth.shape[0], smooth.shape[0] // 2
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])  # z, y, x
    offset = np.array([z[0], centre, centre]) - matrix @ np.array([0, centre, centre])
    shape = (n, size, size)
    return ndimage.affine_transform(smooth, matrix, offset, shape, order=3, prefilter=False)


def _tube_mask(size: int, pixel_size_angst: float, tube: Tube) -> NDArray[np.float64]:
    weight = 1 - outside_weight(size, SPHERE_SHARE * size / 2, EDGE_PX, 3)
    if tube.outer_diameter_angst > 0:
        weight = weight * (
            1 - outside_weight(size, tube.outer_diameter_angst / 2 / pixel_size_angst, EDGE_PX)
        )
    if tube.inner_diameter_angst > 0:
        inner = tube.inner_diameter_angst / 2 / pixel_size_angst
        weight = weight * outside_weight(size, max(0.0, inner - EDGE_PX), EDGE_PX)
    return np.asarray(weight.double().numpy())


class HelixAgreement:
    """How well the central part of a map agrees with its copies some units on."""

    def __init__(
        self, volume: Tensor, pixel_size_angst: float, tube: Tube, longest_rise_angst: float
    ) -> None:
        size = int(volume.shape[-1])
        radius = real_radius(size, 2)
        largest = size / 2 - 2
        if tube.outer_diameter_angst > 0:
            largest = min(largest, tube.outer_diameter_angst / 2 / pixel_size_angst)
        disc = ((radius <= largest) & (radius >= tube.inner_diameter_angst / 2 / pixel_size_angst)).nonzero()
        half = tube.central_share * size / 2
        planes = torch.arange(math.ceil(-half), math.floor(half) + 1)
        if not len(disc) or len(planes) < 2:
            raise ValueError("the tube holds no voxel of the map: diameters or central share are too small")
        yx = (disc - size // 2).float()
        self.volume = low_pass(volume.float(), pixel_size_angst, _SMOOTH_PX * pixel_size_angst)
        self.pixel = pixel_size_angst
        self.copies = max(1, min(_MOST_COPIES, int(half * pixel_size_angst / longest_rise_angst)))
        self.points = torch.cat(
            [yx.flip(-1).repeat(len(planes), 1), planes.float().repeat_interleave(len(yx))[:, None]], 1
        )
        z, y, x = (self.points.flip(-1).long() + size // 2).T
        self.values = _standard(self.volume[z, y, x])

    def scores(self, twists_deg: Tensor, rises_angst: Tensor) -> Tensor:
        """Mean correlation with the copies for each pair of twist and rise (n,); (n,) float32."""
        step = max(1, _AT_ONCE // (len(self.points) * self.copies))
        pairs = zip(torch.split(twists_deg, step), torch.split(rises_angst, step))
        return torch.cat([self._scores(*pair) for pair in pairs])

    def _scores(self, twists_deg: Tensor, rises_angst: Tensor) -> Tensor:
        size = int(self.volume.shape[-1])
        units = torch.arange(1, self.copies + 1, dtype=torch.float64)
        units[1::2] *= -1  # some up, some down, so that they stay about the middle
        angle = torch.deg2rad(twists_deg.double()[:, None] * units).float()[..., None]
        x, y, z = self.points.T
        turned = [angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y]
        moved = z + (rises_angst.double()[:, None] * units / self.pixel).float()[..., None]
        grid = (torch.stack([*turned, moved], -1) + size // 2) * (2 / (size - 1)) - 1
        found = torch.nn.functional.grid_sample(
            self.volume[None, None], grid.reshape(1, len(angle) * self.copies, 1, -1, 3), align_corners=True
        ).reshape(len(angle), self.copies, -1)
        return (_standard(found) @ self.values).mean(1)


def search_helix(
    volume: Tensor, pixel_size_angst: float, wanted: SearchRange, tube: Tube
) -> tuple[Helix, float, bool]:
    """Twist and rise of a map within a range: a grid, then halved steps about the best.

    Returns the symmetry, the mean correlation of the central part with its copies, and whether the answer lies at the
    border of the range, where the true one may be beyond it.
    """
    agreement = HelixAgreement(volume, pixel_size_angst, tube, wanted.rise_angst[1])
    bounds = torch.tensor([wanted.twist_deg, wanted.rise_angst], dtype=torch.float64)
    given = torch.tensor([wanted.twist_step_deg, wanted.rise_step_angst], dtype=torch.float64)
    span = bounds[:, 1] - bounds[:, 0]
    steps = torch.where(given > 0, torch.minimum(given, span), span / (_COARSE_STEPS - 1))
    axes = [
        low + step * torch.arange(int(width / step + 1e-6) + 1)
        for (low, _), step, width in zip(bounds, steps, span)
    ]
    grid = torch.cartesian_prod(*axes)
    best, score = _best(agreement, grid)
    for _ in range(_HALVINGS):
        steps = steps / 2
        around = torch.cartesian_prod(*[torch.arange(-1, 2, dtype=torch.float64) * step for step in steps])
        best, score = _best(
            agreement, torch.maximum(torch.minimum(best + around, bounds[:, 1]), bounds[:, 0])
        )
    at_border = bool(((best - bounds[:, 0] < 1e-9) | (bounds[:, 1] - best < 1e-9)).any())
    return Helix(float(best[0]), float(best[1])), score, at_border


def _best(agreement: HelixAgreement, pairs: Tensor) -> tuple[Tensor, float]:
    scores = agreement.scores(pairs[:, 0], pairs[:, 1])
    row = int(scores.argmax())
    return pairs[row], float(scores[row])


def _standard(values: Tensor) -> Tensor:
    """Mean 0 and length 1 of each row (..., p)."""
    values = values - values.mean(-1, keepdim=True)
    return values / values.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-20)
