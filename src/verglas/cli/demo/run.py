"""The demo from start to end; a second run goes on where the first was stopped."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from verglas.cli.demo.display import ScheduleDisplay
from verglas.cli.demo.maps import map_results
from verglas.cli.demo.measure import Figure, map_figures, measure
from verglas.cli.demo.plan import DemoPlan
from verglas.cli.demo.report import write_report
from verglas.cli.demo.rounds import RoundWatch
from verglas.compute.executors import available_cores
from verglas.compute.progress import MouseProgress
from verglas.formats.atomic import atomic_write
from verglas.jobs.registry import job_class
from verglas.jobs.simulate.session import deliver, write_session
from verglas.project.dialect import Status
from verglas.project.project import Project
from verglas.project.registration import register
from verglas.scheduler.autorun import Autorun
from verglas.scheduler.launch import abort, terminate
from verglas.scheduler.schedule import Order, ScheduleFolder

SCHEDULE = "demo"
MINUTES_OF_MAPS = 6


def run_demo(directory: Path, *, quick: bool = False, three_d: bool = False) -> int:
    """Simulate, schedule, run two rounds, measure, report; the exit code."""
    plan = replace(DemoPlan.quick() if quick else DemoPlan(), three_d=three_d)
    cores = min(available_cores(), 8)
    begin = time.monotonic()
    print(_announcement(directory, plan, cores))
    project = Project.create(directory / "project")
    jobs = _schedule(project, plan, cores)
    movies = write_session(directory / "session", plan.session, workers=cores, progress=MouseProgress())
    _copy(directory / "session" / "gain.mrc", project.root / "gain.mrc")
    incoming = project.root / "Movies"
    deliver(movies[: plan.first_lot], incoming)
    folder = ScheduleFolder(project.root, SCHEDULE)
    if folder.progress().phase != "done":  # a stopped demo begins its two rounds anew
        _make_ready(project)
        folder.create(Order(SCHEDULE, tuple(jobs), repeat=2, min_wait_min=0))
    watch = RoundWatch(project, folder, lambda: _second_lot(movies, plan, incoming), print)
    code = 0
    if folder.progress().phase != "done":
        with watch, ScheduleDisplay(project, "Two rounds of the schedule"):
            code = _work(project, folder)
    if code:
        print(f"the schedule failed: {folder.progress().message}", file=sys.stderr)
        return code
    figures = measure(project.root, directory / "session", plan)
    maps = map_results(project.root, plan) if three_d else None
    if maps is not None:
        figures += map_figures(maps)
    write_report(directory, project.root, plan, figures, watch.entries, maps)
    print(_ending(directory, project.root, figures, time.monotonic() - begin))
    return 0 if all(figure.good for figure in figures) else 1


def _schedule(project: Project, plan: DemoPlan, cores: int) -> list[str]:
    """Register the chain, before a single file exists; a second run finds it there."""
    known = list(project.graph().processes)
    if known:
        return known
    names = []
    for folder, values in plan.chain(cores):
        job = job_class(folder)
        names.append(register(project, job, job.Options.checked(values)))
        outputs = [node.name for node in job.expected_outputs(job.Options.checked(values), names[-1])]
        print(f"  scheduled {names[-1]:<20} expected: {Path(outputs[0]).name}")
    return names


def _make_ready(project: Project) -> None:
    """Jobs that a Ctrl-C ended are scheduled again; what they had finished is kept."""
    with project.change("what was stopped is scheduled again") as change:
        for name, process in change.graph.processes.items():
            if process.status in (Status.ABORTED, Status.FAILED, Status.RUNNING):
                change.begin(name)
                change.graph.set_status(name, Status.SCHEDULED)


def _work(project: Project, folder: ScheduleFolder) -> int:
    """Run the schedule here; on Ctrl-C the running job is told to stop, too."""
    try:
        return Autorun(project, folder).run()
    except KeyboardInterrupt:
        for name, process in project.graph().processes.items():
            if process.status is Status.RUNNING:
                abort(project, name)
                terminate(project, name)
        raise


def _second_lot(movies: list[Path], plan: DemoPlan, incoming: Path) -> None:
    deliver(movies[plan.first_lot :], incoming)


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        with atomic_write(target) as out, open(source, "rb") as read:
            shutil.copyfileobj(read, out)


def _announcement(directory: Path, plan: DemoPlan, cores: int) -> str:
    session = plan.session
    raw_gb = session.movies * session.size**2 * session.frames / 1e9 / 2
    minutes = (1 if session.movies < 8 else 5) + (MINUTES_OF_MAPS if plan.three_d else 0)
    return (
        f"verglas demo in {directory}: {session.movies} movies of {session.frames} frames, "
        f"{session.size} x {session.size} pixels, about {plan.n_particles} particles.\n"
        f"It takes about {minutes} minutes on 2 cores ({cores} here), {raw_gb * 3 + 0.2:.1f} GB of "
        f"disc and 2 GB of memory. Ctrl-C is safe; the same command goes on."
    )


def _ending(directory: Path, project: Path, figures: list[Figure], seconds: float) -> str:
    lines = ["", "Against the truth:", *(f"  {figure.shown()}" for figure in figures), ""]
    lines += [
        f"Done in {seconds:.0f} s. Figures: {directory}/demo.json, pictures: {directory}/report.html",
        f"Look at the project:        verglas gui {project}   (or RELION, or verglas status, in it)",
        "The same with your own data: verglas new my_project && cd my_project && verglas job "
        "schedule Import --fn_in_raw '/path/to/movies/*.tiff' ...",
    ]
    return "\n".join(lines)
