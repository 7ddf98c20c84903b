"""Lists changed by rows have the bytes of lists that the jobs rebuild."""

from __future__ import annotations

import time
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from verglas.formats.star import StarTable, read_star, write_star
from verglas.formats.star.splicing import CannotSplice, SplicedList
from verglas.jobs.chain import STAGES
from verglas.project.job_star import read_settings
from verglas.scheduler.live.publishing.process import PublishTask, _Publisher, _situation
from verglas.scheduler.live.publishing.standing import Lists
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.ledger import Movie
from verglas.scheduler.live.record.stage_settings import StageSettings

OPTICS = StarTable.from_columns("optics", {"rlnOpticsGroup": [1]})


def rows(*names: str, **columns: list) -> list[StarTable]:
    return [OPTICS, StarTable.from_columns("micrographs", {"rlnMicrographName": list(names), **columns})]


class TestSplicing:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "list.star"
        write_star(path, rows("b", "d", "d2", "f", rlnDefocusU=[2.0, 4.0, 4.5, 6.0]))
        return path

    @pytest.fixture
    def known(self, path: Path) -> SplicedList:
        return SplicedList.of_file(path, [2, 4, 6], [1, 2, 1])

    def test_rows_come_go_and_change_where_their_keys_say(self, path, known, tmp_path):
        known.splice(
            {
                1: rows("a", rlnDefocusU=[1.0]),
                4: (),
                6: rows("F", rlnDefocusU=[6.5]),
                9: rows("g", "h", rlnDefocusU=[7.0, 8.0]),
                5: (),
            }
        )
        write_star(tmp_path / "wanted.star", rows("a", "b", "F", "g", "h", rlnDefocusU=[1, 2, 6.5, 7, 8.0]))
        assert path.read_bytes() == (tmp_path / "wanted.star").read_bytes()
        assert known.keys == [1, 2, 6, 9]
        known.splice({6: (), 9: ()})
        assert read_star(path)["micrographs"].strings("rlnMicrographName") == ["a", "b"]

    def test_a_list_that_is_not_there_begins_with_its_first_rows(self, tmp_path):
        known = SplicedList.of_file(tmp_path / "new.star", [], [])
        assert known.lengths == array("q")
        known.splice({3: ()})
        assert not known.path.exists()
        known.splice({3: rows("c", rlnDefocusU=[3.0])})
        write_star(tmp_path / "wanted.star", rows("c", rlnDefocusU=[3.0]))
        assert known.path.read_bytes() == (tmp_path / "wanted.star").read_bytes()

    def test_a_new_head_replaces_the_old_one(self, path, known):
        two = StarTable.from_columns("optics", {"rlnOpticsGroup": [1, 2]})
        known.splice({7: [two, rows("g", rlnDefocusU=[7.0])[1]]})
        assert len(read_star(path)["optics"]) == 2
        assert len(read_star(path)["micrographs"]) == 5

    def test_columns_that_rows_lack_are_filled_and_others_refused(self, path, known):
        known.splice({7: rows("g")})
        assert read_star(path)["micrographs"].floats("rlnDefocusU")[-1] == 0
        with pytest.raises(CannotSplice, match="more columns"):
            known.splice({8: rows("h", rlnDefocusU=[1.0], rlnPhaseShift=[3.0])})
        with pytest.raises(CannotSplice, match="fewer columns"):
            known.splice({8: rows("h")}, missing=None)
        known.splice({8: rows("h", rlnPhaseShift=[3.0], rlnDefocusU=[8.0])}, missing=None)
        assert read_star(path)["micrographs"].floats("rlnDefocusU")[-1] == 8

    def test_what_somebody_else_changed_is_left_alone(self, path, known):
        write_star(path, rows("z", rlnDefocusU=[1.0]))
        with pytest.raises(CannotSplice, match="changed by another"):
            known.splice({7: rows("g", rlnDefocusU=[7.0])})
        with pytest.raises(CannotSplice, match="has 1 rows, expected 4"):
            SplicedList.of_file(path, [2, 4, 6], [1, 2, 1])

    def test_keys_must_ascend_and_a_row_must_be_left(self, path, known):
        with pytest.raises(CannotSplice, match="order of their keys"):
            SplicedList.of_file(path, [2, 6, 4], [1, 1, 2])
        with pytest.raises(CannotSplice, match="no row would be left"):
            known.splice({2: (), 4: (), 6: ()})


@pytest.mark.slow
def test_changed_lists_are_those_that_jobs_rebuild(
    project, movies, write_movie, make_session, finish, monkeypatch
):
    for number in range(14):
        name = "bad" if number in (5, 11) else "m"
        write_movie(movies / f"{number:02d}_{name}.mrc", seed=number)
    folder = make_session(thresholds="rlnCtfMaxResolution <= 10; picks >= 3")
    finish(folder)
    wanted = lists_of(folder)
    assert len(read_star(Path(folder.order().jobs["Select"]) / "set_aside.star")["set_aside"]) > 3

    lines = folder.journal.read_bytes().splitlines(keepends=True)
    task = task_of(project, folder)
    publisher = _Publisher(task.folder)
    folder.journal.write_bytes(b"".join(lines[: len(lines) // 2]))
    assert publisher.publish(task) == ((), True)
    assert lists_of(folder) != wanted
    monkeypatch.setattr(publisher, "_needs_rebuild", lambda task: False)
    for end in range(len(lines) // 2 + 1, len(lines) + 1, 3):
        folder.journal.write_bytes(b"".join(lines[:end]))
        assert publisher.publish(task) == ((), False)
    folder.journal.write_bytes(b"".join(lines))
    assert publisher.publish(task) == ((), False)
    assert lists_of(folder) == wanted


def test_everything_is_rebuilt_for_an_eighth_of_new_movies_and_for_new_settings(tmp_path):
    task = PublishTask(str(tmp_path), {}, {"MotionCorr": {"patch_x": "1"}}, ())
    publisher = _Publisher(str(tmp_path))
    assert publisher._needs_rebuild(task)  # nothing is known yet
    publisher.lists, publisher.situation, publisher.rebuilt = Lists(), _situation(task), 80
    publisher.ledger.movies = [Movie(n, f"m{n}", f"m{n}", "") for n in range(1, 90)]
    assert not publisher._needs_rebuild(task)
    publisher.ledger.movies.append(Movie(90, "m90", "m90", ""))
    assert publisher._needs_rebuild(task)
    publisher.not_before_s = time.monotonic() + 60  # the last rebuild was long
    assert not publisher._needs_rebuild(task)
    assert publisher._needs_rebuild(replace(task, complete=True))
    assert publisher._needs_rebuild(replace(task, options={"MotionCorr": {"patch_x": "5"}}))
    (tmp_path / "manual.star").write_text("a person's verdicts")
    assert publisher._needs_rebuild(task)


def lists_of(folder) -> dict[str, bytes]:
    """All lists of the chain's jobs."""
    jobs = folder.order().jobs.values()
    paths = (path for job in jobs for path in (folder.root / job).glob("*.star"))
    skipped = ("job.star", "default_pipeline.star", "job_pipeline.star")
    return {
        str(path.relative_to(folder.root)): path.read_bytes() for path in paths if path.name not in skipped
    }


def task_of(project, folder) -> PublishTask:
    order = folder.order()
    settings = StageSettings.read(folder.settings_file)
    options = {stage: settings.options(stage, 1) for stage in STAGES}
    options["Select"] = dict(read_settings(project.root / order.jobs["Select"]).options)
    groups = BeamShiftGroups.read(folder.path / "groups.json")
    return PublishTask(str(folder.path), order.jobs, options, tuple(groups.optics))
