"""Commands that change jobs, schedules and alarms; the job types are the fakes of the tests."""

from __future__ import annotations

import os
from pathlib import Path

from kills.case import Case, Suite

FAKES = {
    "Import": "fake_jobs:FakeImport",
    "MotionCorr": "fake_jobs:FakeMotion",
    "Class2D": "fake_jobs:FakeClass2D",
    "Select": "fake_jobs:FakeSelect",
    "ManualPick": "fake_jobs:FakeChoice",
}


def with_running_job(root: Path) -> None:
    """Job 6 runs: this very process is taken for it."""
    from verglas.project.job_directory import RunRecord
    from verglas.project.owner import Owner
    from verglas.project.project import Project

    with Project(root).change("a job at work") as change:
        change.hand_to("Select/job006/", RunRecord(Owner.this_process(), begun=True))


def with_schedule(root: Path) -> None:
    """Jobs are scheduled under the name night; nobody works on it."""
    from verglas.scheduler.schedule import Order, ScheduleFolder

    ScheduleFolder(root, "night").create(Order("night", ("Select/job006/",), repeat=3))


def make_template(root: Path) -> Path:
    """Jobs 1 to 3 finished, 3 with an alias; 4 and 6 scheduled, 5 (with an alias) in Trash."""
    from verglas.project.editing import set_alias
    from verglas.project.project import Project
    from verglas.project.registration import class_for, register
    from verglas.project.trash import delete
    from verglas.scheduler.launch import launch, wait_for

    project = Project.create(root)
    (root / "Movies").mkdir()
    (root / "orders").mkdir()
    for number in range(3):
        (root / f"Movies/movie{number}.txt").write_text(str(number))
    here = Path.cwd()
    os.chdir(root)

    def add(kind: str, **values: str) -> str:
        job = class_for(kind)
        return register(project, job, job.Options.parse(values)[0])

    jobs = [add("Import")]
    jobs.append(add("MotionCorr", input_star_mics=f"{jobs[0]}movies.star"))
    jobs.append(add("Class2D", fn_img=f"{jobs[1]}corrected_micrographs.star"))
    for job in jobs:
        wait_for(project, launch(project, job))
    set_alias(project, jobs[2], "first")
    selected = [add("Select", fn_img=f"{jobs[2]}run_it003_data.star") for _ in range(3)]
    set_alias(project, selected[1], "gone")
    delete(project, selected[1])
    os.chdir(here)
    return root


SUITE = Suite(
    "jobs",
    FAKES,
    make_template,
    (
        Case(("new", "another"), project="another"),
        Case(("job", "schedule", "Select", "--fn_img", "Class2D/job003/run_it003_data.star")),
        Case(("job", "schedule", "3")),
        Case(("job", "edit", "6", "--fn_img", "MotionCorr/job002/corrected_micrographs.star")),
        Case(("job", "edit", "3", "--nr_iter", "7")),
        Case(("job", "delete", "2")),
        Case(("job", "delete", "3", "--only")),
        Case(("job", "undelete", "Select/job005")),
        Case(("job", "alias", "3", "second")),
        Case(("job", "alias", "3", "")),
        Case(("job", "alias", "6", "chosen")),
        Case(("job", "clean", "3")),
        Case(("job", "note", "3", "well done")),
        Case(("job", "mark", "3", "failed")),
        Case(("job", "mark", "6", "failed")),
        Case(("job", "reorder", "6", "4")),
        Case(("job", "abort", "6"), with_running_job),
        Case(("alarm", "set", "--lag_movies", "7")),
        Case(("autorun", "stop", "night"), with_schedule),
        Case(("job", "run", "4"), starts=True),
        Case(("job", "run", "3", "--detach"), starts=True),
        Case(("job", "continue", "2", "--factor", "2", "--detach"), starts=True),
        Case(("job", "run", "Select", "--fn_img", "Class2D/job003/run_it003_data.star"), starts=True),
        Case(("run", "3"), starts=True),
        Case(("autorun", "4", "6", "--name", "night"), starts=True),
    ),
)
