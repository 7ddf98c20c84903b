"""What holds for a type of job is told by the type: of verglas, of RELION, or of neither."""

from __future__ import annotations

import pytest

from verglas.jobs.registry import job_folders, job_type


@pytest.mark.parametrize("folder", job_folders())
def test_a_type_is_known_by_its_directory(folder):
    assert job_type(folder).folder == folder


@pytest.mark.parametrize(
    ("folder", "iterative", "has_halves", "settings_file"),
    [
        ("Class2D", True, False, ".gui_class2djob.star"),
        ("Refine3D", True, True, ".gui_auto3djob.star"),
        ("InitialModel", True, False, ".gui_inimodeljob.star"),
        ("MultiBody", True, False, ".gui_multibodyjob.star"),
        ("PostProcess", False, False, ".gui_postjob.star"),
        ("Extract", False, False, ".gui_extractjob.star"),
        ("OfNobody", False, False, ".gui_ofnobodyjob.star"),
    ],
)
def test_facts_of_types(folder, iterative, has_halves, settings_file):
    kind = job_type(folder)
    assert (kind.iterative, kind.has_halves) == (iterative, has_halves)
    assert kind.settings_file == settings_file


def test_nothing_of_an_unknown_type_is_cleaned():
    assert job_type("OfNobody").cleaned == job_type("OfNobody").cleaned_harshly == ()


def test_micrograph_lists_that_say_most_come_first():
    ranks = [job_type(each).list_rank for each in ("CtfFind", "MotionCorr", "Import", "Select")]
    assert ranks == sorted(ranks)
    assert job_type("OfNobody").list_rank > max(ranks)
