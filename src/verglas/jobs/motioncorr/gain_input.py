"""Gain references and defects as the movies of one job need them; read once per worker.

A file is recognised by its stamp, so that one which is replaced is read again.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.formats.defects import read_defects
from verglas.formats.gain import Gain, orient, read_gain
from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.set_aside import file_stamp

if TYPE_CHECKING:
    from verglas.formats.movies import Movie


_written: dict[tuple[str, str, int, int, str], str] = {}  # what was done -> stamp of the output


def load_gain(path: str, movie: Movie, rotation: int, flip: int) -> Gain:
    """The gain in the orientation and on the grid of a movie; raises UnfitGain, UnreadableImage."""
    gain = _oriented(path, file_stamp(Path(path)), movie.kind, rotation, flip)
    return gain.fitted(movie.shape_yx, is_eer=movie.kind == "eer")


@lru_cache(maxsize=4)
def _oriented(path: str, _stamp: str, movie_kind: str, rotation: int, flip: int) -> Gain:
    return read_gain(path, movie_kind=movie_kind).oriented(rotation, flip)


def load_defects(path: str, shape_yx: tuple[int, int]) -> np.ndarray:  # (y, x) bool, True is bad
    """The defects for movies of this shape; raises UnreadableDefects."""
    return _defects(path, file_stamp(Path(path)), shape_yx)


@lru_cache(maxsize=4)
def _defects(path: str, _stamp: str, shape_yx: tuple[int, int]) -> np.ndarray:
    return read_defects(path, shape_yx)


def write_turned(path: str, rotation: int, flip: int, output: str) -> None:
    """Check that a gain can be read; write it, turned and flipped, to `output` if that is another file.

    Done once per process while gain and output stay as they are: a live session asks for every movie.
    """
    known = (path, file_stamp(Path(path)), rotation, flip, output)
    if _written.get(known) == file_stamp(Path(output)):
        return
    gain = read_gain(path)
    if output != path:
        write_mrc(output, orient(gain.factors, rotation, flip), 1.0)
    _written[known] = file_stamp(Path(output))
