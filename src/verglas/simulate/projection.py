"""Atoms to images: projections made by turning the atoms, never by interpolating a transform.

So no program's slices are favoured when its results are judged by these images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.simulate.model import AtomicModel, UnusableModel
from verglas.simulate.scattering import atom_potential, check_elements
from verglas.simulate.splat import splat_on_cpu, splat_on_device

_B_BINS = 4


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """Sampling of the images: `box` pixels of `pixel_size_angst`; what of the model they show."""

    box: int
    pixel_size_angst: float
    in_ice: bool = True  # potential relative to the ice displaced; else in vacuum
    model_b_factors: bool = False  # damp every atom by its own B-factor, in four bins
    resolution_angst: float = 0.0  # low-pass (raised cosine of 2 pixels); 0 for none
    magnification: tuple[float, float, float, float] | None = None  # xx, xy, yx, yy: atoms' shapes follow it

    def __post_init__(self) -> None:
        if self.box < 8:
            raise ValueError(f"box must be at least 8 pixels, got {self.box}")
        if self.pixel_size_angst <= 0:
            raise ValueError(f"pixel size must be positive (Å), got {self.pixel_size_angst}")


class AtomProjector:
    """Projected potential of a model in any orientation, in V Å, band-limited to the image's Nyquist."""

    def __init__(
        self, model: AtomicModel, settings: ProjectionSettings, device: str | torch.device = "cpu"
    ) -> None:
        """Raises UnusableModel for unknown elements or a box that some view does not fit in."""
        check_elements(model.elements, model.name)
        self.settings = settings
        self.device = torch.device(device)
        width = settings.box * settings.pixel_size_angst
        if model.diameter_angst() > width:
            raise UnusableModel(
                f"{model.name}: a particle {model.diameter_angst():.0f} Å across does not fit in a box "
                f"of {settings.box} pixels of {settings.pixel_size_angst:g} Å ({width:.0f} Å); "
                f"take at least {math.ceil(model.diameter_angst() / settings.pixel_size_angst)} pixels"
            )
        self.diameter_angst = model.diameter_angst()
        self._finer = max(2, math.ceil(settings.pixel_size_angst / 1.2))
        self._fine = settings.box * self._finer
        channel, potentials = _channels(model, settings)
        self._atoms = torch.as_tensor(model.coordinates, dtype=torch.float32, device=self.device)
        self._channel = torch.as_tensor(channel, device=self.device)
        self._factors = self._weights(potentials)

    def spectra(self, matrices: Tensor, shifts_angst: Tensor | None = None) -> Tensor:
        """Transforms (m, box, box//2+1) complex64 of m views, forward-normalised, phase origin pixel 0.

        `matrices` (m, 3, 3): atom v appears at the first two components of A v from pixel box//2;
        `shifts_angst` (m, 2) as (y, x) moves the content down and right. Atoms that a shift pushes over
        the edge are cut off.
        """
        finest = self.settings.pixel_size_angst / self._finer
        rows = torch.empty(len(matrices), 2, 4, dtype=torch.float32, device=self.device)
        rows[:, :, :3] = matrices[:, :2].to(rows) / finest
        rows[:, :, 3] = self.settings.box // 2 * self._finer
        if shifts_angst is not None:
            rows[:, :, 3] += shifts_angst.flip(-1).to(rows) / finest
        splat = splat_on_cpu if self.device.type == "cpu" else splat_on_device
        channels = len(self._factors)
        grids = splat(self._atoms, self._channel, rows, channels, self._fine)
        return (self._cropped(torch.fft.rfft2(grids)) * self._factors).sum(dim=1)

    def images(self, matrices: Tensor, shifts_angst: Tensor | None = None) -> Tensor:
        """Projections (m, box, box) float32 in V Å."""
        box = self.settings.box
        return torch.fft.irfft2(self.spectra(matrices, shifts_angst), s=(box, box), norm="forward")

    def _cropped(self, spectra: Tensor) -> Tensor:
        """(m, c, fine, fine//2+1) -> (m, c, box, box//2+1)."""
        box = self.settings.box
        top = (box + 1) // 2
        kept = torch.cat([spectra[..., :top, :], spectra[..., top - box :, :]], dim=-2)
        return kept[..., : box // 2 + 1]

    def _weights(self, potentials: list[tuple[str, float, bool]]) -> Tensor:
        """(channels, box, box//2+1): atom's transform, spline divided out, units, low-pass."""
        s = self.settings
        box, fine = s.box, self._fine
        ky = torch.fft.fftfreq(box, 1.0 / box, dtype=torch.float64)[:, None]
        kx = torch.arange(box // 2 + 1, dtype=torch.float64)[None]
        spline = (torch.sinc(ky / fine) * torch.sinc(kx / fine)) ** 3
        frequency = torch.sqrt(ky**2 + kx**2) / (box * s.pixel_size_angst)
        common = 1 / (spline * (box * s.pixel_size_angst) ** 2)
        if box % 2 == 0:  # an even box has no partner for its Nyquist row and column
            common[box // 2, :] = 0
            common[:, box // 2] = 0
        if s.resolution_angst > 0:
            common = common * _soft_edge(frequency, 1 / s.resolution_angst, 2 / (box * s.pixel_size_angst))
        true = frequency
        if s.magnification is not None:
            m_xx, m_xy, m_yx, m_yy = s.magnification
            x, y = kx / (box * s.pixel_size_angst), ky / (box * s.pixel_size_angst)
            true = torch.hypot(m_xx * x + m_xy * y, m_yx * x + m_yy * y)
        factors = []
        for element, b_factor, hydrogens in potentials:
            potential = atom_potential(element, true.numpy(), hydrogens_modelled=hydrogens, in_ice=s.in_ice)
            factors.append(common * torch.from_numpy(potential) * torch.exp(-b_factor / 4 * true**2))
        return torch.stack(factors).float().to(self.device)


def _soft_edge(frequency: Tensor, cut: float, width: float) -> Tensor:
    """1 below `cut`, 0 above cut + width, raised cosine between."""
    return 0.5 + 0.5 * torch.cos(torch.pi * ((frequency - cut) / width).clamp(0, 1))


def _channels(
    model: AtomicModel, settings: ProjectionSettings
) -> tuple[np.ndarray, list[tuple[str, float, bool]]]:
    """Atoms of one shape share a channel: (channel of each atom, (element, B, hydrogens?) of each)."""
    hydrogens = bool(np.isin(model.elements, ["H", "D"]).any())
    channel = np.zeros(len(model), np.int64)
    kinds: list[tuple[str, float, bool]] = []
    for element in np.unique(model.elements):
        rows = np.flatnonzero(model.elements == element)
        bins = [rows]
        if settings.model_b_factors:
            order = rows[np.argsort(model.b_factors[rows], kind="stable")]
            bins = [part for part in np.array_split(order, _B_BINS) if len(part)]
        for part in bins:
            channel[part] = len(kinds)
            b_factor = float(model.b_factors[part].mean()) if settings.model_b_factors else 0.0
            kinds.append((str(element), b_factor, hydrogens))
    return channel, kinds
