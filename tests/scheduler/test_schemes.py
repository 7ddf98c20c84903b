"""Schemes: RELION's prep runs with our jobs, proc goes as far as the job types reach."""

from __future__ import annotations

import subprocess
import sys

import pytest

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.control_files import ABORT_NOW
from verglas.project.dialect import DIALECT_4, DIALECT_31, Status
from verglas.project.job_star import JobSettings, job_star_bytes
from verglas.project.registration import ForeignJob
from verglas.scheduler.launch import launch
from verglas.scheduler.schemes import runner as runner_module
from verglas.scheduler.schemes.operators import OperatorFailed, Values, perform
from verglas.scheduler.schemes.runner import (
    SchemeRunner,
    SchemeStopped,
    abort_scheme,
    reset_scheme,
    set_variable,
)
from verglas.scheduler.schemes.scheme_file import (
    Edge,
    Operator,
    Scheme,
    SchemeJob,
    Variable,
    read_scheme,
    write_scheme,
)
from verglas.scheduler.schemes.scheme_lock import SchemeTaken
from waiting import until


def template(project, scheme, name, type_text, **options):
    folder = project.root / f"Schemes/{scheme}/{name}"
    folder.mkdir(parents=True)
    dialect = DIALECT_31 if type_text.isdigit() else DIALECT_4
    (folder / "job.star").write_bytes(job_star_bytes(JobSettings(type_text, options), dialect))


@pytest.fixture
def prep(project):
    """RELION's prep: WAIT -> EXIT_maxtime -> importmovies -> motioncorr -> ctffind-like -> WAIT."""
    template(project, "prep", "importmovies", "relion.import.movies", fn_in_raw="$$movies")
    template(
        project,
        "prep",
        "motioncorr",
        "relion.motioncorr.own",
        factor="$$factor",
        input_star_mics="Schemes/prep/importmovies/movies.star",
    )
    scheme = Scheme(
        "Schemes/prep/",
        floats={
            "wait_sec": Variable("0", "0"),
            "maxtime_hr": Variable("48", "48"),
            "factor": Variable("2", "2"),
            "rounds": Variable("0", "0"),
            "one": Variable("1", "1"),
            "two": Variable("2", "2"),
        },
        bools={"again": Variable("0", "0")},
        strings={"movies": Variable("Movies/*.txt", "Movies/*.txt")},
        operators={
            "WAIT": Operator("wait", input1="wait_sec"),
            "EXIT_maxtime": Operator("exit_maxtime", input1="maxtime_hr"),
            "COUNT": Operator("float=plus", "rounds", "rounds", "one"),
            "AGAIN": Operator("bool=lt", "again", "rounds", "two"),
            "EXIT": Operator("exit"),
        },
        jobs={
            "importmovies": SchemeJob("importmovies", "continue"),
            "motioncorr": SchemeJob("motioncorr", "continue"),
        },
        edges=[
            Edge("WAIT", "EXIT_maxtime"),
            Edge("EXIT_maxtime", "importmovies"),
            Edge("importmovies", "motioncorr"),
            Edge("motioncorr", "COUNT"),
            Edge("COUNT", "AGAIN"),
            Edge("AGAIN", "EXIT", True, "WAIT", "again"),
        ],
    )
    write_scheme(project.root / "Schemes/prep/scheme.star", scheme)
    return project.root / "Schemes/prep/scheme.star"


def test_prep_runs_in_cycles_with_two_jobs_only(project, prep, movie):
    movie("a", "3")
    said: list[str] = []
    SchemeRunner(project, "prep", said.append).run()
    graph = project.graph()
    assert list(graph.processes) == ["Import/job001/", "MotionCorr/job002/"]
    assert all(each.status is Status.SUCCEEDED for each in graph.processes.values())
    assert (project.root / "MotionCorr/job002/Movies/a.out").read_text() == "6\n"  # $$factor
    scheme = read_scheme(prep)
    assert float(scheme.floats["rounds"].value) == 2
    assert scheme.jobs["motioncorr"] == SchemeJob("MotionCorr/job002/", "continue", True)
    assert sum("(continue)" in line for line in said) == 2
    assert not list(project.root.glob(".relion_lock_scheme*"))
    reset_scheme(project, "prep")
    scheme = read_scheme(prep)
    assert (scheme.current, float(scheme.floats["rounds"].value)) == ("WAIT", 0)
    assert scheme.jobs["motioncorr"].name == "motioncorr"


def test_a_scheme_goes_on_where_it_failed(project, prep, movie):
    movie("a", "3")
    set_variable(project, "prep", "factor", "2.5")
    with pytest.raises(ValueError, match="not a whole number"):
        SchemeRunner(project, "prep").run()
    assert read_scheme(prep).current == "motioncorr"
    set_variable(project, "prep", "factor", "2")
    SchemeRunner(project, "prep").run()
    assert list(project.graph().processes) == ["Import/job001/", "MotionCorr/job002/"]
    with pytest.raises(KeyError, match="no variable"):
        set_variable(project, "prep", "nothing", "2")


def test_a_scheme_stops_at_a_job_type_that_is_missing_and_names_it(project):
    template(project, "proc", "denoise", "relion.denoisetomo")
    scheme = Scheme(
        "Schemes/proc/",
        operators={"EXIT": Operator("exit")},
        jobs={"denoise": SchemeJob("denoise")},
        edges=[Edge("denoise", "EXIT")],
    )
    write_scheme(project.root / "Schemes/proc/scheme.star", scheme)
    with pytest.raises(ForeignJob, match=r"relion\.denoisetomo"):
        SchemeRunner(project, "proc").run()


def test_a_scheme_whose_runner_was_killed_goes_on(project, prep, movie):
    """Its lock is taken over, and the job that outlived it is waited for, not started again."""
    movie("a", "3")
    set_variable(project, "prep", "wait_sec", "1000")
    words = [sys.executable, "-m", "verglas.cli.main", "scheme", "run", "prep"]
    runner = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lock = project.root / ".relion_lock_scheme_prep"
    until(lambda: float(read_scheme(prep).floats["rounds"].value) == 1 and lock.exists())
    with pytest.raises(SchemeTaken, match=f"process {runner.pid}"):
        SchemeRunner(project, "prep").run()
    runner.kill()
    runner.communicate()
    assert lock.exists()
    set_variable(project, "prep", "wait_sec", "0")
    launched = launch(project, "MotionCorr/job002/")  # as if it had been killed while this job was at work
    scheme = read_scheme(prep)
    scheme.current = "motioncorr"
    write_scheme(prep, scheme)
    said: list[str] = []
    SchemeRunner(project, "prep", said.append).run()
    assert launched.process is not None
    assert launched.process.wait() == 0
    assert "job MotionCorr/job002/ is running already" in said
    assert project.directory("MotionCorr/job002/").record().attempt == 2
    assert not lock.exists()


def test_a_lock_of_relions_is_left_alone(project, prep):
    (project.root / ".relion_lock_scheme_prep").mkdir()
    with pytest.raises(SchemeTaken, match="RELION runs it"):
        SchemeRunner(project, "prep").run()
    assert (project.root / ".relion_lock_scheme_prep").exists()


def test_aborting_stops_a_wait(project, prep, movie):
    movie("a")
    set_variable(project, "prep", "wait_sec", "1000")

    def say(text):
        if "motioncorr" in text:
            abort_scheme(project, "prep")

    with pytest.raises(SchemeStopped, match="aborted"):
        SchemeRunner(project, "prep", say).run()
    assert (project.root / "Schemes/prep" / ABORT_NOW).exists()


def test_missing_input_ends_a_scheme(project, monkeypatch):
    monkeypatch.setattr(runner_module, "MISSING_INPUT_S", 0.05)
    template(project, "x", "motioncorr", "1", input_star_mics="Schemes/other/import/movies.star")
    scheme = Scheme(
        "Schemes/x/", jobs={"motioncorr": SchemeJob("motioncorr")}, edges=[Edge("motioncorr", "x")]
    )
    write_scheme(project.root / "Schemes/x/scheme.star", scheme)
    other = Scheme("Schemes/other/", jobs={"import": SchemeJob("Import/job077/", "new", True)})
    (project.root / "Schemes/other").mkdir()
    write_scheme(project.root / "Schemes/other/scheme.star", other)
    with pytest.raises(SchemeStopped, match=r"needs Import/job077/movies.star"):
        SchemeRunner(project, "x").run()


def test_files_of_31_keep_their_words(tmp_path):
    scheme = Scheme(
        "Schedules/a/",
        word="Schedule",
        floats={"x": Variable("1.000000", "2.000000")},
        edges=[Edge("a", "b")],
    )
    write_scheme(tmp_path / "schedule.star", scheme)
    text = (tmp_path / "schedule.star").read_text()
    assert "_rlnScheduleFloatVariableResetValue #3" in text
    assert "Scheme" not in text
    assert read_scheme(tmp_path / "schedule.star") == scheme


@pytest.fixture
def values(tmp_path, monkeypatch) -> Values:
    monkeypatch.chdir(tmp_path)
    table = StarTable.from_columns("particles", {"rlnDefocusU": [5.0, 9.0, 7.0]})
    write_star("p.star", [table])
    return Values(
        Scheme(
            "Schemes/t/",
            floats={"a": Variable("2", "0"), "b": Variable("3", "0"), "out": Variable("0", "0")},
            bools={"t": Variable("1", "0"), "f": Variable("0", "0"), "out": Variable("0", "0")},
            strings={
                "s": Variable("one,two,three", ""),
                "star": Variable("p.star", ""),
                "column": Variable("p.star,particles,rlnDefocusU", ""),
                "comma": Variable(",", ""),
                "out": Variable("", ""),
            },
        )
    )


@pytest.mark.parametrize(
    ("kind", "a", "b", "expected"),
    [
        ("float=plus", "a", "b", 5),
        ("float=minus", "a", "b", -1),
        ("float=mult", "a", "b", 6),
        ("float=divide", "b", "a", 1.5),
        ("float=round", "2.5", "undefined", 3),
        ("float=count_images", "star", "particles", 3),
        ("float=count_images", "none.star", "particles", 0),
        ("float=count_words", "s", "undefined", 3),
        ("float=read_star", "column", "1", 9),
        ("float=star_table_max", "column", "undefined", 9),
        ("float=star_table_min", "column", "undefined", 5),
        ("float=star_table_avg", "column", "undefined", 7),
        ("float=star_table_sort_idx", "column", "1", 1),
        ("float=star_table_sort_idx", "column", "-1", 0),
        ("float=star_table_max_idx", "column", "undefined", 1),
        ("bool=and", "t", "f", 0),
        ("bool=or", "t", "f", 1),
        ("bool=not", "f", "undefined", 1),
        ("bool=gt", "b", "a", 1),
        ("bool=le", "b", "a", 0),
        ("bool=eq", "a", "2", 1),
        ("bool=file_exists", "star", "undefined", 1),
        ("bool=set", "t", "undefined", 1),
        ("string=join", "s", "!", "one,two,three!"),
        ("string=before_first", "s", "comma", "one"),
        ("string=after_first", "s", "comma", "two,three"),
        ("string=before_last", "s", "comma", "one,two"),
        ("string=after_last", "s", "comma", "three"),
        ("string=nth_word", "s", "2", "two"),
        ("string=nth_word", "s", "-1", "three"),
        ("string=nth_word", "s", "9", "undefined"),
        ("string=glob", "*.star", "undefined", "p.star"),
        ("string=glob", "*.none", "undefined", "undefined"),
        ("string=read_star", "column", "2", "7.000000"),
    ],
)
def test_operators(values, kind, a, b, expected):
    perform(values.scheme, Operator(kind, "out", a, b))
    group = {"float": values.scheme.floats, "bool": values.scheme.bools, "string": values.scheme.strings}
    assert group[kind.split("=")[0]]["out"].value == str(expected)


@pytest.mark.parametrize(
    "operator",
    [
        Operator("float=divide", "out", "a", "0"),
        Operator("float=plus", "nowhere", "a", "b"),
        Operator("bool=and", "out", "t", "no such"),
        Operator("float=fly", "out", "a"),
        Operator("float=read_star", "out", "column", "77"),
        Operator("float=set", "out", "words"),
    ],
)
def test_operators_that_cannot_be_say_which(values, operator):
    with pytest.raises(OperatorFailed, match=operator.type.replace("=", "=")):
        perform(values.scheme, operator)


def test_file_operators(values, tmp_path):
    perform(values.scheme, Operator("touch_file", input1="x"))
    perform(values.scheme, Operator("copy_file", input1="x", input2="deep/er/y"))
    perform(values.scheme, Operator("move_file", input1="deep/er/y", input2="z"))
    perform(values.scheme, Operator("delete_file", input1="x"))
    perform(values.scheme, Operator("delete_file", input1="x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "p.star", "z"]
