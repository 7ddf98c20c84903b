"""The manual's way to templates, in one schedule: LoG picks -> classes -> a person's choice -> templates
of the picking that was scheduled before any of it existed. Interactive jobs hold only their descendants."""

from __future__ import annotations

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
