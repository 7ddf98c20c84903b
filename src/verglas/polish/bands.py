"""The frequencies that polishing works with: a rectangle around the origin of a half transform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from verglas.fourier.grid import shell_sums


@dataclass(frozen=True)
class FrequencyBand:
    """Rows -r to r and columns 0 to r of half transforms; of use is 0 < |k| <= r.

    Frequencies are whole periods per box, so transforms of a box in pixels of any size share a band.
    """

    radius: int

    @property
    def shape(self) -> tuple[int, int]:
        return 2 * self.radius + 1, self.radius + 1

    @cached_property
    def rows(self) -> Tensor:
        """(2r+1,) frequencies along y."""
        return torch.arange(-self.radius, self.radius + 1)

    @cached_property
    def columns(self) -> Tensor:
        """(r+1,) frequencies along x."""
        return torch.arange(self.radius + 1)

    @cached_property
    def squared(self) -> Tensor:
        """(2r+1, r+1) k²."""
        return self.rows[:, None] ** 2 + self.columns[None] ** 2

    @cached_property
    def multiplicity(self) -> Tensor:
        """(2r+1, r+1) float32: how often a point counts in a sum over the whole plane; 0 outside."""
        inside = (self.squared <= self.radius**2) & (self.squared > 0)
        return torch.where(self.columns > 0, 2.0, 1.0) * inside

    @cached_property
    def shells(self) -> Tensor:
        """(2r+1, r+1) round(|k|); -1 outside."""
        found = self.squared.double().sqrt().round().long()
        return torch.where(self.multiplicity > 0, found, -1)

    @cached_property
    def indices_yx(self) -> Tensor:
        """(K, 2) frequencies of the points that are of use, row by row."""
        return torch.nonzero(self.multiplicity > 0) - torch.tensor([self.radius, 0])

    def laid(self, points: Tensor) -> Tensor:
        """Points (..., K) in the order of `indices_yx` laid out as (..., 2r+1, r+1)."""
        grid = points.new_zeros((*points.shape[:-1], *self.shape))
        grid[..., self.multiplicity > 0] = points
        return grid

    def take(self, spectra: Tensor) -> Tensor:
        """The band (..., 2r+1, r+1) of half transforms (..., N, N//2+1), N > 2r."""
        return spectra[..., : self.radius + 1].index_select(-2, self.rows % spectra.shape[-2])

    def put(self, values: Tensor, size: int) -> Tensor:
        """Half transforms (..., N, N//2+1) that are 0 outside the band."""
        full = values.new_zeros((*values.shape[:-2], size, size // 2 + 1))
        full[..., self.rows % size, : self.radius + 1] = values
        return full

    def shell_sums(self, values: Tensor) -> Tensor:
        """Sums over the whole plane in shells: (..., 2r+1, r+1) -> (..., r+1) float64."""
        return shell_sums((values * self.multiplicity).double(), self.shells, self.radius + 1)

    @cached_property
    def shell_counts(self) -> Tensor:
        """(r+1,) float64 points of the whole plane in each shell."""
        return self.shell_sums(torch.ones(self.shape))

    def of_shells(self, values: Tensor) -> Tensor:
        """Values (..., r+1) by shell laid out on the band (..., 2r+1, r+1); 0 outside."""
        laid = values[..., self.shells.clamp_min(0)]
        return torch.where(self.multiplicity > 0, laid, 0)

    def frequencies(self, extent_angst: float) -> Tensor:
        """|k| in 1/Å (2r+1, r+1) float32, for boxes of this extent."""
        return (self.squared.double().sqrt() / extent_angst).float()

    def ramps(self, shifts_yx: Tensor) -> Tensor:
        """exp(-2πi k·t) (..., 2r+1, r+1) for shifts t (..., 2) in boxes: content moves down and right."""
        along_y, along_x = self.waves(shifts_yx)
        return along_y[..., :, None] * along_x[..., None, :]

    def waves(self, shifts_yx: Tensor) -> tuple[Tensor, Tensor]:
        """The two factors of `ramps`: (..., 2r+1) and (..., r+1)."""
        along_y = waves(shifts_yx[..., :1].double() * self.rows)
        return along_y, waves(shifts_yx[..., 1:].double() * self.columns)


def waves(turns: Tensor) -> Tensor:
    """exp(-2πi turns), complex64; whole turns are taken off before precision is."""
    angles = (-2 * torch.pi * (turns - turns.round())).float()
    return torch.polar(torch.ones_like(angles), angles)
