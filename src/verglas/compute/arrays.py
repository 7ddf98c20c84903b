"""Taking in numbers, sequences, arrays and tensors alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def float64_tensor(values: object, device: torch.device | str | None = None) -> Tensor:
    """A float64 tensor; numpy arrays are copied: tables give read-only ones, which torch must not alias."""
    if isinstance(values, np.ndarray):
        values = torch.from_numpy(np.array(values, dtype=np.float64))
    return torch.as_tensor(values, dtype=torch.float64, device=device)
