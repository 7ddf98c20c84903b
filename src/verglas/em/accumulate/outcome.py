"""What the second pass finds out about the particles of a batch."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class Outcome:
    """One row per particle, on the CPU; float64 unless said otherwise."""

    column: Tensor  # (b,) int64: best fine slice number
    shift: Tensor  # (b,) int64: best fine translation
    p_max: Tensor  # (b,)
    log_sum: Tensor  # (b,) ln of the sum of all weights
    accepted: Tensor  # (b,) sum of the weights that were kept, slightly below 1
    spectra: Tensor  # (b, S) Σ w |S C P - X_t|² per model shell inside the current size
    scale_sums: Tensor  # (b, 2) Σ w Re(conj(S C P) X_t) and Σ w |S C P|² over well-determined shells

    @classmethod
    def empty(cls, n: int, n_shells: int) -> Outcome:
        """Rows to be filled in; particles without any significant pose keep p_max = 0."""
        column = torch.zeros(n, dtype=torch.int64)
        return cls(column, column.clone(), _zeros(n), _zeros(n), _zeros(n), _zeros(n, n_shells), _zeros(n, 2))

    def rows(self, chosen: Tensor) -> Outcome:
        """Some of the particles."""
        return Outcome(**{entry.name: getattr(self, entry.name)[chosen] for entry in fields(self)})

    def put(self, rows: Tensor, other: Outcome) -> None:
        """Fill in the rows of some particles."""
        self.put_columns(rows, **{entry.name: getattr(other, entry.name) for entry in fields(self)})

    def put_columns(self, rows: Tensor, **columns: Tensor) -> None:
        """Fill in some quantities of some particles."""
        for name, values in columns.items():
            target = getattr(self, name)
            target[rows] = values.to(target)


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)
