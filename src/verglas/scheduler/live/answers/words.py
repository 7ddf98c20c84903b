"""The answers in words: lines for a terminal, and what is worth an alarm."""

from __future__ import annotations

from collections.abc import Sequence

from verglas.outlook.forecast import Forecast, Update
from verglas.outlook.trend import stalled, worse
from verglas.outlook.views import Views
from verglas.scheduler.live.answers.told import Alert, Moment, Part

MOST_NAMES = 8
WORSE, STALLS, VIEWS = "worse", "stalls", "views"
KINDS = (WORSE, STALLS, VIEWS)


def lines_of(
    forecast: Forecast, views: Views | None, squares: Sequence[Part], hours: Sequence[Part]
) -> list[str]:
    """What a person wants to know, the most urgent first."""
    found = [forecast.why] if forecast.why else [each.words for each in forecast.targets[:2]]
    if forecast.b_factor_angst2 is not None and forecast.b_factor_error_angst2 is not None:
        found.append(f"B-factor {forecast.b_factor_angst2:.0f} ± {forecast.b_factor_error_angst2:.0f} Å²")
    found += [forecast.worth] if forecast.worth else []
    found += [views.words] if views is not None else []
    return found + squares_in_words(squares) + hours_in_words(hours)


def squares_in_words(squares: Sequence[Part]) -> list[str]:
    """Which squares add nothing, and which add little."""
    found = []
    for verdict, wish in (("nothing", ": stop them"), ("little", "")):
        names = [each.name for each in squares if each.adds.verdict == verdict]
        if names:
            these = "grid square" if len(names) == 1 else "grid squares"
            verb = "adds" if len(names) == 1 else "add"
            end = wish.replace("them", "it") if len(names) == 1 else wish
            found.append(f"{these} {_listed(names)} {verb} {verdict} to the map{end}")
    if squares and not found:
        found.append(f"all {len(squares)} grid squares help, as far as can be told")
    return found


def hours_in_words(hours: Sequence[Part]) -> list[str]:
    """Hours whose movies add nothing or little."""
    return [
        f"movies of the hour{'s' if len(names) > 1 else ''} from {_listed(names)} add {verdict} to the map"
        for verdict in ("nothing", "little")
        if (names := [each.name for each in hours if each.adds.verdict == verdict])
    ]


def alerts_of(history: Sequence[Moment], nyquist_angst: float, views: Views | None) -> list[Alert]:
    """What somebody should look at now."""
    updates = [Update(each.particles, each.resolution_angst) for each in history]
    found = [Alert(WORSE, worse(updates)), Alert(STALLS, stalled(updates, nyquist_angst))]
    if views is not None and views.poor:
        found.append(Alert(VIEWS, views.words))
    return [each for each in found if each.words]


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
