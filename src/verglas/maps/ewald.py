"""The curvature of the Ewald sphere in a reconstruction (refinement.md §3.12; Russo & Henderson 2018).

A wave scattered to frequency k has left the central plane by z = λ k²/2, up for one of the two beams that make
the image and down for the other: I(k) = ½ (P F(k, +z) + Q F(k, -z)), P = -sin γ + i cos γ, Q its conjugate.
Multiplied by Q the image is ½ F(k, +z) and a twin, ½ Q² F(k, -z), which the defocus moves out of the mask where k
is large. Over the whole plane, both signs of k, this one product holds both beams: that with P at k is the
conjugate of that with Q at -k.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import BackProjector, row_indices
from verglas.geometry import euler_matrices
from verglas.maps.masks import outside_weight
from verglas.maps.prediction import ImageFrame
from verglas.optics.contrast_transfer import CtfParameters, ctf_phase
from verglas.optics.wavelength import electron_wavelength_angst


@dataclass(frozen=True)
class EwaldSettings:
    """How the curvature is corrected."""

    mask_diameter_angst: float  # beyond it there is no particle, only its twin
    mask_edge_px: float = 3.0
    reverse: bool = False  # the sphere is curved the other way
    masked: bool = True


class EwaldInserter:
    """Adds images of one optics group on the two spheres on which they were recorded."""

    def __init__(self, frame: ImageFrame, model_extent_angst: float, settings: EwaldSettings) -> None:
        geometry = frame.geometry
        if geometry.ctf_premultiplied or not frame.use.apply:
            raise ValueError(
                "the Ewald sphere can be corrected only in images whose CTF is still to be corrected"
            )
        self.frame, self.settings = frame, settings
        size = geometry.box_size
        rows = row_indices(size)
        columns = torch.arange(size)
        columns = torch.where(columns <= size // 2, columns, columns - size)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        # The Nyquist row and column have no mate: they are left out.
        inside = (x.square() + y.square()) * 4 < size * size
        self.places = inside.flatten().nonzero().flatten()
        self.indices_yx = torch.stack([y, x], -1)
        frequencies = self.indices_yx.double() / geometry.extent_angst
        self.frequencies_yx = frequencies
        squared = geometry.true_frequencies(frequencies).square().sum(-1)
        self.wavelength = float(electron_wavelength_angst(geometry.voltage_kv))
        lift = self.wavelength / 2 * squared.flatten()[self.places] * model_extent_angst
        self.lift = lift if settings.reverse else -lift  # which way is RELION's
        radius_px = settings.mask_diameter_angst / 2 / geometry.pixel_size_angst
        self.mask = 1 - outside_weight(size, radius_px, settings.mask_edge_px)

    def insert(
        self,
        sums: BackProjector,
        centred: Tensor,  # (n, N, N//2+1) half transforms, phase origin in the middle of the box
        parameters: CtfParameters,
        angles_deg: Tensor,  # (n, 3)
        weights: Tensor,  # (n,)
    ) -> None:
        """Add n images and their weights."""
        gamma = ctf_phase(parameters, self.frequencies_yx.float())
        strength = self._strength(parameters)
        turn = torch.polar(strength, -gamma) * -1j  # Q, damped
        whole = self._masked(_whole_plane(centred) * turn)
        values = (whole.flatten(1)[:, self.places] / 2) * weights[:, None]
        power = (self._power(parameters, gamma) * strength.square()).flatten(1)[:, self.places] * weights[
            :, None
        ]
        sums.insert_points(values, power, self._points(angles_deg))

    def _points(self, angles_deg: Tensor) -> Tensor:
        """Frequencies (n, P, 3) of the model's box, on the sphere."""
        matrices = self.frame.matrices(angles_deg).double()
        steps = torch.linalg.inv(matrices)[:, :, :2]  # (n, 3, x and y)
        flat = self.indices_yx.reshape(-1, 2)[self.places].flip(-1).double() @ steps.transpose(-1, -2)
        beam = euler_matrices(angles_deg)[:, 2]
        return flat + self.lift[:, None] * beam[:, None]

    def _masked(self, spectra: Tensor) -> Tensor:
        if not self.settings.masked:
            return spectra
        images = torch.fft.fftshift(torch.fft.ifft2(spectra), dim=(-2, -1))
        return torch.fft.fft2(torch.fft.ifftshift(images * self.mask, dim=(-2, -1)))

    def _power(self, parameters: CtfParameters, gamma: Tensor) -> Tensor:
        """Weight of one sphere: ¼ where the twin is outside the mask, C²/2 where it lies on the particle."""
        share = self._overlap(parameters) if self.settings.masked else torch.ones_like(gamma)
        return (1 - share) / 4 + share * gamma.sin().square() / 2

    def _overlap(self, parameters: CtfParameters) -> Tensor:
        """How much of the mask's disc the twin's disc covers, which lies 2 |Δf| λ u away; (n, N, N)."""
        y, x = self.frequencies_yx.unbind(-1)
        angle = torch.atan2(y, x) - torch.deg2rad(parameters.defocus_angle_deg)[:, None, None]
        u, v = (part[:, None, None] for part in (parameters.defocus_u_angst, parameters.defocus_v_angst))
        defocus = u * angle.cos().square() + v * angle.sin().square()
        away = 2 * defocus.abs() * self.wavelength * torch.hypot(x, y) / self.settings.mask_diameter_angst
        away = away.clamp_max(1.0)
        return (2 / torch.pi * (away.acos() - away * (1 - away.square()).sqrt())).float()

    def _strength(self, parameters: CtfParameters) -> Tensor:
        """The damping and scale of the CTF, which both beams have; (n, N, N)."""
        squared = self.frequencies_yx.square().sum(-1)
        decay = torch.exp(parameters.b_factor_a2[:, None, None] / -4 * squared)
        return (decay * parameters.scale_factor[:, None, None]).float()


def _whole_plane(half: Tensor) -> Tensor:
    """Transforms (n, N, N) of real images from their half transforms (n, N, N//2+1)."""
    size = half.shape[-2]
    back = half[..., 1 : size - size // 2].flip(-1)  # columns -(N-1)//2 .. -1 are conjugates
    mate = torch.cat([back[..., :1, :], back[..., 1:, :].flip(-2)], -2).conj()
    return torch.cat([half, mate], -1)
