"""Sections of a report from the facts of a project."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verglas.jobs.report.document import (
    Block,
    Facts,
    Picture,
    Pictures,
    Plots,
    Rank,
    Report,
    Section,
    Table,
    Text,
    Tiles,
)
from verglas.jobs.report.grey import mosaic
from verglas.jobs.report.plot import LINE, TIME, Plot, Series, histogram, roomy, time_ticks
from verglas.project.report.facts import Classes, ReportFacts
from verglas.project.report.maps import MapShown
from verglas.project.report.picks import PickedMicrograph

MOST_REASONS, MOST_JOBS, MOST_PROBLEMS, MOST_PAUSES = 12, 16, 4, 12
MOST_LETTERS = 160  # of a reason, of a job's settings
TILE_PX, TILE_COLUMNS = 64, 20
FSC_RANGE = (-0.1, 1.05)


def project_report(facts: ReportFacts, more: Sequence[Section] = (), title: str = "") -> Report:
    """All of the facts and `more`, by rank; a section of `more` replaces the one with its title."""
    named = {each.title for each in more}
    own = [each for each in _sections(facts) if each is not None and each.title not in named]
    sections = sorted([*own, *more], key=lambda each: each.rank)
    return Report(title or facts.title, f"{facts.root} · {facts.made}", facts.particulars, sections)


def _sections(facts: ReportFacts) -> list[Section | None]:
    return [
        _totals(facts),
        _reasons(facts),
        _in_time(facts),
        _spread(facts),
        _extremes(facts),
        _picked(facts.picked),
        _classes(facts.classes),
        map_section(facts.map) if facts.map is not None else None,
        _settings(facts),
        Section("A paragraph for Methods", [Text(facts.methods, "quote")], Rank.METHODS),
    ]


def _totals(facts: ReportFacts) -> Section | None:
    tiles = [Tiles([(value, name) for name, value in facts.totals])] if facts.totals else []
    failed = [
        Text(f"{name} failed: {why[:MOST_LETTERS]}", "bad") for name, why in facts.problems[:MOST_PROBLEMS]
    ]
    return Section("Totals", [*tiles, *failed], Rank.RESULT) if tiles or failed else None


def _reasons(facts: ReportFacts) -> Section | None:
    accepted = facts.accepted
    if accepted is None:
        return None
    rows = [("accepted", accepted.accepted), *accepted.reasons[:MOST_REASONS]]
    rest = sum(count for _, count in accepted.reasons[MOST_REASONS:])
    rows += [("other reasons", rest)] if rest else []
    rows += [("not processed yet", accepted.unexplained)] if accepted.unexplained else []
    table = Table([], [[f"{count:,}", why[:MOST_LETTERS]] for why, count in rows], numbers=[0])
    return Section("Accepted, and what was set aside by reason", [table], Rank.ASIDE)


def _in_time(facts: ReportFacts) -> Section | None:
    """Every figure against the time of day; pauses are grey."""
    timed = np.isfinite(facts.times_s)
    if not facts.series or not timed.any():
        return None
    plots = [
        Plot(
            each.title,
            "time",
            _label(each.title, each.unit),
            [Series("", facts.times_s, each.values)],
            TIME,
            facts.pauses,
            y_range=roomy(each.values),
        )
        for each in facts.series
    ]
    told = ", ".join(f"{_clock(a)} to {_clock(b)}" for a, b in facts.pauses[:MOST_PAUSES])
    pauses = [Text(f"No new micrographs (grey): {told}.", "soft")] if told else []
    return Section("The session in time", [Plots(plots), *pauses], Rank.TIME)


def _spread(facts: ReportFacts) -> Section | None:
    known = [each for each in facts.series if np.isfinite(each.values).any()]
    plots = [histogram(each.values, each.title, _label(each.title, each.unit)) for each in known]
    return Section("How often each value occurs", [Plots(plots)], Rank.TIME) if plots else None


def _label(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title


def _clock(time_s: float) -> str:
    return time_ticks(time_s, time_s)[0][1]


def _extremes(facts: ReportFacts) -> Section | None:
    if not facts.best:
        return None
    worst = [*facts.worst, *[""] * len(facts.best)]
    rows = [[best, bad] for best, bad in zip(facts.best, worst)]
    return Section(
        "Best and worst micrographs", [Table(["Best by CTF fit", "Worst by CTF fit"], rows)], Rank.MICROGRAPHS
    )


def _picked(picked: PickedMicrograph | None) -> Section | None:
    if picked is None:
        return None
    wide = f", {picked.width_angst / 10:,.0f} nm wide" if picked.width_angst else ""
    text = f"{picked.name}{wide}: {picked.picks:,} picks"
    return Section(
        "Picks on the micrograph with the best CTF fit",
        [Picture(picked.picture, text, 0.5)],
        Rank.MICROGRAPHS,
    )


def _classes(classes: Classes | None) -> Section | None:
    if classes is None:
        return None
    text = f"{classes.model}: {classes.count} classes, iteration {classes.iteration}"
    text += f", {classes.empty} empty" if classes.empty else ""
    text += f", best {classes.best_angst:.1f} Å" if classes.best_angst else ""
    sheet = mosaic(classes.images, TILE_PX, TILE_COLUMNS)
    width = min(1.0, len(classes.images) / TILE_COLUMNS)
    return Section(
        "Classes",
        [Picture(sheet, f"Class averages of {text}; the most populated first", width)],
        Rank.CLASSES,
    )


def map_section(shown: MapShown) -> Section:
    """Sections of a map and the FSC of its halves."""
    return Section(
        "Map", [map_pictures(shown), *fsc_plots([("", shown.frequency, shown.fsc, LINE)])], Rank.MAP
    )


def map_pictures(shown: MapShown) -> Pictures:
    told = f", {shown.resolution_angst:.2f} Å" if shown.resolution_angst else ""
    text = f"{shown.path}{told}: central sections across z, y and x, {shown.width_angst:,.0f} Å wide"
    return Pictures([Picture(shown.sections, text, 0.75)])


def fsc_plots(curves: Sequence[tuple[str, np.ndarray, np.ndarray, str]]) -> list[Plots]:
    """One plot of curves (name, 1/Å, FSC, kind of line); none without."""
    colours = ("#0072b2", "#d55e00")
    series = [
        Series(name, x, y, kind, colour) for (name, x, y, kind), colour in zip(curves, colours) if len(x) > 1
    ]
    if not series:
        return []
    marks = [(0.143, "0.143")]
    return [
        Plots([Plot("Fourier shell correlation", "1/Å", "FSC", series, marks=marks, y_range=FSC_RANGE)], 2)
    ]


def _settings(facts: ReportFacts) -> Section:
    shown = facts.jobs[-MOST_JOBS:]
    left_out = len(facts.jobs) - len(shown)
    rows = [[job.name.rstrip("/"), job.status.lower(), settings_line(job.changed)] for job in shown]
    more = f"and {left_out} earlier jobs" if left_out else ""
    table = [Table(["job", "state", "options"], rows, more=more)] if rows else []
    blocks: list[Block] = [*table, Facts([("Versions", facts.versions)])]
    return Section("Settings (those that differ from the defaults) and versions", blocks, Rank.METHODS)


def settings_line(changed: dict[str, str]) -> str:
    """ "nr_classes 50, tau_fudge 2", cut where the line ends."""
    line = ", ".join(f"{key} {value}" for key, value in changed.items()) or "as they are"
    return line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} …"
