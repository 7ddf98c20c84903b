"""Twist and rise are found in noise, and imposing them takes the noise away; `verglas helix`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.cli.main import main
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.maps.helix import Helix, SearchRange, Tube, impose_helix, search_helix

SIZE, PIXEL_ANGST, TRUE = 48, 4.0, Helix(37.4, 9.3)
TUBE = Tube(0.4, 120.0)


def helix_of(true: Helix = TRUE, noise: float = 0.0) -> np.ndarray:
    """Subunits of four blobs each, axis along z, without any symmetry but the helical one."""
    random = np.random.default_rng(0)
    subunit = np.c_[random.uniform(15, 42, 4), random.uniform(-10, 10, 4), random.uniform(-8, 8, 4)]
    axis = (np.arange(SIZE) - SIZE // 2) * PIXEL_ANGST
    total = np.zeros((SIZE, SIZE, SIZE))
    for unit in range(-20, 21):
        angle = np.radians(unit * true.twist_deg)
        for x, y, z in subunit:
            turned = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            places = (z + unit * true.rise_angst, turned[1], turned[0])
            total += np.einsum("z,y,x->zyx", *[np.exp(-((axis - place) ** 2) / 50) for place in places])
    return (total + noise * total.std() * random.standard_normal(total.shape)).astype(np.float32)


def central(volume: np.ndarray) -> np.ndarray:
    """Within the tube, and clear of the ends."""
    axis = np.arange(SIZE) - SIZE // 2
    inside = np.hypot(axis[:, None], axis) < 120 / 2 / PIXEL_ANGST - 1
    return volume[10:-10, inside]


@pytest.mark.parametrize("twist", [37.4, -37.4])
def test_twist_and_rise_are_found(twist: float) -> None:
    volume = torch.from_numpy(helix_of(Helix(twist, 9.3), 0.5))
    found, score, at_border = search_helix(
        volume, PIXEL_ANGST, SearchRange((twist - 2.9, twist + 2.2), (8.6, 10.2)), TUBE
    )
    assert found.twist_deg == pytest.approx(twist, abs=0.05)
    assert found.rise_angst == pytest.approx(9.3, abs=0.03)
    assert score > 0.9 and not at_border
    assert search_helix(volume, PIXEL_ANGST, SearchRange((twist - 3, twist - 1), (8.6, 10.2)), TUBE)[2]


def test_imposing_takes_noise_away_and_not_the_map() -> None:
    clean, noisy = central(helix_of()), helix_of(noise=2.0)
    imposed = central(impose_helix(noisy, PIXEL_ANGST, TRUE, TUBE))
    assert np.corrcoef(clean.ravel(), imposed.ravel())[0, 1] > 0.95
    assert np.corrcoef(clean.ravel(), central(noisy).ravel())[0, 1] < 0.72
    wrong = central(impose_helix(noisy, PIXEL_ANGST, Helix(-37.4, 9.3), TUBE))
    assert np.corrcoef(clean.ravel(), wrong.ravel())[0, 1] < 0.7


def test_what_is_no_helix_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than the rise"):
        impose_helix(helix_of(), PIXEL_ANGST, Helix(10.0, 90.0), TUBE)
    with pytest.raises(ValueError, match="above 0"):
        Helix(10.0, 0.0)
    with pytest.raises(ValueError, match="larger than the inner"):
        Tube(0.3, 50.0, 60.0)
    with pytest.raises(ValueError, match="second must be larger"):
        SearchRange((5.0, 4.0), (1.0, 2.0))


def test_the_command_searches_and_imposes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mrc("m.mrc", helix_of(noise=0.5), PIXEL_ANGST)
    tube = ["--i", "m.mrc", "--cyl_outer_diameter", "120", "--z_percentage", "0.4"]
    ranges = ["--twist_min", "35", "--twist_max", "40", "--rise_min", "8.6", "--rise_max", "10.2"]
    assert main(["helix", *tube, "--search", *ranges, "--impose", "--o", "out/i.mrc"]) == 0
    assert "Twist 37." in capsys.readouterr().out
    assert np.corrcoef(central(helix_of()).ravel(), central(read_mrc("out/i.mrc").data).ravel())[0, 1] > 0.98
    for words, text in [
        ([], "--search, --impose"),
        (["--impose"], "--o"),
        (["--search"], "second must be larger"),
    ]:
        assert main(["helix", *tube, *words]) != 0
        assert text in capsys.readouterr().err
