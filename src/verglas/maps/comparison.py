"""Images of particles beside what was predicted for them, at the frequencies that a fit uses.

Both are centred half transforms at chosen pixels. Images keep their odd aberrations and predictions come without
the CTF: the fits of the CTF are about these (refinement.md §10.10).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.fourier import Projector, SlicePixels, forward, shift_phases
from verglas.maps.prediction import ImageFrame, ImageGeometry, Poses


@dataclass(frozen=True)
class Reference:
    """A map to be compared with; with its gradient, the projector holds x, y and z times the map besides."""

    projector: Projector
    size: int
    extent_angst: float

    @classmethod
    def of(
        cls,
        volume: Tensor,
        pixel_size_angst: float,
        *,
        padding: float = 2,
        current_size: int | None = None,
        gradient: bool = False,
    ) -> Reference:
        """Of a map (N, N, N)."""
        size = int(volume.shape[-1])
        maps = volume[None]
        if gradient:
            place = torch.arange(size, device=volume.device, dtype=volume.dtype) - size // 2
            z, y, x = (place.reshape(shape) for shape in ((-1, 1, 1), (-1, 1), (-1,)))
            maps = torch.stack([volume, volume * x, volume * y, volume * z])
        return cls(Projector.of(maps, current_size, padding=padding), size, size * pixel_size_angst)


class Comparison:
    """Compares the images of one optics group with maps, at P pixels of their half transforms."""

    def __init__(self, geometry: ImageGeometry, pixels: SlicePixels, model_extent_angst: float) -> None:
        self.geometry, self.pixels = geometry, pixels
        even = replace(geometry, odd_zernike=(), beam_tilt_mrad=(0.0, 0.0))
        self._frame = ImageFrame(even, model_extent_angst)
        self._signs = (1 - 2 * (pixels.indices_yx.sum(-1) & 1)).float()

    def observed(self, images: Tensor, origins_yx_px: Tensor) -> Tensor:
        """Centred transforms (n, P) of images (n, N, N), moved by their origins (n, 2)."""
        spectra = self.pixels.gather(forward(images.float()))
        phases = shift_phases(origins_yx_px, self.pixels.indices_yx, self.geometry.box_size)
        return spectra.mul_(phases.mul_(self._signs))

    def predicted(self, reference: Reference, poses: Poses) -> Tensor:
        """Slices (n, P) of the map in the frame of the images."""
        matrices = self._frame.matrices(poses.angles_deg)
        return reference.projector.at(matrices, self.pixels.indices_yx)

    def gradients(self, reference: Reference, poses: Poses) -> Tensor:
        """∂P/∂k (2, n, P) by x and y of the measured frequency k, in its index units.

        The transform of x times a map is its derivative: nothing but slices is interpolated.
        """
        matrices = self._frame.matrices(poses.angles_deg)
        back = torch.linalg.inv(matrices.double()) * (2 * torch.pi / reference.size)
        total = torch.zeros(2, len(matrices), len(self.pixels), 2)
        for axis in range(3):
            classes = torch.full((len(matrices),), axis + 1)
            moment = reference.projector.at(matrices, self.pixels.indices_yx, classes)
            for along in range(2):
                factors = back[:, axis, along, None, None].float()
                total[along].addcmul_(torch.view_as_real(moment), factors)
        return torch.view_as_complex(total).mul_(-1j)
