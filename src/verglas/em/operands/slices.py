"""Slices of the references laid out for matrix products, and where their weighted images are collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from verglas.em.images.pixels import PixelList
from verglas.em.operands.shift_kernel import shift_rows
from verglas.fourier.lattice import Lattice
from verglas.fourier.projector import Projector
from verglas.fourier.slicing import add_slices
from verglas.fourier.threads import run_ranges
from verglas.geometry.euler import euler_matrices


@dataclass(frozen=True)
class Slices:
    """n slices at P pixels. The origin is kept apart: it takes no part in the likelihood."""

    rows: Tensor  # (n, 2(P-1)): real parts, then imaginary parts
    origin: Tensor  # (n, 2)
    power: Tensor  # (n, P): |slice|²

    def select(self, columns: Tensor) -> Slices:
        """Some of the slices; all of them costs nothing."""
        if columns.numel() == self.rows.shape[0]:
            return self
        return Slices(self.rows[columns], self.origin[columns], self.power[columns])


class SliceMaker:
    """Makes slices of one optics group. Slice number = class * n_orientations + orientation."""

    def __init__(
        self,
        projector: Projector,
        pixels: PixelList,
        scale: float,
        magnification: tuple[float, ...] | None = None,
        lowest_shell: int = 0,
    ) -> None:
        self.projector, self.pixels, self.lowest_shell = projector, pixels, lowest_shell
        self.frame = torch.eye(3, dtype=torch.float64) * scale
        if magnification is not None:
            block = torch.eye(3, dtype=torch.float64)
            block[:2, :2] = torch.tensor(magnification, dtype=torch.float64).reshape(2, 2)
            self.frame = torch.linalg.inv(block) @ self.frame

    def matrices(self, angles_deg: Tensor) -> Tensor:
        """A of this group's images: scale and magnification included (refinement.md §1.7)."""
        device = self.projector.values.device
        return (self.frame @ euler_matrices(angles_deg)).to(device)

    def of(self, angles_deg: Tensor, n_pixels: int) -> Slices:
        """Slices of all classes at angles (n, 3), first `n_pixels` pixels; (K * n) of them."""
        values = self.complex(angles_deg, n_pixels).flatten(0, 1)
        return layout(values)

    def at(self, classes: Tensor, angles_deg: Tensor, n_pixels: int) -> Tensor:
        """Slices of classes (m,) at angles (m, 3), first `n_pixels` pixels: complex (m, P)."""
        indices = self.pixels.indices_yx[:n_pixels]
        return self.limited(self.projector.at(self.matrices(angles_deg), indices, classes))

    def complex(self, angles_deg: Tensor, n_pixels: int) -> Tensor:
        """The same as complex numbers (K, n, P)."""
        indices = self.pixels.indices_yx[:n_pixels]
        n, k = len(angles_deg), len(self.projector.values)
        matrices = self.matrices(angles_deg).repeat(k, 1, 1)
        classes = torch.arange(k).repeat_interleave(n)
        values = self.projector.at(matrices, indices, classes)
        return self.limited(values.view(k, n, -1))

    def limited(self, values: Tensor) -> Tensor:
        """Slices (..., P): zero outside the circle of the last shell and below the low-resolution limit."""
        n = values.shape[-1]
        radius = int(self.pixels.shells[n - 1])
        kept = self.pixels.indices_yx[:n].square().sum(1) <= radius * radius
        if self.lowest_shell > 0:
            kept &= self.pixels.model_shells[:n] >= self.lowest_shell
        return values * kept


def shifted(images: Tensor, phases: Tensor) -> Tensor:
    """Images (b, P-1) complex at translations with phases (T, 2, P-1): (b * T, 2(P-1)), real parts first."""
    b, t, n = images.shape[0], phases.shape[0], images.shape[1]
    rows = torch.empty((b, t, 2, n), dtype=phases.dtype, device=phases.device)
    if phases.device.type == "cpu":
        _shift_on_cpu(images, phases, rows)
        return rows.view(b * t, 2 * n)
    real, imag = images.real[:, None], images.imag[:, None]
    cos, sin = phases[:, 0], phases[:, 1]
    torch.mul(real, cos, out=rows[:, :, 0])
    rows[:, :, 0].addcmul_(imag, sin, value=-1)
    torch.mul(real, sin, out=rows[:, :, 1])
    rows[:, :, 1].addcmul_(imag, cos)
    return rows.view(b * t, 2 * n)


def _shift_on_cpu(images: Tensor, phases: Tensor, rows: Tensor) -> None:
    real, imag = images.real.contiguous().numpy(), images.imag.contiguous().numpy()
    factors, out = phases.contiguous().numpy(), rows.numpy()
    kernel: Any = shift_rows
    run_ranges(lambda first, last: kernel(real, imag, factors, out, first, last), len(images), least=8)


def shifted_each(images: Tensor, phases: Tensor) -> Tensor:
    """Images (h, P-1) complex, each at its own S translations, phases (h, S, 2, P-1): (h, S, 2(P-1))."""
    real, imag = images.real[:, None], images.imag[:, None]
    cos, sin = phases[:, :, 0], phases[:, :, 1]
    h, s, n = cos.shape
    rows = torch.empty((h, s, 2, n), dtype=phases.dtype, device=phases.device)
    torch.mul(real, cos, out=rows[:, :, 0])
    rows[:, :, 0].addcmul_(imag, sin, value=-1)
    torch.mul(real, sin, out=rows[:, :, 1])
    rows[:, :, 1].addcmul_(imag, cos)
    return rows.view(h, s, 2 * n)


def layout(values: Tensor) -> Slices:
    """Complex slices (n, P) as operands."""
    rows = torch.cat([values.real[:, 1:], values.imag[:, 1:]], 1)
    return Slices(rows, torch.view_as_real(values[:, 0]).contiguous(), values.abs().square())


class SliceSums:
    """Back-projection collected per slice: images that share a pose are added before they meet the lattice.

    `data` (A, n, 2P), real parts before imaginary parts, and `weight` (A, n, P) float32, flushed into
    float64 masters; A = 1, or 2 with pseudo-half-sets.
    """

    def __init__(self, n_halves: int, n_slices: int, n_pixels: int, like: Tensor) -> None:
        self.data = like.new_zeros((n_halves, n_slices, 2 * n_pixels))
        self.weight = like.new_zeros((n_halves, n_slices, n_pixels))
        self._data = self.data.new_zeros(0, dtype=torch.float64)
        self._weight = self._data

    def add(self, half: int, columns: Tensor, data: Tensor, weight: Tensor) -> None:
        """Add (c, 2P) and (c, P) at slice numbers `columns`."""
        self.data[half].index_add_(0, columns, data)
        self.weight[half].index_add_(0, columns, weight)

    def flush(self) -> None:
        """Move what has been collected into the masters (refinement.md §8.2)."""
        if not self._data.numel():
            self._data = self.data.to(torch.float64, copy=True)
            self._weight = self.weight.to(torch.float64, copy=True)
        else:
            self._data += self.data
            self._weight += self.weight
        self.data.zero_()
        self.weight.zero_()

    def used(self) -> Tensor:
        """Which slices anything was added to, (n,) bool."""
        found = (self.weight > 0).any(-1).any(0)
        if self._weight.numel():
            found |= (self._weight > 0).any(-1).any(0)
        return found

    def totals(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Complex data (A, m, P) and weights (A, m, P) of some slices (m,), float64."""
        data, weight = self.data[:, slices].double(), self.weight[:, slices].double()
        if self._weight.numel():
            data += self._data[:, slices]
            weight += self._weight[:, slices]
        n_pixels = weight.shape[-1]
        return torch.complex(data[..., :n_pixels], data[..., n_pixels:]), weight


def insert(
    data_out: Tensor,
    weight_out: Tensor,
    lattice: Lattice,
    maker: SliceMaker,
    angles_deg: Tensor,
    data: Tensor,
    weight: Tensor,
    classes: Tensor,
) -> None:
    """Add slices (n, P) at angles (n, 3) to the lattices (K, L...) of their classes (n,), in place (§3.1)."""
    device, chosen = data_out.device, (weight > 0).any(1).cpu()
    if not bool(chosen.any()):
        return
    used = chosen.nonzero().flatten().to(weight.device)
    indices = maker.pixels.indices_yx[: data.shape[-1]].to(device)
    kept, weights = data[used], weight[used]
    if device.type == "cuda":  # the sums are exact to float32 already; the lattices stay float64
        kept, weights = kept.to(torch.complex64), weights.float()
    add_slices(
        data_out,
        weight_out,
        lattice,
        kept.to(device),
        weights.to(device),
        maker.matrices(angles_deg[chosen]).to(device),
        indices,
        classes[chosen],
    )
