"""2D classes of a live session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from verglas.project.registration import ForeignJob, RefusedJob
from verglas.scheduler.launch import launch, wait_for

if TYPE_CHECKING:
    from verglas.scheduler.live.session import LiveSession

WAIT_S = 2.0


def run_last_classes(session: LiveSession, tell: Callable[[], None]) -> None:
    """Run the session's Class2D job on all accepted particles; its failure is told, not raised."""
    name = session.jobs["Class2D"]
    if not session.counts.particles:
        session.classes = {"job": name, "state": "no particles"}
        return
    session.classes = {"job": name, "state": "running", "particles": session.counts.particles}
    try:
        launched = launch(session.project, name)
    except (ForeignJob, RefusedJob, OSError, ValueError) as error:
        session.problems.append(f"{name} could not be started: {error}")
        session.classes["state"] = "failed"
        return
    status = None
    while status is None:
        tell()
        status = wait_for(session.project, launched, WAIT_S)
    session.classes["state"] = status.label
    outcome = session.project.directory(name).outcome()
    if outcome is not None and outcome.reason:
        session.problems.append(f"{name}: {outcome.reason}")
