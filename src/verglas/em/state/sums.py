"""The sums of the expectation step: tensors that add over batches, devices and ranks (refinement.md §2.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from verglas.fourier.lattice import Lattice


@dataclass
class PriorSums:
    """Weighted counts from which the priors are updated; float64 on the CPU, added in place."""

    class_weight: Tensor  # (K,)
    direction_weight: Tensor  # (K * D,)
    class_offset: Tensor  # (K, 2) Σ w t_abs, Å
    sigma2_offset: Tensor  # (1,) Σ w |t_abs - prior|², Å²

    @classmethod
    def zeros(cls, n_classes: int, n_directions: int) -> PriorSums:
        directions = _zeros(n_classes * n_directions)
        return cls(_zeros(n_classes), directions, _zeros(n_classes, 2), _zeros(1))

    def add(self, other: PriorSums) -> None:
        """Add in place."""
        for entry in fields(self):
            getattr(self, entry.name).add_(getattr(other, entry.name))


@dataclass
class WeightedSums:
    """All float64 (complex128 for `data`). A: accumulators (K, or 2K with pseudo-halves).

    The lattices, `data` and `weight`, lie where slices are added; everything else on the CPU.
    """

    data: Tensor  # (A, L...) complex: D
    weight: Tensor  # (A, L...): W
    class_weight: Tensor  # (K,)
    direction_weight: Tensor  # (K, D)
    class_offset: Tensor  # (K, 2) Σ w t_abs, Å, y x
    sigma2_offset: Tensor  # () Σ w |t - prior|², Å²
    noise: Tensor  # (G, S) Σ w |residual|²
    noise_weight: Tensor  # (G,)
    scale_cross: Tensor  # (J,)
    scale_power: Tensor  # (J,)
    scale_weight: Tensor  # (J,) number of particles
    ctf_power: Tensor  # (G, S) ΣC² of premultiplied data
    norm: Tensor  # () Σ ν
    log_likelihood: Tensor  # ()
    p_max: Tensor  # ()
    total: Tensor  # () Σ w

    @classmethod
    def zeros(
        cls,
        lattice: Lattice,
        n_accumulators: int,
        n_classes: int,
        n_directions: int,
        n_noise_groups: int,
        n_shells: int,
        n_scale_groups: int,
        device: torch.device | str = "cpu",
    ) -> WeightedSums:
        def zero(
            *shape: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
        ) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        return cls(
            data=zero(n_accumulators, *lattice.shape, dtype=torch.complex128, device=device),
            weight=zero(n_accumulators, *lattice.shape, device=device),
            class_weight=zero(n_classes),
            direction_weight=zero(n_classes, n_directions),
            class_offset=zero(n_classes, 2),
            sigma2_offset=zero(),
            noise=zero(n_noise_groups, n_shells),
            noise_weight=zero(n_noise_groups),
            scale_cross=zero(n_scale_groups),
            scale_power=zero(n_scale_groups),
            scale_weight=zero(n_scale_groups),
            ctf_power=zero(n_noise_groups, n_shells),
            norm=zero(),
            log_likelihood=zero(),
            p_max=zero(),
            total=zero(),
        )

    def add(self, other: WeightedSums) -> None:
        """Add in place; the order of calls decides the last bits, so callers add in ascending rank."""
        for entry in fields(self):
            mine = getattr(self, entry.name)
            mine.add_(getattr(other, entry.name).to(mine.device))

    def add_priors(self, counts: PriorSums) -> None:
        """Add what a batch found out about the priors."""
        self.class_weight += counts.class_weight
        self.direction_weight.view(-1).add_(counts.direction_weight)
        self.class_offset += counts.class_offset
        self.sigma2_offset += counts.sigma2_offset[0]
        self.total += counts.class_weight.sum()

    def pack(self) -> npt.NDArray[np.float64]:
        """All numbers as one flat array (complex ones as pairs), in the order of the fields."""
        return pack_tensors(vars(self).values())

    def unpack(self, numbers: npt.NDArray[np.float64]) -> None:
        """Overwrite with what `pack` gave. Raises ValueError if the length differs."""
        unpack_tensors(vars(self).values(), numbers)


def pack_tensors(tensors: Iterable[Tensor]) -> npt.NDArray[np.float64]:
    """Float64 and complex128 tensors as one flat array."""
    return np.concatenate([_real(tensor).cpu().numpy().ravel() for tensor in tensors])


def unpack_tensors(tensors: Iterable[Tensor], numbers: npt.NDArray[np.float64]) -> None:
    """Overwrite tensors with the numbers of `pack_tensors`. Raises ValueError if their count differs."""
    parts = [_real(tensor) for tensor in tensors]
    expected = sum(part.numel() for part in parts)
    if numbers.size != expected:
        raise ValueError(f"packed sums hold {numbers.size} numbers, expected {expected}")
    start = 0
    for part in parts:
        stop = start + part.numel()
        part.copy_(torch.from_numpy(numbers[start:stop]).reshape(part.shape))
        start = stop


def _real(values: Tensor) -> Tensor:
    """A real view, sharing memory."""
    return torch.view_as_real(values) if values.is_complex() else values


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)
