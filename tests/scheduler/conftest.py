import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from fake_project import project  # noqa: F401
from verglas.project.registration import class_for, register
from verglas.scheduler.autorun import Autorun
from verglas.scheduler.schedule import Order, ScheduleFolder


@pytest.fixture
def schedule(project):  # noqa: F811
    """Register a job of a type with options; returns its name."""

    def add(folder, **values):
        kind = class_for(folder)
        options, warnings = kind.Options.parse(values)
        assert not warnings
        return register(project, kind, options)

    return add


@pytest.fixture
def chain(schedule):
    """Import -> MotionCorr -> Class2D, scheduled before any file exists."""
    names = [schedule("Import")]
    names.append(schedule("MotionCorr", input_star_mics=f"{names[0]}movies.star"))
    names.append(schedule("Class2D", fn_img=f"{names[1]}corrected_micrographs.star"))
    return names


@pytest.fixture
def movie(project):  # noqa: F811
    """A movie arrives: a number, and perhaps what goes wrong with it."""

    def arrive(name, text="1"):
        temporary = project.root / "Movies" / f".{name}.part"
        temporary.write_text(text)
        temporary.rename(project.root / "Movies" / f"{name}.txt")

    return arrive


@pytest.fixture
def autorun(project):  # noqa: F811
    """Run a schedule in this process; returns its exit code, progress and folder."""

    def run(jobs, **order):
        folder = ScheduleFolder(project.root, order.get("name", "schedule1"))
        folder.create(Order(**{"jobs": tuple(jobs), "min_wait_min": 0.0, **order}))
        code = Autorun(project, folder).run()
        return code, folder.progress(), folder

    return run
