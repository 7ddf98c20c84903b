"""The end of the line on top of a session: good particles, their rate, hours to the goal, disc hours.

Good particles are those in the classes that somebody chose; before a choice there are none, and the line
speaks of accepted particles. What is not known is absent, never zero.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from verglas.formats.star import StarError
from verglas.jobs.chain import CLASSES
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.registry import job_type
from verglas.jobs.select.classes import BACKUP
from verglas.project.change import PIPELINE
from verglas.project.job_star import read_settings
from verglas.project.project import OWN_FOLDER, Project
from verglas.project.results.classes import Gallery, gallery, stored_selection
from verglas.scheduler.disc import DiscUse, disc_use
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.order import LiveFolder
from verglas.scheduler.settings import WatchSettings, load_settings

AT_WORK = ("running", "finishing")
LONGEST_LAG_S, LEAST_S, MOST_LEFT = 600.0, 600.0, 20
LEAST_JUDGED, LEAST_DISC_H = 20, 12.0
DISC_EVERY_S = 600.0  # a walk through all job directories


@dataclass(frozen=True)
class Chosen:
    """Classes somebody chose, and what lies in them."""

    model: str
    classes: int
    particles: int
    classified: int
    best_angst: float | None


def health(project: Project, name: str, status: dict[str, Any], disc: DiscWatch) -> dict[str, Any]:
    """Of one live session, from its status as it wrote it."""
    folder = LiveFolder(project.root, name)
    settings = load_settings(project.root)
    found: dict[str, Any] = {"goal": settings.goal_particles or None}
    chosen = chosen_classes(project, folder)
    share = 1.0
    if chosen is not None:
        share = chosen.particles / max(1, chosen.classified)
        found |= {
            "chosen_classes": chosen.classes,
            "good_particles": chosen.particles,
            "good_share": round(share, 4),
            "best_chosen_angst": chosen.best_angst,
            "model": chosen.model,
        }
    found |= _rates(status, share, settings.goal_particles)
    found["verdict"] = asdict(verdict(status, disc_hours(project, status, disc, settings)))
    use = disc.of(project)
    if use is not None and status.get("phase") in AT_WORK and use.movies:
        hours = disc_hours(project, status, disc, settings)
        if hours is not None:
            found["disc_hours"] = hours
        found["gb_per_movie"] = round(sum(use.gb_per_movie().values()), 3)
    return found


def disc_hours(
    project: Project, status: dict[str, Any], disc: DiscWatch, settings: WatchSettings
) -> float | None:
    """Until the disc is full at the present rate; None while that is not known or very long."""
    use = disc.of(project)
    if use is None or status.get("phase") not in AT_WORK or not use.movies:
        return None
    hours = use.hours_left(float(status.get("in_per_hour", 0)), settings.disc_floor_gb)
    return round(hours, 1) if hours < 1e4 else None


@dataclass(frozen=True)
class Verdict:
    """All in one word: `state` is good, warn, bad, or "" for a session that rests."""

    state: str
    word: str
    why: str = ""


def verdict(status: dict[str, Any], hours_of_disc: float | None = None) -> Verdict:
    """What somebody must know first of a session, from its status."""
    phase, problems = status.get("phase", ""), status.get("problems") or []
    if phase == "failed":
        return Verdict("bad", "Look here", str(status.get("message", "")))
    if problems:
        return Verdict("bad", "Look here", str(problems[-1]))
    if phase == "paused":
        return Verdict("warn", "Paused", "resume it to go on")
    if phase not in AT_WORK:
        return Verdict("", "Finished" if phase == "finished" else "Quiet")
    return _behind(status) or _few_kept(status) or _full(hours_of_disc) or Verdict("good", "Healthy")


def _behind(status: dict[str, Any]) -> Verdict | None:
    """Lag, or more movies coming than are done, where counting leaves no doubt of it."""
    lag_s = float(status.get("lag_s", 0))
    coming, done = float(status.get("in_per_hour", 0)), float(status.get("done_per_hour", 0))
    _, most_done = status.get("done_range") or (0.0, done)
    least_coming, _ = status.get("in_range") or (coming, 0.0)
    left = int(status.get("found", 0)) - int(status.get("finished", 0))
    why = f"{coming:.0f} movies/h come, {done:.0f}/h are done, {left} are on their way"
    counted = float(status.get("rate_over_s", 0)) >= LEAST_S
    if lag_s > LONGEST_LAG_S:
        return Verdict("warn", "Behind", f"the oldest waits for {lag_s / 60:.0f} min: {why}")
    if counted and left > MOST_LEFT and least_coming > most_done:
        return Verdict("warn", "Falling behind", why)
    return None


def _few_kept(status: dict[str, Any]) -> Verdict | None:
    """Of the movies that were judged: those on their way are neither kept nor lost."""
    accepted = int(status.get("accepted", 0))
    judged = accepted + int(status.get("set_aside", 0)) + int(status.get("failed", 0))
    if judged > LEAST_JUDGED and accepted < judged / 2:
        return Verdict("warn", "Few kept", f"{accepted} of {judged} judged movies are accepted")
    return None


def _full(hours: float | None) -> Verdict | None:
    if hours is not None and hours < LEAST_DISC_H:
        return Verdict("warn", "Disc fills", f"{hours:g} h left at the present rate")
    return None


def chosen_classes(project: Project, folder: LiveFolder) -> Chosen | None:
    """The choice of the session, or that of the newest Select job made from its classes."""
    state = ClassState.read(folder)
    try:
        if state.chosen and state.averages:
            model = state.averages.replace("_classes.mrcs", "_model.star")
            return _of(gallery(project, model), set(state.chosen))
        job = state.job or folder.order().jobs.get(CLASSES, "")
        return _of_select(project, job) if job else None
    except (OSError, StarError, LookupError, ValueError):
        return None  # an update is at work on the files: the next look finds them


def _of_select(project: Project, job: str) -> Chosen | None:
    for name, process in reversed(project.graph().processes.items()):
        if not job_type(process.folder).selects or not (project.root / name / BACKUP).exists():
            continue
        model = read_settings(project.root / name).options.get("fn_model", "")
        kept = stored_selection(project, name)
        if kept is not None and model.startswith(job):
            numbers = {index + 1 for index, each in enumerate(kept) if each}
            return _of(gallery(project, model), numbers)
    return None


def _of(shown: Gallery, numbers: set[int]) -> Chosen | None:
    rows = [row for row in shown.classes if row.number in numbers]
    classified = sum(row.particles or 0 for row in shown.classes)
    if not rows or not classified:
        return None
    chosen = replace(shown, classes=rows)
    return Chosen(
        shown.model, len(rows), sum(row.particles or 0 for row in rows), classified, chosen.best_angst
    )


def _rates(status: dict[str, Any], share: float, goal: int) -> dict[str, Any]:
    """Good particles now and per hour (at the share of the classified ones), hours to the goal."""
    particles, finished = int(status.get("particles", 0)), int(status.get("finished", 0))
    if not finished or status.get("phase") != "running":
        return {}
    per_hour = float(status.get("done_per_hour", 0)) * particles / finished * share
    found: dict[str, Any] = {"good_per_hour": round(per_hour)} if per_hour > 0 else {}
    if goal:
        missing = max(0.0, goal - particles * share)
        found["goal_missing"] = round(missing)
        if per_hour > 0:
            found["goal_hours"] = round(missing / per_hour, 2)
    return found


def health_stamp(project: Project, name: str, disc: DiscWatch) -> str:
    """Changes with what `health` tells beside the session's own status."""
    folder = LiveFolder(project.root, name)
    state = ClassState.read(folder)
    model = state.averages.replace("_classes.mrcs", "_model.star") if state.averages else ""
    own = project.root / OWN_FOLDER
    files = (project.root / PIPELINE, own / "settings.json", project.root / model)
    selects = project.root / "Select"
    return "|".join(
        (*(file_stamp(path) for path in files), file_stamp(selects), str(state), str(disc.of(project)))
    )


class DiscWatch:
    """How much the jobs of each project hold, walked through now and then beside the requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, DiscUse | None]] = {}

    def of(self, project: Project) -> DiscUse | None:
        """What the last walk found; None until the first one ends."""
        key = str(project.root)
        with self._lock:
            looked_s, use = self._known.get(key, (-DISC_EVERY_S, None))
            if time.monotonic() - looked_s < DISC_EVERY_S:
                return use
            self._known[key] = (time.monotonic(), use)
        threading.Thread(target=self._walk, args=(project, key), daemon=True).start()
        return use

    def _walk(self, project: Project, key: str) -> None:
        use = disc_use(project)
        with self._lock:
            self._known[key] = (time.monotonic(), use)
