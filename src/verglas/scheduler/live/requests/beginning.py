"""Beginning a session: from what somebody says and a folder tells to a session at work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verglas.project.project import Project
from verglas.scheduler.live.record.order import (
    OVER,
    RUNNING,
    LiveFolder,
    LiveOrder,
    SessionTaken,
    all_sessions,
)
from verglas.scheduler.live.record.sanity import Finding, Stated, check_inputs
from verglas.scheduler.live.requests.facts import NEEDED, Fact, Intake
from verglas.scheduler.live.requests.first_options import chain_options, set_up
from verglas.scheduler.live.requests.intake import look_at_session
from verglas.scheduler.live.requests.movies_found import some_movies
from verglas.scheduler.live.requests.reuse import lend, options_like, read_profile, write_profile
from verglas.scheduler.supervisor import begin_work, ensure_supervisor

FIRST_CHECKED = 3  # movies that are compared with what is known
WISHES = ("run", "pause", "finish", "stop")
Options = dict[str, dict[str, str]]  # job folder -> option -> text


@dataclass(frozen=True)
class Beginning:
    """What somebody says of a session that is to begin. `source` is a folder or wildcard."""

    source: str
    given: Mapping[str, str] = field(default_factory=dict)  # what nobody recorded, by fact
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profile: str = ""  # of options, used and saved
    like: str = ""  # a project whose options are used
    classes: bool = True
    by_beam_shift: bool = False


@dataclass(frozen=True)
class Look:
    """What is known, what somebody has to give, and how the first movies fit it."""

    facts: dict[str, Fact]
    warnings: list[str]
    missing: list[str]
    findings: list[Finding]
    checked: list[str]


class NotAtWork(OSError):
    """No process took the session over."""


def look(project: Project, asked: Beginning) -> Look:
    """Starts nothing. Works in the project's directory: names of movies are relative to it."""
    intake, _ = known_of(project, asked)
    return look_of(intake)


def known_of(project: Project, asked: Beginning) -> tuple[Intake, Options]:
    """What is known, completed by what a profile or another project lends; the options that are left."""
    intake = look_at_session(_as_project_path(project, asked.source), dict(asked.given))
    if asked.like:
        return intake, lend(intake, options_like(Project.open(asked.like)), f"as in {asked.like}")
    if asked.profile:
        return intake, lend(intake, read_profile(asked.profile), f"profile {asked.profile}")
    return intake, {}


def look_of(intake: Intake) -> Look:
    """What there is to say of an intake."""
    first = [Path(info.path) for info in some_movies(intake.wildcard, FIRST_CHECKED)]
    values = {key: fact.value for key, fact in intake.facts.items()}
    return Look(
        dict(intake.facts),
        list(intake.warnings),
        [key for key in NEEDED if key not in intake.facts],
        list(check_inputs(first, Stated.of(values))) if first else [],
        [path.name for path in first],
    )


def options_of(intake: Intake, lent: Options, asked: Beginning) -> Options:
    """Options of every job: what was set now goes before what was lent."""
    changed = {
        folder: {**lent.get(folder, {}), **asked.settings.get(folder, {})}
        for folder in {**lent, **asked.settings}
    }
    return chain_options(intake, changed)


def set_going(
    project: Project, order: LiveOrder, intake: Intake, options: Options, asked: Beginning
) -> tuple[LiveFolder, Path | None]:
    """Register the jobs and write the order; the session's folder, and the profile that was saved."""
    folder = set_up(project, order, intake, options, classes=asked.classes, by_beam_shift=asked.by_beam_shift)
    return folder, write_profile(asked.profile, options) if asked.profile else None


def begin(project: Project, order: LiveOrder, asked: Beginning) -> LiveFolder:
    """Set a session going; it goes on without whoever began it. Raises NothingFound, NotAtWork."""
    intake, lent = known_of(project, asked)
    folder, _ = set_going(project, order, intake, options_of(intake, lent, asked), asked)
    wake(project, folder)
    return folder


def checked_name(project: Project, name: str) -> str:
    """A name for a new session; the next free one without. Raises SessionTaken."""
    if not name:
        taken = {folder.name for folder in all_sessions(project.root)}
        return next(name for n in range(1, 1000) if (name := f"live{n}") not in taken)
    if (LiveFolder(project.root, name).path / "order.json").exists():
        raise SessionTaken(
            f"there is a live session {name}; go on with: verglas live resume {name}, or give --name"
        )
    return name


def known_symmetry(name: str) -> str:
    """A point group in RELION's spelling, "" for none. Raises ValueError for one that does not exist."""
    if not name:
        return ""
    from verglas.geometry.symmetry import PointGroup

    return PointGroup.of(name).name


def usual_devices() -> tuple[str, ...]:
    """Every device of this machine."""
    from verglas.compute.devices import available_devices

    return tuple(available_devices())


def usual_workers(devices: tuple[str, ...], threads: int) -> int:
    """Per device: as many as there are cores (at most eight) on a CPU, two on a GPU."""
    from verglas.compute.executors import available_cores

    on_cpu = all(device == "cpu" for device in devices)
    return max(1, min(8, available_cores() // threads)) if on_cpu else 2


def ask(project: Project, folder: LiveFolder, wish: str) -> str:
    """Ask a session to run, pause, finish or stop; what was asked, in words. Raises ValueError.

    It obeys within a second or two; whether somebody works on it is for `wake` to see.
    """
    phase = folder.phase()
    if wish not in WISHES:
        raise ValueError(f"{wish!r}: a session is asked to {', '.join(WISHES)}")
    if wish != "run" and phase in OVER:
        raise ValueError(f"{folder.name} is {phase}; go on with: verglas live resume")
    folder.wish(wish)
    if phase in OVER:
        folder.set_phase(RUNNING)
    if wish != "stop":
        ensure_supervisor(project.root)
    return f"{folder.name} was asked to {'go on' if wish == 'run' else wish}"


def wake(project: Project, folder: LiveFolder) -> None:
    """See that a process works on the session, and go on when it does. Raises NotAtWork."""
    ensure_supervisor(project.root)
    if not begin_work(folder):
        raise NotAtWork(
            f"what works on {folder.name} ends at once; see {project.root}/.verglas/scheduler.log"
        )


def _as_project_path(project: Project, source: str) -> str:
    """Sources inside the project by their name there, others by their absolute path."""
    path = Path(os.path.abspath(source))
    if path.is_relative_to(project.root):
        return str(path.relative_to(project.root))
    return str(path)
