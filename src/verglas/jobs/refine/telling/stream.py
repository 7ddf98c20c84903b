"""`run_progress.jsonl`: what a refinement is doing, for programs (one JSON object a line).

Lines have `s`, seconds since the run began, and `event`:

* `stage`: `title` and `total` of a bar that begins; `done` follows with `done` of `total`, once a second;
* `iteration`: figures of an iteration that is over, with the `seconds` it took; `fsc` by shells of two half-sets.

A line is written at once, so that a reader never sees half of it; a disc that takes no more does not end the
run.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from verglas.jobs.refine.telling.remaining import iterations_left

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings

EVERY_S = 1.0


def progress_file(root: str) -> str:
    """The stream of a run with this root name."""
    return f"{root}_progress.jsonl"


class ProgressStream:
    """Appends to the stream of one run; a new run begins it anew."""

    def __init__(self, path: str, *, goes_on: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._begin = clock()
        self._told = -EVERY_S
        self._total = 0
        if not goes_on:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def stage(self, title: str, total: int) -> None:
        """A bar begins."""
        self._total, self._told = total, self._clock()
        self._append({"event": "stage", "title": title.strip(), "total": total})

    def done(self, count: int) -> None:
        """A bar moves; told once a second, and at its end."""
        now = self._clock()
        if count < self._total and now - self._told < EVERY_S:
            return
        self._told = now
        self._append({"event": "done", "done": count, "total": self._total})

    def iteration(self, settings: EmSettings, state: State, seconds: float) -> None:
        """An iteration that took so long is over."""
        took = {"event": "iteration", "seconds": round(seconds, 3)}
        self._append(took | figures(settings, state))

    def _append(self, line: dict[str, Any]) -> None:
        line = {"s": round(self._clock() - self._begin, 3)} | line
        text = json.dumps(line, allow_nan=False) + "\n"
        with suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)


def figures(settings: EmSettings, state: State) -> dict[str, Any]:
    """What a page shows of an iteration; lengths in Å, angles in degrees, null for the unknown."""
    from verglas.em.maximise.resolution import class_resolutions
    from verglas.em.state.model import UNKNOWN_ACCURACY

    model, halves = state.model, settings.halves is not None

    def known(value: float, most: float = UNKNOWN_ACCURACY) -> float | None:
        return round(float(value), 6) if abs(value) < most else None

    return {
        "iteration": state.iteration,
        "iterations": settings.n_iterations,
        "resolution_angst": known(1 / model.current_resolution) if model.current_resolution > 0 else None,
        "image_size_px": model.current_size,
        "average_p_max": known(model.average_p_max),
        "log_likelihood": known(model.log_likelihood, math.inf),
        "sigma_offset_angst": known(model.sigma_offset_angst),
        "class_weights": [known(weight) for weight in model.class_weights],
        "accuracy_rot_deg": known(state.accuracy_rot_deg),
        "accuracy_shift_angst": known(state.accuracy_shift_angst),
        "changed_classes": known(state.change_classes),
        "changed_angles_deg": known(state.change_angles_deg),
        "changed_offsets_angst": known(state.change_offsets_angst),
        "angular_step_deg": state.sampling.fine_angular_step_deg,
        "local_searches": state.sampling.is_local,
        "fsc": [round(float(value), 4) for value in model.gold_standard_fsc[0]] if halves else None,
        "shell_angst": round(model.extent_angst, 4),  # of shell 1; that of shell s is s times finer
        "class_resolutions_angst": [known(value) for value in class_resolutions(model)[0]],
        "iterations_left": iterations_left(settings, state),
        "converged": state.joined,
        "set_aside": len(state.assignments.set_aside),
    }
