"""Asking a batch queue about its jobs; guessing nothing.

A job that the queue no longer knows has ended, but how is told only by our exit files; those may take a
moment to be seen from here, so a job counts as gone only when it has been away for a while.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field

from verglas.project.job_directory import RunRecord

ASK_EVERY_S = 5.0
GONE_AFTER_S = 15.0
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class QueueCommands:
    """How one kind of queue is asked and told; the job's id comes last."""

    ask: tuple[str, ...]
    cancel: tuple[str, ...]
    unknown_words: tuple[str, ...]  # in an error: the queue has forgotten the job
    ended_states: tuple[str, ...] = ()


_QUEUES = {
    "sbatch": QueueCommands(
        ("squeue", "-h", "-o", "%T", "-j"),
        ("scancel",),
        ("invalid job id",),
        ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    ),
    "qsub": QueueCommands(
        ("qstat",), ("qdel",), ("unknown job", "has finished", "do not exist", "does not exist")
    ),
    "bsub": QueueCommands(
        ("bjobs", "-noheader", "-o", "stat"), ("bkill",), ("is not found",), ("DONE", "EXIT")
    ),
}


@dataclass
class _Known:
    asked_s: float
    there: bool | None
    gone_since_s: float | None = None


@dataclass
class QueueWatcher:
    """Remembers what was asked lately: polling loops may call as often as they like."""

    known: dict[str, _Known] = field(default_factory=dict)

    def in_queue(self, record: RunRecord) -> bool | None:
        """True while the queue has the job, False when it is gone for good, None if it cannot tell."""
        now = time.monotonic()
        known = self.known.get(record.queue_id)
        if known is None or now - known.asked_s > ASK_EVERY_S:
            there = ask(record)
            gone = known.gone_since_s if known and known.gone_since_s is not None else now
            known = _Known(now, there, gone if there is False else None)
            self.known[record.queue_id] = known
        if known.gone_since_s is None:
            return known.there
        return False if now - known.gone_since_s > GONE_AFTER_S else None


def ask(record: RunRecord) -> bool | None:
    """One question to the queue."""
    commands = _QUEUES.get(record.queue_program)
    if commands is None:
        return None
    try:
        done = subprocess.run(
            [*commands.ask, record.queue_id], capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        words = (done.stderr + done.stdout).lower()
        return False if any(each in words for each in commands.unknown_words) else None
    states = done.stdout.split()
    return bool(states) and not any(state in commands.ended_states for state in states)


def cancel(record: RunRecord) -> bool:
    """Take a job out of the queue; returns whether the queue agreed."""
    commands = _QUEUES.get(record.queue_program)
    if commands is None:
        return False
    try:
        done = subprocess.run([*commands.cancel, record.queue_id], capture_output=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
