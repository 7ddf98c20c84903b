"""`verglas gain`: estimate a gain reference from movies, or find how a given one lies."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path

from verglas.cli.arguments import CommandError, Words, obey, split_words

_HELP = """verglas gain estimate --i MOVIES --o gain.mrc [--max-movies N] [--eer_grouping N]
    a gain reference from many movies (100 or more): the sensor is what they have in common
verglas gain orientation --i MOVIES --gain gain.mrc [--eer_grouping N]
    which of the eight rotations and flips fits the movies' own pixel pattern
MOVIES is a movies.star or a wildcard in quotes."""
_FLAGS = {"--i": True, "--o": True, "--gain": True, "--max-movies": True, "--eer_grouping": True}


def main(words: Sequence[str]) -> int:
    """Returns 0 good, 1 it could not be done."""
    return obey("gain", words, _HELP, _do, (ValueError, OSError))


def _do(words: list[str]) -> int:
    given = split_words(words, _FLAGS)
    if given.positional == ["estimate"]:
        return _estimate(given)
    if given.positional == ["orientation"]:
        return _orientation(given)
    raise CommandError("say verglas gain estimate or verglas gain orientation")


def _estimate(given: Words) -> int:
    from verglas.formats.mrc import write_mrc
    from verglas.jobs.motioncorr.gain_estimation import ENOUGH_COUNTS, ENOUGH_MOVIES, estimate_gain

    output = given.text("--o")
    if not output:
        raise CommandError("--o needs the name of the gain reference to write")
    found = estimate_gain(_movies(given), _warn, given.count("--eer_grouping", 32))
    write_mrc(output, found.factors(), 1.0)
    print(f"{output}: {found.n_movies} movies, {found.n_frames} frames,")
    print(f"  {found.mean_counts:.0f} counts per pixel: factors are known to {100 * found.noise:.1f} %")
    if found.n_movies < ENOUGH_MOVIES or found.mean_counts < ENOUGH_COUNTS:
        _warn(
            f"few for a gain: {ENOUGH_MOVIES} movies and {ENOUGH_COUNTS:.0f} counts per pixel or more"
            " would keep specimen and counting noise out of it"
        )
    return 0


def _orientation(given: Words) -> int:
    from verglas.jobs.motioncorr.gain_estimation import find_orientation

    gain = given.text("--gain")
    if not gain:
        raise CommandError("--gain needs the gain reference")
    found = find_orientation(gain, _movies(given), _warn, given.count("--eer_grouping", 32))
    for orientation in found:
        print(f"  {orientation}")
    if not found[0].fit.is_clear:
        print("none fits clearly: more movies are needed, or they are gain-corrected already")
        return 1
    best = found[0]
    print(f"best: --gain_rot {best.rotation} --gain_flip {best.flip}")
    return 0


def _movies(given: Words) -> list[str]:
    """The movies of a list or wildcard, as many as wanted."""
    name = given.text("--i")
    if not name:
        raise CommandError("--i needs a movies.star or a wildcard")
    if name.endswith(".star"):
        from verglas.jobs.contract.tables import read_list

        _, table = read_list(name, "movies", "")
        paths = table.strings("rlnMicrographMovieName")
    else:
        paths = sorted(path for path in glob.glob(name, recursive=True) if Path(path).is_file())
    if not paths:
        raise CommandError(f"no movie matches {name}")
    most = given.count("--max-movies", 0)
    return paths[:most] if most else paths


def _warn(line: str) -> None:
    print(f"WARNING: {line}", file=sys.stderr)
