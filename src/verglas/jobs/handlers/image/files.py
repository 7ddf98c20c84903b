"""Where `verglas image` gets images from: maps, stacks, movies, one after another with their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.mrc import read_mrc, read_mrc_header
from verglas.formats.mrc_header import FOUR_BIT
from verglas.formats.stack import image_name, open_stack, strip_format

_STACKS = (".mrcs", ".st")
_MOVIES = (".tif", ".tiff", ".eer")


@dataclass(frozen=True)
class ImageFile:
    """One file: a map or single image is one image, a stack or movie holds several."""

    path: str
    count: int
    pixel_size_angst: float
    is_stack: bool
    eer_grouping: int = 32
    packed: bool = False

    @classmethod
    def of(cls, name: str, eer_grouping: int = 32) -> ImageFile:
        """Look at a file. Raises OSError or UnreadableImage."""
        path = strip_format(name)
        if Path(path).suffix.lower() in _MOVIES:
            from verglas.formats.movies import open_movie

            info = open_movie(path, eer_grouping=eer_grouping).info
            pixel = info.pixel_size_angst
            return cls(path, info.n_frames, pixel, True, eer_grouping, info.packed)
        header = read_mrc_header(path)
        is_stack = Path(path).suffix.lower() in _STACKS or name.endswith(":mrcs")
        count = header.n_images if is_stack else 1
        packed = header.mode == FOUR_BIT
        return cls(path, count, header.pixel_size_angst, is_stack, packed=packed)

    def images(self, indices: list[int] | None = None) -> Iterator[tuple[str, Any]]:
        """(name, float32 image) of all images or those of 0-based indices, in their order."""
        if not self.is_stack:
            yield self.path, read_mrc(self.path).data
            return
        wanted = list(range(self.count)) if indices is None else indices
        if Path(self.path).suffix.lower() in _MOVIES:
            yield from self._frames(set(wanted))
            return
        with open_stack(self.path) as stack:
            for index in wanted:
                yield image_name(self.path, index), stack.read([index])[0]

    def _frames(self, wanted: set[int]) -> Iterator[tuple[str, Any]]:
        from verglas.formats.movies import open_movie

        movie = open_movie(self.path, eer_grouping=self.eer_grouping)
        for index, frame in enumerate(movie.frames()):
            if index in wanted:
                yield image_name(self.path, index), np.asarray(frame, np.float32)
