"""What exposure leaves of the signal (refinement.md §10.1.4), in numpy for the frame loops."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_LOWEST_FREQUENCY = 1e-6  # 1/Angstrom: keeps the exposure of DC finite and harmlessly huge
LEAST_LEFT = 1e-3  # nothing is damped so far that dividing by it would not bring it back


def critical_exposure(frequencies: Any) -> Any:
    """Exposure in e/A^2 (at 300 kV) that weights a frequency (1/A) down to 1/e: 2(0.245 k^-1.665 + 2.81).

    An array for an array, a tensor (on its device) for a tensor.
    """
    return 2 * (0.245 * frequencies.clip(_LOWEST_FREQUENCY) ** -1.665 + 2.81)


def effective_dose(dose_e_a2: Array, voltage_kv: float) -> Array:
    """Dose that does at 300 kV what this one does at `voltage_kv` (0.8 at 200 kV, 0.64 at 100 kV)."""
    factor = 0.8 if abs(voltage_kv - 200) <= 2 else 0.64 if abs(voltage_kv - 100) <= 2 else 1.0
    return dose_e_a2 / factor


def amplitudes_left(
    frequencies: Array,  # (K,) 1/A
    doses_e_a2: Array,  # (M,) exposure before and during each frame
    voltage_kv: float,
) -> Array:  # (M, K)
    """exp(-dose / critical exposure) for every frame and frequency."""
    doses = effective_dose(np.asarray(doses_e_a2, float), voltage_kv)
    left = np.exp(-doses[:, None] / critical_exposure(frequencies)[None, :])
    return np.maximum(left, LEAST_LEFT)
