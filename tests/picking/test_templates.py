"""Template picking: against truth, against brute force, and the angle it reports."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from verglas.fourier import frequency_grid
from verglas.optics import CtfParameters, ctf
from verglas.picking.dirty_areas import DirtyAreas, find_dirty_areas
from verglas.picking.template_bank import TemplateBank, bank_of_images, bank_of_map, in_plane_angles
from verglas.picking.template_picker import TemplateSettings, pick_with_templates
from verglas.picking.template_search import EigenTemplates, best_scores, best_templates

PIXEL, SIZE, BOX, REFERENCE_PIXEL = 3.0, 900, 64, 4.0
CTF = CtfParameters.of(16000.0, 15500.0, 30.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


def key_shape(pixel: float, side: int, psi_deg: float) -> np.ndarray:
    """An L of three discs, 150 Å long, turned by psi as RELION's matrix A does."""
    position = (np.arange(side) - side // 2) * pixel
    x, y = np.meshgrid(position, position)
    a = np.radians(psi_deg)
    image = np.zeros((side, side))
    for px, py, radius in ((-45, -30, 28), (45, -30, 20), (-45, 45, 14)):
        qx, qy = np.cos(a) * px + np.sin(a) * py, -np.sin(a) * px + np.cos(a) * py
        image += np.clip((radius - np.hypot(x - qx, y - qy)) / pixel + 0.5, 0, 1)
    return image.astype(np.float32)


def bank(step: float = 10.0) -> TemplateBank:
    other = key_shape(REFERENCE_PIXEL, BOX, 0)[::-1].copy()
    references = torch.from_numpy(np.stack([other, key_shape(REFERENCE_PIXEL, BOX, 0)]))
    return bank_of_images(
        references, REFERENCE_PIXEL, diameter_angst=180, psi_step_deg=step, resolution_angst=20
    )


@pytest.fixture(scope="module")
def micrograph() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(pixels, xy, psi): dark keys on a lattice, CTF, white noise."""
    random = np.random.default_rng(2)
    scene = np.zeros((SIZE, SIZE), np.float32)
    places, angles = [], []
    for y in range(100, 850, 100):
        for x in range(100, 850, 100):
            place = np.array([x, y]) + random.integers(-12, 13, 2)
            psi = random.uniform(-180, 180)
            scene[place[1] - 40 : place[1] + 40, place[0] - 40 : place[0] + 40] += key_shape(PIXEL, 80, psi)
            places.append(place)
            angles.append(psi)
    factor = ctf(CTF, frequency_grid(SIZE, PIXEL))[0].numpy()
    image = np.fft.irfft2(np.fft.rfft2(scene) * factor, s=scene.shape)
    image = -image / image.std() * 0.35 + random.standard_normal(scene.shape)
    return image.astype(np.float32), np.array(places), np.array(angles)


def test_positions_view_and_angle(micrograph) -> None:
    image, xy, psi = micrograph
    picks = pick_with_templates(torch.from_numpy(image), PIXEL, bank(), TemplateSettings(120.0), CTF).picked()
    distance = np.sqrt(((picks.xy[:, None] - xy[None]) ** 2).sum(-1))
    nearest, near = distance.argmin(1), distance.min(1) < 4
    assert near.mean() >= 0.9  # side lobes of 20 sigma peaks would be every second pick
    assert len(set(nearest[near].tolist())) >= 0.95 * len(xy)
    assert (picks.class_number[near] == 2).mean() > 0.9
    wrong = (picks.psi_deg[near] - psi[nearest[near]] + 180) % 360 - 180
    assert np.median(np.abs(wrong)) < 8  # the step is 10 degrees


def test_noise_alone_gives_next_to_nothing() -> None:
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(4))
    picks = pick_with_templates(noise, PIXEL, bank(20.0), TemplateSettings(120.0), CTF)
    assert len(picks.picked()) <= 3


def test_eigen_templates_agree_with_brute_force() -> None:
    generator = torch.Generator().manual_seed(1)
    smooth = torch.randn(40, 6, generator=generator) @ torch.randn(6, 144, generator=generator)
    templates = smooth.reshape(40, 12, 12)
    image = torch.randn(150, 170, generator=generator)
    eigen = EigenTemplates.of(templates)
    assert eigen.loadings.shape[1] <= 6
    unit = templates / templates.flatten(1).norm(dim=1)[:, None, None]
    padded = torch.nn.functional.pad(image, (6, 5, 6, 5))
    brute = torch.nn.functional.conv2d(padded[None, None], unit[:, None])[0]
    torch.testing.assert_close(best_scores(image, eigen), brute.amax(0), atol=0.02, rtol=0.02)
    where = np.array([[30.0, 40.0], [169.0, 149.0], [0.0, 0.0]])
    best = best_templates(image, eigen, where)
    for (x, y), index in zip(where.astype(int), best.tolist()):
        assert brute[index, y, x] >= brute[:, y, x].max() - 0.05


def test_projections_of_a_map_find_its_particles() -> None:
    """A rod in a volume seen from the side: the picks' views are side views."""
    side = 32
    z, y, x = np.mgrid[:side, :side, :side] - side // 2
    rod = ((np.hypot(x, y) < 4) & (np.abs(z) < 12)).astype(np.float32)
    directions = torch.tensor([[0.0, 0.0], [0.0, 90.0], [0.0, 45.0]], dtype=torch.float64)
    views = bank_of_map(
        torch.from_numpy(rod), 6.0, directions, diameter_angst=180, psi_step_deg=15, resolution_angst=24
    )
    assert len(views) == 3 * 24
    random = np.random.default_rng(5)
    image = random.standard_normal((600, 600)).astype(np.float32)
    truth = [(150, 200), (400, 150), (300, 430)]
    for px, py in truth:
        image[py - 12 : py + 12, px - 36 : px + 36] -= 1.2
    picks = pick_with_templates(torch.from_numpy(image), 2.0, views, TemplateSettings(120.0))
    found = picks.picked()
    assert len(found) == 3
    distance = np.sqrt(((found.xy[:, None] - np.array(truth)[None]) ** 2).sum(-1)).min(1)
    assert distance.max() < 6
    assert set(found.class_number.tolist()) == {2}


def test_steps_divide_the_circle() -> None:
    assert len(in_plane_angles(7)) == 51
    assert in_plane_angles(360).tolist() == [0.0]
    with pytest.raises(ValueError, match="must be positive"):
        in_plane_angles(0)


def test_empty_and_broken_references_are_refused() -> None:
    empty = torch.zeros(1, 32, 32)
    flat = bank_of_images(empty, 4.0, diameter_angst=100, psi_step_deg=90, resolution_angst=20)
    with pytest.raises(ValueError, match="template 1 is empty"):
        pick_with_templates(torch.randn(400, 400), 4.0, flat, TemplateSettings(80.0))
    empty[0, 3, 3] = float("nan")
    with pytest.raises(ValueError, match="references hold values that are not finite"):
        bank_of_images(empty, 4.0, diameter_angst=100, psi_step_deg=90, resolution_angst=20)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_finds_the_same(micrograph) -> None:
    image = torch.from_numpy(micrograph[0])
    settings = TemplateSettings(120.0)
    ours = pick_with_templates(image, PIXEL, bank(), settings, CTF).picked()
    theirs = pick_with_templates(image.cuda(), PIXEL, bank().to("cuda"), settings, CTF).picked()
    assert abs(len(ours) - len(theirs)) <= 1
    n = min(len(ours), len(theirs)) - 2
    np.testing.assert_allclose(ours.fom[:n], theirs.fom[:n], atol=1e-2)


def test_dirty_areas_are_found_and_not_picked() -> None:
    random = np.random.default_rng(8)
    image = 100 + 5 * random.standard_normal((800, 1000))
    image[:, 700:] += 20 * random.standard_normal((800, 300)).cumsum(1) / 30 - 15  # carbon
    y, x = np.mgrid[:800, :1000]
    ice = np.hypot(x - 200, y - 600) < 90
    image[ice] -= 40
    dirty = find_dirty_areas(torch.from_numpy(image.astype(np.float32)), 2.0, 120.0)
    inside = dirty.holds(np.array([[200.0, 600.0], [850.0, 400.0], [300.0, 200.0], [500.0, 700.0]]))
    assert inside.tolist() == [True, True, False, False]
    assert dirty.fraction < 0.5
    clean = find_dirty_areas(torch.from_numpy(image[:, :680].astype(np.float32)[:500]), 2.0, 120.0)
    assert clean.fraction == 0.0


def test_dirty_areas_spare_particles(scene) -> None:
    found = find_dirty_areas(torch.from_numpy(scene.micrograph), 2.0, 140.0)
    assert found.fraction < 0.01


@pytest.mark.real
def test_a_real_ice_crystal(real_data) -> None:
    from verglas.formats.mrc import read_mrc

    folder = real_data / "micrographs_misc"
    image = read_mrc(folder / "contaminated_Ucsf_stack_1142_DW.mrc").data
    network = read_mrc(folder / "contaminated_Ucsf_stack_1142_DW_predicted_mask.mrc").data > 0.5
    dirty = find_dirty_areas(torch.from_numpy(image), 1.0, 15.0)
    ours = dirty.on_grid(image.shape, torch.device("cpu")).numpy()
    assert (ours & network).sum() / (ours | network).sum() > 0.8


@pytest.mark.parametrize("hidden", [0.2, 0.45])
def test_figures_of_merit_do_not_depend_on_how_much_is_dirty(micrograph, hidden: float) -> None:
    """A flat area has no noise: it used to pass for the quietest part, and to set the scale."""
    image, xy, _ = micrograph
    mask = np.zeros((90, 90), bool)
    mask[: round(90 * hidden)] = True
    dirty = DirtyAreas(mask, 10 * PIXEL, 10)
    settings = TemplateSettings(120.0)
    whole, part = (
        pick_with_templates(torch.from_numpy(image), PIXEL, bank(), settings, CTF, mask)
        for mask in (None, dirty)
    )
    assert part.threshold == pytest.approx(whole.threshold, abs=0.3)
    distance = np.sqrt(((part.xy[:, None] - whole.xy[None]) ** 2).sum(-1))
    nearest, near = distance.argmin(1), distance.min(1) < 2
    far = part.xy[:, 1] > 900 * hidden + 80  # particles that the dirt cuts are not where they were
    both = near & far & (part.fom > part.threshold)
    assert both.sum() > 20
    assert np.median(part.fom[both] / whole.fom[nearest[both]]) == pytest.approx(1, abs=0.1)
    picked = part.take(far).picked()
    right = np.sqrt(((picked.xy[:, None] - xy[None]) ** 2).sum(-1)).min(1) < 4
    assert right.mean() >= 0.9
