"""Autorun in rounds: what is done again and what is not, waiting, failing, stopping."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from verglas.formats.star import read_star
from verglas.project.dialect import Status
from verglas.project.editing import edit
from verglas.project.summary import job_summaries
from verglas.project.trash import delete
from verglas.scheduler import autorun as autorun_module
from verglas.scheduler import job_attempts
from verglas.scheduler.events import read_events
from verglas.scheduler.schedule import Order, ScheduleFolder, ScheduleTaken
from waiting import until


def total(project, job, iteration=3):
    table = read_star(project.root / job / f"run_it{iteration:03d}_model.star")["model"]
    return table.string("rlnTotal")


def test_the_manuals_example(project, chain, movie, autorun, monkeypatch):
    """Between rounds a movie is renamed into place: only it is processed; classes start again."""
    movie("a", "3")
    movie("b", "4")
    stamps = {}
    original = autorun_module.Autorun._between

    def between(self):
        out = project.root / "MotionCorr/job002/Movies"
        stamps.update({path.name: path.stat().st_mtime_ns for path in out.iterdir()})
        movie("c", "5")
        original(self)

    monkeypatch.setattr(autorun_module.Autorun, "_between", between)
    code, progress, _ = autorun(chain, repeat=2)
    assert code == 0
    assert progress.round == 2
    out = project.root / "MotionCorr/job002/Movies"
    assert set(stamps) == {"a.out", "b.out"}
    assert {name: (out / name).stat().st_mtime_ns for name in stamps} == stamps
    assert total(project, chain[2]) == "12"
    assert [each.status for each in job_summaries(project)] == ["Succeeded"] * 3
    log = (project.root / "MotionCorr/job002/run.out").read_text()
    assert " 2 to process, 0 finished before, 2 in all" in log
    assert " 1 to process, 2 finished before, 3 in all" in log
    assert (project.root / chain[2] / "note.txt").read_text().count("Executing new job on") == 2


def test_an_empty_directory_waits_and_the_first_movie_comes_in_round_3(
    project, chain, movie, autorun, monkeypatch
):
    original = autorun_module.Autorun._go_round

    def go_round(self):
        if self.state.round == 3:
            movie("first", "7")
        original(self)
        if self.state.round < 3:
            assert self.state.results[chain[0]].kind == "waiting"
            assert self.state.results[chain[1]].kind == "held"
            states = {each.name: each for each in job_summaries(project)}
            assert states[chain[0]].status == "Scheduled"
            assert "waiting: no file matches" in states[chain[0]].reason

    monkeypatch.setattr(autorun_module.Autorun, "_go_round", go_round)
    code, progress, _ = autorun(chain, repeat=3)
    assert code == 0
    assert progress.phase == "done"
    assert total(project, chain[2]) == "7"
    kinds = [event["kind"] for event in read_events(project.root)]
    assert kinds.count("round-waiting") == 2


def test_a_failure_stops_the_schedule_and_says_so(project, chain, movie, autorun):
    movie("a")
    (project.root / "orders/class2d").write_text("fail")
    code, progress, folder = autorun(chain, repeat=3)
    assert code == 1
    assert progress.phase == "failed"
    assert "told to fail" in progress.message
    assert not folder.running_file.exists()
    states = {each.name: each for each in job_summaries(project)}
    assert states[chain[2]].status == "Failed"
    assert states[chain[2]].reason == "told to fail"
    assert (project.root / chain[2] / "RELION_JOB_EXIT_FAILURE").exists()


def test_class2d_dies_in_round_2_of_4_and_rounds_3_and_4_are_good(
    project, chain, movie, autorun, monkeypatch
):
    monkeypatch.setattr(job_attempts, "DEATHS", 1)
    order = project.root / "orders/class2d"
    original = autorun_module.Autorun._go_round
    kinds = []

    def go_round(self):
        movie(f"m{self.state.round}", "1")
        order.unlink(missing_ok=True)
        if self.state.round == 2:
            order.write_text("die")
        original(self)
        kinds.append(self.state.results[chain[2]].kind)
        # the last complete round stays the result
        assert total(project, chain[2]) == ["1", "1", "3", "4"][self.state.round - 1]

    monkeypatch.setattr(autorun_module.Autorun, "_go_round", go_round)
    code, _, _ = autorun(chain, repeat=4, on_failure="retry-next-round")
    assert code == 0
    assert kinds == ["succeeded", "failed", "succeeded", "succeeded"]


def test_a_job_that_dies_once_is_started_again_at_once(project, chain, movie, autorun):
    movie("a", "3")
    order = project.root / "orders/class2d"
    order.write_text("die")
    timer = threading.Timer(1.5, order.unlink)
    timer.start()
    code, _, _ = autorun(chain)
    timer.join()
    assert code == 0
    assert total(project, chain[2]) == "3"


def test_three_equal_failures_in_a_row_stop_the_schedule(project, chain, movie, autorun):
    movie("a")
    (project.root / "orders/class2d").write_text("fail")
    code, progress, _ = autorun(chain, repeat=9, on_failure="retry-next-round")
    assert code == 1
    assert progress.round == 3
    assert "3 times in a row" in progress.message


def test_descendants_of_a_failure_are_held_or_not(project, chain, movie, autorun, schedule):
    select = schedule("Select", fn_img=f"{chain[2]}run_it003_data.star")
    jobs = [*chain, select]
    movie("a")
    assert autorun(jobs)[0] == 0
    (project.root / "orders/class2d").write_text("fail")
    code, progress, _ = autorun(jobs, on_failure="retry-next-round")
    assert code == 1
    assert progress.results[select].kind == "held"
    code, progress, _ = autorun(jobs, on_failure="continue")
    assert code == 1
    assert progress.results[select].kind == "succeeded"  # on the last complete round


def test_jobs_wait_for_a_template_while_the_others_go_on(project, chain, movie, autorun, schedule):
    late = schedule("Class2D", fn_img="Select/job099/templates.star")
    movie("a", "2")
    code, progress, _ = autorun([*chain, late], repeat=2)
    assert code == 0
    assert progress.results[late].kind == "waiting"
    assert progress.results[chain[2]].kind == "succeeded"


def test_a_single_round_waits_for_its_input_and_can_be_stopped(project, autorun, schedule):
    late = schedule("Class2D", fn_img="made_by_hand.star")
    timer = threading.Timer(1.0, (project.root / "RUNNING_PIPELINER_schedule1").unlink)
    timer.start()
    code, progress, _ = autorun([late])
    assert code == 0
    assert progress.phase == "stopped"


def test_stop_while_waiting_between_rounds(project, chain, movie, autorun):
    movie("a")
    folder = ScheduleFolder(project.root, "schedule1")

    def stop():
        until(lambda: folder.progress().phase == "between")
        folder.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    code, progress, _ = autorun(chain, repeat=2, min_wait_min=60.0)  # no test lasts so long
    thread.join()
    assert (code, progress.phase) == (0, "stopped")


def test_the_minimum_is_from_start_to_start(project, chain, movie, autorun):
    movie("a")
    (project.root / "orders/class2d.slow").write_text("5")  # a round takes more than a second
    code, _, _ = autorun(chain, repeat=2, min_wait_min=4 / 60)
    times = {"round-started": [], "round-ended": []}
    for event in read_events(project.root):
        if event["kind"] in times:
            times[event["kind"]].append(datetime.fromisoformat(str(event["time"])).timestamp())
    first, second = times["round-started"]
    took = times["round-ended"][0] - first
    assert code == 0
    assert max(4, took) - 1.1 <= second - first <= max(4, took) + 3  # whole seconds in the log


def test_settings_edited_between_rounds_take_effect(project, chain, movie, autorun, monkeypatch):
    from verglas.project.editing import edit

    original = autorun_module.Autorun._between

    def between(self):
        edit(project, chain[2], {"nr_iter": "1"})
        original(self)

    movie("a", "6")
    monkeypatch.setattr(autorun_module.Autorun, "_between", between)
    assert autorun(chain, repeat=2)[0] == 0
    names = sorted(path.name for path in (project.root / chain[2]).glob("run_it*_data.star"))
    assert names == ["run_it000_data.star", "run_it001_data.star"]  # no stale iterations among the new


def test_the_order_of_the_list_does_not_matter(project, chain, movie, autorun):
    movie("a", "6")
    assert autorun(chain[::-1])[0] == 0
    assert total(project, chain[2]) == "6"


def test_one_bad_movie_is_a_result(project, chain, movie, autorun):
    movie("a", "6")
    movie("b", "1 aside")
    movie("c", "2")
    assert autorun(chain)[0] == 0
    assert total(project, chain[2]) == "8"
    aside = read_star(project.root / chain[1] / "set_aside.star")["set_aside"]
    assert aside.strings("rlnMicrographName") == ["Movies/b.txt"]
    assert "told to be set aside" in aside.strings("verglasReason")[0]


def test_a_schedule_runs_once_at_a_time(project, chain):
    folder = ScheduleFolder(project.root, "schedule1")
    folder.create(Order(jobs=tuple(chain)))
    from dataclasses import asdict, replace
    from json import dumps

    from verglas.project.owner import Owner

    parent = Owner.of_pid(1)
    (folder.path / "owner.json").write_text(dumps(asdict(replace(parent))))
    with pytest.raises(ScheduleTaken, match="process 1"):
        folder.take()


@pytest.mark.parametrize("order", [{"repeat": 0}, {"min_wait_min": -1}, {"on_failure": "x"}, {"name": "a b"}])
def test_orders_that_make_no_sense(order):
    with pytest.raises(ValueError):
        Order(**order)


def test_a_failed_job_ends_with_its_reason_and_code(project, chain, movie):
    from verglas.scheduler.launch import launch, wait_for

    movie("a")
    launched = launch(project, chain[0])
    assert wait_for(project, launched) is Status.SUCCEEDED
    (project.root / "orders/class2d").write_text("bug")
    assert wait_for(project, launch(project, chain[1])) is Status.SUCCEEDED
    launched = launch(project, chain[2])
    assert wait_for(project, launched) is Status.FAILED
    assert launched.process is not None
    assert launched.process.returncode == 1
    assert "ZeroDivisionError: a bug" in project.directory(chain[2]).last_words()
    assert "Traceback" in (project.root / chain[2] / "run.err").read_text()


def test_a_job_deleted_while_its_schedule_works_is_left_out(project, chain, movie, autorun):
    movie("a", "3 slow")
    folder = ScheduleFolder(project.root, "schedule1")

    def delete_the_last():
        until(lambda: folder.progress().in_hand)
        delete(project, chain[2])

    thread = threading.Thread(target=delete_the_last)
    thread.start()
    code, progress, _ = autorun(chain, repeat=2)
    thread.join()
    assert (code, progress.phase) == (0, "done")
    assert "Class2D/job003/ was deleted: it is left out" in folder.log_file.read_text()
    assert project.graph().processes[chain[1]].status is Status.SUCCEEDED


def test_a_job_edited_while_its_schedule_works_has_its_new_options_in_the_next_round(
    project, chain, movie, autorun
):
    movie("a", "3")
    folder = ScheduleFolder(project.root, "schedule1")
    (project.root / "orders/class2d.slow").write_text("10")

    def change_the_last():
        until(lambda: folder.progress().in_hand == chain[2])
        edit(project, chain[2], {"nr_iter": "2"})

    thread = threading.Thread(target=change_the_last)
    thread.start()
    code, progress, _ = autorun(chain, repeat=2)
    thread.join()
    assert (code, progress.phase) == (0, "done")
    assert (project.root / chain[2] / "run_it002_data.star").exists()
    assert not (project.root / chain[2] / "run_it003_data.star").exists()


def test_a_job_without_what_it_announced_has_failed(project, chain, movie, autorun):
    movie("a", "3")
    (project.root / "orders/class2d").write_text("empty")
    code, progress, _ = autorun(chain)
    assert code == 1
    assert "ended without what it had announced: Class2D/job003/run_it003_data.star" in progress.message
