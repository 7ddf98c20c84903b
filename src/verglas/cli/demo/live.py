"""`verglas demo --live`: a simulated microscope delivers a movie at a time; a live session follows it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from verglas.cli.demo.live_map import PICTURE, Person, told_of_map
from verglas.cli.demo.pages import DemoPages
from verglas.cli.demo.plan import FINEST, PARTICLE_DIAMETER_ANGST, DemoPlan
from verglas.cli.live_display import picture
from verglas.project.project import Project
from verglas.scheduler.live.record.order import OVER, LiveFolder, LiveOrder
from verglas.scheduler.live.record.status import LiveStatus, read_status
from verglas.scheduler.live.requests.facts import Fact, Intake
from verglas.scheduler.live.requests.first_options import chain_options, set_up
from verglas.scheduler.supervisor import ensure_supervisor

SESSION = "demo"
JUNK_SHARE = 0.1  # of the movies
LIMITS = "rlnCtfMaxResolution <= 8; rlnGroupNrParticles >= 10"
LEAST_OF_MAP, MINUTES = 1000, 11  # particles; what the whole takes
REFRESH_S = 1.0


def run_live_demo(directory: Path, *, quick: bool = False, every_s: float = 20.0, pages: bool = True) -> int:
    """Microscope and session side by side until all movies are through; the exit code.

    The session page is open meanwhile. Ctrl-C stops looking and the microscope; the same command goes on
    with both.
    """
    plan = DemoPlan.quick() if quick else DemoPlan()
    settings = replace(plan.session, early_ice_factor=1.5, junk_share=JUNK_SHARE)
    directory = directory.resolve()
    project = Project.create(directory / "project")
    (project.root / "Movies").mkdir(exist_ok=True)
    junk = "junk among them, and " if int(JUNK_SHARE * settings.movies) else ""
    print(
        f"verglas demo --live in {directory}: a movie every {every_s:g} s, {settings.movies} movies; "
        f"{junk}thicker ice in the first third.{_of_map(plan)}"
    )
    microscope = _start_microscope(directory, project, asdict(settings), every_s)
    folder = LiveFolder(project.root, SESSION)
    try:
        _wait_for_gain(directory / "session" / "gain.mrc", microscope)
        if not (folder.path / "order.json").exists():
            folder = _set_up(project, directory / "session" / "gain.mrc", plan)
        ensure_supervisor(project.root)
        with DemoPages(project.root, wanted=pages):
            code = _follow(project, folder, microscope)
    finally:
        if microscope.poll() is None:
            microscope.terminate()
    for line in told_of_map(project.root, folder, plan, directory / PICTURE) if _makes_map(plan) else ():
        print(f"  {line}")
    print(f"report: {folder.report_file}")
    print(f"project: {project.root} (open it with verglas gui, or in RELION)")
    return code


def _makes_map(plan: DemoPlan) -> bool:
    """Whether the particles suffice."""
    return plan.n_particles >= LEAST_OF_MAP


def _of_map(plan: DemoPlan) -> str:
    if not _makes_map(plan):
        return ""
    return f"\nIt ends with a map; about {MINUTES} minutes of a processor. Ctrl-C is safe, the same command goes on."


def _start_microscope(
    directory: Path, project: Project, settings: dict[str, object], every_s: float
) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        "-m",
        "verglas.cli.main",
        "simulate",
        "session",
        str(directory / "session"),
        "--into",
        str(project.root / "Movies"),
        "--every",
        f"{every_s:g}s",
    ]
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None and value != "":
            words += [f"--{flag}", str(value)]
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "microscope.log", "ab") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _wait_for_gain(gain: Path, microscope: subprocess.Popen[bytes]) -> None:
    while not gain.exists():
        if microscope.poll() is not None:
            raise RuntimeError(f"the microscope ended with {microscope.returncode}")
        time.sleep(0.2)


def _set_up(project: Project, gain: Path, plan: DemoPlan) -> LiveFolder:
    session = plan.session
    facts: dict[str, float | str] = {
        "pixel-size": session.pixel_size_angst,
        "kv": session.voltage_kv,
        "cs": session.cs_mm,
        "amplitude-contrast": session.amplitude_contrast,
        "gain": str(gain),
        "dose-per-frame": session.dose_per_frame_e_a2,
        "diameter": f"{0.75 * PARTICLE_DIAMETER_ANGST:g},{PARTICLE_DIAMETER_ANGST:g}",
        "thresholds": LIMITS,
    }
    intake = Intake(f"Movies/*.{session.format}")
    intake.facts = {key: Fact(value, "the simulated microscope") for key, value in facts.items()}
    batches = max(50, 4 * plan.iterations)  # of VDAM: fewer than 50 do not anneal
    classes = {"nr_classes": str(plan.classes), "nr_iter_grad": str(batches)}
    changed = {
        "Class2D": classes,
        "Extract": {"extract_size": str(plan.box), "do_rescale": "Yes", "rescale": str(plan.rescaled)},
        "InitialModel": {"nr_iter": str(plan.mini_batches)},
        "Refine3D": {"other_args": FINEST},
    }
    options = chain_options(intake, changed)
    cores = os.cpu_count() or 1
    order = LiveOrder(
        SESSION,
        workers=max(1, cores - 1),
        publish_s=5.0,
        classes_from=plan.n_particles // 5,
        three_d="auto" if _makes_map(plan) else "off",
        map_from=plan.n_particles // 4,
    )
    os.chdir(project.root)
    return set_up(project, order, intake, options, classes=True, by_beam_shift=False)


def _tell_new(console: Console, told: set[str], status: LiveStatus) -> None:
    """A line for every movie that came through, and for what is new about the map."""
    for key, line in ((f"{status.finished} movies", status.line), (status.map_line, status.map_line)):
        if line and key not in told:
            told.add(key)
            console.print(line)


def _follow(project: Project, folder: LiveFolder, microscope: subprocess.Popen[bytes]) -> int:
    """Show the session; when the last movie is delivered and there is a map, ask it to finish."""
    console, person = Console(), Person(project, folder)
    with Live(console=console, refresh_per_second=2, transient=False) as live:
        told: set[str] = set()
        while folder.phase() not in OVER:
            status = read_status(folder)
            if console.is_terminal:
                live.update(Group(Text("verglas demo --live", style="bold"), picture(status)))
            else:
                _tell_new(console, told, status)
            if said := person.look():
                console.print(f"the person at the microscope: {said}")
            if microscope.poll() is not None and folder.wished() == "run" and person.wants_the_end():
                folder.wish("finish")
            time.sleep(REFRESH_S)
    status = read_status(folder)
    print(status.line)
    for stage in status.stages:
        print(f"  {stage.job:<22} {stage.done} movies, {stage.mean_s:.2f} s each")
    print(f"  from complete file to particles: {status.latency_s:.1f} s (median)")
    print(f"  {status.classes_line}  {status.classes.get('averages', '')}")
    print(f"  {status.map_line}  {status.map.get('map', '')}")
    for each in status.newest:
        if each.aside:
            print(f"  set aside: {each.name}: {each.aside}")
    for problem in status.problems:
        print(f"  WARNING: {problem}")
    return 0 if status.phase == "finished" and status.particles else 1
