"""Refine3D in a project: scheduled with expected outputs, run, gone on with, repeated from scratch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from maps_runs import simulate
from verglas.cli.main import main
from verglas.formats.star import read_star, write_star
from verglas.project.project import Project

OPTIONS = {
    "fn_img": "particles.star",
    "fn_ref": "map.mrc",
    "do_ctf_correction": "No",
    "ini_high": "30",
    "particle_diameter": "110",
    "sampling": "30 degrees",
    "auto_local_sampling": "15 degrees",
    "offset_range": "1",
    "do_pad1": "Yes",
    "use_gpu": "No",
    "other_args": "--maximum_angular_sampling 15 --random_seed 1 --dont_check_norm --low_resol_join_halves 60",
}
WORDS = [word for key, value in OPTIONS.items() for word in (f"--{key}", value)]
OUTPUTS = ["run_class001.mrc", "run_data.star", "run_half1_class001_unfil.mrc", "run_optimiser.star"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate(24)
    return Project.create(tmp_path)


def test_it_is_scheduled_run_gone_on_with_and_repeated(project, capsys):
    assert main(["job", "schedule", "Refine3D", *WORDS]) == 0
    said = capsys.readouterr().out
    assert sorted(said.split()[1::2]) == [f"Refine3D/job001/{name}" for name in OUTPUTS]
    assert main(["job", "run", "1"]) == 0
    assert "Auto-refine: Refinement has converged, stopping now" in capsys.readouterr().out
    assert all(Path("Refine3D/job001", name).exists() for name in OUTPUTS)
    assert main(["job", "continue", "1", "--sym_name", "C2"]) == 1
    assert "--sym_name: a job that goes on keeps 'C1'" in capsys.readouterr().err
    before = os.stat("Refine3D/job001/run_class001.mrc").st_mtime_ns
    assert main(["job", "continue", "1"]) == 0
    assert "nothing left to do: the refinement has converged already" in capsys.readouterr().out
    Path("Refine3D/job001/run_optimiser.star").unlink()  # as if it had been killed in its last iteration
    assert main(["job", "continue", "1"]) == 0
    said = capsys.readouterr().out
    assert "Iteration= 2\n" not in said and "stopping now" in said
    assert os.stat("Refine3D/job001/run_class001.mrc").st_mtime_ns > before
    assert main(["job", "run", "1"]) == 0  # a repeat starts again
    assert "Auto-refine: Iteration= 1\n" in capsys.readouterr().out
    optimiser = read_star("Refine3D/job001/run_optimiser.star")["optimiser_general"]
    assert optimiser.string("rlnModelStarFile") == "Refine3D/job001/run_model.star"
    assert not list(Path("Refine3D/job001").glob(".round*"))


def test_one_that_follows_a_growing_list_goes_on_in_place(project, capsys):
    whole = read_star("particles.star")

    def grown(count: int) -> None:
        table = whole["particles"].take(np.arange(count))
        write_star("growing.star", [whole["optics"], table], precision="full")

    grown(16)
    follow = ["--fn_img", "growing.star", "--do_streaming", "Yes"]
    assert main(["job", "run", "Refine3D", *WORDS, *follow]) == 0
    assert "The map begins with 16 particles" in capsys.readouterr().out
    grown(20)
    assert main(["job", "run", "1"]) == 0
    assert "Update 2: 4 new particles" in capsys.readouterr().out
    assert len(read_star("Refine3D/job001/run_data.star")["particles"]) == 20
    assert len(Path("Refine3D/job001/map_history.jsonl").read_text().splitlines()) == 2
    assert not list(Path("Refine3D/job001").glob(".round*"))
    assert main(["job", "continue", "1"]) == 0
    assert "Nothing has changed since the last update" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fn_ref", ""], "Reference map is empty"),
        (["--fn_img", ""], "Input images STAR file is empty"),
        (["--do_solvent_fsc", "Yes"], "Solvent-flattened FSCs need a reference mask"),
        (["--do_helix", "Yes"], "not possible in 3D yet"),
    ],
)
def test_forms_that_cannot_run_are_refused(project, capsys, words, told):
    assert main(["job", "schedule", "Refine3D", *WORDS, *words]) == 1
    assert told in capsys.readouterr().err


def test_the_form_has_relions_command_line(project):
    words = [*WORDS, "--auto_faster", "Yes", "--fn_img", "none.star"]
    assert main(["job", "run", "Refine3D", *words]) != 0
    line = Path("Refine3D/job001/note.txt").read_text()
    for flags in (
        "--auto_refine",
        "--split_random_halves",
        "--low_resol_join_halves 40",
        "--healpix_order 0",
        "--pad 1",
        "--auto_local_healpix_order 1",
        "--auto_ignore_angles",
        "--auto_resol_angles",
        "--firstiter_cc",
    ):
        assert flags in line
