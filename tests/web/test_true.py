"""Untrue things that the pages once said, each by its cause."""

from __future__ import annotations

import json

import numpy as np
import pytest

from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.report.plot import time_ticks
from verglas.jobs.select.figures import KINDS, figures_of_row, kind_named
from verglas.jobs.select.thresholds import parse_thresholds
from verglas.project.report.facts import duration
from verglas.project.results.classes import gallery
from verglas.project.results.curves import angles
from verglas.project.results.directions import mates
from verglas.scheduler.events import FILE_NAME, read_events, record_event
from verglas.scheduler.live.record.status import rate_range
from verglas.scheduler.schedule import Order, Progress, Result, ScheduleFolder
from verglas.web.former import FORMER
from verglas.web.live.health import verdict
from verglas.web.session import _rate

LIST = "CtfFind/job003/micrographs_ctf.star"


def test_every_figure_has_one_key_everywhere(served):
    told = served.get("figures").json()
    assert [each["key"] for each in told] == [kind.key for kind in KINDS]
    assert all(each["definition"] for each in told)
    found = served.get("micrographs/list", path=LIST).json()
    known = {kind.key for kind in KINDS} | {"time_s"} | FORMER.keys()
    assert found["columns"].keys() <= known
    assert {each["key"] for each in found["kinds"]} == {
        "motion_total_angst",
        "defocus_u_angst",
        "defocus_v_angst",
        "astigmatism_angst",
        "ctf_resolution_angst",
    }


def test_the_tilt_that_is_written_is_the_tilt_that_is_read(served, project):
    assert figures_of_row({"verglasTiltAngle": "12.5"}) == {"tilt_deg": 12.5}
    assert figures_of_row({"verglasCtfTilt": "7"}) == {"tilt_deg": 7.0}
    assert parse_thresholds("verglasCtfTilt <= 5")[0].kind is kind_named("verglasTiltAngle")
    star = read_star(project.root / LIST)
    table = star["micrographs"].with_columns({"verglasTiltAngle": [1.0, 30.0]})
    write_star(project.root / LIST, [star["optics"], table])
    assert served.get("micrographs/list", path=LIST).json()["columns"]["tilt_deg"] == [1.0, 30.0]


def test_one_malformed_line_hides_no_other_event(served, project):
    record_event(project.root, "person", "before")
    with open(project.root / ".verglas" / FILE_NAME, "ab") as log:
        log.write(b'{"kind": "no time"}\n[1, 2]\nnot json\n\xff\xfe\n')
    record_event(project.root, "person", "after")
    with open(project.root / ".verglas" / FILE_NAME, "ab") as log:
        log.write(b'{"time": "2026')  # being written
    found = served.get("events").json()
    assert [each["text"] for each in found if each["kind"] == "person"][-2:] == ["before", "after"]
    assert sum(each["kind"] == "damaged" for each in found) == 4
    assert [each["text"] for each in read_events(project.root, last=1)] == ["after"]


def test_the_last_events_are_those_of_the_whole_log(project):
    for number in range(3000):
        record_event(project.root, "note", f"{number} " + "x" * 200)
    every = [each["text"] for each in read_events(project.root)]
    assert [each["text"] for each in read_events(project.root, last=7)] == every[-7:]
    assert [each["text"] for each in read_events(project.root, last=5000)] == every


def test_a_rate_over_seconds_is_no_rate():
    assert _rate(np.arange(20.0)) == {}  # 20 movies of a demo within 20 s: not 3,600 an hour
    found = _rate(np.arange(0.0, 3000.0, 15.0))
    assert found["rate_per_h"] == pytest.approx(240)
    low, high = found["rate_range_per_h"]
    assert low < 240 < high and high - low < 50
    assert rate_range(4, 3600) == (2.0, 6.0)


RUNNING = {
    "phase": "running",
    "found": 400,
    "finished": 380,
    "accepted": 300,
    "set_aside": 60,
    "failed": 0,
    "in_per_hour": 240,
    "done_per_hour": 238,
    "rate_over_s": 3600,
    "in_range": [225, 255],
    "done_range": [223, 253],
    "lag_s": 60,
}


@pytest.mark.parametrize(
    "changed, word",
    [
        ({}, "Healthy"),
        ({"in_per_hour": 341, "in_range": [323, 359], "finished": 300}, "Falling behind"),
        ({"in_per_hour": 341, "in_range": [323, 359], "finished": 300, "rate_over_s": 90}, "Healthy"),
        ({"found": 4000, "finished": 3980}, "Healthy"),  # most are on their way: none of them is lost
        ({"accepted": 20, "set_aside": 100}, "Few kept"),
        ({"lag_s": 700}, "Behind"),
        ({"phase": "paused"}, "Paused"),
        ({"phase": "finished"}, "Finished"),
        ({"problems": ["the disc is full"]}, "Look here"),
    ],
)
def test_the_word_of_a_session_is_judged_in_one_place(changed, word):
    assert verdict({**RUNNING, **changed}).word == word


def test_iteration_0_has_no_best_class(project):
    folder = project.root / "Class2D/job006"
    for kind in ("model", "data"):
        (folder / f"run_it000_{kind}.star").write_bytes((folder / f"run_it001_{kind}.star").read_bytes())
    assert gallery(project, "Class2D/job006/run_it000_model.star").best_angst is None
    assert gallery(project, "Class2D/job006/run_it001_model.star").best_angst == 12.0


def test_empty_classes_say_so(served):
    found = served.get("classes/gallery", model="Class2D/job006/run_it002_model.star").json()
    assert [row["empty"] for row in found["classes"]] == [False, False, True]


def test_a_report_over_seconds_tells_seconds():
    assert [duration(each) for each in (30, 90, 600, 7200)] == ["30 s", "90 s", "10 min", "2.0 h"]
    for seconds in (30, 3000, 300_000):
        texts = [text for _, text in time_ticks(1_000_000.0, 1_000_000.0 + seconds)]
        assert len(texts) == len(set(texts)) > 1
    assert len(time_ticks(1_000_000.0, 1_000_000.0)) == 1


def test_jobs_finished_in_this_round_are_not_told_as_only_scheduled(served, project):
    from verglas.project.dialect import Status

    names = [each["name"] for each in served.get("jobs").json()["jobs"]][:5]
    for name in names:
        project.set_status(name, Status.SCHEDULED)
    folder = ScheduleFolder(project.root, "night")
    folder.create(Order("night", tuple(names), 3))
    folder.save(Progress("between", 1, results={name: Result("succeeded") for name in names}))
    rows = {each["name"]: each for each in served.get("jobs").json()["jobs"]}
    assert {rows[name]["list"] for name in names} == {"Finished"}
    assert rows[names[0]]["status"] == "Scheduled"
    assert rows[names[0]]["last_round"]["round"] == 1


def _write_orientations(project, symmetry):
    rng = np.random.default_rng(1)
    count = 4000
    rot = rng.uniform(0, 360 / 7, count)  # the asymmetric unit of D7
    tilt = np.rad2deg(np.arccos(rng.uniform(0, 1, count)))
    columns = {"rlnAngleRot": rot, "rlnAngleTilt": tilt, "rlnClassNumber": [1] * count}
    folder = project.root / "Refine"
    folder.mkdir(exist_ok=True)
    write_star(folder / "run_it005_data.star", [StarTable.from_columns("particles", columns)])
    sampling = StarTable.from_columns("sampling_general", {"rlnSymmetryGroup": symmetry}, is_list=True)
    write_star(folder / "run_it005_sampling.star", [sampling])


def test_a_symmetric_run_is_no_preferred_orientation(project):
    _write_orientations(project, "D7")
    found = angles(project, "Refine/run_it005_data.star", 6)
    counts = np.array(found["counts"])
    assert (found["symmetry"], found["mates"], found["particles"]) == ("D7", 14, 4000)
    assert counts.sum() == 14 * 4000 and counts.min() > 0.7 * counts.mean()
    _write_orientations(project, "C1")
    assert np.array(angles(project, "Refine/run_it005_data.star", 6)["counts"]).min() == 0


@pytest.mark.parametrize("name", ["C1", "C4", "D7", "T", "O", "I2", "C3h", "S4", "Ci"])
def test_directions_have_the_mates_that_the_engine_gives_them(name):
    torch = pytest.importorskip("torch")
    from verglas.geometry.symmetry import PointGroup

    some = np.random.default_rng(2).normal(size=(5, 3))
    ours = mates(some, name)
    theirs = PointGroup.of(name).direction_mates(torch.from_numpy(some)).numpy()
    assert ours.shape == theirs.shape
    for one, other in zip(ours, theirs):
        np.testing.assert_allclose(
            one[np.lexsort(one.round(6).T)], other[np.lexsort(other.round(6).T)], atol=1e-6
        )


def test_the_health_of_a_session_is_told_with_its_verdict(served, project):
    folder = project.root / ".verglas/live/live1"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text(json.dumps({"name": "live1", "devices": ["cpu"], "stage_devices": {}}))
    (folder / "status.json").write_text(json.dumps({**RUNNING, "name": "live1"}))
    assert served.get("live/live1/health").json()["verdict"]["word"] == "Healthy"
