"""Images kept on a device in half precision between iterations (design: particles resident where they fit).

Reading a stack and sending it to a GPU takes longer than most iterations. Half precision adds an error of
2⁻¹² of a pixel's value, far below its noise.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verglas.em.state.particles import ImageSource, Ints

BLOCK = 2048  # images that get room at a time
SHARE = 0.45  # of a device's memory that images may take


class ImageCache:
    """A source that remembers what it has read, as far as the memory of its device allows."""

    def __init__(self, source: ImageSource, n: int, device: torch.device) -> None:
        self.source, self.device = source, device
        self._slot = np.full(n, -1, np.int64)
        self._blocks: list[Tensor] = []
        self._used = 0
        self._room = int(SHARE * torch.cuda.get_device_properties(device).total_memory)

    @property
    def problems(self) -> dict[int, str]:
        """What is known of images that could not be read."""
        found: dict[int, str] = getattr(self.source, "problems", {})
        return found

    def read(self, indices: Ints) -> Tensor:
        """Images (b, N, N) float32 on the device."""
        slots = self._slot[indices]
        missing = slots < 0
        if not missing.any():
            return self._kept(slots)
        fresh = torch.as_tensor(self.source.read(indices[missing])).to(self.device).float()
        self._keep(indices[missing], fresh)
        if missing.all():
            return fresh
        images = fresh.new_empty((len(indices), *fresh.shape[1:]))
        images[torch.from_numpy(missing).to(self.device)] = fresh
        known = torch.from_numpy(~missing).to(self.device)
        images[known] = self._kept(slots[~missing])
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
        rows, halves = rows[good.cpu().numpy()], halves[good]
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
        free, _ = torch.cuda.mem_get_info(self.device)
        if (len(self._blocks) + 1) * size > self._room or 2 * size > free:
            return False
        self._blocks.append(torch.empty((BLOCK, *image.shape), dtype=torch.float16, device=self.device))
        return True
