"""Which micrograph a name from another list means: the one answer for every job that matches lists.

Another program, or another run of Motion correction, calls the same micrograph by another path. Its own path
goes first; then what follows the job number (as RELION compares); then the longest tail of the path; last the
name without what programs put around a movie's (cryoSPARC's numbers, `_patch_aligned_doseweighted`,
EPU's `_fractions`). Files of one name in two folders are two micrographs: a name that could mean both is an
error, and a name never means a micrograph that another one means better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verglas.jobs.contract.tables import after_job

_ENDINGS = re.compile(
    r"\.(mrcs?|mrc\.mdoc|tiff?|eer|st|hdf|star|box|cbox|json|txt|csv|xml|mdoc|png|jpe?g)$", re.I
)
_CRYOSPARC = re.compile(r"(?:^|/)J\d+/")
_NUMBER = re.compile(r"^\d+_(?=.)")  # in front of the names of files that cryoSPARC wrote
_LONG_NUMBER = re.compile(r"^\d{15,}_(?=.)")
_ADDED = re.compile(
    r"[_-](patch|rigid|local|full|aligned|ali|motion|corrected|motioncorrected|mc2?|mic|dw|nodw|non|"
    r"doseweighted|dose|weighted|sum|avg|denoised|background|fractions|frames|movie|eer|gain-ref)$",
    re.I,
)
_DIGITS = re.compile(r"\d+")
_FROM_OUTSIDE = re.compile(r"Import/job(\d{3,})/")  # its folders carry the number of the job
_OWN, _AFTER_JOB, _STEM, _NUMBERED, _CORE = 5, 4, 3, 2, 1


class AmbiguousMicrograph(ValueError):
    """A name that may mean several micrographs, or several names that may mean one; names all."""


@dataclass(frozen=True)
class Matches:
    """Which names of another list mean which micrographs."""

    names: Mapping[str, str]  # micrograph -> its name in the other list
    strangers: tuple[str, ...]  # names in the other list that mean none of the micrographs

    def said(self, what: str, micrographs: str) -> str:
        """A sentence about the strangers."""
        count = len(self.strangers)
        first = ", ".join(self.strangers[:2])
        return f"{what} names {count} micrographs that are not in {micrographs}, first {first}"


class MicrographNames:
    """The micrographs (or movies) of a list, to be found by other names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._own = dict.fromkeys(names)
        self._after_job: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        self._by_core: dict[str, list[str]] = {}
        for name in self._own:
            self._after_job.setdefault(_without_ending(after_job(name)), []).append(name)
            self._by_stem.setdefault(_stem(name), []).append(name)
            self._by_core.setdefault(_core(_stem(name)), []).append(name)

    def find(self, name: str) -> str | None:
        """The micrograph that a name means; None if it means none. Raises AmbiguousMicrograph."""
        best = self._best(name)
        return best[1] if best is not None else None

    def matched(self, names: Iterable[str]) -> Matches:
        """All names of another list at once. Raises AmbiguousMicrograph."""
        claims: dict[str, tuple[tuple[int, int], str]] = {}  # micrograph -> how well, and which name
        strangers: list[str] = []
        for name in dict.fromkeys(names):
            best = self._best(name)
            if best is None:
                strangers.append(name)
                continue
            score, micrograph = best
            before = claims.get(micrograph)
            if before is not None and before[0] == score:
                raise AmbiguousMicrograph(
                    f"{before[1]} and {name} may both mean {micrograph}: give longer paths"
                )
            if before is None or score > before[0]:
                claims[micrograph] = score, name
                name = before[1] if before is not None else ""
            if name:
                strangers.append(name)
        return Matches({key: name for key, (_, name) in claims.items()}, tuple(strangers))

    def _best(self, name: str) -> tuple[tuple[int, int], str] | None:
        """How well the best micrograph fits (kind of agreement, folders in common), and which it is."""
        if name in self._own:
            return (_OWN, 0), name
        scored = [
            ((kind, _common_folders(name, each)), each)
            for kind, candidates in self._candidates(name)
            for each in candidates
            if kind == _AFTER_JOB or not _are_apart(name, each)
        ]
        if not scored:
            return None
        best = max(score for score, _ in scored)
        found = list(dict.fromkeys(each for score, each in scored if score == best))
        if len(found) > 1:
            raise AmbiguousMicrograph(
                f"{name} may mean {found[0]} or {found[1]}: the names must tell the folders apart"
            )
        return best, found[0]

    def _candidates(self, name: str) -> Iterable[tuple[int, list[str]]]:
        stem = _stem(name)
        yield _AFTER_JOB, self._after_job.get(_without_ending(after_job(name)), [])
        yield _STEM, self._by_stem.get(stem, [])
        number = _NUMBER if _CRYOSPARC.search(name) else _LONG_NUMBER
        bare = number.sub("", stem)
        yield _NUMBERED, self._by_stem.get(bare, [])
        yield _CORE, self._by_core.get(_core(bare), [])


def _without_ending(name: str) -> str:
    return _ENDINGS.sub("", name)


def _stem(name: str) -> str:
    """The base name without folder and ending; dots within as Motion correction writes them."""
    return _without_ending(name.rpartition("/")[2]).replace(".", "_")


def _core(stem: str) -> str:
    """A movie's own name: without what programs add behind it."""
    while True:
        shorter = _ADDED.sub("", stem)
        if shorter == stem or not shorter:
            return stem
        stem = shorter


def _folders(name: str) -> list[str]:
    found = [part for part in after_job(name).split("/")[:-1] if part not in ("", ".")]
    outside = _FROM_OUTSIDE.match(name)
    return [found[0].removesuffix(f"_{outside[1]}"), *found[1:]] if outside and found else found


def _common_folders(one: str, other: str) -> int:
    """How many folders directly above two files have the same names."""
    count = 0
    for a, b in zip(reversed(_folders(one)), reversed(_folders(other))):
        if a != b:
            break
        count += 1
    return count


def _are_apart(one: str, other: str) -> bool:
    """Whether two paths are of two files for certain.

    They part below a common folder, each into another; or the folders in which they differ are called alike but
    for a number (grid1, grid2).
    """
    here, there = _folders(one), _folders(other)
    parted = bool(here and there) and here[0] == there[0] and not _leads_to(here, there)
    above = _common_folders(one, other)
    left, right = here[: len(here) - above], there[: len(there) - above]
    numbered = bool(left and right) and _DIGITS.sub("#", left[-1]) == _DIGITS.sub("#", right[-1])
    return parted or numbered


def _leads_to(here: list[str], there: list[str]) -> bool:
    """Whether one of two folders lies in the other (or they are one)."""
    return all(a == b for a, b in zip(here, there))
