"""Images kept on a device in half precision between iterations (design: particles resident where they fit).

Reading a stack and sending it to a GPU takes longer than most iterations. Half precision adds an error of
2⁻¹² of a pixel's value, far below its noise.
"""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import Tensor

from verglas.em.state.particles import ImageSource, Ints

BLOCK = 2048  # images that get room at a time
SHARE = 0.45  # of a device's memory that images may take


class ImageCache:
    """A source that remembers what it has read, as far as the memory of its device allows."""

    def __init__(
        self, source: ImageSource, n: int, device: torch.device, room_bytes: int | None = None
    ) -> None:
        """Of the images of n particles; `room_bytes` by default a share of the device's memory."""
        self.source, self.device = source, device
        self._slot = np.full(n, -1, np.int64)
        self._blocks: list[Tensor] = []
        self._used = 0
        self._lock = threading.Lock()  # several threads may feed one GPU
        if room_bytes is None:
            room_bytes = int(SHARE * torch.cuda.get_device_properties(device).total_memory)
        self._room = room_bytes

    @property
    def problems(self) -> dict[int, str]:
        """What is known of images that could not be read."""
        found: dict[int, str] = getattr(self.source, "problems", {})
        return found

    def read(self, indices: Ints) -> Tensor:
        """Images (b, N, N) float32 on the device; those that are kept always as they are kept."""
        missing = self._slot[indices] < 0
        fresh = None
        if missing.any():
            fresh = torch.as_tensor(self.source.read(indices[missing])).to(self.device).float()
            self._keep(indices[missing], fresh)
        slots = self._slot[indices]
        kept = slots >= 0
        if fresh is None or kept.all():
            return self._kept(slots)
        images = fresh.new_empty((len(indices), *fresh.shape[1:]))
        images[torch.from_numpy(missing).to(self.device)] = fresh
        if kept.any():
            images[torch.from_numpy(kept).to(self.device)] = self._kept(slots[kept])
        return images

    def _kept(self, slots: Ints) -> Tensor:
        blocks, places = slots // BLOCK, slots % BLOCK
        images = torch.empty((len(slots), *self._blocks[0].shape[1:]), device=self.device)
        for block in np.unique(blocks):
            rows = np.nonzero(blocks == block)[0]
            at = torch.from_numpy(places[rows]).to(self.device)
            images[torch.from_numpy(rows).to(self.device)] = self._blocks[block][at].float()
        return images

    def _keep(self, rows: Ints, images: Tensor) -> None:
        """Remember images of particles as long as there is room; those of another box are read again."""
        halves = images.half()
        good = torch.isfinite(halves).flatten(1).all(1)
        with self._lock:
            self._fill(rows[good.cpu().numpy()], halves[good])

    def _fill(self, rows: Ints, halves: Tensor) -> None:
        start = 0
        while start < len(rows):
            if self._used == BLOCK * len(self._blocks) and not self._more(halves[0]):
                return
            if halves.shape[1:] != self._blocks[0].shape[1:]:
                return
            place = self._used % BLOCK
            stop = min(len(rows), start + BLOCK - place)
            self._blocks[-1][place : place + stop - start] = halves[start:stop]
            self._slot[rows[start:stop]] = np.arange(self._used, self._used + stop - start)
            self._used += stop - start
            start = stop

    def _more(self, image: Tensor) -> bool:
        """Room for another block, if the device has it."""
        size = BLOCK * image.numel() * 2
        if (len(self._blocks) + 1) * size > self._room:
            return False
        if self.device.type == "cuda" and 2 * size > torch.cuda.mem_get_info(self.device)[0]:
            return False
        self._blocks.append(torch.empty((BLOCK, *image.shape), dtype=torch.float16, device=self.device))
        return True
