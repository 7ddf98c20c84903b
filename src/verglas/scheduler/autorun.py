"""Autorun: the scheduled jobs, in graph order, once or in rounds (pipeline.md §3.4).

Jobs are processes of their own and outlive the scheduler; every step is written down before it is
taken, so a scheduler that was killed goes on where it was: it waits for the job that still runs, takes
note of one that ended meanwhile, starts one that died again.
"""

from __future__ import annotations

import time

from verglas.project.dialect import Status
from verglas.project.graph import Graph
from verglas.project.leftovers import sweep
from verglas.project.owner import boot_id
from verglas.project.project import OWN_FOLDER, Project
from verglas.scheduler.clock import boottime_s, elapsed_s
from verglas.scheduler.events import record_event
from verglas.scheduler.job_attempts import POLL_S, JobAttempts
from verglas.scheduler.schedule import CONTINUE, STOP, Order, Progress, Result, ScheduleFolder, ScheduleTaken
from verglas.scheduler.schedule_log import ScheduleLog
from verglas.scheduler.supervisor import ensure_supervisor

MISSING_INPUT_POLL_S = 1.0
SAME_FAILURES = 3
_GOOD = ("succeeded",)


class _Stopped(Exception):
    """Somebody removed the RUNNING file."""


class _Failed(Exception):
    """The schedule cannot go on; the message says why."""


class Autorun:
    """One schedule at work."""

    def __init__(
        self, project: Project, folder: ScheduleFolder, *, echo: bool = False, supervised: bool = False
    ) -> None:
        self.project, self.folder, self.supervised = project, folder, supervised
        self._look_at_supervisor_s = 0.0
        self.lease = folder.lease
        self.order: Order = folder.order()
        self.state: Progress = folder.progress()
        self.log = ScheduleLog(folder.log_file, echo=echo)
        self.attempts = JobAttempts(
            project,
            self.order.keep_rounds,
            self._check_stop,
            self._pause,
            self._tell_death,
            self._tell_unwritable,
        )

    def run(self) -> int:
        """Work until all rounds are done, a failure, or a stop; the exit code (0, 1)."""
        self.folder.take()
        sweep(self.project.root)
        sweep(self.project.root / OWN_FOLDER, below=True)
        if self.state.phase == "new":
            self.log.opening(self.order, self.folder.running_file)
            self._event("schedule-started", f"{self.order.repeat} rounds of {len(self.order.jobs)} jobs")
        else:
            self._event("schedule-resumed", f"in round {self.state.round}, phase {self.state.phase}")
        try:
            self._wait_before()
            self._rounds()
        except _Stopped:
            return self._end("stopped", "stopped by the user", 0)
        except _Failed as reason:
            return self._end("failed", str(reason), 1)
        except KeyboardInterrupt:
            self._end("stopped", "interrupted from the keyboard", 1)
            raise
        return self._finish()

    def _wait_before(self) -> None:
        if self.state.phase not in ("new", "before"):
            return
        if self.state.phase == "new":
            self._mark_start()
            self._save(phase="before")
        self._wait_until(self.order.wait_before_min * 60)

    def _rounds(self) -> None:
        while True:
            if self.state.phase == "round":
                self._go_round()
            if self.state.round >= self.order.repeat:
                return
            if self.state.round > 0:
                self._between()
            self._mark_start()
            self.state.last_results, self.state.results = self.state.results, {}
            self._save(phase="round", round=self.state.round + 1, in_hand="")
            if self.order.repeat > 1:
                self.log.dated(f" -- Starting the {self.state.round}th repeat")
            self._event("round-started", f"round {self.state.round} of {self.order.repeat}")

    def _between(self) -> None:
        if self.state.phase != "between":
            wait_s = self.order.min_wait_min * 60 - self._elapsed()
            if wait_s > 0:
                self.log.write(f" + -- Waiting {wait_s / 60:.1f} minutes until next repeat ..")
            self._save(phase="between")
        self._wait_until(self.order.min_wait_min * 60)

    def _go_round(self) -> None:
        for job in self._jobs_in_order():
            if job in self.state.results:
                continue
            self._check_stop()
            if self._is_deleted(job):
                continue
            result = self._do(job)
            self.state.results[job] = result
            self._note_failure(job, result)
            self._save(in_hand="")
        self._tell_round()

    def _is_deleted(self, job: str) -> bool:
        if job in self.project.graph().processes:
            return False
        self.log.write(f" + -- {job} was deleted: it is left out")
        self._event("job-left-out", "it was deleted", job=job)
        return True

    def _jobs_in_order(self) -> list[str]:
        graph = self.project.graph()
        there = [job for job in self.order.jobs if job in graph.processes]
        return graph.in_order(there)

    def _do(self, job: str) -> Result:
        """One job in this round."""
        graph = self.project.graph()
        held = self._holding(graph, job)
        if held:
            return Result("held", f"{held} comes first")
        if self.state.in_hand != job:
            waiting = self._missing_input(graph, job)
            if waiting:
                self._say_waiting(job, waiting)
                return Result("waiting", waiting)
            self._save(in_hand=job, in_hand_attempt=self.attempts.count(job))
            self.log.dated(f" ---- Executing {job}")
        result = self.attempts.run(job, self.state.in_hand_attempt)
        if result.kind == "failed" and self._is_deleted(job):  # at the moment it was to be started
            return Result("held", "it was deleted")
        self._after(job, result)
        return result

    def _holding(self, graph: Graph, job: str) -> str | None:
        """The job of this round that did not deliver what this one needs."""
        for parent in graph.parents(job):
            result = self.state.results.get(parent)
            if result is None or result.kind in _GOOD:
                continue
            if result.kind == "failed" and self.order.on_failure == CONTINUE:
                continue
            return parent
        return None

    def _missing_input(self, graph: Graph, job: str) -> str:
        """Why the job cannot start yet, "" if it can. A single round waits here, as RELION does."""
        told = False
        while True:
            missing = [node for node in graph.inputs_of(job) if not self.project.exists(node)]
            if not missing:
                return ""
            made_here = {graph.producer_of(node) for node in missing} & set(self.order.jobs)
            if self.order.repeat > 1 or made_here:
                return f"{missing[0]} does not exist yet"
            if not told:
                self.log.write(f" + -- Warning {missing[0]} does not exist. Waiting for it ... ")
                told = True
            self._pause(MISSING_INPUT_POLL_S)
            graph = self.project.graph()

    def _tell_unwritable(self, job: str, reason: str) -> None:
        self.log.write(f" + -- {job} is paused: {reason}")
        self._event("job-paused", reason, job=job)

    def _tell_death(self, job: str, reason: str, times: int) -> None:
        self._event("job-died", reason, job=job, times=times)

    def _after(self, job: str, result: Result) -> None:
        if result.kind == "succeeded":
            if self.state.round < self.order.repeat:
                self.project.set_status(job, Status.SCHEDULED)
        elif result.kind == "waiting":
            self._say_waiting(job, result.reason)
        else:
            self.log.write(f" + -- {job} {result.kind}: {result.reason}")
        self._event(f"job-{result.kind}", result.reason, job=job, round=self.state.round)

    def _note_failure(self, job: str, result: Result) -> None:
        """Count equal failures in a row; stop where that is asked for or nothing else makes sense."""
        if result.kind in ("succeeded", "waiting"):
            self.state.failures.pop(job, None)
        if result.kind == "aborted":
            raise _Failed(f"{job} was aborted: {result.reason}")
        if result.kind != "failed":
            return
        reason, count = self.state.failures.get(job, ("", 0))
        count = count + 1 if reason == result.reason else 1
        self.state.failures[job] = (result.reason, count)
        if self.order.on_failure == STOP:
            raise _Failed(f"{job} failed: {result.reason}")
        if count >= SAME_FAILURES:
            raise _Failed(f"{job} failed {count} times in a row for the same reason: {result.reason}")

    def _tell_round(self) -> None:
        waiting = {job: each for job, each in self.state.results.items() if each.kind == "waiting"}
        if waiting:
            job, result = next(iter(waiting.items()))
            self._event("round-waiting", f"{job}: {result.reason}", round=self.state.round)
        else:
            self._event("round-ended", "", round=self.state.round)

    def _finish(self) -> int:
        """All rounds are done: what succeeded stays succeeded, a last failure is the schedule's."""
        succeeded = [job for job, each in self.state.results.items() if each.kind == "succeeded"]
        with self.project.change("schedule finished") as change:
            for job in succeeded:
                if job in change.graph.processes:
                    change.graph.set_status(job, Status.SUCCEEDED)
        failed = [
            f"{job}: {each.reason}" for job, each in self.state.results.items() if each.kind == "failed"
        ]
        if failed:
            return self._end("failed", "; ".join(failed), 1)
        waiting = [
            f"{job}: {each.reason}" for job, each in self.state.results.items() if each.kind == "waiting"
        ]
        message = (
            f"all jobs have finished; waiting: {'; '.join(waiting)}" if waiting else "all jobs have finished"
        )
        return self._end("done", message, 0)

    def _end(self, phase: str, message: str, code: int) -> int:
        self._save(phase=phase, message=message)
        self.folder.running_file.unlink(missing_ok=True)
        self.log.write(f" + {time.ctime()}", f" + -- {message}", "")
        self._event(f"schedule-{phase}", message)
        return code

    def _mark_start(self) -> None:
        self.state.started_boot = boot_id()
        self.state.started_boottime_s = boottime_s()
        self.state.started_wall_s = time.time()

    def _elapsed(self) -> float:
        state = self.state
        return elapsed_s(state.started_boot, state.started_boottime_s, state.started_wall_s)

    def _wait_until(self, seconds: float) -> None:
        """Wait until so much time has passed since the marked start."""
        while (left := seconds - self._elapsed()) > 0:
            self._pause(min(left, POLL_S))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._check_stop()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, POLL_S))

    def _check_stop(self) -> None:
        """Called at every step of every wait: stopped? supervisor alive?"""
        if not self.folder.running_file.exists():
            raise _Stopped
        if not self.lease.beat():
            raise ScheduleTaken(f"schedule {self.order.name} was taken over while this one stood still")
        now = time.monotonic()
        if self.supervised and now > self._look_at_supervisor_s:
            self._look_at_supervisor_s = now + 2.0
            ensure_supervisor(self.project.root)

    def _say_waiting(self, job: str, reason: str) -> None:
        self.log.write(f" + -- {job} is waiting: {reason}")

    def _save(self, **changes: object) -> None:
        for key, value in changes.items():
            setattr(self.state, key, value)
        self.folder.save(self.state)

    def _event(self, kind: str, text: str, **details: object) -> None:
        record_event(self.project.root, kind, text, schedule=self.order.name, **details)
