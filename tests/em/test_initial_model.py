"""Maps from nothing: the schedule's sizes, competing starts, whether a map is believed, the job in a project."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from maps_runs import PIXEL, map_of_blobs, same_bytes, simulate
from verglas.cli.main import main
from verglas.cli.program import run_program
from verglas.em.maximise.descent import gradient_step, limit_angst
from verglas.em.run.coherence import coherence
from verglas.em.run.contest import _judged, _judges, compete, likelihoods
from verglas.em.run.refinement import Refinement
from verglas.em.state.particles import ArraySource
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.jobs.contract.base import RunContext
from verglas.jobs.initialmodel.job import InitialModel
from verglas.jobs.initialmodel.result import _map
from verglas.jobs.initialmodel.verdict import coherence_doubt
from verglas.jobs.refine.files.particles import read_particles
from verglas.maps.fitting import RigidMove
from verglas.project.project import Project

N = 120
OPTIONS = {
    "fn_img": "particles.star",
    "do_ctf_correction": "No",
    "particle_diameter": "110",
    "offset_range": "1",
    "nr_iter": "20",
    "nr_starts": "2",
    "sgd_ini_subset_size": "30",
    "sgd_fin_subset_size": "40",
    "use_gpu": "No",
    "other_args": "--random_seed 1 --dont_check_norm",
}
WORDS = [word for key, value in OPTIONS.items() for word in (f"--{key}", value)]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate(N, noise=0.4)
    return Project.create(tmp_path)


def settings(**changed: object) -> EmSettings:
    given = {
        "dims": 3,
        "denovo": True,
        "n_iterations": 200,
        "particle_diameter_angst": 110.0,
        "flatten_solvent": True,
        "zero_mask": True,
        "healpix_order": 1,
        "offset_range_px": 1.0,
        "padding": 1.0,
        "gradient": GradientSettings(),
    }
    return EmSettings(**(given | changed))


def test_batches_and_steps_are_those_of_the_kind_of_job():
    """refinement.md §7.1."""

    def of(number: int, n: int, **changed: object) -> tuple[int, float, float]:
        step = gradient_step(settings(tau2_fudge=4.0, **changed), GradientSettings(), n, number)
        return step.subset, round(step.step_size, 2), round(step.tau2_fudge, 2)

    assert of(1, 100_000) == (500, 0.9, 1.0)
    assert of(199, 100_000) == (10_000, 0.5, 4.0)
    assert of(1, 100_000, denovo=False) == of(199, 100_000, denovo=False) == (10_000, 0.3, 4.0)
    assert of(199, 100_000, dims=2, denovo=False) == (5_000, 0.3, 4.0)
    assert of(200, 100_000, n_classes=2)[0] == 100_000


def test_the_limit_of_resolution_moves_evenly_in_frequency():
    gradient = GradientSettings(ini_resolution_angst=40, fin_resolution_angst=10)
    found = [limit_angst(settings(), gradient, number) for number in (1, 60, 110, 160, 200)]
    assert found == pytest.approx([40, 40, 16, 10, 10])
    assert limit_angst(settings(), GradientSettings(), 1) == 0


def loaded() -> tuple[object, ArraySource]:
    return read_particles("particles.star", with_ctf=False).particles, ArraySource(
        read_mrc("particles.mrcs").data
    )


def test_unseen_particles_prefer_the_true_map_to_a_wrong_one(project):
    particles, source = loaded()
    judges = _judges(settings(), N, {3: "unusable"})
    assert len(judges) == (N - 1) // 4 and 3 not in judges
    found = []
    for seed in (3, 4):
        volume = torch.from_numpy(0.05 * map_of_blobs(seed=seed))[None]
        run = Refinement.start(settings(), particles, source, references=volume)
        found.append(likelihoods(run, _judged(run.state, run.state), judges))
    apart = found[0] - found[1]
    assert apart.mean() > 4 * apart.std() / np.sqrt(len(judges))


@pytest.mark.parametrize("classes", [1, 2])  # of two classes: the second start begins with one map
def test_starts_differ_and_the_likelier_one_wins(project, classes):
    particles, source = loaded()
    small = GradientSettings(ini_subset=20)
    given = settings(n_iterations=2, gradient=small, n_classes=classes)
    contest = compete(given, particles, source, 2)
    assert contest.best == np.argmin(contest.behind) and contest.behind[contest.best] == 0
    assert contest.rounds.tolist().count(2) == 1  # half of two go on
    assert contest.winner.shape == (classes, *[source.read(np.array([0])).shape[-1]] * 3)
    assert not torch.equal(contest.winner[0], contest.winner[-1]) or classes == 1
    assert contest.deviations[contest.best] == 0 < contest.deviations.max()


@pytest.mark.parametrize("right", [True, False])
def test_a_true_map_is_believed_and_one_of_something_else_is_not(tmp_path, monkeypatch, right):
    monkeypatch.chdir(tmp_path)
    simulate(800, box=32)
    particles, source = loaded()
    volume = map_of_blobs(32) if right else np.random.default_rng(1).normal(0, 1, (32, 32, 32))
    reference = torch.from_numpy(np.float32(0.05) * volume.astype(np.float32))[None]
    given = settings(particle_diameter_angst=160.0)
    state = Refinement.start(given, particles, source, references=reference).state
    state.assignments.class_index[:] = 0
    state.model.data_vs_prior[0] = np.where(np.arange(17) < 7, 10.0, 0.0)
    found = coherence(given, particles, source, state, 0)
    assert (coherence_doubt(found) == "") == right


def test_forms_of_relion_3_and_4_make_the_same_kind_of_run():
    make, options = InitialModel, InitialModel.Options
    four, _ = options.parse(
        {"fn_img": "a.star", "particle_diameter": "180", "nr_classes": "2", "sym_name": "D2"}
    )
    words = make.command_line(four, "InitialModel/job001/", False)
    said = dict(itertools.pairwise(words))
    assert {"--grad", "--denovo_3dref", "--auto_sampling", "--zero_mask", "--flatten_solvent"} <= set(words)
    assert [
        said[flag] for flag in ("--iter", "--healpix_order", "--offset_range", "--offset_step", "--pad")
    ] == ["200", "1", "6", "2", "1"]
    assert (said["--sym"], said["--align_sym"]) == ("C1", "D2")
    assert (float(said["--grad_ini_resol"]), float(said["--grad_fin_resol"])) == (22.5, 15)
    at_once = make.command_line(four.changed(do_run_C1=False), "InitialModel/job001/", False)
    assert "--align_sym" not in at_once and dict(itertools.pairwise(at_once))["--sym"] == "D2"
    names = [node.name.rpartition("/")[2] for node in make.expected_outputs(four, "InitialModel/job001/")]
    assert names == [
        "run_it200_data.star",
        "run_it200_model.star",
        "run_it200_class001.mrc",
        "run_it200_class002.mrc",
        "initial_model.mrc",
    ]
    phases = {"sgd_ini_iter": "50", "sgd_inbetween_iter": "200", "sgd_fin_iter": "50", "sgd_ini_resol": "35"}
    three, warnings = options.parse({"fn_img": "a.star", **phases, "skip_gridding": "Yes"})
    said = dict(itertools.pairwise(make.command_line(three, "InitialModel/job001/", False)))
    assert not warnings and said["--iter"] == "300" and float(said["--grad_ini_resol"]) == 35
    assert make.expected_outputs(three, "InitialModel/job001/")[0].name.endswith("run_it300_data.star")
    two, _ = options.parse({"fn_img": "a.star", "nr_iter": "1", "sgd_subset_size": "200"})
    assert "mini-batches are too few" in make.check(two)[0]


def test_it_is_scheduled_run_gone_on_with_and_repeated(project, capsys):
    assert main(["job", "schedule", "InitialModel", *WORDS]) == 0
    assert "InitialModel/job001/initial_model.mrc" in capsys.readouterr().out
    assert main(["job", "run", "1"]) == 0
    said = capsys.readouterr().out
    assert "goes on" in said and "The initial model" in said and "Its hand is free" in said
    result = Path("InitialModel/job001/initial_model.mrc")
    first = result.read_bytes()
    for path in Path("InitialModel/job001").glob("run_it020*"):  # as if it had been killed after the starts
        path.unlink()
    result.unlink()
    assert main(["job", "continue", "1"]) == 0
    told = capsys.readouterr()
    assert "Expectation iteration 13 of 20" in told.out and "starts compete" not in told.out
    assert "momentum" not in told.err
    assert result.read_bytes() == first
    assert main(["job", "run", "1"]) == 0  # a repeat starts again
    assert "starts compete" in capsys.readouterr().out
    assert result.read_bytes() == first
    assert not list(Path("InitialModel/job001").glob(".round*"))
    optimiser = read_star("InitialModel/job001/run_it020_optimiser.star")["optimiser_general"]
    assert optimiser.integer("verglasMapsFromNothing") == 1


def test_the_result_is_of_this_run_and_not_of_a_longer_one_before_it(project):
    words = [
        "--i",
        "particles.star",
        "--o",
        "a/run",
        "--grad",
        "--denovo_3dref",
        "--particle_diameter",
        "110",
    ]
    words += ["--healpix_order", "0", "--offset_range", "0", "--pad", "1", "--grad_write_iter", "1", "--cpu"]
    words += [
        "--grad_ini_subset",
        "30",
        "--grad_fin_subset",
        "30",
        "--result",
        "a/map.mrc",
        "--dont_check_norm",
    ]
    for count in (3, 2):
        assert run_program("initialmodel", [*words, "--iter", str(count), "--random_seed", str(count)]) == 0
        last = read_mrc(f"a/run_it{count:03d}_class001.mrc")
        assert np.allclose(read_mrc("a/map.mrc").data, last.data, atol=1e-6)


def test_a_run_that_goes_on_by_name_has_the_same_bytes(project):
    words = [
        "--i",
        "particles.star",
        "--grad",
        "--denovo_3dref",
        "--particle_diameter",
        "110",
        "--healpix_order",
        "1",
    ]
    words += ["--offset_range", "1", "--pad", "1", "--random_seed", "1", "--dont_check_norm", "--K", "2"]
    words += ["--grad_ini_subset", "40", "--grad_fin_subset", "50", "--grad_write_iter", "2", "--iter", "4"]
    assert run_program("refine", [*words, "--o", "whole/run"]) == 0
    shutil.rmtree("again", ignore_errors=True)
    go_on = ["--continue", "whole/run_it002_optimiser.star", "--o", "again/run", "--grad_write_iter", "2"]
    assert run_program("refine", go_on) == 0
    assert "run_it004_class002.mrc" in same_bytes("whole", "again")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--denovo_3dref", "--grad", "--starts", "2"], "give --grad, --denovo_3dref and --grad_em_iters"),
        (["--denovo_3dref", "--starts", "2", "--grad_em_iters", "8"], "give --grad, --denovo_3dref and"),
        (["--starts", "2"], "--starts 2 makes first maps from nothing"),
        (["--denovo_3dref", "--grad", "--starts", "-1", "--grad_em_iters", "8"], "--starts is -1"),
    ],
)
def test_starts_that_nothing_could_follow_are_refused(project, capsys, words, told):
    assert run_program("refine", ["--i", "particles.star", "--o", "a/run", *words]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fn_img", ""], "Input images STAR file is empty"),
        (["--nr_mpi", "3"], "runs in one process"),
        (["--sigma_tilt", "10"], "not possible in 3D yet"),
    ],
)
def test_forms_that_cannot_run_are_refused(project, capsys, words, told):
    assert main(["job", "schedule", "InitialModel", *WORDS, *words]) == 1
    assert told in capsys.readouterr().err


def test_the_result_lies_on_the_axes_asked_for_and_is_symmetric(tmp_path):
    turn = Rotation.from_euler("zyz", [20, 50, 80], degrees=True).as_matrix()
    volume = map_of_blobs(32)
    halves = [volume, volume[::-1, ::-1], volume[::-1, :, ::-1], volume[:, ::-1, ::-1]]
    odd = [np.roll(each, [int(each is not volume)] * 3, (0, 1, 2)) for each in halves]
    turned = RigidMove(turn, np.zeros(3), 0.0).apply(sum(odd) / 4)
    model = SimpleNamespace(references=torch.from_numpy(turned)[None], pixel_size_angst=PIXEL)
    found = _map({"--align_sym": "d2"}, RunContext(tmp_path), model, 0)
    again = [found[1:, 1:, 1:], found[1:, :0:-1, :0:-1], found[:0:-1, 1:, :0:-1], found[:0:-1, :0:-1, 1:]]
    assert all(np.corrcoef(again[0].ravel(), each.ravel())[0, 1] > 0.99 for each in again[1:])
    assert found.std() > 0.8 * turned.std()


def test_an_unknown_group_is_refused_before_the_first_iteration(project, capsys):
    assert main(["job", "run", "InitialModel", *WORDS, "--sym_name", "X9"]) == 1
    assert "unknown point group 'X9'" in capsys.readouterr().err
