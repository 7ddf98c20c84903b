"""Which raw files are complete and of the kind that most of them are."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verglas.formats.movies import MovieInfo, UnreadableMovie, check_movie
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.importing.raw_files import RawFile

SETTLE_SECONDS = 1.0  # a file whose container announces no length must keep its size this long
_REMEDY = "import others in a job of their own"


@dataclass(frozen=True)
class Usual:
    """What most files of an import are: one damaged or foreign file among them decides nothing."""

    shape_yx: tuple[int, int]
    n_frames: int  # 1 only if all have one
    movies: bool

    @classmethod
    def of(cls, infos: Sequence[MovieInfo], movies: bool) -> Usual | None:
        """None without files. Of equally many kinds the first counts."""
        several = [info for info in infos if info.n_frames > 1]
        wanted = several if movies and several else infos
        if not wanted:
            return None
        (shape_yx, _), *_ = Counter(info.shape_yx for info in wanted).most_common(1)
        counts = Counter(info.n_frames for info in wanted if info.shape_yx == shape_yx)
        return cls(shape_yx, counts.most_common(1)[0][0], movies)

    def misfit(self, info: MovieInfo) -> str:
        """Why a file is none of these; empty if it is one."""
        if not self.movies:
            if info.n_frames > 1:
                return f"{info.n_frames} frames: a movie, not a micrograph; import it as multi-frame"
            if info.kind != "mrc":
                return f"a {info.kind.upper()} file; micrographs are MRC files"
        if self.movies and info.n_frames == 1 and self.n_frames > 1:
            return (
                f"1 frame where the others have {self.n_frames}: EPU's integrated image? "
                "A wildcard such as *_[Ff]ractions.* takes the movies only"
            )
        if info.shape_yx != self.shape_yx:
            height, width = info.shape_yx
            usual_height, usual_width = self.shape_yx
            return (
                f"wrong shape: {width} x {height} pixels, most files have "
                f"{usual_width} x {usual_height}; {_REMEDY}"
            )
        return ""


class CompletenessCheck:
    """Decides by content whether new files are complete; one short wait serves all of them.

    `known` are files that were taken before.
    """

    def __init__(self, known: Sequence[MovieInfo], movies: bool) -> None:
        self.known = known
        self.movies = movies

    def judge(self, files: list[RawFile]) -> Iterator[tuple[RawFile, MovieInfo | SetAside]]:
        """Yield each file with its info, or with the reason why it is not taken."""
        before = {raw.name: _size_and_time(raw) for raw in files}
        infos = {raw.name: _read(raw) for raw in files}
        read = [info for info in infos.values() if isinstance(info, MovieInfo)]
        if any(self._may_grow(info) for info in read):
            time.sleep(SETTLE_SECONDS)
        usual = Usual.of([*self.known, *read], self.movies)
        for raw in files:
            info = infos[raw.name]
            if before[raw.name] != _size_and_time(raw):
                info = SetAside("still growing: its size changed while it was looked at")
            misfit = usual.misfit(info) if usual and isinstance(info, MovieInfo) else ""
            yield raw, SetAside(misfit) if misfit else info

    def _may_grow(self, info: MovieInfo) -> bool:
        """Whether the container could be complete so far and still go on (TIFF, EER)."""
        same = any(known.n_frames == info.n_frames for known in self.known)
        return info.kind in ("tiff", "eer") and not same


def _read(raw: RawFile) -> MovieInfo | SetAside:
    if raw.path.is_symlink() and not raw.path.exists():
        return SetAside(f"dangling link: it points to {os.readlink(raw.path)}, which is missing")
    if raw.unwritable:
        return SetAside(raw.unwritable)
    try:
        return check_movie(raw.path)
    except UnreadableMovie as error:
        return SetAside(str(error))
    except OSError as error:
        return SetAside(f"cannot be read: {error.strerror or error}")
    except MemoryError as error:
        return SetAside.of(error)


def _size_and_time(raw: RawFile) -> tuple[int, int] | None:
    try:
        status = raw.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
