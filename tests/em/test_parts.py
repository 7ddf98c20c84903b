"""Pieces of the engine against mathematics: grids, centring, gradient schedule, packed sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from verglas.em.images.pixels import pixel_list, pixels_per_shell
from verglas.em.maximise.centring import centre_references, centres_of_mass_px, translate_linear
from verglas.em.maximise.descent import gradient_step, replace_inactive
from verglas.em.poses.grid import OrientationGrid, PoseSet, translations
from verglas.em.state.combine import share
from verglas.em.state.model import Model, Moments
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.em.state.sums import WeightedSums
from verglas.fourier.lattice import Lattice
from verglas.fourier.rounding import nearest, nearest_shells


@pytest.mark.parametrize("reach, step, count", [(5, 2, 21), (5, 1, 81), (6, 2, 29)])
def test_search_circle_has_the_known_number_of_points(reach, step, count):
    assert len(translations(float(reach), float(step))) == count


def test_2d_grid_children_surround_their_parents():
    settings = EmSettings(psi_step_deg=12.0, offset_range_px=5, offset_step_px=2)
    grid = PoseSet.of(OrientationGrid.of(Sampling.of(settings, 4.0)))
    assert grid.n_orientations == 30 and grid.children == 2 and grid.shift_children == 4
    psi = grid.fine_angles_deg()[:, 2].reshape(30, 2)
    np.testing.assert_allclose(psi.mean(1), grid.coarse_angles_deg[:, 2])
    np.testing.assert_allclose(psi[:, 1] - psi[:, 0], 6.0)
    shifts = grid.fine_shifts_angst.reshape(21, 4, 2)
    np.testing.assert_allclose(shifts.mean(1), grid.coarse_shifts_angst)


def test_perturbation_stays_in_its_range_and_moves_the_grid():
    sampling = Sampling.of(EmSettings(psi_step_deg=12.0), 1.0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        sampling = sampling.perturbed(rng)
        assert -0.5 <= sampling.perturbation <= 0.5
    grid = PoseSet.of(OrientationGrid.of(sampling))
    assert float(grid.coarse_angles_deg[0, 2]) == pytest.approx(12 * sampling.perturbation)


def test_3d_grid_covers_the_asymmetric_unit_once():
    settings = EmSettings(dims=3, healpix_order=1)
    grid = PoseSet.of(OrientationGrid.of(Sampling.of(settings, 1.0)))
    assert grid.n_orientations == 48 * 12 and grid.children == 8
    assert grid.n_directions == 48 and int(grid.direction[-1]) == 47


def test_a_shorter_pixel_list_is_a_prefix():
    long, short = pixel_list(32, 24, "cpu"), pixel_list(32, 12, "cpu")
    n = long.count(12)
    assert n == len(short)
    assert torch.equal(long.flat[:n], short.flat)
    assert int(long.shells[0]) == 0 and (long.shells[1:] >= 1).all()
    whole = pixel_list(32, 32, "cpu")
    assert torch.bincount(whole.shells).double().equal(pixels_per_shell(32))


def test_rounding_is_half_away_from_zero():
    assert [nearest(v) for v in (0.5, 1.5, 2.5, -0.5, -2.5)] == [1, 2, 3, -1, -3]
    assert nearest_shells(torch.tensor([0.5, 1.5, 2.5])).tolist() == [1, 2, 3]


def test_centring_moves_a_blob_to_the_middle_and_leaves_a_centred_one():
    y, x = torch.meshgrid(*[torch.arange(64.0) - 32] * 2, indexing="ij")
    blob = torch.exp(-((y - 4) ** 2 + (x + 3) ** 2) / 20)
    near = torch.exp(-((y - 2.4) ** 2 + (x - 2) ** 2) / 20)  # less than a tenth of the diameter away
    moved = centre_references(torch.stack([blob, near]), 10, 40, sigma_offset_px=3)
    assert float(centres_of_mass_px(moved[:1]).norm()) < 0.1
    assert torch.equal(moved[1], near)
    unbelievable = centre_references(torch.stack([blob, near]), 10, 40, sigma_offset_px=2)
    assert torch.equal(unbelievable[0], blob)
    assert torch.allclose(translate_linear(blob[None], torch.tensor([[-4.0, 3.0]])), moved[:1])


def test_images_are_translated_each_by_its_own_shift_and_zeros_come_in():
    images = torch.rand(3, 12, 12, dtype=torch.float64)
    shifts = torch.tensor([[2.0, -3.0], [0.0, 0.0], [-1.5, 14.0]])
    moved = translate_linear(images, shifts)
    assert torch.equal(moved[0, 2:, :9], images[0, :10, 3:])
    assert not moved[0, :2].any() and not moved[0, :, 9:].any()
    assert torch.equal(moved[1], images[1])
    assert not moved[2].any()
    half = translate_linear(images[:1], torch.tensor([[-1.5, 0.0]]))
    assert torch.allclose(half[0, 0], (images[0, 1] + images[0, 2]) / 2)


def test_mini_batches_grow_and_end_with_everything():
    gradient = GradientSettings()
    settings = EmSettings(n_classes=10, n_iterations=200, tau2_fudge=2.0, gradient=gradient)
    steps = [gradient_step(settings, gradient, 100_000, it) for it in range(1, 201)]
    sizes = [step.subset for step in steps]
    assert sizes[0] == 500 and sizes[198] == 5000 and sizes[199] == 100_000
    assert sizes == sorted(sizes)
    assert steps[0].step_size == pytest.approx(0.9, abs=0.01)
    assert steps[150].step_size == pytest.approx(0.3, abs=0.01)
    assert steps[0].tau2_fudge == pytest.approx(1.0, abs=0.02)
    assert steps[198].tau2_fudge == pytest.approx(2.0, abs=0.01)
    assert steps[199].momentum == 0.0 and steps[100].momentum == 0.9


def test_an_inactive_class_becomes_a_copy_of_the_one_that_changes_most_beyond_its_noise():
    zeros = np.zeros((3, 5))
    weights = np.array([0.49, 0.5, 0.01])
    model = Model(
        references=torch.rand(3, 8, 8),
        pixel_size_angst=1.0,
        class_weights=weights,
        direction_weights=weights[:, None],
        class_offsets_angst=np.zeros((3, 2)),
        sigma2_noise=zeros[:1],
        tau2=zeros,
        data_vs_prior=zeros,
        sigma2_reference=zeros,
        coverage=zeros,
        scale=np.ones(1),
        sigma_offset_angst=3.0,
    )
    first = torch.tensor([2.0, 1.0, 1.0]).to(torch.complex64).expand(2, 3).reshape(2, 3, 1, 1)
    second = torch.tensor([100.0, 1.0, 1.0]).reshape(3, 1, 1)
    moments = Moments(first.expand(2, 3, 11, 6).clone(), second.expand(3, 11, 6).clone(), np.ones(3))
    after, momentum, replaced = replace_inactive(model, moments, 0.1)
    assert replaced == 2
    assert torch.equal(after.references[2], model.references[1])  # class 1 moves more, but only by noise
    assert after.class_weights.sum() == pytest.approx(1)
    assert float(momentum.first[0, 2, 0, 0].real) == pytest.approx(0.9)
    assert float(momentum.first[1, 2, 0, 0].real) == 1 == float(momentum.second[2, 0, 0])
    assert momentum.age.tolist() == [1, 1, 0.9]
    assert replace_inactive(model, moments, 0.02)[2] is None


def test_packed_sums_come_back_and_wrong_lengths_are_told():
    sums = WeightedSums.zeros(Lattice(2, 8, 2.0), 3, 3, 1, 2, 17, 4)
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=sums.pack().size)
    sums.unpack(numbers)
    np.testing.assert_array_equal(sums.pack(), numbers)
    assert sums.data.is_complex() and float(sums.data[0, 0, 0].real) == numbers[0]
    with pytest.raises(ValueError, match="expected"):
        sums.unpack(numbers[:-1])


def test_ranks_share_all_particles_without_overlap():
    order = np.arange(101)
    parts = [share(order, rank, 3) for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), order)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
