"""3D classification as a job: local searches, relaxed symmetry, going on; what the forms pass."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from beside_relion import columns

from maps_runs import AUTO, refine, same_bytes, simulate
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import read_star, write_star
from verglas.geometry.distance import angular_distance_deg
from verglas.geometry.euler import euler_matrices
from verglas.jobs.classification.class3d import Classification3D
from verglas.jobs.refine.files.angdist import cylinders

N, RANGE = 30, 24.0
BEGIN = ("--auto_refine", "--split_random_halves", "--firstiter_cc")
CLASSES = [word for word in AUTO if word not in BEGIN]
LOCAL = ["--healpix_order", "1", "--sigma_ang", str(RANGE / 3), "--iter", "3"]
FARTHEST = 2 * RANGE + 15  # in direction and in psi, and half of a coarse step
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    angles = simulate(N, noise=0.4)
    table = read_star("particles.star")["particles"].with_columns(dict(zip(ANGLES, angles.T)))
    write_star("posed.star", [read_star("particles.star")["optics"], table])
    return tmp_path


def turned_deg(first: str, second: str, mates: bool = False) -> np.ndarray:
    """How far apart the orientations of two lists are; at least, with those turned by 180° about z."""
    a, b = (euler_matrices(np.stack(columns(name, *ANGLES), 1)) for name in (first, second))
    away = [angular_distance_deg(a, b)]
    if mates:
        half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
        away.append(angular_distance_deg(a, b @ half_turn))
    return np.min([each.numpy() for each in away], 0)


def test_local_searches_stay_near_the_orientations_of_the_list_and_go_on_to_the_same_bytes():
    words = ["--i", "posed.star", *CLASSES[2:], *LOCAL, "--K", "2"]
    assert refine(*words, "--o", "whole/run") == 0
    assert turned_deg("posed.star", "whole/run_it001_data.star").max() < FARTHEST
    general = read_star("whole/run_it003_model.star")["model_general"]
    assert general.integer("rlnOrientationalPriorMode") == 1
    assert general.number("rlnSigmaPriorRotAngle") == RANGE / 3
    for number in (0, 2):
        shutil.rmtree("again", ignore_errors=True)
        assert refine("--continue", f"whole/run_it{number:03d}_optimiser.star", "--o", "again/run") == 0
        assert "run_it003_class002.mrc" in same_bytes("whole", "again")
    more = ["--continue", "whole/run_it002_optimiser.star", "--o", "free/run", "--sigma_ang", "-1"]
    assert refine(*more) == 0
    general = read_star("free/run_it003_model.star")["model_general"]
    assert general.integer("rlnOrientationalPriorMode") == 0


def test_relaxed_symmetry_lets_particles_go_to_their_mates():
    words = ["--i", "posed.star", *CLASSES[2:], *LOCAL, "--relax_sym", "C2", "--offset_range", "0"]
    assert refine(*words, "--o", "job/run", "--iter", "1") == 0
    assert turned_deg("posed.star", "job/run_it001_data.star", mates=True).max() < FARTHEST
    assert (
        read_star("job/run_it001_optimiser.star")["optimiser_general"].string("verglasRelaxedSymmetry")
        == "C2"
    )


def test_a_particle_that_is_set_aside_leaves_both_halves_as_they_were():
    images = np.array(read_mrc("particles.mrcs").data)
    images[4] = 1.0
    write_mrc("particles.mrcs", images, 6.0)
    assert refine(*AUTO, "--o", "whole/run", "--iter", "3") == 0
    assert len(read_star("whole/run_it003_data.star")["particles"]) == N - 1
    assert refine("--continue", "whole/run_it001_optimiser.star", "--o", "again/run") == 0
    assert "run_it003_half2_class001.mrc" in same_bytes("whole", "again")


def test_the_form_passes_local_searches_as_relion_does():
    options = Classification3D.Options.checked(
        {"fn_img": "a.star", "fn_ref": "b.mrc", "do_local_ang_searches": True, "relax_sym": "C2"}
    )
    words = Classification3D.command_line(options, "Class3D/job001/", False)
    assert float(words[words.index("--sigma_ang") + 1]) == pytest.approx(5 / 3)
    assert words[words.index("--relax_sym") + 1] == "C2"
    still = options.changed(dont_skip_align=False)
    assert "--sigma_ang" not in Classification3D.command_line(still, "Class3D/job001/", False)


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_refine") is None, reason="relion_refine is not installed")
def test_relion_goes_on_with_local_searches_of_ours_and_back():
    words = ["--i", "posed.star", *CLASSES[2:], *LOCAL, "--K", "1"]
    assert refine(*words, "--o", "ours/run") == 0
    Path("relion").mkdir()
    more = ["--continue", "ours/run_it002_optimiser.star", "--o", "relion/run", "--iter", "3", "--j", "1"]
    done = subprocess.run(
        ["relion_refine", *more, "--skip_gridding"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    theirs = read_star("relion/run_it003_model.star")["model_general"]
    assert theirs.number("rlnSigmaPriorRotAngle") == pytest.approx(RANGE / 3)
    assert turned_deg("ours/run_it003_data.star", "relion/run_it003_data.star").mean() < 15
    assert refine("--continue", "relion/run_it003_optimiser.star", "--o", "back/run", "--iter", "4") == 0
    back = read_star("back/run_it004_model.star")["model_general"]
    assert back.number("rlnSigmaPriorRotAngle") == pytest.approx(RANGE / 3)


def test_run_out_compares_the_classes_by_share_resolution_and_fsc(capsys):
    words = ["--i", "posed.star", *CLASSES[2:], *LOCAL, "--K", "3", "--iter", "2"]
    assert refine(*words, "--o", "job/run") == 0
    said = capsys.readouterr().out
    weights = read_star("job/run_it002_model.star")["model_classes"].floats("rlnClassDistribution")
    assert f"Classes: 1: {100 * weights[0]:.1f} %, 2: {100 * weights[1]:.1f} %" in said
    assert said.count("are most alike: FSC 0.5 at") == 1


def test_directions_that_were_found_become_cylinders_of_their_share():
    vectors = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    text = cylinders(vectors, np.array([2.0, 0, 1]), extent_angst=100.0, step_deg=15.0)
    assert text == (
        ".color 1.0000 0 0.0000\n.cylinder 0.000 0.000 50.000 0.000 0.000 65.000 4.581\n"
        ".color 0.5000 0 0.5000\n.cylinder 0.000 50.000 0.000 0.000 57.500 0.000 4.581\n"
    )
