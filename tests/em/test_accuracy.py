"""Expected accuracies against the formula written out, and the steps of the grid that follow from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain.fourier import counted, ctf_value, nearest, padded_reference, slice_of
from plain.poses import euler
from two_sides import smooth_images, some_particles

from verglas.em.schedule.accuracy import ANGLES_DEG, SHIFTS_PX, estimate_accuracies, least_noticed
from verglas.em.schedule.steps import coarser_sampling, finer_sampling, with_settled
from verglas.em.state.model import Model, State
from verglas.em.state.particles import Assignments
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.fourier.projector import Projector

BOX, PIXEL, K, N, SIZE = 32, 3.0, 2, 5, 24


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(2)
    particles = some_particles(N, BOX, PIXEL, rng)
    references = smooth_images(rng, K, BOX)
    settings = EmSettings(
        n_classes=K, ctf=True, precision="double", psi_step_deg=12, particle_diameter_angst=80
    )
    shells = BOX // 2 + 1
    zeros = np.zeros((K, shells))
    model = Model(
        references=torch.from_numpy(references),
        pixel_size_angst=PIXEL,
        class_weights=np.array([0.995, 0.005]),
        direction_weights=np.array([[0.995], [0.005]]),
        class_offsets_angst=np.zeros((K, 2)),
        sigma2_noise=np.full((1, shells), 0.02 / (2 * BOX**2)),
        tau2=zeros,
        data_vs_prior=zeros,
        sigma2_reference=zeros,
        coverage=zeros,
        scale=np.ones(3),
        sigma_offset_angst=5.0,
        current_size=SIZE,
        current_resolution=1 / 12,
    )
    found = Assignments.start(N)
    found.psi_deg = rng.uniform(-180, 180, N)
    return settings, State(3, (model,), found, Sampling.of(settings, PIXEL)), particles


def estimated(case):
    settings, state, particles = case
    projector = Projector.of(state.model.references, SIZE, padding=2, dims=2)
    return estimate_accuracies(settings, state, projector, particles, np.arange(N))


def plain_errors(case) -> tuple[float, list[float]]:
    """Mean least angle (degrees), and mean least shifts (Å) along y and along x, of class 0."""
    _, state, particles = case
    keep, ky, kx = counted(BOX)
    shell = nearest(np.hypot(ky, kx)).astype(int)
    inside = keep & (shell <= SIZE // 2) & (shell > 0)
    ks = np.stack([ky[inside], kx[inside]], 1)
    padded = padded_reference(state.model.references[0].numpy(), 2, SIZE // 2)
    turns, moves = [], ([], [])
    for i in range(N):
        p = {
            "u": particles.defocus_u_angst[i],
            "v": particles.defocus_v_angst[i],
            "kv": 300.0,
            "angle": particles.defocus_angle_deg[i],
            "phase": 0.0,
            "cs": 2.7,
            "q0": 0.1,
        }
        u = ks / (BOX * PIXEL)
        ctf = ctf_value(p, u[:, 0], u[:, 1])
        variance = state.model.sigma2_noise[0][shell[inside]]

        def misfit(a, b, ctf=ctf, variance=variance):
            return (np.abs(ctf * (a - b)) ** 2 / (2 * variance)).sum()

        psi = state.assignments.psi_deg[i]
        right = slice_of(padded, 2, SIZE // 2, ks, euler(0, 0, psi))
        turned = [slice_of(padded, 2, SIZE // 2, ks, euler(0, 0, psi + float(e))) for e in ANGLES_DEG]
        noticed = [misfit(right, other) > np.log(100) for other in turned]
        turns.append(float(ANGLES_DEG[noticed.index(True)]) if any(noticed) else 30.0)
        for axis in (0, 1):
            phases = [np.exp(-2j * np.pi * ks[:, axis] * float(e) / BOX) for e in SHIFTS_PX]
            seen = [misfit(right, right * phase) > np.log(100) for phase in phases]
            moves[axis].append(float(SHIFTS_PX[seen.index(True)]) * PIXEL)
    return float(np.mean(turns)), [float(np.mean(m)) for m in moves]


def test_accuracies_are_those_of_the_formula(case):
    found = estimated(case)
    turn, moves = plain_errors(case)
    assert 1 < turn < 20
    assert found.rot_deg[0] == pytest.approx(turn)
    assert min(moves) - 0.31 <= found.shift_angst[0] <= max(moves) + 0.31
    assert (found.rot_deg[1], found.shift_angst[1]) == (999, 999)  # hardly any particle
    assert found.orientability[0].sum() == pytest.approx(1)
    assert found.orientability[0][0] == 0 == found.orientability[1].sum()


def test_the_first_rung_that_is_noticed_is_found_and_the_last_stands_for_more():
    limits = torch.tensor([[0.0, 0.26], [7.2, 1e9]], dtype=torch.float64)
    found = least_noticed(ANGLES_DEG, lambda e: torch.where(e > limits, 9.0, 0.0), limits)
    assert found.tolist() == [[0.05, 0.3], [8.0, 30.0]]


def test_noise_makes_poses_uncertain(case):
    settings, state, particles = case
    noisy = state.with_models(replace(state.model, sigma2_noise=4 * state.model.sigma2_noise))
    clear, blurred = estimated(case), estimated((settings, noisy, particles))
    assert blurred.rot_deg[0] > 1.5 * clear.rot_deg[0]
    assert blurred.shift_angst[0] > 1.5 * clear.shift_angst[0]


def test_coarser_steps_follow_the_accuracies_and_return_to_the_users(case):
    settings, state, _ = case
    vague = replace(state, accuracy_rot_deg=20.0, accuracy_shift_angst=10.0)
    coarse = coarser_sampling(settings, vague)
    assert coarse.psi_step_deg == pytest.approx(0.8 * 20 * 2)
    assert coarse.offset_step_angst == pytest.approx(min(0.8 * 10 * 2, 0.95 * 18))
    sure = replace(vague, sampling=coarse, accuracy_rot_deg=1.0, accuracy_shift_angst=0.5)
    back = coarser_sampling(settings, sure)
    assert (back.psi_step_deg, back.offset_step_angst) == (12, 6)
    unknown = replace(vague, sampling=coarse, accuracy_rot_deg=999.0)
    assert coarser_sampling(settings, unknown).psi_step_deg == 12


def test_coarser_directions_keep_the_finest_order_that_is_needed(case):
    settings, state, _ = case
    maps = replace(settings, dims=3, healpix_order=3, psi_step_deg=-1.0)
    state = replace(state, sampling=Sampling.of(maps, PIXEL), accuracy_shift_angst=1.0)
    orders = [
        coarser_sampling(maps, replace(state, accuracy_rot_deg=accuracy)).healpix_order
        for accuracy in (40.0, 20.0, 10.0, 1.0)
    ]
    assert orders == [0, 1, 2, 3]


def test_automatic_steps_halve_when_nothing_improves_and_stop_where_they_suffice(case):
    settings, state, _ = case
    settings = replace(settings, gradient=GradientSettings())
    stuck = replace(
        state, resolution_stalled=1, accuracy_rot_deg=2.0, accuracy_shift_angst=1.0, change_offsets_angst=2.0
    )
    finer = finer_sampling(settings, stuck, 10)
    assert finer.sampling.psi_step_deg == 6 and finer.resolution_stalled == 0
    assert finer.sampling.offset_step_angst == pytest.approx(0.75 * 1.0 * 2)
    assert finer_sampling(settings, stuck, 11) is stuck  # mini-batches change it now and then only
    improving = replace(stuck, resolution_stalled=0)
    assert finer_sampling(settings, improving, 10) is improving
    vague = replace(stuck, accuracy_rot_deg=30.0)
    assert finer_sampling(settings, vague, 10) is vague


def test_assignments_settle_when_changes_stop_shrinking(case):
    _, state, _ = case
    first = with_settled(replace(state, change_classes=0.5, change_angles_deg=40.0, change_offsets_angst=6.0))
    assert first.hidden_stalled == 0 and first.best_change_classes == 0.5
    assert with_settled(replace(first, change_classes=0.4)).hidden_stalled == 0
    assert with_settled(replace(first, change_classes=0.6)).hidden_stalled == 1
