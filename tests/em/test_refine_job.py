"""`verglas refine` as users meet it: restart, ranks, and input that is not right."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from refine_runs import BOX, FLAGS, PIXEL, N, noisy, refine, refine_over_ranks, same_files, write_particles
from verglas.em.run import lanes
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import read_star
from verglas.jobs.classification.class2d import Classification2D
from verglas.project.project import Project
from verglas.web.progress import refinement_progress


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_restarted_run_is_the_uninterrupted_one():
    write_particles(noisy())
    assert refine("--i", "particles.star", "--o", "whole/run", "--K", "2", "--iter", "4", *FLAGS) == 0
    for number in (1, 2, 3):
        shutil.rmtree("again", ignore_errors=True)
        words = ["--continue", f"whole/run_it{number:03d}_optimiser.star", "--o", "again/run"]
        assert refine(*words) == 0
        same_files("whole/run_it004", "again/run_it004")


def test_a_killed_run_on_two_cores_goes_on_where_it_was(monkeypatch):
    """`--continue` alone: no other flag is needed, and the later files of the dead run are written anew."""
    monkeypatch.setattr(lanes, "CPU_LANE_PARTICLES", N // 2)
    write_particles(noisy())
    words = ["--i", "particles.star", "--K", "2", "--iter", "4", "--j", "2", *FLAGS]
    cores = torch.get_num_threads()
    try:
        assert refine(*words, "--o", "whole/run") == 0
        shutil.copytree("whole", "killed")
        for name in Path("killed").glob("run_it00[34]_*"):
            name.write_bytes(name.read_bytes()[:100])
        optimiser = Path("killed/run_it002_optimiser.star")
        optimiser.write_text(optimiser.read_text().replace("whole/", "killed/"))
        assert refine("--continue", str(optimiser), "--j", "2") == 0
    finally:
        torch.set_num_threads(cores)
    same_files("whole/run_it004", "killed/run_it004")


def test_a_restarted_vdam_run_is_the_uninterrupted_one():
    """Momentum comes back to the last bit, and so does what depends on a particle's number."""
    images = noisy()
    images[4] = 1.0  # is set aside, and all later particles move up in the list
    write_particles(images)
    words = ["--K", "3", "--iter", "8", "--grad", "--grad_write_iter", "2", "--allow_coarser_sampling"]
    subsets = ["--grad_ini_subset", "12", "--grad_fin_subset", "20"]
    more = ["--class_inactivity_threshold", "0.3", *subsets]
    assert refine("--i", "particles.star", "--o", "whole/run", *words, *FLAGS, *more) == 0
    for number in (2, 4, 6):
        shutil.rmtree("again", ignore_errors=True)
        start = f"whole/run_it{number:03d}_optimiser.star"
        assert refine("--continue", start, "--o", "again/run") == 0
        same_files("whole/run_it008", "again/run_it008")


def test_a_run_goes_on_from_its_very_beginning_and_keeps_its_mask():
    write_particles(noisy())
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    write_mrc("mask.mrc", (np.hypot(y, x) < 10).astype(np.float32), PIXEL)
    words = ["--K", "2", "--iter", "2", "--firstiter_cc", "--solvent_mask", "mask.mrc"]
    assert refine("--i", "particles.star", "--o", "whole/run", *words, *FLAGS) == 0
    assert refine("--continue", "whole/run_it000_optimiser.star", "--o", "again/run") == 0
    same_files("whole/run_it002", "again/run_it002")


def test_ranks_agree_bit_for_bit_through_network_and_disc():
    write_particles(noisy())
    for way, flag in (("network", "--dont_combine_weights_via_disc"), ("disc", "--combine_weights_via_disc")):
        words = ["--i", "particles.star", "--o", f"{way}/run", "--K", "2", "--iter", "2", flag, *FLAGS]
        done = refine_over_ranks(2, words)
        assert f"Combining through {way}" in done
        assert not list(Path(way).glob("*.tmp"))
    same_files("network/run_it002", "disc/run_it002")


def test_one_particle_and_more_classes_than_objects_go_through():
    write_particles(noisy(1))
    assert refine("--i", "particles.star", "--o", "one/run", "--K", "1", "--iter", "2", *FLAGS) == 0
    write_particles(noisy(12))
    assert refine("--i", "particles.star", "--o", "many/run", "--K", "8", "--iter", "4", *FLAGS) == 0
    assert np.isfinite(read_mrc("many/run_it004_classes.mrcs").data).all()


def test_vdam_and_fixed_poses_run_and_write_their_files():
    write_particles(noisy())
    grad = ["--grad", "--class_inactivity_threshold", "0.1", "--iter", "12"]
    assert refine("--i", "particles.star", "--o", "grad/run", "--K", "2", *FLAGS, *grad) == 0
    assert Path("grad/run_it010_data.star").exists() and not Path("grad/run_it011_data.star").exists()
    words = ["--i", "grad/run_it012_data.star", "--o", "fixed/run", "--K", "2", "--iter", "2"]
    assert refine(*words, *FLAGS, "--skip_align") == 0
    before, after = (
        read_star(f"{name}_data.star")["particles"] for name in ("grad/run_it012", "fixed/run_it002")
    )
    for label in ("rlnAnglePsi", "rlnOriginXAngst"):
        np.testing.assert_allclose(before.floats(label), after.floats(label), atol=1e-6)


def test_the_progress_stream_tells_stages_and_iterations():
    write_particles(noisy())
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "2", "--iter", "3", *FLAGS) == 0
    with open("job/run_progress.jsonl", "a") as stream:
        stream.write('{"s": 9, "event": "sta')  # a crash cut this off
    found = refinement_progress(Project(Path()), "job")
    assert [each["iteration"] for each in found["iterations"]] == [1, 2, 3]
    last = found["iterations"][-1]
    assert last["iterations"] == 3 and sum(last["class_weights"]) == pytest.approx(1, abs=1e-5)
    assert last["resolution_angst"] > 8 and 0 < last["average_p_max"] <= 1
    assert found["stage"]["title"] == "Maximization ..." and found["stage"]["done"] == 2
    model = read_star("job/run_it003_model.star")["model_general"]
    assert last["image_size_px"] == model.integer("rlnCurrentImageSize")
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "2", "--iter", "1", *FLAGS) == 0
    assert len(refinement_progress(Project(Path()), "job")["iterations"]) == 1  # a new run begins anew
    assert refinement_progress(Project(Path()), ".") == {"iterations": [], "stage": None}


@pytest.mark.parametrize(("own", "threshold"), [("", "0.1"), ("--class_inactivity_threshold 0.05", "0.05")])
def test_vdam_from_the_form_begins_classes_that_ran_empty_anew(own, threshold):
    options, _ = Classification2D.Options.parse({"do_grad": "Yes", "other_args": own})
    words = Classification2D.command_line(options, "Class2D/job001/", False)
    assert words.count("--class_inactivity_threshold") == 1
    assert words[words.index("--class_inactivity_threshold") + 1] == threshold
    options, _ = Classification2D.Options.parse({})
    plain = Classification2D.command_line(options, "Class2D/job001/", False)
    assert "--class_inactivity_threshold" not in plain
