"""Templates: 2D references or projections of a map, at every in-plane angle, on any pixel grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.fourier import Projector
from verglas.geometry import euler_matrices
from verglas.picking.background import frequency_radius


@dataclass(frozen=True, slots=True, eq=False)
class TemplateBank:
    """Templates as slices of their references; T = views x in-plane angles."""

    projector: Projector
    matrices: Tensor  # (T, 3, 3)
    reference: Tensor  # (T,) which reference a template is a view of
    view: Tensor  # (T,) number of the view, from 0: what a pick's class number says
    psi_deg: Tensor  # (T,)
    box_angst: float  # side of the references
    diameter_angst: float  # of the circle that masks them
    resolution_angst: float

    def __len__(self) -> int:
        return len(self.matrices)

    def to(self, device: torch.device | str) -> TemplateBank:
        """The same on another device."""
        if self.matrices.device == torch.device(device):
            return self
        lattice = replace(self.projector, values=self.projector.values.to(device))
        return replace(
            self, projector=lattice, matrices=self.matrices.to(device), reference=self.reference.to(device)
        )

    def spectra(self, box_px: int, pixel_size_angst: float) -> Tensor:
        """(T, box, box//2+1) complex64, low-passed; back in real space the centre is the first pixel."""
        scale = box_px * pixel_size_angst / self.box_angst  # index of reference = index / scale
        slices = self.projector.slices(self.matrices * scale, box_px, self.reference)
        frequency = frequency_radius((box_px, box_px), pixel_size_angst, slices.device)
        return (slices * _low_pass(frequency, self.resolution_angst)).to(torch.complex64)


def bank_of_images(
    references: Tensor,  # (n, N, N), particles white
    pixel_size_angst: float,
    *,
    diameter_angst: float,
    psi_step_deg: float,
    resolution_angst: float,
) -> TemplateBank:
    """Templates from 2D references."""
    masked = _masked(references.to(torch.float32), pixel_size_angst, diameter_angst)
    psi = in_plane_angles(psi_step_deg)
    count = len(masked)
    angles = torch.zeros(count * len(psi), 3, dtype=torch.float64)
    angles[:, 2] = psi.repeat(count)
    which = torch.arange(count).repeat_interleave(len(psi))
    return TemplateBank(
        Projector.of(masked, dims=2),
        euler_matrices(angles).to(masked.device),
        which.to(masked.device),
        which,
        angles[:, 2],
        references.shape[-1] * pixel_size_angst,
        diameter_angst,
        resolution_angst,
    )


def bank_of_map(
    volume: Tensor,  # (N, N, N), particle white
    pixel_size_angst: float,
    directions_deg: Tensor,  # (n, 2) rot, tilt
    *,
    diameter_angst: float,
    psi_step_deg: float,
    resolution_angst: float,
) -> TemplateBank:
    """Templates from projections of a map along the given directions."""
    masked = _masked(volume.to(torch.float32), pixel_size_angst, diameter_angst)
    psi = in_plane_angles(psi_step_deg)
    count = len(directions_deg)
    angles = torch.empty(count * len(psi), 3, dtype=torch.float64)
    angles[:, :2] = directions_deg.cpu().repeat_interleave(len(psi), 0)
    angles[:, 2] = psi.repeat(count)
    return TemplateBank(
        Projector.of(masked[None]),
        euler_matrices(angles).to(masked.device),
        torch.zeros(len(angles), dtype=torch.long, device=masked.device),
        torch.arange(count).repeat_interleave(len(psi)),
        angles[:, 2],
        volume.shape[-1] * pixel_size_angst,
        diameter_angst,
        resolution_angst,
    )


def in_plane_angles(step_deg: float) -> Tensor:
    """Angles from 0 in steps that divide 360: 360 / round(360 / step)."""
    if not step_deg > 0:
        raise ValueError(f"in-plane angular sampling must be positive, got {step_deg:g}")
    count = max(1, round(360.0 / step_deg))
    return torch.arange(count, dtype=torch.float64) * (360.0 / count)


def _masked(images: Tensor, pixel_size_angst: float, diameter_angst: float) -> Tensor:
    """Zero outside a circle (or ball) with a soft edge of three pixels, or of a tenth of its radius."""
    if not bool(torch.isfinite(images).all()):
        raise ValueError("the references hold values that are not finite numbers")
    side = images.shape[-1]
    dims = 2 if images.shape[-3:] != (side, side, side) or images.ndim == 4 else 3
    position = torch.arange(side, device=images.device, dtype=torch.float32) - side // 2
    squared = position[:, None] ** 2 + position**2
    if dims == 3:
        squared = position[:, None, None] ** 2 + squared
    outer = min(0.5 * diameter_angst / pixel_size_angst, side / 2 - 1)
    edge = max(3.0, 0.1 * outer)
    ramp = ((torch.sqrt(squared) - (outer - edge)) / edge).clamp(0, 1)
    mask = 0.5 * (1 + torch.cos(math.pi * ramp))
    rim = (ramp > 0) & (ramp < 1)
    level = images[..., rim].mean(-1) if bool(rim.any()) else images.new_zeros(images.shape[:-dims])
    return (images - level.reshape(*level.shape, *([1] * dims))) * mask


def _low_pass(frequency: Tensor, resolution_angst: float) -> Tensor:
    """1 up to the resolution with a raised-cosine edge a tenth as wide."""
    limit = 1.0 / resolution_angst
    ramp = ((frequency - 0.95 * limit) / (0.1 * limit)).clamp(0, 1)
    return 0.5 * (1 + torch.cos(math.pi * ramp))
