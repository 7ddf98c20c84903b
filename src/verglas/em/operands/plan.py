"""What is fixed while one optics group passes through one expectation step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.pixels import PixelList, pixel_list
from verglas.em.images.preparation import ImagePreparer
from verglas.em.maximise.rounding import nearest
from verglas.em.operands.slices import SliceMaker, Slices, layout
from verglas.em.poses.grid import PoseGrid, Sampling
from verglas.em.state.model import Model, State
from verglas.em.state.particles import OpticsGroup
from verglas.em.state.settings import EmSettings
from verglas.fourier import shift_phases
from verglas.fourier.projector import Projector

SCALE_SSNR = 3.0  # shells with more than this take part in the scale correction
FINE_SLICES_BYTES = 600 << 20  # keep all fine slices if they need no more than this


@dataclass(frozen=True)
class Iteration:
    """One expectation step: settings, the state it starts from, its grid of poses and its references."""

    settings: EmSettings
    state: State
    grid: PoseGrid
    projector: Projector
    device: torch.device
    cross_correlation: bool = False  # this iteration scores by CC (§2.7)
    gradient: bool = False  # residuals of two pseudo-half-sets are collected (§7.2)

    @property
    def model(self) -> Model:
        return self.state.model

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.settings.double else torch.float32


@dataclass(frozen=True)
class Plan:
    """One optics group in one iteration."""

    iteration: Iteration
    optics: OpticsGroup
    pixels: PixelList
    n_coarse: int  # pixels of the first pass: a prefix
    preparer: ImagePreparer
    maker: SliceMaker
    coarse: Slices  # (K * O)
    fine: Slices | None  # (K * O * children), or None: made when needed
    coarse_phases: Tensor  # (T, 2, Pc-1): cos and sin
    fine_phases: Tensor  # (T * 4^o, 2, P-1)
    orientation_prior: Tensor  # (K * O,) log

    @property
    def grid(self) -> PoseGrid:
        return self.iteration.grid

    @property
    def has_half_turns(self) -> bool:
        """Whether the second half of the coarse angles of a class are those of the first plus 180°."""
        return self.iteration.model.dims == 2 and self.grid.n_orientations % 2 == 0

    @cached_property
    def well_determined(self) -> Tensor:
        """(K, P') leading pixels of shells that take part in the scale correction; P' = 0 without it."""
        model, device = self.iteration.model, self.iteration.device
        shells = self.pixels.model_shells.clamp_max(model.n_shells - 1)
        marks = torch.as_tensor(model.data_vs_prior > SCALE_SSNR, device=device)[:, shells]
        last = 0
        if self.iteration.settings.correct_scale and len(model.scale) > 1 and bool(marks.any()):
            last = int(marks.any(0).nonzero().max()) + 1
        return marks[:, :last].contiguous()

    def phases_of(self, fine_shifts: Tensor) -> Tensor:
        """Phases of some fine translations; all of them costs nothing."""
        if fine_shifts.numel() == self.fine_phases.shape[0]:
            return self.fine_phases
        return self.fine_phases[fine_shifts]

    @property
    def n_fine(self) -> int:
        """Number of fine slices of all classes."""
        return self.iteration.model.n_classes * len(self.grid.fine_angles_deg)

    def children_of(self, orientations: Tensor) -> Tensor:
        """Fine slice numbers of coarse ones."""
        n = self.grid.children
        return (orientations[:, None] * n + torch.arange(n, device=orientations.device)).flatten()

    def fine_slices(self, columns: Tensor) -> Slices:
        """Fine slices by number (class * O + orientation) * children + child; made now if none are kept."""
        if self.fine is not None:
            return self.fine.select(columns)
        return layout(self.maker.at(columns, self.grid.fine_angles_deg, len(self.pixels)))


def make_plan(iteration: Iteration, optics: OpticsGroup) -> Plan:
    """Pixels, slices and phases of an optics group."""
    settings, model, device = iteration.settings, iteration.model, iteration.device
    ratio = optics.box_size * optics.pixel_size_angst / model.extent_angst
    size = image_size(model.current_size, ratio, optics.box_size)
    coarse_size = coarse_image_size(
        settings, iteration.state.sampling, model, ratio, optics.box_size
    )
    coarse_size = min(coarse_size, size)
    if settings.strict_highres_angst > 0:
        size = coarse_size
    lose = settings.parity.lose_nyquist_row
    pixels = pixel_list(optics.box_size, size, device, 1 / ratio, lose_nyquist_row=lose)
    n_coarse = pixels.count(coarse_size)
    lowest = 0
    if settings.strict_lowres_angst > 0:
        lowest = nearest(model.extent_angst / settings.strict_lowres_angst)
    maker = SliceMaker(iteration.projector, pixels, ratio, optics.magnification, lowest)
    grid = iteration.grid
    coarse = maker.of(grid.coarse_angles_deg, n_coarse)
    n_fine = model.n_classes * len(grid.fine_angles_deg)
    fits = n_fine * len(pixels) * 12 <= FINE_SLICES_BYTES
    fine = maker.of(grid.fine_angles_deg, len(pixels)) if fits else None
    return Plan(
        iteration, optics, pixels, n_coarse,
        ImagePreparer(settings, optics, pixels, model.n_shells, device), maker, coarse, fine,
        _phases(grid.coarse_shifts_angst, optics, pixels, n_coarse, iteration.dtype),
        _phases(grid.fine_shifts_angst, optics, pixels, len(pixels), iteration.dtype),
        orientation_prior(iteration),
    )  # fmt: skip


def image_size(current_size: int, ratio: float, box: int) -> int:
    """Current size in the pixels of an optics group (refinement.md §2.2)."""
    return min(box, 2 * math.ceil(0.5 * ratio * current_size - 1e-9))


def coarse_image_size(
    settings: EmSettings, sampling: Sampling, model: Model, ratio: float, box: int
) -> int:
    """Size of the first pass: no finer than one coarse rotation step can tell apart (§2.2)."""
    extent = model.extent_angst
    if settings.strict_highres_angst > 0:
        return 2 * nearest(ratio * extent / settings.strict_highres_angst)
    if sampling.oversampling == 0:
        return image_size(model.current_size, ratio, box)
    diameter = particle_diameter_angst(settings, model)
    edge_step = sampling.angular_step_deg / 360 * math.pi * diameter
    resolution = edge_step / (1.2 if model.dims == 3 else 1.5)
    limit = settings.max_coarse_size * ratio if settings.max_coarse_size > 0 else box
    return int(min(2 * math.ceil(ratio * extent / resolution - 1e-9), limit))


def particle_diameter_angst(settings: EmSettings, model: Model) -> float:
    """Mask diameter; by default the box less the mask's edge."""
    if settings.particle_diameter_angst > 0:
        return settings.particle_diameter_angst
    return (model.box_size - settings.mask_edge_px) * model.pixel_size_angst


def orientation_prior(iteration: Iteration) -> Tensor:
    """ln π(c, R) of every coarse orientation, (K * O,); -inf where it is 0 (§2.6)."""
    model, grid = iteration.model, iteration.grid
    settings, weights = iteration.settings, model.direction_weights[:, grid.direction.numpy()]
    if settings.sigma_psi_deg > 0 and settings.parity.no_class_prior_in_local_searches:
        weights = np.where(weights > 0, 1.0, 0.0)
    n_psi = grid.n_orientations // grid.n_directions
    with np.errstate(divide="ignore"):
        logs = np.log(weights / n_psi)
    return torch.as_tensor(logs.ravel(), dtype=iteration.dtype, device=iteration.device)


def _phases(
    shifts_angst: Tensor, optics: OpticsGroup, pixels: PixelList, n_pixels: int, dtype: torch.dtype
) -> Tensor:
    """Real and imaginary parts of exp(-2πi k·t/N) of translations (T, 2) at all pixels but the origin."""
    shifts_px = (shifts_angst / optics.pixel_size_angst).to(pixels.flat.device)
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    indices = pixels.indices_yx[1:n_pixels]
    phases = shift_phases(shifts_px, indices, optics.box_size, complex_dtype)
    return torch.stack([phases.real, phases.imag], 1)
