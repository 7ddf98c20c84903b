"""Movies in MRC files: every mode that `formats.mrc_header` knows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from verglas.formats.movies_base import Array, Movie, MovieInfo
from verglas.formats.mrc import header_of, read_images_at
from verglas.formats.mrc_header import FOUR_BIT, MrcHeader


class MrcMovie(Movie):
    """Sections of an MRC file as frames."""

    kind: ClassVar[str] = "mrc"

    def __init__(self, path: str) -> None:
        with open(path, "rb") as handle:
            self._header: MrcHeader = header_of(handle, path)
        header = self._header
        super().__init__(
            MovieInfo(
                path=path,
                kind=self.kind,
                n_frames=header.n_images,
                shape_yx=header.shape_yx,
                dtype=np.dtype(header.dtype).newbyteorder("="),
                pixel_size_angst=header.pixel_size_angst,
                packed=header.mode == FOUR_BIT,
            )
        )

    def _read(self, index: int) -> Array:
        with open(self.path, "rb") as handle:
            return read_images_at(handle, self._header, index, 1, self.path)[0]
