"""Which frequencies take part in a fit, and with which weight (refinement.md §10.10)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier import SlicePixels, half_disc

_LEAST_FSC = 0.143


@dataclass(frozen=True, eq=False)
class Band:
    """P frequencies of the half plane, row by row."""

    pixels: SlicePixels
    radius: Tensor  # (P,) in shells of the image
    frequencies_yx: Tensor  # (P, 2) float64 in 1/Å, as measured
    weights: Tensor  # (P,) float64: the FSC of the reference

    @property
    def extent_angst(self) -> float:
        """Box times pixel of the images."""
        return float(self.radius[0] / self.frequencies_yx[0].norm())

    def weights_from(self, lowest_angst: float, ring_angst: tuple[float, float] | None = None) -> Tensor:
        """Weights (P,): 0 at lower resolution than `lowest_angst` and within a ring (from, to)."""
        resolution = 1 / self.frequencies_yx.norm(dim=-1)
        kept = resolution <= lowest_angst
        if ring_angst is not None:
            kept &= (resolution > max(ring_angst)) | (resolution < min(ring_angst))
        return torch.where(kept, self.weights, 0.0)

    def within(self, share: float) -> Tensor:
        """Which pixels (P,) lie within `share` of the largest radius; bool."""
        return self.radius <= share * self.radius.max()


def band_of(
    box_size: int, pixel_size_angst: float, fsc: Tensor, model_extent_angst: float, lowest_angst: float
) -> Band:
    """The frequencies of images from `lowest_angst` to where the FSC (S,) of the map falls below 0.143.

    Shells are those of the map and become those of the image by their resolution. ValueError where
    nothing is left.
    """
    pixels = half_disc(box_size)
    radius = pixels.indices_yx.double().square().sum(-1).sqrt()
    shell = (radius * model_extent_angst / (box_size * pixel_size_angst)).round().long()
    curve = torch.where(fsc < _LEAST_FSC, 0.0, fsc.double().clamp_max(1))
    beyond = (curve[1:] == 0).nonzero().flatten()
    end = int(beyond[0]) + 1 if len(beyond) else len(curve)
    lowest = box_size * pixel_size_angst / lowest_angst
    kept = (shell < end) & (radius >= max(lowest, 1)) & (radius < box_size / 2)  # +N/2 and -N/2 are one
    if int(kept.sum()) < 2:
        last = model_extent_angst / max(end - 1, 1)
        raise ValueError(
            f"no frequency is left between {lowest_angst:g} Å and {last:.1f} Å, where the FSC of the map "
            f"falls below {_LEAST_FSC}"
        )
    chosen = kept.nonzero().flatten()
    indices = pixels.indices_yx[chosen]
    return Band(
        SlicePixels(box_size, indices, pixels.flat[chosen]),
        radius[chosen],
        indices.double() / (box_size * pixel_size_angst),
        curve[shell[chosen]],
    )
