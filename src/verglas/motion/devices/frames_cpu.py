"""`frames.CorrectedFrames` on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from verglas.motion.devices.frames import CorrectedFrames
from verglas.motion.devices.hot_pixels import hot_pixels

Array = np.ndarray[Any, Any]


@njit(cache=True)
def _times_gain(raw: Array, gain: Array, out: Array) -> None:
    for y in range(raw.shape[0]):
        for x in range(raw.shape[1]):
            out[y, x] = raw[y, x] * gain[y, x]


@njit(cache=True)
def _add(raw: Array, total: Array) -> None:
    for y in range(raw.shape[0]):
        for x in range(raw.shape[1]):
            total[y, x] += np.float32(raw[y, x])


class CpuFrames(CorrectedFrames[Array]):
    """Yields numpy arrays (y, x) float32."""

    def _load(self, raw: Array) -> Array:
        return raw

    def _add(self, raw: Array, total: Array) -> None:
        _add(raw, total)

    def _gained(self, raw: Array) -> Array:
        if self.gain is None:
            return raw.astype(np.float32)
        out = np.empty(raw.shape, np.float32)
        _times_gain(raw, self.gain, out)
        return out

    def _hot_pixels(self, total: Array, usable: Array) -> Array:
        return hot_pixels(total, usable)

    def _mean_of(self, total: Array, good: Array) -> float:
        return float(total[good].mean(dtype=np.float64)) if good.any() else 0.0

    def _replace(self, frame: Array, sources: Array, otherwise: Array) -> None:
        flat = frame.reshape(-1)
        flat[self._places] = np.where(sources < 0, otherwise, flat[sources])
