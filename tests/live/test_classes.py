"""2D classes of a session: a choice survives an update, becomes templates and a snapshot."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import rotate, shift

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.select.thresholds import judge, read_verdicts, write_manual
from verglas.project.dialect import Status
from verglas.project.job_directory import JobOutcome
from verglas.project.project import Project
from verglas.scheduler.live.record.class_state import ClassState, chosen_file, newest_averages
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.requests.class_choice import choose_classes
from verglas.scheduler.live.requests.snapshot import take_snapshot
from verglas.scheduler.live.requests.templates import pick_with_classes
from verglas.scheduler.live.streaming.classes import StreamingClasses
from verglas.scheduler.live.streaming.own_job import DEATHS
from verglas.scheduler.live.streaming.unlike import set_unlike_aside

BOX = 48


def averages(order: list[int], turn_deg: float = 0.0) -> np.ndarray:
    """Five different objects in some order, turned and moved as a new run would leave them."""
    y, x = np.indices((BOX, BOX)) - BOX // 2
    made = []
    for kind in order:
        rng = np.random.default_rng(kind)
        image = sum(
            sign * np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 12)
            for sign, (dx, dy) in zip([1, -1, 1, -1, 1, -1], rng.uniform(-12, 12, (6, 2)))
        )
        turned = rotate(image, turn_deg, reshape=False, order=1)
        made.append(shift(turned, (1.0, -2.0) if turn_deg else (0, 0), order=1))
    return np.array(made, dtype=np.float32)


@pytest.fixture
def folder(project, make_session):
    """A session whose Class2D job has a result of five classes with four particles each."""
    folder = make_session(classes=True)
    write_result(project, folder, [0, 1, 2, 3, 4])
    return folder


def write_result(project, folder, order: list[int], turn_deg: float = 0.0) -> str:
    job = folder.order().jobs["Class2D"]
    write_mrc(project.root / job / "run_it100_classes.mrcs", averages(order, turn_deg), 3.0)
    particles = StarTable.from_columns(
        "particles",
        {
            "rlnImageName": [f"{n + 1:06d}@s.mrcs" for n in range(20)],
            "rlnMicrographName": [f"m{n % 4}.mrc" for n in range(20)],
            "rlnClassNumber": [1 + n // 4 for n in range(20)],
            "rlnOpticsGroup": [1] * 20,
        },
    )
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1]})
    write_star(project.root / job / "run_it100_data.star", [optics, particles])
    jobs = folder.order().jobs
    accepted = StarTable.from_columns("micrographs", {"rlnMicrographName": ["m0.mrc", "m1.mrc"]})
    write_star(project.root / jobs["Select"] / "micrographs.star", [optics, accepted])
    all_of_them = particles.without(["rlnClassNumber"])
    write_star(project.root / jobs["Extract"] / "particles.star", [optics, all_of_them])
    return f"{job}run_it100_classes.mrcs"


def streaming(project, folder) -> StreamingClasses:
    log = SessionLog(project.root, folder.name)
    log.complain = pytest.fail
    return StreamingClasses(project, folder, SimpleNamespace(), log)


def test_a_choice_survives_an_update(project, folder):
    choose_classes(project, folder, [2, 5])
    classes = streaming(project, folder)
    path = write_result(project, folder, [4, 3, 0, 1, 2], turn_deg=77.0)
    classes._follow_choice(path)
    assert (classes.state.chosen, classes.state.lost) == ([1, 4], 0)
    followed = read_mrc(chosen_file(folder)).data
    now = read_mrc(project.root / path).data
    assert all(any(np.array_equal(each, now[n]) for each in followed) for n in (0, 3))


def test_a_class_that_is_gone_is_kept_in_mind_and_found_when_it_returns(project, folder):
    choose_classes(project, folder, [2, 5])
    classes = streaming(project, folder)
    classes._follow_choice(write_result(project, folder, [0, 2, 3, 4, 3], turn_deg=40.0))
    assert (classes.state.chosen, classes.state.lost) == ([4], 1)
    classes.state.write(folder)
    classes._follow_choice(write_result(project, folder, [1, 2, 3, 0, 4]))
    assert (classes.state.chosen, classes.state.lost) == ([1, 5], 0)


def test_chosen_classes_become_templates_in_one_step(project, folder):
    with pytest.raises(LookupError, match="choose classes first"):
        pick_with_classes(project, folder, "new")
    choose_classes(project, folder, [1, 3])
    told = pick_with_classes(project, folder, "new")
    assert "2 templates" in told[0]
    settings = StageSettings.read(folder.settings_file)
    changed = settings.versions["AutoPick"][-1].changed
    assert changed["do_refs"] == "Yes" and changed["do_log"] == "No"
    stack = project.root / changed["fn_refs_autopick"]
    np.testing.assert_array_equal(read_mrc(stack).data, averages([0, 2]))


def test_a_snapshot_freezes_the_chosen_particles_of_accepted_micrographs(project, folder):
    assert "20 particles" in take_snapshot(project, folder, "all")[1]
    choose_classes(project, folder, [2, 5])
    told = take_snapshot(project, folder, "friday")
    assert told[1].endswith("4 particles in the chosen classes 2, 5")
    kept = read_star(project.root / told[1].split()[0] / "particles.star")["particles"]
    assert set(kept.ints("rlnClassNumber").tolist()) == {2, 5}
    assert set(kept.strings("rlnMicrographName")) == {"m0.mrc", "m1.mrc"}


def test_no_snapshot_is_taken_of_classes_that_were_just_replaced(project, folder):
    choose_classes(project, folder, [2])
    write_result(project, folder, [1, 2, 3, 4, 0])
    with pytest.raises(LookupError, match="just being replaced"):
        take_snapshot(project, folder, "too_early")


def test_updates_leave_the_options_of_the_last_run_alone(project, folder):
    classes = streaming(project, folder)
    own = dict(classes._own_options())
    changed = classes._update_options("reference.mrcs")
    assert "--ref reference.mrcs" in changed["other_args"]
    assert classes._own_options() == own and ClassState().own_options == {}
    assert own["do_grad"] == "Yes" and "--ref" not in own["other_args"]


def write_assignments(path, junk: list[int], movies: int = 40, per_movie: int = 30) -> None:
    """A `_data.star` of five classes; the particles of junk movies lie in two classes of their own."""
    rng = np.random.default_rng(1)
    movie = np.repeat(np.arange(movies), per_movie)
    numbers = np.where(np.isin(movie, junk), rng.integers(6, 8, len(movie)), rng.integers(1, 6, len(movie)))
    table = StarTable.from_columns(
        "particles", {"rlnMicrographName": [f"m{n}.mrc" for n in movie], "rlnClassNumber": numbers}
    )
    write_star(path, [table])


def test_micrographs_of_other_things_are_set_aside_unless_a_person_says_otherwise(tmp_path):
    write_assignments(data := tmp_path / "run_it100_data.star", junk=[3, 17])
    manual = tmp_path / "manual.star"
    write_manual(manual, {"m3.mrc": ("accept", "by hand")})
    assert set_unlike_aside(data, manual) == (["m17.mrc"], "")
    assert set_unlike_aside(data, manual) == ([], "")  # it is known
    verdicts = read_verdicts(manual)
    kind, why = judge("m17.mrc", {}, (), verdicts)
    assert kind == "classes" and "classes of their own" in why
    assert judge("m3.mrc", {}, (), verdicts) == judge("m4.mrc", {}, (), verdicts) == ("", "")
    write_manual(manual, {"m17.mrc": ("accept", "I like it")})
    assert judge("m17.mrc", {}, (), read_verdicts(manual)) == ("", "")


def test_two_specimens_are_no_junk(tmp_path):
    write_assignments(data := tmp_path / "run_it100_data.star", junk=list(range(10)))
    new, text = set_unlike_aside(data, tmp_path / "manual.star")
    assert new == [] and text.startswith("10 of 40 micrographs")


def test_micrographs_set_aside_are_followed_by_an_update_without_them(project, folder):
    classes = streaming(project, folder)
    path = write_result(project, folder, [0, 1, 2, 3, 4])
    write_assignments(project.root / path.replace("_classes.mrcs", "_data.star"), junk=[7])
    classes.state.particles = 20000
    assert not classes._is_due(0.0, 20000)
    classes._set_unlike_aside(path)
    assert "m7.mrc" in read_verdicts(folder.manual_file)
    listed = []
    classes.session.lists_cover = lambda since_s: listed.append(since_s) or True
    assert classes._is_due(0.0, 19970)
    assert not classes._is_due(1000.0, 19970)  # movies go first
    assert listed[0] == classes.unlike_s > 0


def test_an_update_that_was_killed_is_begun_again_at_once_for_a_while(project, folder):
    classes = streaming(project, folder)
    told: list[str] = []
    classes.log.complain = told.append
    job, own = folder.order().jobs["Class2D"], classes.own_job
    directory = project.directory(job)
    directory.write_outcome(JobOutcome("killed", "gone"))
    for _ in range(DEATHS - 1):
        assert own.ended_badly(job, Status.FAILED).again
        assert classes._is_due(0.0, 5000) and not told
    assert not own.ended_badly(job, Status.FAILED).again
    assert len(told) == 1 and not classes._is_due(0.0, 5000)
    own.not_before_s = 0.0
    directory.write_outcome(JobOutcome("failed", "no particles"))
    own.ended_badly(job, Status.FAILED)
    assert not classes._is_due(0.0, 5000)


def test_the_newest_averages_are_those_of_an_iteration(tmp_path):
    project = Project.create(tmp_path)
    job = tmp_path / "Class2D/job001"
    job.mkdir(parents=True)
    for name in ("run_it010", "run_it020", "run_unmasked"):
        (job / f"{name}_classes.mrcs").touch()
    assert newest_averages(project, "Class2D/job001/") == "Class2D/job001/run_it020_classes.mrcs"
