"""The map of a session in its report: what it looks like, how good it is and will be, from which sides, what helped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verglas.formats.mrc import UnreadableImage
from verglas.formats.star import StarError
from verglas.jobs.report.document import Block, Plots, Rank, Section, Table, Text
from verglas.jobs.report.plot import BAND, DASHED, LINE, LOG, ORANGE, TIME, Plot, Series
from verglas.project.project import Project
from verglas.project.report.maps import MapShown, map_shown, newest_map
from verglas.project.report.sections import fsc_plots, map_pictures
from verglas.scheduler.live.answers.told import Answers, Part, read_answers
from verglas.scheduler.live.record.map_state import MapState, map_line
from verglas.scheduler.live.record.order import LiveFolder

MOST_PARTS = 24
HOUR_S = 3600.0


def map_sections(project: Project, folder: LiveFolder) -> list[Section]:
    """None before there is a map."""
    state = MapState.read(folder)
    if not state.map:
        return []
    found = [Section("Map", _looks(project, folder, state), Rank.MAP)]
    answers = read_answers(folder)
    if answers is None or not answers.history:
        return found
    found.append(Section("How the map grew, and what more particles would bring", _growth(answers), Rank.MAP))
    if answers.views is not None:
        found.append(Section("From which sides", [Text(_sentence(answers.views.words))], Rank.MAP))
    parts = [*_parts("grid square", answers.squares), *_parts("hour", answers.hours)]
    return (
        [*found, Section("What each part of the session adds to the map", parts, Rank.MAP)]
        if parts
        else found
    )


def _looks(project: Project, folder: LiveFolder, state: MapState) -> list[Block]:
    line = map_line(state.__dict__)
    blocks: list[Block] = [Text(_sentence(line))] if line else []
    shown: MapShown | None = None
    try:
        finished = newest_map(project) if state.final_done else None
        shown = finished or map_shown(project, state.map)
        blocks.append(map_pictures(shown))
    except (OSError, StarError, UnreadableImage, ValueError) as error:
        blocks.append(Text(f"{state.map} cannot be shown: {error}", "soft"))
    answers = read_answers(folder)
    curves = []
    for name, curve, kind in (
        ("now", answers and answers.now, LINE),
        ("before", answers and answers.before, DASHED),
    ):
        if curve:
            told = f"{name}, {curve.particles:,} particles"
            curves.append((told, np.array(curve.frequency), np.array(curve.fsc), kind))
    if shown is not None and not curves:
        curves = [("", shown.frequency, shown.fsc, LINE)]
    return [*blocks, *fsc_plots(curves)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _growth(answers: Answers) -> list[Block]:
    forecast = answers.forecast
    blocks: list[Block] = [Plots(_growth_plots(answers), 3)]
    if forecast is None:
        return blocks
    if forecast.why:
        return [*blocks, Text(_sentence(forecast.why))]
    lines = [each.words for each in forecast.targets]
    if forecast.b_factor_angst2 is not None and forecast.b_factor_error_angst2 is not None:
        error = forecast.b_factor_error_angst2
        lines.append(f"B-factor {forecast.b_factor_angst2:.0f} ± {error:.0f} Å² (Rosenthal & Henderson 2003)")
    lines += [forecast.worth] if forecast.worth else []
    remark = Text("Numbers are between what holds in four of five cases.", "soft")
    return [*blocks, *(Text(_sentence(line)) for line in lines), remark]


def _growth_plots(answers: Answers) -> list[Plot]:
    """Resolution by particles and by time, and the plot of the B-factor."""
    particles = np.array([each.particles for each in answers.history], float)
    angst = np.array([each.resolution_angst for each in answers.history])
    times = np.array([each.time for each in answers.history])
    band = np.array(answers.forecast.band if answers.forecast else (), float).reshape(-1, 4)
    ahead = _ahead(answers)
    log_n, square = np.log(particles), 1 / angst**2
    return [
        Plot(
            "By particles",
            "particles",
            "resolution (Å)",
            [*_to_come(*band.T), Series("measured", particles, angst)],
            LOG,
        ),
        Plot(
            "By time", "time", "resolution (Å)", [*_to_come(*ahead), Series("measured", times, angst)], TIME
        ),
        Plot(
            "B-factor",
            "ln of particles",
            "1/d² (1/Å²)",
            [
                Series("forecast", np.log(band[:, 0]), 1 / band[:, 2] ** 2, DASHED, ORANGE),
                Series("measured", log_n, square),
            ],
        ),
    ]


def _to_come(x: np.ndarray, low: np.ndarray, middle: np.ndarray, high: np.ndarray) -> list[Series]:
    if not len(x):
        return []
    return [
        Series("80 % interval", x, low, BAND, ORANGE, high),
        Series("forecast", x, middle, DASHED, ORANGE),
    ]


def _ahead(answers: Answers) -> np.ndarray:
    """Time, and resolution low, middle and high, (4, n); from now on."""
    last = answers.history[-1]
    rows = [(last.time, *[last.resolution_angst] * 3)]
    for hours, then in answers.forecast.ahead if answers.forecast else ():
        rows.append((last.time + hours * HOUR_S, then.low, then.middle, then.high))
    return np.array(rows if len(rows) > 1 else [], float).reshape(-1, 4).T


def _parts(what: str, parts: Sequence[Part]) -> list[Block]:
    """A table; where there are many, of those that say most."""
    if len(parts) < 2:
        return []
    ranked = sorted(parts, key=lambda each: (each.adds.verdict == "", each.adds.per_movie))
    chosen = [each for each in parts if each in ranked[:MOST_PARTS]]
    rows = [
        [
            each.name,
            f"{each.adds.movies:,}",
            f"{each.adds.particles:,}",
            f"{max(0.0, each.adds.per_movie):.2f} ± {each.adds.error:.2f}",
            f"adds {each.adds.verdict}" if each.adds.verdict else "",
        ]
        for each in chosen
    ]
    marked = [n for n, each in enumerate(chosen) if each.adds.verdict == "nothing"]
    heads = [what, "movies", "particles", "signal a movie (mean 1)", ""]
    more = f"of {len(parts):,}, those that add least" if len(parts) > len(chosen) else ""
    return [Table(heads, rows, (1, 2, 3), marked, more)]
