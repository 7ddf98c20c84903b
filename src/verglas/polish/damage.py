"""What dose leaves of the signal, as polishing assumes it (refinement.md §10.12.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DamageModel:
    """Amplitudes fall as exp(-dose / τ), τ = a k^b + c in e/Å², k in 1/Å."""

    a: float = 3.40
    b: float = -1.06
    c: float = -0.54

    def left(self, frequencies: Tensor, doses_e_a2: Tensor) -> Tensor:
        """Share (F, ...) of the amplitudes that doses (F,) leave at frequencies (...)."""
        tau = (self.a * frequencies.clamp_min(1e-6) ** self.b + self.c).clamp_min(1e-3)
        dose = doses_e_a2.to(tau).reshape(-1, *[1] * tau.ndim)
        return torch.exp(-dose / tau)
