"""Axes of symmetry are found wherever they lie; what a map says of its point group, and what it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from verglas.fourier import low_pass
from verglas.geometry import PointGroup
from verglas.maps.box_geometry import symmetrised
from verglas.maps.fitting import RigidMove
from verglas.maps.symmetry.alignment import AlignmentSettings, align_to_symmetry, impose
from verglas.maps.symmetry.families import contains_group, maximal
from verglas.maps.symmetry.proposal import GROUPS, Proposal, propose_symmetries
from verglas.maps.symmetry.turns import rotation_about, turns_of

Make = Callable[..., torch.Tensor]
Map = np.ndarray
SIZE, PIXEL_ANGST = 32, 4.0
TURN = Rotation.from_euler("zyz", [50, 70, 120], degrees=True).as_matrix()
SOME = ("C2", "C3", "C7", "D2", "D7", "O")


def laid_anyhow(volume: Map, noise: float = 0.0) -> Map:
    """Turned, moved off the middle, with white noise in units of the map's deviation."""
    moved = RigidMove(TURN, np.array([1.2, -0.8, 0.6]), 0).apply(volume)
    random = np.random.default_rng(4).standard_normal(moved.shape)
    return (moved + noise * moved.std() * random).astype(np.float32)


def residual(volume: Map, group: PointGroup) -> float:
    """Power of what a map lacks of its symmetry, of all power."""
    lack = volume - symmetrised(volume, group.operators.numpy())
    return float((lack**2).sum() / (volume**2).sum())


@pytest.mark.parametrize("name", ["C1", "C5", "D3", "T", pytest.param("I3", marks=pytest.mark.slow)])
def test_a_map_is_laid_on_the_axes_of_any_group(blobs: Make, name: str) -> None:
    group = PointGroup.of(name)
    volume = laid_anyhow(symmetrised(blobs(SIZE, 4).float().numpy(), group.operators.numpy()), 0.3)
    found = align_to_symmetry(torch.from_numpy(volume), PIXEL_ANGST, group, AlignmentSettings(box=24))
    clean = laid_anyhow(symmetrised(blobs(SIZE, 4).float().numpy(), group.operators.numpy()))
    assert residual(found.apply(clean), group) < 0.02
    assert residual(impose(volume, found, group), group) < 0.01


def test_a_turn_about_z_and_the_centre_are_left_alone_if_asked(blobs: Make) -> None:
    group = PointGroup.of("D3")
    volume = symmetrised(blobs(SIZE).float().numpy(), group.operators.numpy())
    turned = RigidMove(Rotation.from_euler("z", 37, degrees=True).as_matrix(), np.zeros(3), 0).apply(volume)
    settings = AlignmentSettings(keep_centre=True, only_rot=True, max_resolution_angst=12.0)
    found = align_to_symmetry(torch.from_numpy(turned), PIXEL_ANGST, group, settings)
    np.testing.assert_allclose(found.rotation[2], [0, 0, 1], atol=1e-9)
    np.testing.assert_array_equal(found.shift_px, 0)
    assert residual(found.apply(turned), group) < 0.02


def test_what_cannot_be_laid_on_axes_is_refused(blobs: Make) -> None:
    with pytest.raises(ValueError, match="mirror"):
        align_to_symmetry(blobs(SIZE), PIXEL_ANGST, PointGroup.of("C2v"))
    with pytest.raises(ValueError, match="no positive values"):
        align_to_symmetry(torch.zeros(SIZE, SIZE, SIZE), PIXEL_ANGST, PointGroup.of("C2"))


def test_turns_stand_for_all_operators() -> None:
    for name in ("C7", "D4", "O", "I2"):
        turns = turns_of(PointGroup.of(name))
        angles = torch.tensor([2 * np.pi * float(fraction) for fraction in turns.fractions])
        torch.testing.assert_close(rotation_about(turns.axes, angles), turns.operators, atol=1e-6, rtol=0)
    assert len(turns_of(PointGroup.of("I")).fractions) == 15 + 10 + 2 * 6


def test_groups_know_their_parts() -> None:
    assert contains_group("D7", "C7") and contains_group("D7", "C2") and contains_group("D12", "D4")
    assert contains_group("O", "T") and contains_group("I2", "D5") and contains_group("C12", "C1")
    assert not contains_group("D7", "C3") and not contains_group("C4", "D2") and not contains_group("T", "C4")
    assert maximal(["C2", "C7", "D7", "C3"]) == ["D7", "C3"]


def judged(volume: Map, names: tuple[str, ...] = SOME, **known: object) -> dict[str, Proposal]:
    found = propose_symmetries(torch.from_numpy(volume), PIXEL_ANGST, names=names, **known)  # type: ignore[arg-type]
    assert {one.name for one in found} == {"C1", *names}
    assert [one.proposed for one in found] == [True] + [False] * len(names)
    return {one.name: one for one in found}


def proposed(found: dict[str, Proposal]) -> str:
    return next(iter(found))


@pytest.mark.parametrize(
    ("name", "noise"), [("D7", 0.0), ("O", 1.0), pytest.param("C3", 1.0, marks=pytest.mark.slow)]
)
def test_the_right_group_is_proposed(blobs: Make, name: str, noise: float) -> None:
    group = PointGroup.of(name)
    found = judged(laid_anyhow(symmetrised(blobs(40, 8).float().numpy(), group.operators.numpy()), noise))
    assert proposed(found) == name
    assert found[name].score > 0.9
    for other in SOME:
        if contains_group(name, other):
            assert other == name or found[other].statement == f"part of {name}"
        else:
            assert found[other].score < 0.5


@pytest.mark.parametrize("resolution_angst", [None, pytest.param(30.0, marks=pytest.mark.slow)])
def test_without_symmetry_nothing_is_proposed(blobs: Make, resolution_angst: float | None) -> None:
    volume = blobs(40).float()
    if resolution_angst is not None:  # a blurred map agrees with itself after many turns
        volume = low_pass(volume, PIXEL_ANGST, resolution_angst)
    found = judged(laid_anyhow(volume.numpy(), 0.5))
    assert proposed(found) == "C1"
    assert max(found[name].score for name in SOME) < 0.75


def test_a_symmetry_that_small_things_break_is_told_from_a_true_one(blobs: Make) -> None:
    """Two halves alike in shape only, as the two kinds of chains of haemoglobin are."""
    group = PointGroup.of("C2")
    volume = symmetrised(blobs(40, 8).float().numpy(), group.operators.numpy())
    sharp = low_pass(blobs(40, 40, seed=9).float(), PIXEL_ANGST, 10.0, edge_shells=1)
    fine = sharp - low_pass(sharp, PIXEL_ANGST, 25.0)
    broken = volume + 2 * float(volume.std()) / float(fine.std()) * fine.numpy()
    found = judged(laid_anyhow(broken, 0.1))
    assert proposed(found) == "C1"
    assert "excluded" in found["C2"].statement


@pytest.mark.parametrize("known", [pytest.param(False, marks=pytest.mark.slow), True])
def test_noise_has_no_symmetry(known: bool) -> None:
    noise = np.random.default_rng(1).standard_normal((40, 40, 40)).astype(np.float32)
    found = judged(noise, **({"quality": torch.zeros(21)} if known else {}))
    assert proposed(found) == "C1"
    if known:  # a map known to be noise cannot exclude anything
        assert all("decides nothing" in found[name].statement for name in SOME)
        assert "want of evidence" in found["C1"].statement
    else:
        assert max(found[name].score for name in SOME) < 0.3


@pytest.mark.slow
def test_the_proteasome_among_all_groups() -> None:
    from verglas.jobs.simulate.model import load_model
    from verglas.simulate.projection import ProjectionSettings
    from verglas.simulate.volume import model_map

    volume = low_pass(
        torch.from_numpy(model_map(load_model(), ProjectionSettings(64, PIXEL_ANGST))), PIXEL_ANGST, 12
    )
    found = judged(laid_anyhow(volume.numpy(), 1.0), GROUPS)
    assert proposed(found) == "D7"
    assert max(one.score for one in found.values() if not contains_group("D7", one.name)) < 0.5
