"""The map of the live demo: what the person at the microscope says of it, and how good it is."""

from __future__ import annotations

import time
from pathlib import Path

from verglas.cli.demo.plan import SYMMETRY, DemoPlan
from verglas.project.project import Project
from verglas.scheduler.live.record.map_state import (
    DOUBTFUL,
    FAILED,
    NO_SYMMETRY,
    OFF,
    UP_TO_DATE,
    MapState,
    MapWish,
)
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.live.requests.map_wishes import confirm_symmetry

LONGEST_WAIT_S = 600.0  # after the last movie, for a map
PICTURE = "maps.png"


class Person:
    """Sits at the microscope of the demo: confirms the symmetry if it is the right one, and ends the session."""

    def __init__(self, project: Project, folder: LiveFolder) -> None:
        self.project, self.folder = project, folder
        self._last_movie_s = 0.0

    def look(self) -> str:
        """Say what there is to say; what was said, in words."""
        state, wish = MapState.read(self.folder), MapWish.read(self.folder)
        if not state.waits_for_symmetry or wish.by or state.state != UP_TO_DATE:
            return ""
        proposed = str(state.proposed_symmetry[0][0])
        if proposed == SYMMETRY:
            return "; ".join(confirm_symmetry(self.project, self.folder, proposed))
        confirm_symmetry(self.project, self.folder, NO_SYMMETRY)
        return f"{proposed} was proposed: the demo stays with {NO_SYMMETRY}"

    def wants_the_end(self) -> bool:
        """After the last movie: once there is a map in the symmetry that is right, or none is to be had."""
        now = time.monotonic()
        self._last_movie_s = self._last_movie_s or now
        state, wish = MapState.read(self.folder), MapWish.read(self.folder)
        if state.state in (OFF, DOUBTFUL, FAILED) or now - self._last_movie_s > LONGEST_WAIT_S:
            return True
        return (
            state.updates > 0
            and not state.waits_for_symmetry
            and (not wish.by or state.symmetry == wish.symmetry)
        )


def told_of_map(project: Path, folder: LiveFolder, plan: DemoPlan, picture: Path) -> list[str]:
    """How the maps agree with the truth, in words; their picture is written beside."""
    from verglas.cli.demo.maps import map_results
    from verglas.cli.demo.measure import map_figures
    from verglas.formats.png import write_png

    state = MapState.read(folder)
    if not state.final_jobs:
        return [f"no map: {state.state} ({state.why or state.believable})"]
    first = f"{state.initial_job}initial_model.mrc"
    results = map_results(project, plan, (first, state.map))
    write_png(picture, results.picture)
    lines = [f"{figure.shown()}" for figure in map_figures(results)]
    return [*lines, f"their sections and surfaces, the true structure last: {picture}"]
