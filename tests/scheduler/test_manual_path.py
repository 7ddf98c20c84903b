"""The manual's way to templates, in one schedule: LoG picks -> classes -> a person's choice -> templates
of the picking that was scheduled before any of it existed. Interactive jobs hold only their descendants."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from verglas.formats.star import read_star
from verglas.project.summary import job_summaries
from verglas.scheduler import autorun as autorun_module


def test_the_whole_path_in_one_schedule(project, chain, schedule, movie, autorun, monkeypatch):
    """FakeChoice waits for a person's file; `templated` needs what the choice makes."""
    choice = schedule("ManualPick", fn_img=f"{chain[2]}run_it003_data.star")
    templated = schedule("Class2D", fn_img=f"{choice}chosen.star")
    jobs = [*chain, choice, templated]
    original = autorun_module.Autorun._go_round
    seen = []

    def go_round(self):
        movie(f"m{self.state.round}", str(self.state.round))
        if self.state.round == 3:  # the person has looked at the classes
            (project.root / choice / "hand_made.txt").write_text("yes")
        original(self)
        seen.append({job: self.state.results[job].kind for job in jobs})

    monkeypatch.setattr(autorun_module.Autorun, "_go_round", go_round)
    code, _, _ = autorun(jobs, repeat=4)
    assert code == 0
    for kinds in seen:  # import, motion, classes always go on
        assert [kinds[job] for job in chain] == ["succeeded"] * 3
    assert [kinds[choice] for kinds in seen] == ["waiting", "waiting", "succeeded", "succeeded"]
    assert [kinds[templated] for kinds in seen] == ["held", "held", "succeeded", "succeeded"]
    assert (project.root / choice / "hand_made.txt").read_text() == "yes"  # input, never output
    model = read_star(project.root / templated / "run_it003_model.star")["model"]
    assert model.string("rlnTotal") == "10"


def test_what_waits_for_a_person_says_so(project, chain, schedule, movie, autorun):
    choice = schedule("ManualPick", fn_img=f"{chain[2]}run_it003_data.star")
    movie("a")
    code, progress, _ = autorun([*chain, choice])
    assert code == 0
    assert progress.results[choice].reason == "waiting for you: choose"
    states = {each.name: each for each in job_summaries(project)}
    assert states[choice].status == "Scheduled"
    assert "waiting for you" in states[choice].reason
    assert "waiting for you" in progress.message


@pytest.fixture
def map_jobs(project, monkeypatch):
    """InitialModel and Refine3D with their real forms and names, whose maps cost nothing."""
    where = str(Path(__file__).parents[1] / "live")
    monkeypatch.syspath_prepend(where)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([where, os.environ["PYTHONPATH"]]))
    import fake_maps

    kinds = ",".join(f"{kind}={name}" for kind, name in fake_maps.FAKES.items())
    monkeypatch.setenv("VERGLAS_JOB_TYPES", f"{os.environ['VERGLAS_JOB_TYPES']},{kinds}")
    yield
    sys.modules.pop("fake_maps", None)


def test_the_path_ends_with_a_map_made_from_scratch_each_round(
    project, chain, schedule, movie, autorun, map_jobs, monkeypatch
):
    """All of it is scheduled before the first movie; a movie comes with each round."""
    kept = schedule("Select", fn_img=f"{chain[2]}run_it003_data.star")
    first = schedule("InitialModel", fn_img=f"{kept}particles.star", particle_diameter="100")
    reference = f"{first}initial_model.mrc"
    inputs = {"fn_img": f"{kept}particles.star", "particle_diameter": "100"}
    refined = schedule("Refine3D", fn_ref=reference, **inputs)
    jobs = [*chain, kept, first, refined]
    original = autorun_module.Autorun._go_round
    seen = []

    def go_round(self):
        movie(f"m{self.state.round}", "1")
        original(self)
        assert {self.state.results[job].kind for job in jobs} == {"succeeded"}
        particles = read_star(project.root / refined / "run_data.star")["particles"]
        updates = (project.root / refined / "map_history.jsonl").read_text().splitlines()
        seen.append((len(particles), len(updates), (project.root / reference).stat().st_mtime_ns))

    monkeypatch.setattr(autorun_module.Autorun, "_go_round", go_round)
    code, _, _ = autorun(jobs, repeat=2)
    assert code == 0
    assert [(count, updates) for count, updates, _ in seen] == [(1, 1), (2, 1)]  # nothing of the last round
    assert seen[0][2] < seen[1][2]
    note = (project.root / refined / "note.txt").read_text()
    assert note.count("verglas refine") >= 2 and "--continue" not in note
