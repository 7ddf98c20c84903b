"""Radiation damage: critical exposure and the weights of frames (refinement.md §10.1.4)."""

from __future__ import annotations

import torch
from torch import Tensor


def critical_exposure_e_a2(frequencies: Tensor, voltage_kv: float = 300.0) -> Tensor:
    """Critical exposure N_c in e/Å² at frequencies in 1/Å: amplitudes fall as exp(-d/(2 N_c)).

    Infinite at 0.

    2.81 + 0.245 k^-1.665 (Grant & Grigorieff 2015), measured at 300 kV; electrons of 200 and 100 kV do more
    damage by 1/0.8 and 1/0.64.
    """
    exposure = 0.245 * frequencies.abs().clamp_min(1e-12) ** -1.665 + 2.81
    return torch.where(frequencies == 0, torch.inf, exposure * _relative_tolerance(voltage_kv))


def dose_weights(
    frequencies: Tensor,
    n_frames: int,
    dose_per_frame_e_a2: float,
    *,
    pre_exposure_e_a2: float = 0.0,
    voltage_kv: float = 300.0,
) -> Tensor:
    """Weights (n_frames, ...) of frame transforms: exp(-d/(2 N_crit)), d the dose after each frame.

    Divide the weighted sum by the root of the sum of squared weights to keep the noise white.
    """
    dose = pre_exposure_e_a2 + dose_per_frame_e_a2 * torch.arange(1, n_frames + 1, device=frequencies.device)
    decay = 1 / (2 * critical_exposure_e_a2(frequencies, voltage_kv))
    return torch.exp(-dose.to(decay).reshape(-1, *[1] * frequencies.ndim) * decay)


def _relative_tolerance(voltage_kv: float) -> float:
    """Dose a specimen bears relative to 300 kV; 1 for voltages nobody has calibrated."""
    for voltage, tolerance in ((200.0, 0.8), (100.0, 0.64)):
        if abs(voltage_kv - voltage) < 2:
            return tolerance
    return 1.0
