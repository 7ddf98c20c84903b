"""Picks that somebody edited: known by their content, and kept when their micrograph is picked again.

The journal holds a fingerprint of what the picker wrote. A file that differs from it was changed by a person
(in RELION's picker, in an editor) or by another program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from verglas.jobs.autopick.results import picks_fingerprint, picks_path
from verglas.jobs.chain import PICKING
from verglas.project.change import Change
from verglas.scheduler.live.record.ledger import Movie

NAMED = 10  # micrographs that a sentence names


def edited_picks(root: Path, jobs: Mapping[str, str], movie: Movie) -> Path | None:
    """A movie's file of picks if it is not as the picker left it; `root` is the project."""
    if not movie.picks:
        return None
    path = root / picks_path(movie.micrograph, jobs[PICKING])
    return path if picks_fingerprint(path) not in ("", movie.picks) else None


def edited_among(root: Path, jobs: Mapping[str, str], movies: Iterable[Movie]) -> list[Movie]:
    """The movies whose picks somebody edited."""
    return [movie for movie in movies if edited_picks(root, jobs, movie) is not None]


def refuse_misfits(misfits: Sequence[Movie]) -> None:
    """Raises ValueError naming the micrographs whose edited picks would not fit another size."""
    if misfits:
        raise ValueError(
            f"micrographs get another size, and picks edited by hand would not fit any more:"
            f" {named(misfits)}; with --edited-aside they are kept as *_edited.star and the micrographs"
            " are picked anew"
        )


def lay_aside(change: Change, jobs: Mapping[str, str], misfits: Sequence[Movie]) -> list[str]:
    """Keep edited picks under another name, `*_autopick_edited.star`; what was done, in words."""
    for movie in misfits:
        path = edited_picks(change.root, jobs, movie)
        if path is not None:
            old = path.relative_to(change.root)
            change.move(str(old), str(old.with_name(f"{path.stem}_edited.star")))
    return [f"edited picks are laid aside as *_edited.star: {named(misfits)}"] if misfits else []


def named(movies: Sequence[Movie]) -> str:
    """Micrographs in words: the first few by name."""
    names = [movie.micrograph for movie in movies]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
