"""What a person says of single movies: accepted, rejected, to be tried again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from verglas.formats.atomic import write_text
from verglas.jobs.select.thresholds import ACCEPT, REJECT, read_manual, write_manual
from verglas.scheduler.live.record.edited_picks import edited_among, named
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder, read_json


def find_movies(ledger: Ledger, words: Sequence[str]) -> list[Movie]:
    """Movies by number, name, or a part of the name that fits one. Raises LookupError."""
    found = []
    for word in words:
        if word.isdigit() and 1 <= int(word) <= len(ledger.movies):
            found.append(ledger.movies[int(word) - 1])
            continue
        exact = [each for each in ledger.movies if word in (each.name, each.micrograph)]
        fitting = exact or [each for each in ledger.movies if word in each.name]
        if len(fitting) != 1:
            raise LookupError(f"{word!r} fits {len(fitting)} movies of the session; expected one")
        found.append(fitting[0])
    return found


def give_verdict(
    folder: LiveFolder, words: Sequence[str], verdict: str, why: str, ledger: Ledger | None = None
) -> list[str]:
    """A person accepts or rejects micrographs, or takes the verdict back (empty verdict).

    `ledger`: the movies, for whoever has read them already.
    """
    if verdict not in (ACCEPT, REJECT, ""):
        raise ValueError(f"verdict {verdict!r}: expected {ACCEPT}, {REJECT} or nothing")
    verdicts = read_manual(folder.manual_file)
    told = []
    for movie in find_movies(ledger or Ledger.of(folder), words):
        if not movie.micrograph:
            raise LookupError(f"{movie.name} has no micrograph yet")
        if verdict:
            verdicts[movie.micrograph] = (verdict, why or "by hand")
        else:
            verdicts.pop(movie.micrograph, None)
        told.append(f"{movie.micrograph}: {verdict + 'ed by hand' if verdict else 'as the limits say'}")
    write_manual(folder.manual_file, verdicts)
    return told


def try_again(folder: LiveFolder, words: Sequence[str], ledger: Ledger | None = None) -> list[str]:
    """Ask the session to treat failed movies again (all that failed without words).

    Movies that are named and whose picks somebody edited are extracted again with those.
    """
    ledger = ledger or Ledger.of(folder)
    wanted = find_movies(ledger, words) if words else [each for each in ledger.movies if each.is_aside]
    failed = [movie for movie in wanted if movie.is_aside]
    intact = (movie for movie in wanted if not movie.is_aside)
    edited = edited_among(folder.root, folder.order().jobs, intact)
    asked = read_json(folder.requests_file).get("again", [])  # what the session has not read yet
    numbers = dict.fromkeys([*asked, *(movie.number for movie in (*failed, *edited))])
    write_text(folder.requests_file, json.dumps({"again": list(numbers)}))
    told = [f"{len(failed)} movies are tried again"]
    if edited:
        told.append(f"extracted again with edited picks: {named(edited)}")
    return told
