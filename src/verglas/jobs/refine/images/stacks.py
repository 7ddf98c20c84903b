"""Particle images of a refinement, read from their stacks, from memory or from a scratch disc."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.stack import Stack, parse_image_name

MOST_OPEN_STACKS = 128
Ints = npt.NDArray[np.int64]
Images = npt.NDArray[np.float32]


def split_name(name: str) -> tuple[int, str]:
    """`000012@stack.mrcs` as (11, "stack.mrcs"). ValueError if it is not of that form."""
    path, index = parse_image_name(name)
    if index is None or not path:
        raise ValueError(f"image name {name!r} is not of the form 000001@stack.mrcs")
    return index, path


class StackSource:
    """Reads images by particle; `problems` collects why images could not be read."""

    def __init__(self, names: Sequence[str], box_sizes: Ints) -> None:
        places = [split_name(name) for name in names]
        self._index = np.array([index for index, _ in places], np.int64)
        paths = sorted({path for _, path in places})
        number = {path: i for i, path in enumerate(paths)}
        self._stack_of = np.array([number[path] for _, path in places], np.int64)
        self._paths = paths
        self._box = box_sizes
        self._open: dict[int, Stack] = {}
        self._lock = threading.Lock()
        self.problems: dict[int, str] = {}

    def read(self, indices: Ints) -> Images:
        """Images (b, N, N); those that cannot be read are NaN and noted in `problems`."""
        box = int(self._box[indices[0]])
        result = np.full((len(indices), box, box), np.nan, np.float32)
        stacks = self._stack_of[indices]
        for stack in np.unique(stacks):
            rows = np.nonzero(stacks == stack)[0]
            self._read_from(int(stack), indices, rows, result)
        return result

    def _read_from(self, stack: int, indices: Ints, rows: Ints, result: Images) -> None:
        path = self._paths[stack]
        try:
            opened = self._stack(stack)
        except (OSError, UnreadableImage) as error:
            self._note(indices[rows], str(error))
            return
        box = result.shape[-1]
        if opened.shape_yx != (box, box):
            shape = "x".join(map(str, opened.shape_yx))
            self._note(indices[rows], f"{path} holds images of {shape} px, its optics group says {box}")
            return
        inside = self._index[indices[rows]] < len(opened)
        for row in rows[~inside]:
            number = int(self._index[indices[row]]) + 1
            self._note(indices[[row]], f"image {number} of {path}, which holds only {len(opened)}")
        rows = rows[inside]
        if not len(rows):
            return
        try:
            result[rows] = opened.read(self._index[indices[rows]])
        except (OSError, UnreadableImage) as error:
            self._note(indices[rows], str(error))

    def _stack(self, stack: int) -> Stack:
        with self._lock:
            found = self._open.pop(stack, None) or Stack(self._paths[stack])
            self._open[stack] = found  # most recently used last
            if len(self._open) > MOST_OPEN_STACKS:
                oldest = next(iter(self._open))
                self._open.pop(oldest).close()
            return found

    def _note(self, particles: Ints, reason: str) -> None:
        for particle in particles:
            self.problems[int(particle)] = reason

    def none_there(self) -> str:
        """The first stack's path if not one of them exists, otherwise nothing."""
        return "" if any(Path(path).exists() for path in self._paths) else self._paths[0]

    def box_of(self, particle: int) -> int:
        """Box of a particle's image (px)."""
        return int(self._box[particle])

    def stored_type(self, indices: Ints) -> np.dtype[np.floating]:
        """float16 where the stacks of all these particles hold that, else float32."""
        stacks = np.unique(self._stack_of[indices])
        halves = [self._stack(int(stack)).header.dtype == np.float16 for stack in stacks]
        return np.dtype(np.float16 if all(halves) else np.float32)

    def close(self) -> None:
        """Close all stacks."""
        for stack in self._open.values():
            stack.close()
        self._open.clear()


class MemorySource:
    """All images read once at the start (`--preread_images`)."""

    def __init__(self, source: StackSource, optics_group: Ints, boxes: Sequence[int]) -> None:
        self.problems = source.problems
        self._place = np.zeros(len(optics_group), np.int64)
        self._group = optics_group
        self._images: list[Images] = []
        for group, box in enumerate(boxes):
            rows = np.nonzero(optics_group == group)[0]
            self._place[rows] = np.arange(len(rows))
            images = np.empty((len(rows), box, box), np.float32)
            for start in range(0, len(rows), 256):
                images[start : start + 256] = source.read(rows[start : start + 256])
            self._images.append(images)

    def read(self, indices: Ints) -> Images:
        """Images (b, N, N) of particles of one optics group."""
        return self._images[int(self._group[indices[0]])][self._place[indices]]


def free_bytes(folder: str) -> int:
    """Free space of the file system of a folder."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
