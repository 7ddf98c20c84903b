"""What a map says of a turn, shell by shell: FSC with its turned copy, what chance gives, what its noise allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor

from verglas.fourier import forward, inverse, rescale, shift_in_fourier
from verglas.fourier.gridding import crop_box
from verglas.fourier.radial import shell_products
from verglas.maps.auto_mask import main_parts, propose_threshold, smooth
from verglas.maps.mask_creation import MaskShape, mask_of
from verglas.maps.masks import outside_weight
from verglas.maps.shell_correlation import fsc_of_spectra
from verglas.maps.symmetry.alignment import centre_of_mass
from verglas.maps.symmetry.search import Axes
from verglas.maps.symmetry.turns import Turns

SIDE = 64  # of the copy that is turned
EDGE_PX = 3.0
CHANCE_TURNS, LEAST_CHANCE_DEG = 24, 25.0
TURNS_OF_A_CURVE = 6
_WIDER_ANGST = 8.0  # of the mask that keeps density out of the solvent
_LEAST_SOLVENT = 0.1  # of the particle's sphere
_USED = 0.8  # of the copy's Nyquist shell: beyond it interpolation tells more than the map
_LEAST_QUALITY = 0.3
_LEAST_POWER = 1e-5  # of the strongest shell: below it there is no map


@dataclass(frozen=True, eq=False)
class Evidence:
    """A copy of a map about its centre, prepared for turns, and the shells that can be used."""

    smooth: NDArray[np.float64]  # spline coefficients of the copy (n, n, n)
    mask: Tensor  # (n, n, n) a soft sphere about the particle
    spectrum: Tensor  # of the masked copy
    centre_px: Tensor  # of the copy, (x, y, z) from the middle of the map
    scale: float  # voxels of the copy per voxel of the map
    extent_angst: float  # side of the copy: shell s is extent/s
    quality: Tensor  # (n//2+1,) share of the map's power that is signal
    quality_known: bool
    chance: Tensor  # (n//2+1,) FSC that an arbitrary turn reaches: mean and two deviations
    last_shell: int

    def curve(self, turns: Turns, axes: Axes) -> Tensor:
        """Mean FSC with the copies turned by a group's operators (but the identity) about its axes; (n//2+1,)."""
        few, frame = turns.some(TURNS_OF_A_CURVE), axes.frame.double()
        shift = (axes.centre_px - self.centre_px) * self.scale
        curves = [self.fsc_with_turned(frame @ operator @ frame.T, shift) for operator in few.operators]
        return few.weights @ torch.stack(curves)

    def fsc_with_turned(self, rotation: Tensor, shift_px: Tensor) -> Tensor:
        """FSC with the copy turned about a point (x, y, z) voxels of the copy from its middle; (n//2+1,)."""
        matrix = rotation.numpy()[::-1, ::-1]
        centre = len(self.smooth) // 2 + shift_px.numpy()[::-1]
        turned = ndimage.affine_transform(
            self.smooth, matrix, centre - matrix @ centre, order=3, prefilter=False, output=np.float64
        )
        return fsc_of_spectra(self.spectrum, forward(torch.from_numpy(turned).float() * self.mask, 3))


@dataclass(frozen=True, eq=False)
class Particle:
    """Where the density lies: its centre of mass, the farthest of it, and a wide soft mask (None: all is noise)."""

    centre_px: Tensor  # (x, y, z) from the middle of the box
    radius_px: float
    mask: Tensor | None  # (N, N, N)


def particle_of(volume: Tensor, pixel_size_angst: float) -> Particle:
    """Find the particle of a cubic map; ValueError for a map without positive values."""
    size = int(volume.shape[-1])
    centre = centre_of_mass(volume)
    largest = size / 2 - EDGE_PX - 1 - float(centre.abs().max())
    blurred = smooth(volume.float(), pixel_size_angst)
    try:
        region = main_parts((blurred >= propose_threshold(blurred).value).cpu().numpy())
    except ValueError:
        return Particle(centre, largest, None)
    places = np.argwhere(region)[:, ::-1] - size // 2 - centre.numpy()
    mask = mask_of(region, MaskShape(_WIDER_ANGST / pixel_size_angst, EDGE_PX, fill=True))
    return Particle(centre, min(largest, float(np.sqrt((places**2).sum(1).max())) + 1), mask)


def gather(
    volume: Tensor,
    pixel_size_angst: float,
    centre_px: Tensor,
    particle: Particle,
    quality: Tensor | None = None,
    resolution_angst: float | None = None,
) -> Evidence:
    """Prepare a cubic map. `quality` (N//2+1,) is known from half maps; otherwise the solvent's noise tells it."""
    size = int(volume.shape[-1])
    centred = inverse(shift_in_fourier(forward(volume.float(), 3), -centre_px.flip(-1), dims=3), size, 3)
    radius_px = particle.radius_px
    side = min(size, 2 * (int(np.ceil(radius_px + EDGE_PX)) + 2))
    cut = crop_box(centred, side, 3).contiguous()
    small = rescale(cut, min(SIDE, side), 3)
    scale = len(small) / side
    mask = 1 - outside_weight(len(small), radius_px * scale, EDGE_PX, 3)
    values = small - (small * mask).sum() / mask.sum()
    spectrum = forward(values * mask, 3)
    known = quality is not None
    if quality is None:
        measured = _quality_from_solvent(volume, centred, particle)
        known = measured is not None
        quality = torch.ones(size // 2 + 1, dtype=torch.float64) if measured is None else measured
    extent = side * pixel_size_angst
    shells = torch.arange(len(small) // 2 + 1) * (size / side)
    shares = torch.from_numpy(np.interp(shells.numpy(), np.arange(len(quality)), quality.numpy())).clamp(0, 1)
    spline = ndimage.spline_filter(values.double().numpy(), order=3)
    last = _last_shell(spectrum, shares, extent, resolution_angst)
    found = Evidence(spline, mask, spectrum, centre_px, scale, extent, shares, known, shares, last)
    return replace(found, chance=_chance(found))


def _chance(evidence: Evidence) -> Tensor:
    """Mean and two deviations of the FSC with copies turned at random: what shape alone gives."""
    generator = np.random.default_rng(0)
    turns = Rotation.random(4 * CHANCE_TURNS, random_state=generator)
    turns = turns[turns.magnitude() > np.radians(LEAST_CHANCE_DEG)][:CHANCE_TURNS]
    middle = torch.zeros(3)
    curves = torch.stack([evidence.fsc_with_turned(torch.from_numpy(t), middle) for t in turns.as_matrix()])
    return (curves.mean(0) + 2 * curves.std(0)).clamp(0, 1)


def _quality_from_solvent(volume: Tensor, centred: Tensor, particle: Particle) -> Tensor | None:
    """1 - noise/(signal and noise) per shell within the particle's sphere; None where no solvent is left to see."""
    size = int(volume.shape[-1])
    if particle.mask is None:
        return None
    inner = 1 - outside_weight(size, particle.radius_px, EDGE_PX, 3)
    outer = (1 - outside_weight(size, size / 2 - EDGE_PX - 1, EDGE_PX, 3)) * (1 - particle.mask.to(volume))
    if float(outer.sum()) < _LEAST_SOLVENT * float(inner.sum()):
        return None
    powers = []
    for image, weight in ((centred, inner), (volume, outer)):
        level = (image * weight).sum() / weight.sum()
        spectrum = forward((image - level) * weight, 3)
        powers.append(shell_products(spectrum, spectrum)[1] / float(weight.square().sum()))
    noise = powers[1] / powers[0].clamp_min(1e-300)
    return (1 - noise).clamp(0, 1)


def _last_shell(
    spectrum: Tensor, quality: Tensor, extent_angst: float, resolution_angst: float | None
) -> int:
    """The last shell that is worth looking at."""
    n = len(quality)
    counted = shell_products(spectrum, spectrum)[1] / torch.arange(n).clamp_min(1).double().square()
    good = (quality >= _LEAST_QUALITY) & (counted >= _LEAST_POWER * counted[1:].max())
    good[0] = True
    bad = (~good).nonzero().flatten()
    last = int(bad[0]) - 1 if len(bad) else n - 1
    last = min(last, int(_USED * (n - 1)))
    return last if resolution_angst is None else min(last, int(extent_angst / resolution_angst))
