"""Helical segments in 2D: what the filament tells about a segment's pose (refinement.md §2.5, §2.11).

A segment's axis lies along x of its class; its prior psi turns the axis of the image there. Where offsets are
restricted to the rise, the prior on them acts across the axis only; along it they are limited to half a rise
either way. Where they are not, the prior is that of any other particle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.em.state.particles import Floats, Ints, OpticsGroup, Particles
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings, HelixSettings

CONE = 3.0  # σ of psi that are searched
TOUCHING_A = 1e-6


def axes_yx(settings: EmSettings, particles: Particles, rows: Ints) -> Tensor:
    """Unit vectors (b, 2) y, x along which offsets have a limit instead of a prior, float64; else zeros."""
    helix, psi = settings.helix, particles.psi_prior_deg
    if helix is None or not helix.restricts_offsets or psi is None:
        return torch.zeros((len(rows), 2), dtype=torch.float64)
    return filament_axes_yx(psi[rows])


def forgotten_axes_yx(
    settings: EmSettings, sampling: Sampling, particles: Particles, rows: Ints
) -> Tensor | None:
    """Axes (b, 2) y, x along which old offsets are forgotten, where the grid covers all of the limits."""
    helix = settings.helix
    if helix is None or helix.rise_angst / 2 > sampling.offset_range_angst:
        return None
    return axes_yx(settings, particles, rows)


def filament_axes_yx(psi_deg: Floats) -> Tensor:
    """Unit vectors (b, 2) y, x of the axes of filaments at psi (b,) in their images, float64."""
    psi = torch.deg2rad(torch.from_numpy(psi_deg))
    return torch.stack([-psi.sin(), psi.cos()], 1)


def across_squared(away: Tensor, axes: Tensor) -> Tensor:
    """Squared length of vectors (..., 2) without what lies along the axes; all of it for zero axes."""
    return away.square().sum(-1) - (away * axes).sum(-1).square()


def outside_limits(helix: HelixSettings, absolute: Tensor, axes: Tensor, step_angst: float) -> Tensor:
    """Translations (b, T, 2) Å, old offset included, that lead too far along the axis: (b, T) bool.

    The grid does not turn with the filament: a point of it counts if its cell reaches into the limits, and
    not if it only touches them. Where no point does, those nearest to them count.
    """
    along = (absolute * axes[:, None]).sum(-1).abs()
    reach = helix.rise_angst / 2 + step_angst / 2 * axes.abs().sum(-1, keepdim=True) - TOUCHING_A
    return along > torch.maximum(reach, along.amin(1, keepdim=True) + 1e-6)


def turn_log_prior(
    settings: EmSettings, sampling: Sampling, particles: Particles, rows: Ints
) -> Tensor | None:
    """ln of the prior of each coarse psi, times the number of psi: (b, n_psi) float64; None without one.

    Normal around the filament's psi, and around its opposite where polarity is unknown; -inf beyond 3 σ.
    A psi between two grid points that are both outside takes the nearest.
    """
    if particles.psi_prior_deg is None or not settings.sigma_psi_deg > 0:
        return None
    n = sampling.n_psi
    grid = torch.arange(n, dtype=torch.float64) * (360.0 / n)
    away = grid - torch.from_numpy(particles.psi_prior_deg[rows])[:, None]
    ways = [0.0, 180.0] if settings.helix is not None and settings.helix.bimodal_psi else [0.0]
    total = torch.zeros_like(away)
    for turn in ways:
        distance = (torch.remainder(away + turn + 180, 360) - 180).abs()
        near = distance < CONE * settings.sigma_psi_deg
        near |= ~near.any(1, keepdim=True) & (distance <= distance.amin(1, keepdim=True))
        exponent = -0.5 * (distance / settings.sigma_psi_deg).square()
        most = torch.where(near, exponent, -torch.inf).amax(1, keepdim=True)
        total += torch.where(near, (exponent - most).exp(), 0)
    return (n * total / total.sum(1, keepdim=True)).log()


def tube_background(settings: EmSettings, optics: OpticsGroup, psi_deg: Floats) -> Tensor | None:
    """Weight of the background (b, N, N) outside the tubes of filaments at psi (b,); None without a tube."""
    helix = settings.helix
    if helix is None or helix.outer_diameter_angst <= 0:
        return None
    axes = filament_axes_yx(psi_deg)
    box, edge = optics.box_size, settings.mask_edge_px
    radius = helix.outer_diameter_angst / (2 * optics.pixel_size_angst)
    axis = torch.arange(box, dtype=torch.float64) - box // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    across = (y * axes[:, 1, None, None] - x * axes[:, 0, None, None]).abs()
    ramp = ((across - radius) / edge).clamp(0, 1)
    return 0.5 - 0.5 * torch.cos(torch.pi * ramp)
