"""Commands on Schemes: two rounds of import and motion correction, with the fakes of the tests."""

from __future__ import annotations

from pathlib import Path

from kills.case import Case, Suite
from kills.events import command, in_child
from kills.jobs import FAKES

SCHEME = "Schemes/prep/scheme.star"
RUN = ("scheme", "run", "prep")


def make_template(root: Path, mode: str = "continue") -> Path:
    """A Scheme that was never run: import -> motioncorr -> count -> again, twice."""
    from verglas.project.dialect import DIALECT_4
    from verglas.project.job_star import JobSettings, job_star_bytes
    from verglas.project.project import Project
    from verglas.scheduler.schemes.scheme_file import (
        Edge,
        Operator,
        Scheme,
        SchemeJob,
        Variable,
        write_scheme,
    )

    Project.create(root)
    (root / "Movies").mkdir()
    (root / "orders").mkdir()
    for number in range(2):
        (root / f"Movies/movie{number}.txt").write_text(str(number))
    options = {
        "importmovies": ("relion.import.movies", {"fn_in_raw": "Movies/*.txt"}),
        "motioncorr": (
            "relion.motioncorr.own",
            {"factor": "$$factor", "input_star_mics": "Schemes/prep/importmovies/movies.star"},
        ),
    }
    for name, (kind, texts) in options.items():
        folder = root / "Schemes/prep" / name
        folder.mkdir(parents=True)
        (folder / "job.star").write_bytes(job_star_bytes(JobSettings(kind, texts), DIALECT_4))
    floats = {"factor": "2", "rounds": "0", "one": "1", "two": "2"}
    scheme = Scheme(
        "Schemes/prep/",
        floats={name: Variable(value, value) for name, value in floats.items()},
        bools={"again": Variable("0", "0")},
        operators={
            "COUNT": Operator("float=plus", "rounds", "rounds", "one"),
            "AGAIN": Operator("bool=lt", "again", "rounds", "two"),
            "EXIT": Operator("exit"),
        },
        jobs={name: SchemeJob(name, mode) for name in options},
        edges=[
            Edge("importmovies", "motioncorr"),
            Edge("motioncorr", "COUNT"),
            Edge("COUNT", "AGAIN"),
            Edge("AGAIN", "EXIT", True, "importmovies", "again"),
        ],
    )
    write_scheme(root / SCHEME, scheme)
    return root


def make_new_each_time(root: Path) -> Path:
    """The same, with new jobs in every round."""
    return make_template(root, "new")


def that_has_run(root: Path) -> None:
    """The Scheme is at its end."""
    in_child(root, command(*RUN))


def at_work(root: Path) -> None:
    """The Scheme is at motion correction, which this very process is taken for."""
    from verglas.project.job_directory import RunRecord
    from verglas.project.owner import Owner
    from verglas.project.project import Project
    from verglas.scheduler.schemes.scheme_file import read_scheme, write_scheme

    that_has_run(root)
    scheme = read_scheme(root / SCHEME)
    scheme.current = "motioncorr"
    write_scheme(root / SCHEME, scheme)
    with Project(root).change("a job at work") as change:
        change.hand_to("MotionCorr/job002/", RunRecord(Owner.this_process(), begun=True))


CONTINUED = Suite(
    "schemes",
    FAKES,
    make_template,
    (
        Case(("scheme", "set", "prep", "factor", "3")),
        Case(("scheme", "reset", "prep"), that_has_run),
        Case(("scheme", "abort", "prep"), at_work),
        Case(RUN, starts=True, then=(RUN,)),
        Case((*RUN, "--detach"), starts=True, then=(RUN,)),
    ),
)
NEW = Suite(
    "schemes with new jobs",
    FAKES,
    make_new_each_time,
    (Case(RUN, starts=True, then=(RUN,), shown="scheme run prep (new jobs in every round)"),),
)
