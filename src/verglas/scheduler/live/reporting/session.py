"""What only a session knows: its limits in words, movies set aside and why, where they lay, who changed what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from verglas.jobs.report.document import Facts, Plots, Rank, Section, Table, Text
from verglas.jobs.report.plot import BLUE, GREY, ORANGE, Plot, Series
from verglas.jobs.select.thresholds import FAILURE, MANUAL, THRESHOLD, UNLIKE
from verglas.project.project import Project
from verglas.project.results.grid_places import GridPlaces
from verglas.scheduler.events import read_events
from verglas.scheduler.live.record.judging import Judging, judging_of, verdict_of
from verglas.scheduler.live.record.ledger import Ledger, Movie
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.record.status import LiveStatus, read_status

MOST_ASIDE, MOST_CHANGES, MOST_SQUARES, EVENTS = 150, 60, 30, 20_000
FEW_KEPT = 50.0  # % of a square's movies
_BY = {FAILURE: "could not be processed", THRESHOLD: "by limits", MANUAL: "by hand", UNLIKE: "by 2D classes"}
_CHANGES = ("person", "live-", "alarm", "movie-poison", "device-benched")
_EVERY_UPDATE = ("live-classes", "live-map")  # no change by anybody


def session_sections(project: Project, folder: LiveFolder) -> list[Section]:
    """In the order of the report; what there is nothing of is left out."""
    judging, status = judging_of(project, folder), read_status(folder)
    movies = Ledger.of(folder).movies
    asides = list(_asides(movies, judging))
    found = [
        _how_it_went(folder, status, judging),
        _grid(project, movies, judging),
        _set_aside(asides, status),
        _changes(project),
    ]
    return [each for each in found if each is not None]


def _how_it_went(folder: LiveFolder, status: LiveStatus, judging: Judging) -> Section:
    facts = [
        ("Session", f"{folder.name}: {status.line}"),
        ("Movies", status.source),
        ("Limits", "; ".join(each.words for each in judging.thresholds) or "none"),
        ("From a complete file to its particles", f"{status.latency_s:.1f} s (median)"),
    ]
    rows = [
        [each.name, each.job.rstrip("/"), f"{each.done:,}", f"{each.aside:,}", f"{each.mean_s:.2f} s"]
        for each in status.stages
    ]
    heads = ["stage", "job", "done", "set aside", "a movie"]
    table = [Table(heads, rows, numbers=(2, 3, 4))] if rows else []
    return Section("The live session", [Facts([each for each in facts if each[1]]), *table], Rank.SESSION)


def _asides(movies: Sequence[Movie], judging: Judging) -> Iterator[tuple[Movie, str, str]]:
    for movie in movies:
        kind, why = verdict_of(movie, judging)
        if kind:
            yield movie, kind, why


def _set_aside(asides: Sequence[tuple[Movie, str, str]], status: LiveStatus) -> Section:
    if not asides and not status.not_taken:
        return Section("Set aside", [Text("No movie was set aside.")], Rank.ASIDE)
    kinds = Counter(_BY[kind] for _, kind, _ in asides)
    counts = ", ".join(f"{count:,} {by}" for by, count in kinds.most_common())
    rows = [[movie.name, _BY[kind], why] for movie, kind, why in asides[:MOST_ASIDE]]
    rows += [[name, "not taken", why] for name, why in status.not_taken]
    left = len(asides) - MOST_ASIDE
    more = f"and {left:,} more, in set_aside.star of the Select job" if left > 0 else ""
    told = [Text(f"{len(asides):,} {'movie' if len(asides) == 1 else 'movies'}: {counts}.")] if asides else []
    return Section("Set aside", [*told, Table(["movie", "how", "why"], rows, more=more)], Rank.ASIDE)


def _grid(project: Project, movies: Sequence[Movie], judging: Judging) -> Section | None:
    """Share of accepted movies of every square; as a map where positions are known."""
    places = GridPlaces()
    while len(places.hole_of) < len(movies):
        places.extend(project.root / movie.path for movie in movies[len(places.hole_of) :])
    if len(places.squares) < 2:
        return None
    judged: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    for movie, hole in zip(movies, places.hole_of):
        kind = verdict_of(movie, judging)[0]
        if hole >= 0 and (kind or all(made > 0 for made in movie.made)):
            judged[places.holes[hole].square] += 1
            kept[places.holes[hole].square] += not kind
    shares = {n: 100 * kept[n] / count for n, count in judged.items() if count}
    title = "Grid squares"
    if any(square.x is None for square in places.squares):
        worst = sorted(shares, key=lambda n: shares[n])[:MOST_SQUARES]
        rows = [[places.squares[n].name, f"{judged[n]:,}", f"{shares[n]:.0f} %"] for n in worst]
        more = f"of {len(shares):,} squares, by {places.source}" if len(shares) > len(rows) else ""
        heads = ["square", "movies judged", "accepted"]
        return Section(title, [Table(heads, rows, numbers=(1, 2), more=more)], Rank.MICROGRAPHS)
    groups = {
        "most accepted": ([n for n in shares if shares[n] >= FEW_KEPT], BLUE),
        "few accepted": ([n for n in shares if shares[n] < FEW_KEPT], ORANGE),
        "not judged yet": ([n for n in range(len(places.squares)) if n not in shares], GREY),
    }
    series = [_at(places, name, chosen, colour) for name, (chosen, colour) in groups.items() if chosen]
    plot = Plot(f"By {places.source}", "stage x (µm)", "stage y (µm)", series, equal=True)
    return Section(title, [Plots([plot], 2)], Rank.MICROGRAPHS)


def _at(places: GridPlaces, name: str, chosen: Sequence[int], colour: str) -> Series:
    squares = [places.squares[n] for n in chosen]
    x, y = (np.array([getattr(each, axis) for each in squares], float) for axis in "xy")
    return Series(name, x, y, colour=colour)


def _changes(project: Project) -> Section | None:
    """Who changed what, and what went wrong, the newest first."""
    events = [each for each in read_events(project.root, last=EVENTS) if _is_change(each)]
    if not events:
        return None
    rows = [
        [_when(each["time"]), str(each.get("person") or _who(each["kind"])), _what(each)]
        for each in reversed(events[-MOST_CHANGES:])
    ]
    more = f"and {len(events) - MOST_CHANGES:,} earlier ones" if len(events) > MOST_CHANGES else ""
    return Section("Changes and incidents", [Table(["when", "who", "what"], rows, more=more)], Rank.HISTORY)


def _is_change(event: dict[str, Any]) -> bool:
    return event["kind"].startswith(_CHANGES) and event["kind"] not in _EVERY_UPDATE


def _who(kind: str) -> str:
    return "alarm" if kind.startswith("alarm") else "the session"


def _what(event: dict[str, Any]) -> str:
    kind, text = event["kind"], event["text"]
    if kind == "person":
        return str(text)
    what = kind.removeprefix("live-").replace("-", " ")
    return f"{what}: {text}" if text else what


def _when(time: str) -> str:
    try:
        return f"{datetime.fromisoformat(time):%d %b %H:%M}"
    except ValueError:
        return time[:16]
