"""Where the movies of a session are, by what lies in its folder."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from verglas.formats.epu import UnreadableEpu, read_epu_session
from verglas.formats.movies import MovieInfo, UnreadableMovie, check_movie
from verglas.jobs.importing.raw_files import is_unfinished_name
from verglas.scheduler.live.requests.facts import NothingFound

MOVIE_ENDINGS = (".eer", ".tiff", ".tif", ".mrcs", ".mrc")
GAIN_NAME = re.compile(r"gain|\.gain$|superref|countref", re.IGNORECASE)
MOST_FOLDERS = 2000


def find_wildcard(source: str, pattern: str = "") -> str:
    """The wildcard that movies of a folder match. Raises NothingFound for a folder without movies."""
    if glob.has_magic(source):
        return source
    if not os.path.isdir(source):
        raise NothingFound(f"{source} is no folder and no wildcard")
    if pattern:
        return os.path.join(source, pattern)
    if (Path(source) / "EpuSession.dm").is_file() or glob.glob(f"{source}/Images-Disc*"):
        return _epu_wildcard(source)
    found: dict[tuple[str, str], int] = {}
    for path in _files_below(source):
        if path.suffix.lower() in MOVIE_ENDINGS and not GAIN_NAME.search(path.name):
            key = (str(path.parent), path.suffix)
            found[key] = found.get(key, 0) + 1
    if not found:
        raise NothingFound(
            f"there is no movie in {source} yet: give --movies with the pattern they will have, "
            "e.g. --movies '*.tiff'"
        )
    endings: dict[str, int] = {}
    for (_, ending), count in found.items():
        endings[ending] = endings.get(ending, 0) + count
    ending = max(endings, key=lambda each: endings[each])
    folders = {folder for folder, each in found if each == ending}
    if folders == {source.rstrip("/")}:
        return os.path.join(source, f"*{ending}")
    common = os.path.commonpath(folders)
    return os.path.join(common, f"*{ending}" if len(folders) == 1 else f"**/*{ending}")


def _epu_wildcard(source: str) -> str:
    data = os.path.join(source, "Images-Disc*", "GridSquare_*", "Data")
    for pattern in ("*_EER.eer", "*.eer", "*_[fF]ractions.tiff", "*_[fF]ractions.mrc", "*.tiff", "*.tif"):
        if glob.glob(os.path.join(data, pattern)):
            return os.path.join(data, pattern)
    try:
        session = read_epu_session(Path(source) / "EpuSession.dm")
    except UnreadableEpu:
        session = None
    text = session.movie_format.lower() if session else ""
    if "eer" in text:
        return os.path.join(data, "*_EER.eer")
    if "tiff" in text:
        return os.path.join(data, "*_[fF]ractions.tiff")
    if "mrc" in text:
        return os.path.join(data, "*_[fF]ractions.mrc")
    raise NothingFound(
        f"EPU wrote no movie to {data} yet and does not say which format it will have: give --movies"
    )


def first_movie(wildcard: str) -> MovieInfo | None:
    """The first file by name that is a complete movie."""
    for info in some_movies(wildcard, 1):
        return info
    return None


def some_movies(wildcard: str, count: int) -> Iterator[MovieInfo]:
    """The first complete movies by name, at most `count`."""
    found = 0
    for path in sorted(glob.iglob(wildcard, recursive=True)):
        if is_unfinished_name(Path(path).name) or GAIN_NAME.search(Path(path).name):
            continue
        try:
            yield check_movie(path)
        except (UnreadableMovie, OSError):
            continue
        found += 1
        if found == count:
            return


def _files_below(source: str) -> Iterator[Path]:
    for count, (parent, folders, files) in enumerate(os.walk(source, followlinks=True)):
        if count > MOST_FOLDERS:
            return
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in files:
            if not is_unfinished_name(name):
                yield Path(parent) / name
