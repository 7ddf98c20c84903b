"""`frames.CorrectedFrames` on a device of torch; raw frames stay there in the type of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from verglas.motion.devices.frames import CorrectedFrames, FrameOptions, FrameSource
from verglas.motion.devices.hot_pixels import hot_limit

Array = np.ndarray[Any, Any]


class TorchFrames(CorrectedFrames[Tensor]):
    """Yields tensors (y, x) float32."""

    def __init__(self, source: FrameSource, frame_range: range, options: FrameOptions, device: str) -> None:
        self.device, gain = device, options.gain
        self._gain = None if gain is None else torch.as_tensor(gain, device=device)
        super().__init__(source, frame_range, options)
        self._where = torch.as_tensor(self._places, device=device)

    def _load(self, raw: Array) -> Tensor:
        if raw.dtype.kind == "u" and raw.itemsize > 1:
            raw = raw.astype(np.int32)  # torch computes little with wider unsigned types
        return torch.as_tensor(np.ascontiguousarray(raw), device=self.device)

    def _add(self, raw: Tensor, total: Tensor) -> None:
        total += raw

    def _gained(self, raw: Tensor) -> Tensor:
        frame = raw.to(torch.float32, copy=True)
        return frame if self._gain is None else frame * self._gain

    def _hot_pixels(self, total: Tensor, usable: Array) -> Array:
        open_to = torch.as_tensor(usable, device=self.device)
        found = torch.zeros_like(open_to)
        for _ in range(2):
            values = total[open_to & ~found].double()
            if values.numel() == 0:
                break
            found |= open_to & (total > hot_limit(float(values.mean()), float(values.std())))
        return found.nonzero().cpu().numpy()

    def _mean_of(self, total: Tensor, good: Array) -> float:
        values = total[torch.as_tensor(good, device=self.device)]
        return float(values.double().mean()) if values.numel() else 0.0

    def _replace(self, frame: Tensor, sources: Array, otherwise: Array) -> None:
        flat = frame.view(-1)
        where = torch.as_tensor(sources, device=self.device)
        instead = torch.as_tensor(otherwise.astype(np.float32), device=self.device)
        flat[self._where] = torch.where(where < 0, instead, flat[where.clamp(min=0)])
