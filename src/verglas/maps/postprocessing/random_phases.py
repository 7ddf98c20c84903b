"""Phases drawn as RELION draws them: by the C library's generator, frequency by frequency.

Where noise decides (how far a Guinier fit goes, which shell is the last above 0.143) other random numbers give
other answers; with these, the same half maps and mask give RELION's.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.fourier.radial import slabs

_LARGEST = 2147483647  # RAND_MAX, and the modulus of the seeding
_DEGREE, _LAG, _DISCARDED = 31, 3, 310
_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


class CLibraryRandom:
    """glibc's rand(): additive feedback over 31 numbers, r[i] = r[i-3] + r[i-31], the lowest bit dropped."""

    def __init__(self, seed: int) -> None:
        words = [max(1, seed)]
        for _ in range(_DEGREE - 1):
            words.append(16807 * words[-1] % _LARGEST)
        self._state = np.array(words, np.uint32)
        self._place = np.array([_LAG, 0], np.int64)
        self.uniform(_DISCARDED)

    def uniform(self, count: int) -> NDArray[np.float32]:
        """The next numbers in [0, 1]."""
        out = np.empty(count, np.float32)
        _fill(self._state, self._place, out)
        return out


@numba.njit(**_options)
def _fill(state, place, out):  # type: ignore[no-untyped-def]
    front, rear = place
    for i in range(out.shape[0]):
        state[front] += state[rear]
        out[i] = np.float32(state[front] >> np.uint32(1)) / np.float32(2147483647)
        front = front + 1 if front < 30 else 0
        rear = rear + 1 if rear < 30 else 0
    place[0] = front
    place[1] = rear


def randomise_as_relion(spectrum: Tensor, from_shell: int, random: CLibraryRandom) -> Tensor:
    """A half transform (N, N, N//2+1) with uniform phases where |k| >= from_shell; a new one."""
    result = torch.empty_like(spectrum)
    for rows, squared in slabs(int(spectrum.shape[-2])):
        part = spectrum[rows].clone()
        beyond = (squared >= from_shell**2).to(part.device)
        turns = torch.from_numpy(random.uniform(int(beyond.sum())))
        part[beyond] = torch.polar(part[beyond].abs(), (2 * torch.pi * turns).to(part.real))
        result[rows] = part
    return result
