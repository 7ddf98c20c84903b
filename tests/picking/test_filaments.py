"""Filaments of known course: traced on score maps, picked in noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial import cKDTree

from verglas.picking.dirty_areas import DirtyAreas
from verglas.picking.filament_picker import TubeSettings, pick_filaments
from verglas.picking.filaments import Filament, FilamentSettings, trace_filaments
from verglas.picking.template_bank import bank_of_images
from verglas.picking.template_picker import TemplateSettings

RADIUS = 5.0
SETTINGS = FilamentSettings(RADIUS, max_curvature=0.005, least_length_px=40, high=4.0, low=2.0)


def line(start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:  # (n, 2)
    count = int(2 * np.hypot(end[0] - start[0], end[1] - start[1]))
    return np.linspace(start, end, count)


def arc(centre: tuple[float, float], radius: float, first: float, last: float) -> np.ndarray:
    angle = np.deg2rad(np.linspace(first, last, int(2 * radius * abs(np.deg2rad(last - first)))))
    return np.array(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def ridges(curves: list[np.ndarray], size: int = 300, seed: int = 0) -> np.ndarray:
    """A score map: ridges of height 8 on noise of deviation 1, correlated like a filtered image."""
    away = np.full((size, size), np.inf)
    places = np.stack(np.indices((size, size))[::-1], -1)
    for curve in curves:
        away = np.minimum(away, cKDTree(curve).query(places)[0])
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 1.5)
    return 8 * np.exp(-0.5 * (away / 3) ** 2) + noise / noise.std()


def trace(score: np.ndarray, settings: FilamentSettings = SETTINGS) -> list[Filament]:
    highest = (score == ndimage.maximum_filter(score, 3)) & (score > settings.high)
    rows, columns = np.nonzero(highest)
    order = np.argsort(-score[rows, columns])
    return trace_filaments(score, np.stack([columns, rows], 1)[order], settings)


def error(filament: Filament, curve: np.ndarray) -> tuple[float, float]:
    """Largest distance to a curve, and the part of the curve that is farther from the filament."""
    off = cKDTree(curve).query(filament.xy)[0].max()
    missed = cKDTree(filament.xy).query(curve)[0] > 3
    return float(off), float(missed.mean())


def test_a_line_and_an_arc_are_followed_from_end_to_end() -> None:
    curves = [line((30, 40), (270, 70)), arc((150, 330), 230, 230, 310)]
    found = trace(ridges(curves))
    assert len(found) == 2
    for curve in curves:
        off, missed = min((error(each, curve) for each in found), key=lambda pair: pair[0])
        assert off < 2.5 and missed < 0.08


def test_directions_and_steps_along_an_arc() -> None:
    curve = arc((150, 330), 230, 230, 310)
    (found,) = trace(ridges([curve]))
    places, angles, lengths = found.every(12.0)
    assert np.allclose(np.diff(lengths), 12)
    assert np.allclose(np.hypot(*np.diff(places, axis=0).T), 12, atol=0.2)
    tangent = np.array([330 - places[:, 1], places[:, 0] - 150]).T
    across = np.abs(np.cos(angles) * tangent[:, 1] - np.sin(angles) * tangent[:, 0]) / 230
    assert np.rad2deg(np.arcsin(across)).max() < 3


def test_short_and_bent_ones_are_left_out() -> None:
    assert not trace(ridges([line((100, 100), (125, 100))]))
    circle = arc((150, 150), 60, 0, 300)  # three times the curvature that is allowed
    assert all(found.track[-1] < 120 for found in trace(ridges([circle])))
    assert not trace(ridges([]))


def test_a_crossing_ends_one_of_two() -> None:
    curves = [line((20, 150), (280, 150)), line((150, 20), (150, 280))]
    found = trace(ridges(curves))
    assert sorted(round(each.track[-1] / 130) for each in found) == [1, 1, 2]
    everything = np.concatenate([each.xy for each in found])
    for curve in curves:
        assert (cKDTree(everything).query(curve)[0] < 12).all()


PIXEL = 4.0
DIAMETER = 100.0


def tube_image(curves: list[np.ndarray], size: int = 512, seed: int = 0) -> np.ndarray:
    """Dark tubes (chord of a cylinder, subunits every 40 Å) in white noise; curves in pixels."""
    places = np.stack(np.indices((size, size))[::-1], -1)
    image = np.random.default_rng(seed).normal(size=(size, size))
    for curve in curves:
        away, index = cKDTree(curve).query(places)
        chord = np.sqrt(np.clip((DIAMETER / 2) ** 2 - (PIXEL * away) ** 2, 0, None))
        along = 0.5 * PIXEL * index  # two points to a pixel
        ends = (index == 0) | (index == len(curve) - 1)
        image -= 0.8 * chord / (DIAMETER / 2) * (1 + 0.3 * np.cos(2 * np.pi * along / 40)) * ~ends
    return image.astype(np.float32)


def pick(image: np.ndarray, dirty: DirtyAreas | None = None, **changes: float) -> object:
    reference = np.zeros((64, 64), np.float32)
    y = np.arange(64) - 32
    reference += np.sqrt(np.clip((DIAMETER / 2) ** 2 - (PIXEL * y) ** 2, 0, None))[:, None]
    bank = bank_of_images(
        torch.from_numpy(reference[None]), PIXEL, diameter_angst=200, psi_step_deg=5, resolution_angst=20
    )
    known = {"diameter_angst": DIAMETER, "max_curvature_per_angst": 0.001, "step_angst": 40.0}
    return pick_filaments(
        torch.from_numpy(image),
        PIXEL,
        bank,
        TemplateSettings(40.0),
        TubeSettings(**(known | changes)),
        dirty=dirty,
    )


CURVES = [line((60, 100), (450, 60)), arc((256, 700), 480, 250, 290)]


def test_segments_in_noise() -> None:
    picks = pick(tube_image(CURVES))
    assert picks.tubes is not None
    assert set(picks.tubes.number.tolist()) == {1, 2}
    assert (picks.fom >= picks.threshold).all()
    for number in (1, 2):
        mine = picks.tubes.number == number
        curve = min(CURVES, key=lambda c: cKDTree(c).query(picks.xy[mine])[0].max())
        tree = cKDTree(curve)
        away, index = tree.query(picks.xy[mine])
        assert away.max() < 8 and np.median(away) < 1.5  # pixels; the tube's radius is 12.5
        assert (cKDTree(picks.xy[mine]).query(curve)[0] < 25).mean() > 0.95
        slope = np.gradient(curve, axis=0)[index]
        expected = -np.rad2deg(np.arctan2(slope[:, 1], slope[:, 0]))
        turned = (picks.tubes.psi_deg[mine] - expected + 90) % 180 - 90
        assert np.quantile(np.abs(turned), 0.85) < 5 and np.abs(turned).max() < 20  # worst at the ends
        assert np.allclose(np.diff(picks.tubes.track_angst[mine]), 40, rtol=0.02)
        assert len(set(picks.fom[mine].tolist())) == 1  # thresholds keep or drop the whole


def test_noise_has_no_filaments_and_dirt_hides_them() -> None:
    assert len(pick(tube_image([]))) == 0
    mask = np.zeros((64, 64), bool)
    mask[:20] = True  # the straight one
    dirty = DirtyAreas(mask, 8 * PIXEL, 8.0)
    picks = pick(tube_image(CURVES), dirty)
    assert set(picks.tubes.number.tolist()) == {1}
    assert picks.xy[:, 1].min() > 150


@pytest.mark.parametrize("changes", [{"diameter_angst": 0.0}, {"step_angst": -1.0}])
def test_tubes_without_measures_are_refused(changes: dict[str, float]) -> None:
    known = {"diameter_angst": 100.0, "max_curvature_per_angst": 0.001, "step_angst": 40.0}
    with pytest.raises(ValueError, match="above zero"):
        TubeSettings(**(known | changes))
