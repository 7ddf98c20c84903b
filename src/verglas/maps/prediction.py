"""What the microscope should have seen: projections of maps at the poses of particles, as their images are.

A prediction is compared with, or taken off, the image as it was recorded: it is shifted to where the particle
is, damped and turned in phase like it, and distorted by the magnification (refinement.md §1.7-1.9, §10.9).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import Projector, centre_signs, frequency_grid, shift_in_fourier
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
        matrix = torch.tensor(self.magnification).to(frequencies_yx).reshape(2, 2)
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


class Predictor:
    """Predicts the transforms of the images of one optics group."""

    def __init__(
        self, projector: Projector, model_extent_angst: float, geometry: ImageGeometry,
        use: CtfUse = CtfUse(),
    ) -> None:  # fmt: skip
        """`model_extent_angst`: box times pixel of the maps, which may differ from those of the images."""
        self.projector, self.geometry, self.use = projector, geometry, use
        device, dtype = projector.values.device, projector.values.real.dtype
        self._frame = torch.eye(3, dtype=torch.float64) * geometry.extent_angst / model_extent_angst
        if geometry.magnification is not None:
            block = torch.eye(3, dtype=torch.float64)
            block[:2, :2] = torch.tensor(geometry.magnification, dtype=torch.float64).reshape(2, 2)
            self._frame = torch.linalg.inv(block) @ self._frame
        box, pixel = geometry.box_size, geometry.pixel_size_angst
        self._grid = frequency_grid(box, pixel, dtype=dtype, device=device)
        self._signs = centre_signs(box, dtype=dtype, device=device)
        self._modulation = self._odd_modulation()

    def transforms(
        self, poses: Poses, parameters: CtfParameters | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """Half transforms (n, N, N//2+1) of the images, phase origin in pixel 0; `scale` (n,) multiplies."""
        matrices = (self._frame @ euler_matrices(poses.angles_deg)).to(self._grid.device)
        values = self.projector.slices(matrices, self.geometry.box_size, poses.classes)
        values = shift_in_fourier(values * self._signs, -poses.origins_yx_px)
        if self.use.apply and parameters is not None:
            values = values * self._transfer(parameters)
        if self._modulation is not None:
            values = values * self._modulation
        if scale is not None:
            values = values * scale.to(self._grid)[:, None, None]
        return values

    def _transfer(self, parameters: CtfParameters) -> Tensor:
        use = self.use
        values = ctf(
            parameters, self._grid, intact_first_peak=use.intact_first_peak,
            phase_flipped=use.phase_flipped, only_flip_phases=use.only_flip_phases,
        )  # fmt: skip
        return values.square() if self.geometry.ctf_premultiplied else values

    def _odd_modulation(self) -> Tensor | None:
        """exp(+iφ_odd), None where there are no odd aberrations."""
        geometry = self.geometry
        if not geometry.odd_zernike and geometry.beam_tilt_mrad == (0.0, 0.0):
            return None
        phase = odd_phase(
            geometry.true_frequencies(self._grid.double()), geometry.odd_zernike,
            beam_tilt_mrad_xy=geometry.beam_tilt_mrad, voltage_kv=geometry.voltage_kv,
            cs_mm=geometry.cs_mm,
        ).to(self._grid)  # fmt: skip
        return torch.polar(torch.ones_like(phase), phase)
