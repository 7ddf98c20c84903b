"""A refinement of two half-sets has two models an iteration: the first of them is shown."""

from __future__ import annotations

from verglas.project.project import Project
from verglas.project.results.classes import iteration_of, models_of


def test_the_model_of_the_first_half_stands_for_an_iteration(tmp_path):
    job = "Refine3D/job001/"
    (tmp_path / job).mkdir(parents=True)
    for iteration in (1, 0):
        for half in (1, 2):
            (tmp_path / job / f"run_it{iteration:03d}_half{half}_model.star").touch()
    found = models_of(Project(tmp_path), job)
    assert found == [f"{job}run_it000_half1_model.star", f"{job}run_it001_half1_model.star"]
    assert [iteration_of(each) for each in found] == [0, 1]
