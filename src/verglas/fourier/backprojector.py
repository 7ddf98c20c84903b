"""Accumulation of slices in Fourier space (refinement.md §3.1, §3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.fourier.grid import Device
from verglas.fourier.lattice import Lattice, padded_size
from verglas.fourier.pixels import half_disc
from verglas.fourier.slicing import add_points, add_slices
from verglas.fourier.symmetrise import add_rotated


@dataclass(frozen=True, eq=False)
class BackProjector:
    """Sums of weighted slices (`data`) and of their weights for K classes, both (K, *lattice.shape).

    Sums add: over batches, devices and ranks. `size` is the box of the model.
    """

    size: int
    lattice: Lattice
    data: Tensor  # complex
    weight: Tensor  # real

    @classmethod
    def empty(
        cls,
        size: int,
        current_size: int | None = None,
        *,
        padding: float = 2,
        dims: int = 3,
        classes: int = 1,
        dtype: torch.dtype = torch.float32,
        device: Device = None,
    ) -> BackProjector:
        """Nothing inserted yet; a model of box `size` up to current_size/2, sums of type `dtype`."""
        lattice = Lattice(dims, min(current_size or size, size) // 2, padded_size(size, padding) / size)
        shape = (classes, *lattice.shape)
        return cls(
            size,
            lattice,
            torch.zeros(shape, dtype=dtype.to_complex(), device=device),
            torch.zeros(shape, dtype=dtype, device=device),
        )

    def insert(
        self, slices: Tensor, weights: Tensor, matrices: Tensor, classes: Tensor | None = None
    ) -> None:
        """Add half transforms (n, s, s//2+1), already multiplied by their weights, and those weights.

        Of the x = 0 column only y >= 0 is taken, since it holds both members of each pair.
        """
        pixels = half_disc(int(slices.shape[-2]))
        self.insert_at(pixels.gather(slices), pixels.gather(weights), matrices, pixels.indices_yx, classes)

    def insert_at(
        self,
        values: Tensor,
        weights: Tensor,
        matrices: Tensor,
        indices_yx: Tensor,
        classes: Tensor | None = None,
    ) -> None:
        """Add slice values (n, P) and weights (n, P) at the given half-plane frequencies (P, 2)."""
        add_slices(self.data, self.weight, self.lattice, values, weights, matrices, indices_yx, classes)

    def insert_points(self, values: Tensor, weights: Tensor, points_xyz: Tensor) -> None:
        """Add values (n, P), already multiplied by their weights (n, P), at frequencies (n, P, 3) of the model's box.

        Both members of a Friedel pair may be given: each is an observation. First class only.
        """
        points = points_xyz * self.lattice.padding
        add_points(self.data[:1], self.weight[:1], self.lattice, points, values, weights)

    def add_(self, other: BackProjector) -> None:
        """Add the sums of another accumulator of the same shape."""
        if other.data.shape != self.data.shape:
            raise ValueError(
                f"cannot add sums of shape {tuple(other.data.shape)} to {tuple(self.data.shape)}"
            )
        self.data.add_(other.data.to(self.data.device))
        self.weight.add_(other.weight.to(self.weight.device))

    def symmetrise(self, operators: Tensor) -> None:
        """Add to every point the sums found at its symmetry mates; `operators` (g, 3, 3), identity included.

        Call it once, after `make_hermitian`. Nothing is divided: the pose search covered one asymmetric unit,
        so that the sum is the true number of observations.
        """
        if self.lattice.dims != 3 or len(operators) < 2:
            return
        for data, weight in zip(self.data, self.weight, strict=True):
            before = data.clone(), weight.clone()
            for operator in operators[1:]:  # the identity is first
                add_rotated(data, weight, *before, self.lattice, operator)

    def make_hermitian(self) -> None:
        """Give both members of each ± pair on the x = 0 plane the sum of the one and the conjugated other.

        The origin, its own mate, is left alone.
        """
        dims, half = self.lattice.dims, self.lattice.half
        for values in (self.data, self.weight):
            plane = values[..., 0]
            mate = plane.flip(list(range(-(dims - 1), 0)))
            total = plane + (mate.conj() if values.is_complex() else mate)
            middle = (..., half) if dims == 2 else (..., half, half)
            total[middle] = plane[middle]
            values[..., 0] = total
