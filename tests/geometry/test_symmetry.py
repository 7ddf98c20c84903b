"""Point groups: closure, the published axes, and asymmetric units that cover the sphere once."""

import healpix
import numpy as np
import pytest
import torch

from verglas.geometry import euler_matrices, healpix_directions, rot_tilt_of, view_vectors
from verglas.geometry.asymmetric_unit import max_pixel_radius
from verglas.geometry.symmetry import PointGroup

ORDERS = {
    "C1": 1,
    "C4": 4,
    "C7": 7,
    "Ci": 2,
    "Cs": 2,
    "C3v": 6,
    "C4h": 8,
    "S2": 2,
    "S4": 4,
    "S6": 6,
    "D1": 2,
    "D2": 4,
    "D3": 6,
    "D7": 14,
    "D2v": 8,
    "D3v": 12,
    "D4h": 16,
    "T": 12,
    "Td": 24,
    "Th": 24,
    "O": 24,
    "Oh": 48,
    "I": 60,
    "I1": 60,
    "I2": 60,
    "I3": 60,
    "I4": 60,
    "Ih": 120,
    "I1h": 120,
    "I2h": 120,
    "I3h": 120,
    "I4h": 120,
}
# refinement.md §3.2: a fold and a published axis that the group must have.
PUBLISHED = [
    ("I2", 5, (0.525731114, 0, 0.850650807)),
    ("I2", 3, (0, 0.356822076, 0.934172364)),
    ("I2", 2, (0, 0, 1)),
    ("I1", 5, (0.850650807, 0, -0.525731114)),
    ("I1", 3, (0.934172364, 0.356822077, 0)),
    ("I1", 2, (1, 0, 0)),
    ("I3", 5, (0, 0, 1)),
    ("I3", 2, (-0.525731114, 0, 0.850650807)),
    ("I3", 3, (-0.491123478, 0.356822076, 0.794654475)),
    ("I4", 5, (0.894427193, 0, 0.447213591)),
    ("I4", 2, (0.525731114, 0, 0.850650807)),
    ("I4", 3, (0.491123478, 0.356822076, 0.794654475)),
    ("T", 3, (0, 0, 1)),
    ("T", 2, (0, 0.816496, 0.577350)),
    ("Th", 2, (0, -0.816496, -0.577350)),
    ("O", 4, (0, 0, 1)),
    ("O", 3, (1, 1, 1)),
    ("D5", 2, (1, 0, 0)),
    ("C6", 6, (0, 0, 1)),
]


def random_directions(n: int) -> torch.Tensor:
    vectors = torch.randn(n, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return vectors / vectors.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("name", ORDERS)
def test_groups_close_with_the_right_order_and_are_orthonormal(name: str) -> None:
    group = PointGroup.of(name)
    assert group.order == ORDERS[name]
    r = group.operators
    np.testing.assert_allclose(r @ r.transpose(1, 2), torch.eye(3).expand_as(r), atol=1e-14)
    products = (r[:, None] @ r[None]).reshape(-1, 1, 9)
    distance = (products - r.reshape(1, -1, 9)).abs().amax(-1).amin(1)
    assert float(distance.max()) < 1e-12
    assert torch.equal(r[0], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize(("name", "fold", "axis"), PUBLISHED)
def test_published_axes(name: str, fold: int, axis: tuple[float, ...]) -> None:
    vector = torch.tensor(axis, dtype=torch.float64)
    vector /= vector.norm()
    operators = PointGroup.of(name).operators
    fixed = ((operators @ vector - vector).abs().amax(1) < 1e-5) & (torch.linalg.det(operators) > 0)
    assert int(fixed.sum()) == fold


@pytest.mark.parametrize("name", ORDERS)
def test_every_direction_has_a_mate_in_the_unit_and_only_one(name: str) -> None:
    group = PointGroup.of(name)
    inside = group.contains(rot_tilt_of(group.direction_mates(random_directions(2000))))
    mates = group.direction_mates(random_directions(2000))
    # Operators that leave a direction as it is (an inversion turns only the image) count once.
    same = torch.einsum("ngx,nhx->ngh", mates, mates) > 1 - 1e-10
    first = same.float().argmax(-1) == torch.arange(group.order)
    counts = (inside & first).sum(1)
    assert int(counts.min()) >= 1
    assert float((counts == 1).double().mean()) > 0.999


@pytest.mark.parametrize("name", ["C4", "D2", "D7", "T", "O", "I1", "I2", "I3", "I4"])
def test_greedy_pass_keeps_one_pixel_of_each_orbit(name: str) -> None:
    group = PointGroup.of(name)
    pixels = group.asymmetric_pixels(3)
    directions = view_vectors(healpix_directions(3)[pixels])
    mates = group.direction_mates(directions)[:, 1:]
    cosines = torch.einsum("igx,jx->igj", mates, directions)
    # A pixel on an axis may be its own mate; no other pixel may be.
    cosines[torch.arange(len(pixels)), :, torch.arange(len(pixels))] = -1
    assert float(cosines.max()) <= np.cos(max_pixel_radius(3) / 2) + 1e-12
    expected = 768 / group.order
    assert 0.8 * expected < len(pixels) < 1.3 * expected
    assert torch.equal(pixels, pixels.sort().values)


def test_c1_keeps_the_whole_sphere() -> None:
    assert len(PointGroup.of("c1").asymmetric_pixels(2)) == 192


@pytest.mark.parametrize("order", range(4))
def test_largest_pixel_radius_is_that_of_the_most_stretched_pixel(order: int) -> None:
    points = random_directions(50_000)
    rot, tilt = np.radians(rot_tilt_of(points).T.numpy())
    pixels = healpix.ang2pix(2**order, tilt, rot, nest=True)
    centres = view_vectors(healpix_directions(order)[torch.from_numpy(pixels)])
    farthest = float(torch.acos((centres * points).sum(1)).max())
    assert 0.9 * max_pixel_radius(order) < farthest <= max_pixel_radius(order)


@pytest.mark.parametrize("name", ["D2", "Cs", "Ci", "Td", "I3h"])
def test_mates_of_orientations_are_rotations_that_project_alike(name: str) -> None:
    group = PointGroup.of(name)
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    cloud = torch.einsum("gij,pj->gpi", group.operators, points).reshape(-1, 3)
    a = euler_matrices([20.0, 50.0, -80.0])
    mates = group.mates(a)
    np.testing.assert_allclose(torch.linalg.det(mates), 1, atol=1e-12)
    reference = np.sort((cloud @ a.T)[:, 0].numpy())
    for mate in mates:
        np.testing.assert_allclose(np.sort((cloud @ mate.T)[:, 0].numpy()), reference, atol=1e-10)
    np.testing.assert_allclose(mates[:, 2], group.direction_mates(a[2]), atol=1e-12)


@pytest.mark.parametrize("name", ["", "X3", "C0", "S3", "D", "I5", "C-2", "Sn"])
def test_unknown_names_say_what_is_known(name: str) -> None:
    with pytest.raises(ValueError, match="unknown point group"):
        PointGroup.of(name)
