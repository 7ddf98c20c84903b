"""Atoms to images against the analytic answer, and the signs of refinement.md §1."""

import numpy as np
import pytest
import torch

from verglas.geometry.euler import euler_matrices
from verglas.simulate.model import AtomicModel, UnusableModel
from verglas.simulate.projection import AtomProjector, ProjectionSettings
from verglas.simulate.scattering import atom_potential
from verglas.simulate.volume import model_map


def atom_at(x, y, z, element="C"):
    return AtomicModel(np.array([[x, y, z]], float), np.array([element]), np.zeros(1), "atom")


def analytic(place_xy, box, pixel, element="C", in_ice=True):
    """Band-limited image of one atom: the inverse transform of its own transform, term by term."""
    k = np.fft.fftfreq(box, pixel)
    ky, kx = k[:, None], k[None]
    value = atom_potential(element, np.hypot(ky, kx), hydrogens_modelled=False, in_ice=in_ice)
    value = value * np.exp(-2j * np.pi * (kx * place_xy[0] + ky * place_xy[1]))
    value[box // 2, :] = value[:, box // 2] = 0
    image = np.fft.ifft2(value).real / pixel**2
    return np.roll(image, (box // 2, box // 2), axis=(0, 1))


@pytest.mark.parametrize(("place", "pixel"), [((0, 0), 1.0), ((3.3, -5.7), 1.0), ((7.1, 2.6), 2.5)])
def test_a_point_atom_projects_to_its_analytic_image(place, pixel):
    projector = AtomProjector(atom_at(*place, 4.0), ProjectionSettings(32, pixel))
    image = projector.images(torch.eye(3)[None])[0].numpy()
    expected = analytic(place, 32, pixel)
    assert np.abs(image - expected).max() < 0.02 * expected.max()
    # up to half Nyquist the splatting is exact to a few parts in a thousand
    low = np.s_[:8]
    got, want = np.fft.rfft2(image)[low, :8], np.fft.rfft2(expected)[low, :8]
    assert np.abs(got - want).max() < 5e-3 * np.abs(want).max()


def test_point_v_appears_at_the_first_two_components_of_a_v():
    angles = [[37.0, 62.0, -115.0]]
    point = np.array([9.0, -4.0, 6.0])
    projector = AtomProjector(atom_at(*point), ProjectionSettings(48, 1.0))
    image = projector.images(euler_matrices(angles))[0]
    x, y, _ = euler_matrices(angles)[0].numpy() @ point
    row, column = divmod(int(image.argmax()), 48)
    assert (column, row) == (round(24 + x), round(24 + y))


def test_psi_rotates_the_content_by_minus_psi_in_the_y_down_array():
    projector = AtomProjector(atom_at(10.0, 0.0, 0.0), ProjectionSettings(48, 1.0))
    image = projector.images(euler_matrices([[0.0, 0.0, 90.0]]))[0]
    row, column = divmod(int(image.argmax()), 48)
    assert (column, row) == (24, 14)  # A v = (0, -10): towards row 0


def test_a_shift_moves_content_down_and_right():
    projector = AtomProjector(atom_at(0.0, 0.0, 0.0), ProjectionSettings(32, 2.0))
    image = projector.images(torch.eye(3)[None], torch.tensor([[4.0, -6.0]]))[0]
    assert divmod(int(image.argmax()), 32) == (16 + 2, 16 - 3)


def test_the_projection_is_the_sum_of_the_true_map_along_z(blob):
    settings = ProjectionSettings(48, 1.5)
    image = AtomProjector(blob, settings).images(torch.eye(3)[None])[0].numpy()
    column = model_map(blob, settings).sum(axis=0) * 1.5
    assert np.abs(image - column).max() < 2e-3 * np.abs(image).max()


def test_odd_boxes_are_centred_on_their_middle_pixel():
    projector = AtomProjector(atom_at(0.0, 0.0, 0.0), ProjectionSettings(33, 1.2))
    image = projector.images(torch.eye(3)[None])[0]
    assert divmod(int(image.argmax()), 33) == (16, 16)
    assert torch.allclose(image[1:, 1:], image.flip(0, 1)[:-1, :-1], atol=1e-3 * float(image.max())) or (
        torch.allclose(image, image.flip(0, 1), atol=1e-3 * float(image.max()))
    )


def test_total_potential_is_the_sum_over_atoms(blob):
    settings = ProjectionSettings(64, 1.0)
    image = AtomProjector(blob, settings).images(torch.eye(3)[None])[0]
    expected = sum(
        float(atom_potential(str(e), np.zeros(1), hydrogens_modelled=False)[0]) for e in blob.elements
    )
    assert float(image.sum()) == pytest.approx(expected, rel=1e-4)


def test_model_b_factors_damp_and_resolution_cuts(blob):
    plain = AtomProjector(blob, ProjectionSettings(48, 1.2))
    damped = AtomProjector(blob, ProjectionSettings(48, 1.2, model_b_factors=True))
    cut = AtomProjector(blob, ProjectionSettings(48, 1.2, resolution_angst=6.0))
    a, b, c = (p.spectra(torch.eye(3)[None])[0].abs() for p in (plain, damped, cut))
    s2 = (10 / (48 * 1.2)) ** 2
    assert torch.allclose(b[10, 0], a[10, 0] * np.exp(-20 / 4 * s2), rtol=1e-4)
    assert float(c[0, 14:].max()) < 1e-6 * float(a.max())
    assert torch.allclose(c[0, :9], a[0, :9])


@pytest.mark.parametrize("box", [16, 20])
def test_a_box_smaller_than_the_particle_is_refused_with_the_size_needed(blob, box):
    with pytest.raises(UnusableModel, match=r"does not fit in a box .* take at least \d+ pixels"):
        AtomProjector(blob, ProjectionSettings(box, 1.0))


def test_unknown_elements_are_named():
    with pytest.raises(UnusableModel, match="'Xx'"):
        AtomProjector(atom_at(0, 0, 0, "Xx"), ProjectionSettings(32, 1.0))


def test_an_empty_model_is_refused():
    with pytest.raises(UnusableModel, match="no atoms"):
        AtomicModel(np.zeros((0, 3)), np.zeros(0, str), np.zeros(0), "nothing")


def test_positions_that_are_no_numbers_are_refused():
    with pytest.raises(UnusableModel, match="atom 1 is not a number"):
        atom_at(np.nan, 0, 0)


def test_the_path_for_accelerators_gives_the_same_images(blob):
    from verglas.simulate.splat import splat_on_cpu, splat_on_device

    rng = np.random.default_rng(3)
    angles = rng.uniform(-180, 180, (6, 3))
    rows = torch.zeros(6, 2, 4)
    rows[:, :, :3] = euler_matrices(angles)[:, :2].float()
    rows[:, :, 3] = torch.tensor([16.0, 30.0])  # some atoms fall over the edge
    atoms = torch.as_tensor(blob.coordinates, dtype=torch.float32)
    channel = torch.arange(len(blob)) % 3
    fast, other = (f(atoms, channel, rows, 3, 48) for f in (splat_on_cpu, splat_on_device))
    assert float(fast.sum()) < 6 * len(blob)
    assert torch.allclose(fast, other, atol=1e-4)
