"""What a live session is asked to do: its stages are the fakes of the tests, its movies tiny."""

from __future__ import annotations

import json
from pathlib import Path

from kills.case import Case, Suite
from kills.events import command, in_child
from kills.judging import wait_for_processes

FAKES = {
    "MotionCorr": "fake_stages:FakeMotion",
    "CtfFind": "fake_stages:FakeCtf",
    "AutoPick": "fake_stages:FakePicks",
    "Extract": "fake_stages:FakeExtract",
}
NAME, MOVIES, CLASSES = "live1", 3, 5
START = (
    *("live", "start", "Movies/*.mrc", "--kv", "300", "--cs", "2.7", "--amplitude-contrast", "0.1"),
    *("--pixel-size", "1.5", "--dose-per-frame", "1", "--diameter", "20,30", "--workers", "1"),
    *("--devices", "cpu", "--poll", "0.05", "--publish-every", "0.3", "--no-2d", "--name", NAME),
)
FINISH = ("live", "finish", NAME, "--wait")


def make_folder_of_movies(root: Path) -> Path:
    """A project into which three movies have come."""
    import numpy as np

    from verglas.formats.movies_write import write_movie_mrc
    from verglas.project.project import Project

    Project.create(root)
    (root / "Movies").mkdir()
    for number in range(MOVIES):
        pixels = np.random.default_rng(number).integers(0, 5, (2, 16, 16), dtype=np.int8)
        write_movie_mrc(root / f"Movies/m{number}.mrc", pixels, 1.5, durable=False)
    return root


def make_finished_session(root: Path) -> Path:
    """A session that has treated three movies, and a 2D update of what it found."""
    from verglas.scheduler.live.record.order import LiveFolder

    make_folder_of_movies(root)
    for words in (START, FINISH):
        in_child(root, command(*words))
    wait_for_processes(root)
    if LiveFolder(root, NAME).phase() != "finished":
        raise SystemExit(f"the session of the template is {LiveFolder(root, NAME).phase()}")
    _add_classes(root)
    return root


def _add_classes(root: Path) -> None:
    """A Class2D job of the session with averages and particles, as an update leaves it."""
    import numpy as np

    from verglas.formats.mrc import write_mrc
    from verglas.formats.star import StarTable, read_star, write_star
    from verglas.jobs.registry import job_class
    from verglas.project.dialect import Status
    from verglas.project.project import Project
    from verglas.project.registration import register
    from verglas.scheduler.live.record.order import LiveFolder

    folder = LiveFolder(root, NAME)
    order = json.loads((folder.path / "order.json").read_text())
    listed = order["jobs"]["Extract"] + "particles.star"
    kind = job_class("Class2D")
    options, _ = kind.Options.parse({"fn_img": listed})
    project = Project(root)
    job = register(project, kind, options, status=Status.SUCCEEDED)
    project.directory(job).write_exit(Status.SUCCEEDED)
    order["jobs"]["Class2D"] = job
    (folder.path / "order.json").write_text(json.dumps(order, indent=1))
    stack = np.random.default_rng(1).normal(0, 1, (CLASSES, 16, 16)).astype(np.float32)
    write_mrc(root / job / "run_it100_classes.mrcs", stack, 3.0)
    particles = read_star(root / listed)
    table = particles["particles"]
    numbers = [1 + row % CLASSES for row in range(len(table))]
    numbered = table.with_columns({"rlnClassNumber": numbers})
    write_star(root / job / "run_it100_data.star", [particles["optics"], numbered])
    write_star(
        root / job / "run_it100_model.star",
        [StarTable.from_columns("model_general", {"rlnNrClasses": CLASSES}, is_list=True)],
    )


def with_chosen_classes(root: Path) -> None:
    """A person has chosen classes."""
    in_child(root, command("live", "classes", "--choose", "1,3"))


def with_verdict(root: Path) -> None:
    """A person has rejected a micrograph."""
    in_child(root, command("live", "reject", "m1"))


def with_aside(root: Path) -> None:
    """A movie was set aside."""
    from verglas.scheduler.live.record.ledger import Ledger
    from verglas.scheduler.live.record.order import LiveFolder

    ledger = Ledger.of(LiveFolder(root, NAME))
    ledger.set_aside(ledger.movies[0], "CtfFind", "nothing to see")
    ledger.close()


def at_work(root: Path) -> None:
    """This very process is taken for the session's and for the supervisor."""
    from verglas.project.owner import Owner
    from verglas.scheduler.live.record.order import RUNNING, LiveFolder
    from verglas.scheduler.supervisor import supervisor_lease

    folder = LiveFolder(root, NAME)
    folder.set_phase(RUNNING)
    folder.wish("run")
    for lease in (folder.lease, supervisor_lease(root)):
        lease.give(Owner.this_process())


def with_first_map(root: Path) -> None:
    """A first map is there, and it is doubtful."""
    from verglas.scheduler.live.record.map_state import DOUBTFUL, MapState
    from verglas.scheduler.live.record.order import LiveFolder

    doubt = MapState(DOUBTFUL, initial_job="InitialModel/job020/", believable="doubtful because of a test")
    doubt.write(LiveFolder(root, NAME))


STANDING = Suite(
    "a live session",
    FAKES,
    make_finished_session,
    (
        Case(("live", "set", "AutoPick.log_diam_max=40", "CtfFind.dfmax=60000", "--for", "all")),
        Case(("live", "set", "AutoPick.log_diam_max=40", "--for", "2-3")),
        Case(("live", "thresholds", "rlnCtfMaxResolution <= 6")),
        Case(("live", "accept", "m1", "--why", "nice")),
        Case(("live", "reject", "m1", "m2"), with_verdict),
        Case(("live", "forget", "m1"), with_verdict),
        Case(("live", "again"), with_aside),
        Case(("live", "classes", "--choose", "2,4")),
        Case(
            ("live", "classes", "--choose", "2,4"),
            with_chosen_classes,
            shown="live classes --choose (others)",
        ),
        Case(("live", "classes", "--templates", "--for", "all"), with_chosen_classes),
        Case(("live", "map", "--off")),
        Case(("live", "map", "--again")),
        Case(("live", "map", "--confirm", "D7")),
        Case(("live", "map", "--accept"), with_first_map),
        Case(("live", "snapshot", "friday")),
        Case(("live", "snapshot", "friday"), with_chosen_classes, shown="live snapshot friday (classes)"),
        Case(("live", "pause"), at_work),
        Case(("live", "finish"), at_work),
        Case(("live", "stop"), at_work),
        Case(("live", "resume"), starts=True, ends=(FINISH,)),
    ),
)
STARTED = Suite(
    "a live session that begins",
    FAKES,
    make_folder_of_movies,
    (Case(START, starts=True, ends=(START, FINISH), shown="live start Movies/*.mrc"),),
)
