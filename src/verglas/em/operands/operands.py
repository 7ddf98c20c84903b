"""What is fixed while one optics group passes through one expectation step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.pixels import PixelList, pixel_list
from verglas.em.images.preparation import ImagePreparer
from verglas.em.operands.slices import SliceMaker, Slices, layout
from verglas.em.poses.grid import PoseSet
from verglas.em.state.model import Model, State
from verglas.em.state.particles import OpticsGroup
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings
from verglas.fourier import shift_phases
from verglas.fourier.projector import Projector
from verglas.fourier.rounding import nearest
from verglas.fourier.volume import Volume

SCALE_SSNR = 3.0  # shells with more than this take part in the scale correction
WORTH_KEEPING = 4.0  # hits per orientation from which on fine slices are made for all
FINE_SLICES_BYTES = 600 << 20  # keep all fine slices if they need no more than this


@dataclass(frozen=True)
class EStep:
    """Input of one expectation step of one half-set: settings, the state it starts from, poses, references."""

    settings: EmSettings
    state: State
    poses: PoseSet
    projector: Projector
    device: torch.device
    half: int = 0  # which model of the state
    n_particles: int = 0  # that will be seen
    volume: Volume | None = None  # where poses are scored straight from the volumes
    cross_correlation: bool = False  # this iteration scores by CC (§2.7)
    gradient: bool = False  # residuals of two pseudo-half-sets are collected (§7.2)

    @property
    def model(self) -> Model:
        return self.state.models[self.half]

    @property
    def is_local(self) -> bool:
        """Whether every particle is searched around its last orientation only."""
        return self.state.sampling.is_local

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.settings.double else torch.float32


@dataclass(frozen=True)
class HalfTurns:
    """Half of the slices of a whole grid without their origin: a half turn in the plane conjugates the others."""

    real: Tensor  # (K * D * psi / 2, P - 1)
    imag: Tensor
    power: Tensor


@dataclass(frozen=True)
class Operands:
    """What an optics group is compared with: pixels, slices of the references, phases of translations.

    The second half depends on the poses that are searched, which are those of a bucket of particles in local
    searches.
    """

    estep: EStep
    optics: OpticsGroup
    pixels: PixelList
    n_coarse: int  # pixels of the first pass: a prefix
    preparer: ImagePreparer
    maker: SliceMaker
    coarse_phases: Tensor  # (T, 2, Pc-1): cos and sin
    fine_phases: Tensor  # (T * 4^o, 2, P-1)
    well_determined: Tensor  # (K, P') leading pixels that take part in the scale correction
    poses: PoseSet
    coarse: Slices  # (K * O)
    fine: Slices | None  # (K * O * children), or None: made when needed
    orientation_prior: Tensor  # (K * O,) log

    @property
    def has_half_turns(self) -> bool:
        """Whether the second half of the angles of each direction are those of the first plus 180°."""
        return self.poses.is_whole and self.poses.grid.n_psi % 2 == 0

    @cached_property
    def half_turns(self) -> HalfTurns:
        """Coarse slices of the first half of the angles of each direction, laid out for products."""
        n, half = self.coarse.power.shape[1] - 1, self.poses.grid.n_psi // 2
        first = self.coarse.rows.view(-1, 2, half, 2, n)[:, 0]  # (K * D, psi, part, pixel)
        power = self.coarse.power[:, 1:].reshape(-1, 2, half, n)[:, 0]
        return HalfTurns(first[:, :, 0].reshape(-1, n), first[:, :, 1].reshape(-1, n), power.reshape(-1, n))

    def phases_of(self, fine_shifts: Tensor) -> Tensor:
        """Phases of some fine translations; all of them costs nothing."""
        if fine_shifts.numel() == self.fine_phases.shape[0]:
            return self.fine_phases
        return self.fine_phases[fine_shifts]

    @property
    def n_fine(self) -> int:
        """Number of fine slices of all classes."""
        return self.estep.model.n_classes * self.poses.n_fine

    def children_of(self, orientations: Tensor) -> Tensor:
        """Fine slice numbers of coarse ones."""
        n = self.poses.children
        return (orientations[:, None] * n + torch.arange(n, device=orientations.device)).flatten()

    def fine_slices(self, columns: Tensor) -> Slices:
        """Fine slices by number (class * O + orientation) * children + child; made now if none are kept."""
        if self.fine is not None:
            return self.fine.select(columns)
        return layout(self.complex_slices(columns))

    def complex_slices(self, columns: Tensor) -> Tensor:
        """Fine slices by number as complex numbers (n, P)."""
        classes, angles = self.pose_of(columns)
        return self.maker.at(classes, angles, len(self.pixels))

    def pose_of(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (n,) and angles (n, 3) of fine slice numbers, on the CPU."""
        columns, n = columns.cpu(), self.poses.n_fine
        return columns // n, self.poses.fine_angles_deg(columns % n)

    def searching(self, poses: PoseSet, *, keep_fine: bool) -> Operands:
        """The same for other poses; their fine slices are kept where asked and where they fit."""
        k, n_pixels = self.estep.model.n_classes, len(self.pixels)
        coarse = self.maker.of(poses.coarse_angles_deg, self.n_coarse)
        fits = keep_fine and k * poses.n_fine * n_pixels * 12 <= FINE_SLICES_BYTES
        fine = self.maker.of(poses.fine_angles_deg(), n_pixels) if fits else None
        prior = orientation_prior(self.estep, poses)
        return replace(self, poses=poses, coarse=coarse, fine=fine, orientation_prior=prior)


def operands_of(estep: EStep, optics: OpticsGroup) -> Operands:
    """Pixels, slices and phases of an optics group; without slices where searches are local."""
    settings, model, device = estep.settings, estep.model, estep.device
    ratio = optics.box_size * optics.pixel_size_angst / model.extent_angst
    size = image_size(model.current_size, ratio, optics.box_size)
    coarse_size = coarse_image_size(settings, estep.state.sampling, model, ratio, optics.box_size)
    coarse_size = min(coarse_size, size)
    if settings.strict_highres_angst > 0:
        size = coarse_size
    lose = settings.parity.lose_nyquist_row
    pixels = pixel_list(optics.box_size, size, device, 1 / ratio, lose_nyquist_row=lose)
    n_coarse = pixels.count(coarse_size)
    lowest = 0
    if settings.strict_lowres_angst > 0:
        lowest = nearest(model.extent_angst / settings.strict_lowres_angst)
    poses, none = estep.poses, torch.zeros((0, 0), dtype=estep.dtype, device=device)
    found = Operands(
        estep,
        optics,
        pixels,
        n_coarse,
        ImagePreparer(settings, optics, pixels, model.n_shells, device),
        SliceMaker(estep.projector, pixels, ratio, optics.magnification, lowest),
        _phases(poses.coarse_shifts_angst, optics, pixels, n_coarse, estep.dtype),
        _phases(poses.fine_shifts_angst, optics, pixels, len(pixels), estep.dtype),
        _well_determined(estep, pixels),
        poses,
        Slices(none, none, none),
        None,
        none,
    )
    if estep.is_local:
        return found
    return found.searching(poses, keep_fine=estep.volume is None and _many_hits(estep))


def _many_hits(estep: EStep) -> bool:
    """Whether most fine slices will be needed, by the significant poses of the last iteration."""
    if estep.model.dims == 2:
        return True
    hits = estep.state.assignments.n_significant
    usual = float(hits[hits > 0].mean()) if (hits > 0).any() else float("inf")
    alone = estep.state.iteration == 1 and usual == 1  # the winners of a correlation say nothing
    return alone or estep.n_particles * usual > WORTH_KEEPING * estep.poses.n_orientations


def _well_determined(estep: EStep, pixels: PixelList) -> Tensor:
    """(K, P') leading pixels of shells that take part in the scale correction; P' = 0 without it."""
    model, device = estep.model, estep.device
    shells = pixels.model_shells.clamp_max(model.n_shells - 1)
    marks = torch.as_tensor(model.data_vs_prior > SCALE_SSNR, device=device)[:, shells]
    last = 0
    if estep.settings.correct_scale and len(model.scale) > 1 and bool(marks.any()):
        last = int(marks.any(0).nonzero().max()) + 1
    return marks[:, :last].contiguous()


def image_size(current_size: int, ratio: float, box: int) -> int:
    """Current size in the pixels of an optics group (refinement.md §2.2)."""
    return min(box, 2 * math.ceil(0.5 * ratio * current_size - 1e-9))


def coarse_image_size(settings: EmSettings, sampling: Sampling, model: Model, ratio: float, box: int) -> int:
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


def orientation_prior(estep: EStep, poses: PoseSet) -> Tensor:
    """ln π(c, R) of every coarse orientation, (K * O,); -inf where it is 0 (§2.6).

    In local searches of 3D references that of the class: the rest is each particle's own.
    """
    model, settings = estep.model, estep.settings
    if estep.is_local:
        return class_log_prior(estep).repeat_interleave(poses.n_orientations)
    weights = model.direction_weights[:, poses.direction.numpy()] / poses.grid.n_psi
    if settings.sigma_psi_deg > 0 and settings.parity.no_class_prior_in_local_searches:
        weights = np.where(weights > 0, 1.0 / poses.grid.n_psi, 0.0)
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    return torch.as_tensor(logs.ravel(), dtype=estep.dtype, device=estep.device)


def class_log_prior(estep: EStep) -> Tensor:
    """ln of the weights of the classes (K,) in local searches; RELION leaves them out (§2.6)."""
    weights = estep.model.class_weights
    if estep.settings.parity.no_class_prior_in_local_searches:
        weights = (weights > 0).astype(float)
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    return torch.as_tensor(logs, dtype=estep.dtype, device=estep.device)


def _phases(
    shifts_angst: Tensor, optics: OpticsGroup, pixels: PixelList, n_pixels: int, dtype: torch.dtype
) -> Tensor:
    """Real and imaginary parts of exp(-2πi k·t/N) of translations (T, 2) at all pixels but the origin."""
    shifts_px = (shifts_angst / optics.pixel_size_angst).to(pixels.flat.device)
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    indices = pixels.indices_yx[1:n_pixels]
    phases = shift_phases(shifts_px, indices, optics.box_size, complex_dtype)
    return torch.stack([phases.real, phases.imag], 1)
