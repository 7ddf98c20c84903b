"""Which particles a session's map is made of, and whether its 2D classes allow one.

Those of the classes that a person chose; before a choice, those of classes that are sharp: with the score by
which Subset selection chooses (particles/class_rank.py), and with a resolution finer than an eighth of the
particle's diameter. A particle that no 2D update has seen yet is taken, too, as long as most of those
that were seen are good.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarError, StarFile, StarTable, read_star
from verglas.particles.class_rank import rank_classes
from verglas.scheduler.live.record.class_state import ClassState

if TYPE_CHECKING:
    import polars as pl

AVERAGES = "_classes.mrcs"
LEAST_SCORE = 0.5  # of a sharp class: what Subset selection asks for unless it is told otherwise
SHARP_SHARE = 1 / 8  # of the diameter: its resolution
UNSEEN_SHARE = 2 / 3  # of what 2D classes have seen must be good, for the unseen to be taken
_PLACES = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
_GRAIN = 100  # coordinates count to a hundredth of a pixel


@dataclass(frozen=True)
class Good:
    """Rows of the session's list that the map is made of, and what is said about the choice."""

    star: StarFile
    of_classes: int  # particles among them that good classes hold
    words: str


def good_classes(root: Path, state: ClassState, diameter_angst: float) -> tuple[set[int], str]:
    """Numbers (from 1) of the good classes of the newest averages, and how they were found in words.

    Raises OSError, StarError, KeyError while files are being replaced.
    """
    if state.chosen:
        return set(state.chosen), "of the chosen classes"
    model = read_star(root / state.averages.replace(AVERAGES, "_model.star"))
    table, pixel = model["model_classes"], model["model_general"].number("rlnPixelSize")
    resolutions, shares = table.floats("rlnEstimatedResolution"), table.floats("rlnClassDistribution")
    images = read_mrc(root / state.averages).data
    scores = rank_classes(images, resolutions, shares, diameter_angst / 2 / pixel)
    sharp = resolutions <= SHARP_SHARE * diameter_angst
    good = {
        number
        for number, score in enumerate(scores, 1)
        if score.total >= LEAST_SCORE and sharp[number - 1] and shares[number - 1] > 0
    }
    return good, f"of {len(good)} sharp classes (none is chosen)"


def good_particles(root: Path, particles: str, state: ClassState | None, diameter_angst: float) -> Good:
    """Rows of the session's list that belong into the map.

    `particles` is the list of all accepted ones; without a `state` all of them are taken. Raises OSError, StarError,
    KeyError where files are missing or being replaced.
    """
    star = read_star(root / particles)
    if "particles" not in star:
        raise StarError(f"{particles} lists no particles yet")
    table = star["particles"]
    if state is None:
        return Good(star, len(table), "whatever class they are in")
    classes, words = good_classes(root, state, diameter_angst)
    seen = read_star(root / state.averages.replace(AVERAGES, "_data.star"))["particles"]
    kept, known = _marked(table, seen, classes)
    of_classes = int((kept & known).sum())
    if of_classes < UNSEEN_SHARE * int(known.sum()):
        kept &= known
    return Good(StarFile({**star, "particles": table.take(np.flatnonzero(kept))}), of_classes, words)


def _marked(
    table: StarTable, seen: StarTable, classes: set[int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each row of `table`: whether it is in a good class or unseen, and whether it was seen."""
    import polars as pl

    places, numbers = (
        _places(table),
        _places(seen).with_columns(pl.Series("class", seen.ints("rlnClassNumber"))),
    )
    known_once = numbers.unique(subset=places.columns, keep="last")
    found = places.join(known_once, on=places.columns, how="left", maintain_order="left")["class"]
    number = found.fill_null(0).to_numpy()
    known = number > 0
    return ~known | np.isin(number, list(classes)), known


def _places(table: StarTable) -> pl.DataFrame:
    """What tells particles apart: a name of an image is used again when a micrograph is extracted anew."""
    import polars as pl  # what reads lists has it; the session's process does not, until there are classes

    if not all(label in table for label in _PLACES):
        return pl.DataFrame({"image": table.strings("rlnImageName")})
    grains = {label: np.rint(_GRAIN * table.floats(label)).astype(np.int64) for label in _PLACES[1:]}
    return pl.DataFrame({"micrograph": table.strings(_PLACES[0]), **grains})
