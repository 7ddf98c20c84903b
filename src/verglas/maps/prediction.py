"""What the microscope should have seen: projections of maps at the poses of particles, as their images are.

A prediction is compared with, or taken off, the image as it was recorded: it is shifted to where the particle
is, damped and turned in phase like it, and distorted by the magnification (refinement.md §1.7-1.9, §10.9).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import Projector, forward, index_grid, shift_phases
from verglas.geometry import euler_matrices
from verglas.optics.aberrations import odd_phase
from verglas.optics.contrast_transfer import CtfParameters, ctf


@dataclass(frozen=True)
class ImageGeometry:
    """Box, pixel and aberrations that the images of an optics group share."""

    box_size: int
    pixel_size_angst: float
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    odd_zernike: tuple[float, ...] = ()
    beam_tilt_mrad: tuple[float, float] = (0.0, 0.0)  # x, y
    magnification: tuple[float, float, float, float] | None = None  # xx, xy, yx, yy
    ctf_premultiplied: bool = False

    @property
    def extent_angst(self) -> float:
        return self.box_size * self.pixel_size_angst

    def true_frequencies(self, frequencies_yx: Tensor) -> Tensor:
        """Where measured frequencies (..., 2) lie in the undistorted image."""
        if self.magnification is None:
            return frequencies_yx
        matrix = torch.tensor(self.magnification, dtype=torch.float64).to(frequencies_yx).reshape(2, 2)
        return (frequencies_yx.flip(-1) @ matrix.T).flip(-1)


@dataclass(frozen=True)
class Poses:
    """Orientations and shifts of n particles, and the map each shows."""

    angles_deg: Tensor  # (n, 3) rot, tilt, psi
    origins_yx_px: Tensor  # (n, 2) shift that would centre the image, in its pixels
    classes: Tensor | None = None  # (n,) which map of the projector; None: the first


@dataclass(frozen=True)
class CtfUse:
    """How the CTF enters predictions."""

    apply: bool = True
    intact_first_peak: bool = False
    phase_flipped: bool = False
    only_flip_phases: bool = False


CTF_APPLIED = CtfUse()


class ImageFrame:
    """How the images of an optics group lie to a map: matrices, transfer, phases; both ways."""

    def __init__(
        self,
        geometry: ImageGeometry,
        model_extent_angst: float,
        use: CtfUse = CTF_APPLIED,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        indices_yx: Tensor | None = None,
    ) -> None:
        """`model_extent_angst`: box times pixel of the map, which may differ from those of the images.

        `indices_yx` (*grid, 2): frequencies, in periods per box, of the transforms; all of a half transform,
        (N, N//2+1, 2), if not given.
        """
        self.geometry, self.use = geometry, use
        self._frame = torch.eye(3, dtype=torch.float64) * geometry.extent_angst / model_extent_angst
        if geometry.magnification is not None:
            block = torch.eye(3, dtype=torch.float64)
            block[:2, :2] = torch.tensor(geometry.magnification, dtype=torch.float64).reshape(2, 2)
            self._frame = torch.linalg.inv(block) @ self._frame
        box, pixel = geometry.box_size, geometry.pixel_size_angst
        self._indices = index_grid(box, device=device) if indices_yx is None else indices_yx.to(device)
        self._grid = (self._indices.double() / (box * pixel)).to(dtype)
        self._signs = 1 - 2 * (self._indices.sum(-1) & 1).to(dtype)
        self._modulation = self._odd_modulation()

    def matrices(self, angles_deg: Tensor) -> Tensor:
        """A (n, 3, 3) of orientations (n, 3), scale and magnification included."""
        return (self._frame @ euler_matrices(angles_deg)).to(self._grid.device)

    def transfer(self, parameters: CtfParameters) -> Tensor:
        """The CTF (n, *grid), squared for images that were multiplied by it; 1 where it is not used."""
        use = self.use
        if not use.apply:
            return torch.ones(len(parameters), *self._signs.shape, dtype=self._signs.dtype)
        values = ctf(
            parameters,
            self._grid,
            intact_first_peak=use.intact_first_peak,
            phase_flipped=use.phase_flipped,
            only_flip_phases=use.only_flip_phases,
        )
        return values.square() if self.geometry.ctf_premultiplied else values

    def recorded(self, slices: Tensor, origins_yx_px: Tensor) -> Tensor:
        """Transforms (n, *grid) of images as recorded, phase origin in pixel 0, of centred slices."""
        values = slices * self._signs * self._ramps(-origins_yx_px, slices.dtype)
        return values if self._modulation is None else values * self._modulation

    def centred(self, images: Tensor, origins_yx_px: Tensor) -> Tensor:
        """The reverse: centred half transforms of images (n, N, N), freed of odd aberrations."""
        return self.centred_spectra(forward(images.to(self._signs)), origins_yx_px)

    def centred_spectra(self, spectra: Tensor, origins_yx_px: Tensor) -> Tensor:
        """The same of transforms (n, *grid) of images, phase origin in pixel 0."""
        values = spectra * self._ramps(origins_yx_px, spectra.dtype) * self._signs
        return values if self._modulation is None else values * self._modulation.conj()

    def _ramps(self, shifts_yx_px: Tensor, dtype: torch.dtype) -> Tensor:
        shifts = shifts_yx_px.to(self._indices.device)
        return shift_phases(shifts, self._indices, self.geometry.box_size, dtype)

    def _odd_modulation(self) -> Tensor | None:
        """exp(+iφ_odd), None where there are no odd aberrations."""
        geometry = self.geometry
        if not geometry.odd_zernike and geometry.beam_tilt_mrad == (0.0, 0.0):
            return None
        phase = odd_phase(
            geometry.true_frequencies(self._grid.double()),
            geometry.odd_zernike,
            beam_tilt_mrad_xy=geometry.beam_tilt_mrad,
            voltage_kv=geometry.voltage_kv,
            cs_mm=geometry.cs_mm,
        ).to(self._grid)
        return torch.polar(torch.ones_like(phase), phase)


class Predictor:
    """Predicts the transforms of the images of one optics group."""

    def __init__(
        self,
        projector: Projector,
        model_extent_angst: float,
        geometry: ImageGeometry,
        use: CtfUse = CTF_APPLIED,
        indices_yx: Tensor | None = None,  # (P, 2) frequencies to predict; all if not given
    ) -> None:
        values = projector.values
        self.projector, self.geometry, self.indices_yx = projector, geometry, indices_yx
        self.frame = ImageFrame(
            geometry,
            model_extent_angst,
            use,
            device=values.device,
            dtype=values.real.dtype,
            indices_yx=indices_yx,
        )

    def transforms(
        self, poses: Poses, parameters: CtfParameters | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """Half transforms (n, N, N//2+1), or (n, P), of the images, phase origin in pixel 0.

        `scale` (n,) multiplies them.
        """
        matrices = self.frame.matrices(poses.angles_deg)
        if self.indices_yx is None:
            values = self.projector.slices(matrices, self.geometry.box_size, poses.classes)
        else:
            values = self.projector.at(matrices, self.indices_yx, poses.classes)
        if parameters is not None:
            values = values * self.frame.transfer(parameters)
        if scale is not None:
            values = values * scale.to(values.real).reshape(-1, *[1] * (values.ndim - 1))
        return self.frame.recorded(values, poses.origins_yx_px)
