"""Movies through the stages: lists, set-asides, order, thresholds, changes, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verglas.formats.star import read_star
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.select.thresholds import KIND, UNLIKE_FILE, UNLIKE_VERDICT, write_manual
from verglas.project.dialect import Status
from verglas.scheduler.live.record.ledger import Ledger
from verglas.scheduler.live.record.status import read_status
from verglas.scheduler.live.requests.limits import change_thresholds
from verglas.scheduler.live.requests.snapshot import take_snapshot
from verglas.scheduler.live.requests.stage_changes import change_settings
from verglas.scheduler.live.requests.trial import read_trial, try_movies
from verglas.scheduler.live.requests.verdicts import give_verdict, try_again
from verglas.scheduler.live.session.session import LiveSession

pytestmark = pytest.mark.slow  # each starts processes; the parts are tested by themselves


def names_in(path: Path, block: str, label: str) -> list[str]:
    return [Path(name).stem for name in read_star(path)[block].strings(label)]


def particles(project) -> dict[str, int]:
    path = project.root / "Extract/job006/particles.star"
    found: dict[str, int] = {}
    for name in names_in(path, "particles", "rlnMicrographName"):
        found[name] = found.get(name, 0) + 1
    return found


def test_all_movies_reach_the_particle_list(project, movies, write_movie, make_session, finish):
    for number in range(5):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session())
    wanted = [f"m{number}" for number in range(5)]
    assert sorted(particles(project)) == wanted
    listed = project.root / "CtfFind/job003/micrographs_ctf.star"
    assert names_in(listed, "micrographs", "rlnMicrographName") == wanted
    status = read_status(folder)
    assert (status.phase, status.found, status.accepted, status.finished) == ("finished", 5, 5, 5)
    assert status.particles == sum(particles(project).values())
    assert {each.status for each in project.graph().processes.values()} == {Status.SUCCEEDED}
    assert folder.report_file.exists()


def test_bad_movies_are_set_aside_with_their_reason_and_the_rest_goes_on(
    project, movies, write_movie, make_session, finish
):
    for name in ("a", "b_bad", "c"):
        write_movie(movies / f"{name}.mrc")
    (movies / "d.mrc").write_bytes(b"half a header")
    finish(folder := make_session())
    assert sorted(particles(project)) == ["a", "c"]
    assert dict(SetAsideList.read(project.root / "MotionCorr/job002").reasons()) == {
        "Movies/b_bad.mrc": "bad on purpose"
    }
    not_taken = dict(SetAsideList.read(project.root / "Import/job001").reasons())
    assert list(not_taken) == ["Movies/d.mrc"]
    rows = read_star(project.root / "Select/job005/set_aside.star")["set_aside"]
    assert rows.strings("verglasReasonKind") == ["failure"]
    assert read_status(folder).failed == 1


def test_a_movie_that_kills_its_worker_three_times_is_poison(
    project, movies, write_movie, make_session, finish
):
    write_movie(movies / "a_poison.mrc")
    write_movie(movies / "b.mrc")
    finish(make_session())
    assert sorted(particles(project)) == ["b"]
    reasons = dict(SetAsideList.read(project.root / "MotionCorr/job002").reasons())
    assert "died 3 times" in reasons["Movies/a_poison.mrc"]


def test_a_changed_file_is_tried_again(project, movies, write_movie, make_session, finish):
    write_movie(movies / "a_bad.mrc")
    finish(folder := make_session())
    ledger = Ledger(folder.journal)
    ledger.read()
    assert ledger.movies[0].is_aside
    assert try_again(folder, []) == ["1 movies are tried again"]
    finish(folder)
    lines = [json.loads(line)["k"] for line in folder.journal.read_text().splitlines()]
    assert lines == ["taken", "aside", "again", "aside"]


def test_thresholds_set_aside_and_take_back_without_recomputing(
    project, movies, write_movie, make_session, finish
):
    for number in range(8):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session("rlnDefocusU <= 15000"))
    table = read_star(project.root / "CtfFind/job003/micrographs_ctf.star")["micrographs"]
    defocus = dict(zip(table.strings("rlnMicrographName"), table.floats("rlnDefocusU")))
    good = {Path(name).stem for name, value in defocus.items() if value <= 15000}
    assert 0 < len(good) < 8
    assert set(particles(project)) == good
    picked = {path: path.stat().st_mtime_ns for path in project.root.glob("AutoPick/job004/Movies/*")}
    assert len(picked) == 8
    change_thresholds(project, folder, "none")
    finish(folder)
    assert len(particles(project)) == 8
    assert all(path.stat().st_mtime_ns == time for path, time in picked.items())
    assert not (project.root / "Select/job005/set_aside.star").exists()


def test_a_persons_verdict_goes_before_the_limits(project, movies, write_movie, make_session, finish):
    for number in range(4):
        write_movie(movies / f"m{number}.mrc", number)
    folder = make_session("rlnGroupNrParticles >= 100")
    finish(folder)
    assert read_status(folder).set_aside == 4
    give_verdict(folder, ["m1"], "accept", "I know it")
    give_verdict(folder, ["3"], "reject", "crack")
    finish(folder)
    rows = read_star(project.root / "Select/job005/set_aside.star")["set_aside"]
    assert set(particles(project)) == {"m1"}
    kinds = dict(zip(rows.strings("verglasReason"), rows.strings("verglasReasonKind")))
    assert kinds["crack"] == "manual"
    assert sorted(kinds.values()) == ["manual", "threshold", "threshold"][: len(kinds)]


def test_what_2d_classes_set_aside_leaves_the_lists_with_a_kind_of_its_own(
    project, movies, write_movie, make_session, finish
):
    for number in range(3):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session())
    name = "MotionCorr/job002/Movies/m1.mrc"
    write_manual(folder.manual_file.with_name(UNLIKE_FILE), {name: (UNLIKE_VERDICT, "all edges")})
    finish(folder)
    table = read_star(project.root / "Select/job005/set_aside.star")["set_aside"]
    assert table.strings(KIND) == ["classes"] and table.strings("verglasReason") == ["all edges"]
    assert set(particles(project)) == {"m0", "m2"}
    status = read_status(folder)
    assert (status.set_aside, status.manual_rejects, status.accepted) == (1, 0, 2)
    give_verdict(folder, ["m1"], "accept", "they are no edges")
    finish(folder)
    assert set(particles(project)) == {"m0", "m1", "m2"}


@pytest.mark.parametrize("scope", ["all", "2-3", "new"])
def test_changed_options_redo_what_they_are_for_and_what_depends(
    project, movies, write_movie, make_session, finish, scope
):
    for number in range(4):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session())
    files = sorted(project.root.glob("AutoPick/job004/Movies/*_autopick.star"))
    times = [path.stat().st_mtime_ns for path in files]
    motion = {path: path.stat().st_mtime_ns for path in project.root.glob("MotionCorr/*/Movies/*")}
    change_settings(project, folder, {"AutoPick": {"log_diam_max": "31"}}, scope)
    finish(folder)
    redone = [path.stat().st_mtime_ns != time for path, time in zip(files, times)]
    expected = {"all": [True] * 4, "2-3": [False, True, True, False], "new": [False] * 4}[scope]
    assert redone == expected
    assert all(path.stat().st_mtime_ns == time for path, time in motion.items())
    coordinates = {path.stem.removesuffix("_autopick"): len(read_star(path)[""]) for path in files}
    assert particles(project) == coordinates
    record = read_star(project.root / "AutoPick/job004/verglas_settings.star")
    versions = record["settings_of_micrographs"].ints("verglasSettingsVersion").tolist()
    assert versions == [2 if each else 1 for each in expected]


def test_sizes_are_changed_for_all_or_not_at_all(project, make_session):
    folder = make_session()
    with pytest.raises(ValueError, match="one for all"):
        change_settings(project, folder, {"Extract": {"extract_size": "64"}}, "new")
    with pytest.raises(ValueError, match="joins the jobs"):
        change_settings(project, folder, {"Extract": {"star_mics": "x.star"}}, "all")
    with pytest.raises(KeyError, match="no option"):
        change_settings(project, folder, {"AutoPick": {"nonsense": "1"}}, "all")


def test_a_trial_changes_nothing(project, movies, write_movie, make_session, finish):
    write_movie(movies / "m0.mrc")
    finish(folder := make_session())
    before = {
        path: path.stat().st_mtime_ns
        for path in project.root.rglob("*")
        if path.is_file() and "try" not in path.parts
    }
    (trial,) = try_movies(project, folder, ["m0"], {"AutoPick": {"log_diam_max": "33"}})
    assert any("Picks" in line for line in trial.lines)
    assert trial.now["picks"] > 0 and trial == read_trial(folder, 1)
    assert trial.trial_files["micrograph"] == trial.now_files["micrograph"]
    assert trial.trial_files["picks"] != trial.now_files["picks"]
    for files in (trial.now_files, trial.trial_files):
        assert (project.root / files["picks"]).exists()
    after = {
        path: path.stat().st_mtime_ns
        for path in project.root.rglob("*")
        if path.is_file() and "try" not in path.parts
    }
    assert after == before


def test_a_snapshot_stays_while_the_session_goes_on(project, movies, write_movie, make_session, finish):
    write_movie(movies / "m0.mrc")
    finish(folder := make_session())
    take_snapshot(project, folder, "friday")
    frozen = (project.root / "Select/friday_particles/particles.star").read_bytes()
    write_movie(movies / "m1.mrc", 1)
    finish(folder)
    assert len(particles(project)) == 2
    assert (project.root / "Select/friday_particles/particles.star").read_bytes() == frozen
    job = project.graph().process("Select/friday_particles")
    assert job.status is Status.SUCCEEDED


def test_a_lost_journal_is_made_again_from_the_job_directories(
    project, movies, write_movie, make_session, finish
):
    for number in range(3):
        write_movie(movies / f"m{number}.mrc", number)
    finish(folder := make_session())
    before = {
        path: path.stat().st_mtime_ns
        for folder_name in ("MotionCorr", "CtfFind", "AutoPick", "Extract")
        for path in project.root.glob(f"{folder_name}/*/Movies/*")
    }
    rows = particles(project)
    folder.journal.unlink()
    finish(folder)
    assert particles(project) == rows
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_full_disc_pauses_the_session_and_sets_no_movie_aside(project, movies, write_movie, make_session):
    (project.root / "full").touch()
    write_movie(movies / "a_full.mrc")
    folder = make_session()
    session = LiveSession(project, folder)
    folder.take()
    session._begin()
    while not session.results.pause_until_s:
        session._turn()
    (project.root / "full").unlink()
    while not session.known.counts.finished:
        session._turn()
    assert not session.known.counts.failed
    session.close()


def test_a_torn_journal_line_costs_nothing(project, movies, write_movie, make_session, finish):
    write_movie(movies / "m0.mrc")
    finish(folder := make_session())
    with open(folder.journal, "ab") as out:
        out.write(b'{"k": "done", "m": 1, "sta')
    write_movie(movies / "m1.mrc", 1)
    finish(folder)
    assert sorted(particles(project)) == ["m0", "m1"]


def test_pause_finishes_what_is_in_hand_and_hands_the_jobs_back(project, movies, write_movie, make_session):
    write_movie(movies / "a_slow.mrc")
    folder = make_session()
    session = LiveSession(project, folder)
    folder.take()
    session._begin()
    while not session.lanes.in_hand:
        session._turn()
    folder.wish("pause")
    while project.graph().processes["MotionCorr/job002/"].status is not Status.SUCCEEDED:
        session._turn()
    listed = project.root / "MotionCorr/job002/corrected_micrographs.star"
    assert names_in(listed, "micrographs", "rlnMicrographName") == ["a_slow"]
    assert not (project.root / "Extract/job006/particles.star").exists()
    assert all(lane.worker is None for lane in session.lanes.lanes)
    session.close()
