"""Movies of every format behind one reader, and the test whether a file is a complete movie.

The format is recognised by content, not by name. "Complete" means: the container parses to its end and holds
the frames and bytes that it announces. What cannot be seen from a file's content: a TIFF or EER movie that is
still being appended to and happens to end with a whole frame; whoever watches a directory also waits for the
size to settle, or passes the expected number of frames.
"""

from __future__ import annotations

import os

from verglas.formats.movies_base import Movie, MovieInfo, UnreadableMovie, movie_errors
from verglas.formats.movies_mrc import MrcMovie

__all__ = ["Movie", "MovieInfo", "UnreadableMovie", "check_movie", "open_movie"]


def open_movie(path: str | os.PathLike[str], *, eer_grouping: int = 32, eer_upsampling: int = 1) -> Movie:
    """Open a movie: MRC, TIFF or EER. Pixels are read later, frame by frame.

    `eer_grouping` hardware frames make one frame of an EER movie (a remainder is dropped), rendered on
    a grid `eer_upsampling` (1, 2 or 4) times finer than the sensor. Raises UnreadableMovie if the file is
    not a complete movie; ValueError for a grouping or upsampling that makes no sense.
    """
    if eer_grouping < 1 or eer_upsampling not in (1, 2, 4):
        raise ValueError(
            f"EER grouping must be at least 1 and upsampling 1, 2 or 4; got {eer_grouping} and"
            f" {eer_upsampling}"
        )
    name = os.fspath(path)
    with movie_errors(name):
        with open(name, "rb") as handle:
            head = handle.read(4)
            size = os.fstat(handle.fileno()).st_size
            tail = _tail(handle.fileno(), size)
        if size == 0:
            raise UnreadableMovie(name, "empty file (0 bytes)")
        return _reader(name, head, tail, eer_grouping, eer_upsampling)


def check_movie(
    path: str | os.PathLike[str],
    *,
    eer_grouping: int = 1,
    n_frames: int | None = None,
    shape_yx: tuple[int, int] | None = None,
) -> MovieInfo:
    """Whether a movie is complete, from its headers and length alone (no pixels are read).

    Measured: 0.2 ms for a small movie; 45 µs per hardware frame of an EER movie. Hardware frames are what is
    counted there unless `eer_grouping` says otherwise.

    `n_frames` and `shape_yx`, where given, are what the session expects. Returns what the movie
    announces; raises UnreadableMovie with what was expected and found.
    """
    info = open_movie(path, eer_grouping=eer_grouping).info
    if shape_yx is not None and info.shape_yx != shape_yx:
        raise UnreadableMovie(
            path,
            f"frames of {info.shape_yx[1]} x {info.shape_yx[0]} pixels,"
            f" expected {shape_yx[1]} x {shape_yx[0]}",
        )
    if n_frames is not None and info.n_frames != n_frames:
        raise UnreadableMovie(path, f"{info.n_frames} frames, expected {n_frames}")
    return info


def _tail(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 24, max(0, size - 24))


def _reader(name: str, head: bytes, tail: bytes, grouping: int, upsampling: int) -> Movie:
    # Codecs are imported where they are needed: most commands open no compressed movie.
    from verglas.formats.tiff_directory import is_tiff, read_pages

    if is_tiff(head):
        pages = read_pages(name)
        if any(65000 <= page.compression <= 65002 for page in pages):
            from verglas.formats.movies_eer import EerMovie, eer_frames

            return EerMovie(name, eer_frames(name, pages), grouping, upsampling)
        from verglas.formats.movies_tiff import TiffMovie

        return TiffMovie(name, pages)
    if tail == b"ThermoFisherECComprOK000":
        from verglas.formats.movies_eer import EerMovie, legacy_frames

        return EerMovie(name, legacy_frames(name), grouping, upsampling)
    if name.lower().endswith((".tif", ".tiff", ".eer")):
        raise UnreadableMovie(name, f"not a TIFF or EER file: it begins with {head!r}")
    return MrcMovie(name)
