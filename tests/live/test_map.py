"""The map of a session: when it begins, what waits for a person, what follows, its end, and kills."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.project.dialect import Status
from verglas.project.job_directory import JobOutcome
from verglas.project.job_star import read_settings
from verglas.scheduler import launch
from verglas.scheduler.events import read_events
from verglas.scheduler.job_process import run_job
from verglas.scheduler.live.record.class_state import ClassState
from verglas.scheduler.live.record.map_state import MapState, MapWish
from verglas.scheduler.live.record.session_log import SessionLog
from verglas.scheduler.live.record.stage_settings import StageSettings
from verglas.scheduler.live.record.status import read_status
from verglas.scheduler.live.requests import map_picking, map_wishes
from verglas.scheduler.live.requests.class_choice import choose_classes
from verglas.scheduler.live.requests.snapshot import take_snapshot
from verglas.scheduler.live.requests.trial import Trial
from verglas.scheduler.live.requests.verdicts import give_verdict
from verglas.scheduler.live.streaming.answering import Answering
from verglas.scheduler.live.streaming.good_particles import good_particles
from verglas.scheduler.live.streaming.map import StreamingMap
from verglas.scheduler.live.streaming.map_end import MapEnd
from verglas.scheduler.live.streaming.map_jobs import last_files
from verglas.scheduler.live.streaming.own_job import OwnJob
from verglas.scheduler.watch import Watch

CLASSES, EACH = 4, 30
CALM_S = 0.0


@pytest.fixture
def project(project, monkeypatch):
    """Map jobs are the stand-ins, and run at once, in this process."""
    import fake_maps

    known = f"{os.environ['VERGLAS_JOB_TYPES']},{','.join(f'{k}={v}' for k, v in fake_maps.FAKES.items())}"
    monkeypatch.setenv("VERGLAS_JOB_TYPES", known)

    def at_once(root, loaded, environment):
        run_job(project, loaded.name)
        return SimpleNamespace(pid=os.getpid(), poll=lambda: 0)

    monkeypatch.setattr(launch, "_process", at_once)
    monkeypatch.setattr(OwnJob, "_after_movies", lambda self: None)
    monkeypatch.setattr(Answering, "ask", lambda self: None)
    return project


@pytest.fixture
def folder(project, make_session):
    """A session whose 2D classes hold 30 particles each: 1 and 2 are sharp, 3 and 4 are not."""
    folder = make_session(classes=True, map_from=50)
    jobs = folder.order().jobs
    write_list(project, folder, CLASSES * EACH)
    stack = np.zeros((CLASSES, 24, 24), np.float32)
    y, x = np.indices((24, 24)) - 12
    stack[:] = np.exp(-(x**2 + y**2) / 12)
    root = project.root / jobs["Class2D"] / "run_it100"
    write_mrc(f"{root}_classes.mrcs", stack, 1.5)
    resolutions = [3.5, 3.6, 30.0, 30.0]
    model = {"rlnEstimatedResolution": resolutions, "rlnClassDistribution": [0.25] * CLASSES}
    tables = [
        StarTable.from_columns("model_general", {"rlnPixelSize": [1.5]}),
        StarTable.from_columns("model_classes", model),
    ]
    write_star(f"{root}_model.star", tables)
    seen = read_star(project.root / jobs["Extract"] / "particles.star")
    numbers = [1 + row // EACH for row in range(CLASSES * EACH)]
    numbered = seen["particles"].with_columns({"rlnClassNumber": numbers})
    write_star(f"{root}_data.star", [seen["optics"], numbered])
    averages = f"{jobs['Class2D']}run_it100_classes.mrcs"
    ClassState(jobs["Class2D"], "up to date", 1, CLASSES * EACH, averages).write(folder)
    return folder


def write_list(project, folder, count: int) -> None:
    """The session's list of particles; the first 120 are those that 2D classes have seen."""
    columns = {
        "rlnImageName": [f"{n + 1:06d}@s.mrcs" for n in range(count)],
        "rlnMicrographName": [f"m{n // 40}.mrc" for n in range(count)],
        "rlnCoordinateX": [float(n) for n in range(count)],
        "rlnCoordinateY": [1.0] * count,
        "rlnOpticsGroup": [1] * count,
    }
    optics = {"rlnOpticsGroup": [1], "rlnImagePixelSize": [4.0], "rlnImageSize": [16]}
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)]
    write_star(project.root / folder.order().jobs["Extract"] / "particles.star", tables)


@pytest.fixture
def session():
    return SimpleNamespace(listed_particles=CLASSES * EACH, is_to_finish=True, tell=lambda: None)


@pytest.fixture
def make_map(project, folder, session):
    """A life of the session's map."""

    def make() -> StreamingMap:
        log = SessionLog(project.root, folder.name)
        log.complain = pytest.fail
        return StreamingMap(project, folder, session, log)

    return make


def turns(streaming: StreamingMap, count: int = 6) -> MapState:
    for _ in range(count):
        streaming.turn(CALM_S)
    return streaming.state


def watch(project) -> None:
    """The supervisor looks around."""
    Watch(project.root).look()


def listed(project, state: MapState) -> int:
    return len(read_star(project.root / state.list_job / "particles.star")["particles"])


def test_sharp_classes_make_a_map_that_grows_and_loses_what_is_taken_back(project, folder, session, make_map):
    streaming = make_map()
    streaming.turn(1000.0)
    assert not streaming.state.initial_job  # movies go first
    state = turns(streaming)
    assert state.believable == "good" and state.symmetry == "C1" and state.waits_for_symmetry
    assert (state.updates, state.particles, listed(project, state)) == (1, 2 * EACH, 2 * EACH)
    assert state == MapState.read(folder)
    session.listed_particles = CLASSES * EACH - 60  # a person rejected the second and third micrograph
    star = read_star(project.root / folder.order().jobs["Extract"] / "particles.star")
    kept = [n for n, name in enumerate(star["particles"].strings("rlnMicrographName")) if name == "m0.mrc"]
    write_star(
        project.root / folder.order().jobs["Extract"] / "particles.star",
        [star["optics"], star["particles"].take(kept)],
    )
    streaming._rest_until_s = 0.0
    state = turns(streaming)
    assert (state.updates, listed(project, state)) == (2, 40)
    before = state.updates
    assert turns(streaming).updates == before  # nothing came, nothing is done


def test_new_particles_join_before_classes_have_seen_them_where_most_are_good(project, folder):
    state, source = ClassState.read(folder), folder.order().jobs["Extract"] + "particles.star"
    write_list(project, folder, CLASSES * EACH + 10)
    few = good_particles(project.root, source, replace(state, chosen=[1, 2]), 33.0)
    many = good_particles(project.root, source, replace(state, chosen=[1, 2, 3]), 33.0)
    assert (few.of_classes, len(few.star["particles"])) == (60, 60)
    assert (many.of_classes, len(many.star["particles"])) == (90, 100)
    assert len(good_particles(project.root, source, None, 33.0).star["particles"]) == 130


def test_chosen_classes_go_before_sharp_ones(project, folder, make_map):
    choose_classes(project, folder, [2, 3, 4])
    state = turns(make_map())
    assert listed(project, state) == 3 * EACH and state.of_classes == "1:2,3,4"


def test_too_few_good_particles_are_said_and_waited_for(project, folder, session, make_map):
    order = folder.path / "order.json"
    order.write_text(order.read_text().replace('"map_from": 50', '"map_from": 500'))
    state = turns(make_map())
    assert state.state == "waiting for classes" and "60 particles" in state.why and "500" in state.why
    assert not state.initial_job
    (folder.path / "classes.json").unlink()
    assert turns(make_map()).why == "there are none yet"


def test_a_doubtful_map_waits_for_a_person(project, folder, make_map):
    (project.root / "doubt.txt").touch()
    streaming = make_map()
    state = turns(streaming)
    assert state.state == "doubtful" and "told to doubt" in state.believable and not state.job
    with pytest.raises(LookupError, match="accept it first"):
        map_wishes.confirm_symmetry(project, folder, "D2")
    assert any("--accept" in line for line in map_wishes.told(folder))
    watch(project)
    map_wishes.accept_map(project, folder)
    assert turns(streaming).updates == 1
    watch(project)
    alarms = [each for each in read_events(project.root) if each["kind"].startswith("alarm")]
    told = [(each["kind"], each["cause"]) for each in alarms if each["cause"].startswith("map-")]
    assert told == [
        ("alarm", "map-doubtful-live1"),
        ("alarm-over", "map-doubtful-live1"),
        ("alarm", "map-symmetry-live1"),  # one that nobody has confirmed
    ]


def test_another_first_map_is_another_job(project, folder, make_map):
    (project.root / "doubt.txt").touch()
    streaming = make_map()
    first = turns(streaming).initial_job
    (project.root / "doubt.txt").unlink()
    map_wishes.ask_again(project, folder)
    state = turns(streaming)
    assert state.initial_job != first and state.updates == 1 and (project.root / first).is_dir()


def test_a_confirmed_symmetry_begins_a_refinement_of_its_own(project, folder, make_map):
    streaming = make_map()
    in_c1 = turns(streaming).job
    told = map_wishes.confirm_symmetry(project, folder, "d2")
    state = turns(streaming)
    options = read_settings(project.root / state.job).options
    assert state.job != in_c1 and options["sym_name"] == state.symmetry == "D2"
    assert options["fn_ref"] in told[-1] and options["fn_ref"].startswith("Import/")
    assert state.confirmed_by == "person" and not state.waits_for_symmetry
    map_wishes.confirm_symmetry(project, folder, "D2")
    assert turns(streaming).job == state.job


def test_a_symmetry_that_is_known_is_laid_on_the_first_map(project, make_map, folder):
    map_wishes.confirm_symmetry(project, folder, "D7")
    state = turns(make_map())
    assert read_settings(project.root / state.initial_job).options["sym_name"] == "D7"
    assert read_settings(project.root / state.job).options["sym_name"] == "D7"


def test_off_makes_no_map_until_it_is_on(project, folder, make_map):
    map_wishes.set_map_mode(project, folder, "off")
    streaming = make_map()
    assert turns(streaming).state == "off" and not streaming.state.initial_job
    map_wishes.set_map_mode(project, folder, "on")
    state = turns(streaming)
    assert state.updates == 1 and listed(project, state) == CLASSES * EACH  # whatever class they are in


def test_what_comes_of_a_job_that_is_not_wanted_any_more_is_not_taken_in(project, folder, make_map):
    streaming = make_map()
    streaming.turn(CALM_S)
    assert streaming.is_busy
    map_wishes.set_map_mode(project, folder, "off")
    assert turns(streaming).state == "off" and not streaming.is_busy and not streaming.state.believable
    map_wishes.set_map_mode(project, folder, "auto")
    first = streaming.state.initial_job
    assert turns(streaming).updates == 1 and streaming.state.initial_job == first


def test_the_end_leaves_ordinary_jobs_and_does_nothing_twice(project, folder, session, make_map):
    streaming = make_map()
    assert MapEnd(streaming, session).run()
    state = streaming.state
    assert state.state == "final" and list(state.final_jobs) == [
        *("Refine3D", "MaskCreate", "PostProcess", "InitialModel")
    ]
    processes = project.graph().processes
    assert all(processes[name].status is Status.SUCCEEDED for name in state.final_jobs.values())
    last = read_settings(project.root / state.final_jobs["Refine3D"]).options
    assert last["fn_img"] == f"{state.job}run_data.star" and state.final_jobs["Refine3D"] != state.job
    assert "--sigma_ang" in last["other_args"] and last.get("do_streaming", "No") == "No"  # it begins warm
    count = len(processes)
    again = make_map()
    assert MapEnd(again, session).run() and again.state.final_jobs == state.final_jobs
    assert len(project.graph().processes) == count
    write_list(project, folder, 40)  # the session went on and lost particles
    session.listed_particles = 40
    again = make_map()
    assert MapEnd(again, session).run() and again.state.final_jobs == state.final_jobs
    assert again.state.particles == 40
    assert len(project.graph().processes) == count


def test_a_session_without_a_believable_map_ends_with_words(project, folder, session, make_map):
    (project.root / "doubt.txt").touch()
    streaming = make_map()
    assert MapEnd(streaming, session).run()
    assert streaming.state.state == "doubtful" and "without a map" in streaming.state.why
    assert not streaming.state.final_jobs


def test_a_person_who_wants_something_else_is_heard_at_the_end(folder, session, make_map):
    session.is_to_finish = False
    assert not MapEnd(make_map(), session).run()


@pytest.mark.parametrize("killed", ["first", "update"])
def test_what_was_killed_is_begun_again_by_the_next_life(project, folder, make_map, killed):
    streaming = make_map()
    while killed == "update" and not streaming.state.job:
        streaming.turn(CALM_S)
    streaming.turn(CALM_S)
    state = streaming.state
    name = state.initial_job if killed == "first" else state.job
    with project.change("a kill") as change:
        change.end(name, Status.FAILED, JobOutcome("killed", "gone"))
    state.state = "initial model" if killed == "first" else "updating"
    state.write(folder)
    again = make_map()
    assert turns(again).state == "up to date" and again.state.updates == 1 + (killed == "update")
    assert (again.state.initial_job, again.state.job) == (state.initial_job, again.state.job)
    counted = [each for each in project.graph().processes if each.startswith(("InitialModel", "Refine3D"))]
    assert len(counted) == 2


def test_wishes_before_the_first_one_are_those_of_the_order(project, make_session):
    folder = make_session(three_d="off", symmetry="D7")
    assert MapWish.read(folder) == MapWish("off", "D7", "--sym")
    with pytest.raises(ValueError, match="off, auto or on"):
        make_session(name="other", three_d="perhaps")
    with pytest.raises(ValueError):
        map_wishes.confirm_symmetry(project, folder, "Q7")


def test_a_snapshot_freezes_the_map_and_a_hand_over_takes_the_last_ones(project, folder, session, make_map):
    streaming = make_map()
    assert MapEnd(streaming, session).run()
    accepted = StarTable.from_columns("micrographs", {"rlnMicrographName": ["m0.mrc"], "rlnOpticsGroup": [1]})
    optics = StarTable.from_columns("optics", {"rlnOpticsGroup": [1]})
    write_star(project.root / folder.order().jobs["Select"] / "micrographs.star", [optics, accepted])
    told = take_snapshot(project, folder, "friday")
    assert told[-1].endswith("(friday_map): 60 particles in the map, C1")
    frozen = project.root / told[-1].split()[0] / "map.mrc"
    assert frozen.read_bytes() == (project.root / streaming.state.map).read_bytes()
    names = last_files(streaming.state.final_jobs)
    assert len(names) == 7 and all((project.root / name).exists() for name in names)


def test_a_session_with_a_map_from_its_first_movie_to_its_end(
    project, movies, write_movie, make_session, finish
):
    """What a person rejects after the end is not in the map of the next end."""
    for number in range(3):
        write_movie(movies / f"m{number}.mrc", number)
    folder = make_session(three_d="on", map_from=5)
    finish(folder)
    state, source = MapState.read(folder), project.root / folder.order().jobs["Extract"] / "particles.star"
    assert state.state == "final" and state.particles == len(read_star(source)["particles"])
    words = f"map: final; {state.particles} particles in C1, 18.0 Å; D2 is proposed"
    assert read_status(folder).map_line.startswith(words)
    give_verdict(folder, ["m1"], "reject", "ice")
    finish(folder)
    after = MapState.read(folder)
    names = read_star(project.root / after.list_job / "particles.star")["particles"].strings(
        "rlnMicrographName"
    )
    assert {name.rsplit("/")[-1] for name in names} == {"m0.mrc", "m2.mrc"}
    assert after.particles == len(names) < state.particles and after.final_jobs == state.final_jobs


def test_projections_of_the_map_pick_where_a_trial_finds_more(
    project, movies, write_movie, make_session, finish, monkeypatch
):
    write_movie(movies / "m0.mrc")
    folder = make_session(three_d="on", map_from=2)
    with pytest.raises(LookupError, match="no refined map"):
        map_picking.pick_with_map(project, folder, "new")
    finish(folder)
    before = StageSettings.read(folder.settings_file).latest("AutoPick")
    same = [Trial(1, "m0.mrc", {"picks": 3.0}, {"picks": 3.0}, {})]
    monkeypatch.setattr(map_picking, "try_movies", lambda *given: same)
    told = map_picking.pick_with_map(project, folder, "new")
    assert "find no more" in told[-1]
    assert StageSettings.read(folder.settings_file).latest("AutoPick") == before
    more = [Trial(1, "m0.mrc", {"picks": 3.0}, {"picks": 5.0}, {})]
    monkeypatch.setattr(map_picking, "try_movies", lambda *given: more)
    told = map_picking.pick_with_map(project, folder, "new")
    assert told[0] == "m0.mrc: 3 picks now, 5 on trial"
    settings = StageSettings.read(folder.settings_file)
    changed = settings.versions["AutoPick"][-1].changed
    assert changed["do_ref3d"] == "Yes" and (project.root / changed["fn_ref3d_autopick"]).exists()
