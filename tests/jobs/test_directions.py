"""Resolution by direction: a map without a cone of frequencies, views from one side."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from half_maps import ball_of_atoms, noisy_pair

from conftest import make_uniform_angles
from verglas.cli.main import main
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import forward, index_grid, inverse
from verglas.maps.directional import coverage, directional_fsc

SIZE = 40


def stretched() -> torch.Tensor:
    """A map that ends at shell 6 within 45° of z and at shell 15 elsewhere."""
    spectrum = forward(ball_of_atoms(SIZE, 9, 1500), 3)
    z, y, x = index_grid(SIZE, 3).double().unbind(-1)
    radius = (x**2 + y**2 + z**2).sqrt()
    end = torch.where(z.abs() > 0.71 * radius, 6.0, 15.0)
    return inverse(torch.where(radius <= end, spectrum, 0), SIZE, 3)


def test_a_missing_cone_is_seen() -> None:
    volume = stretched()
    first, second = noisy_pair(volume, 0.3 * float(volume.std()))
    found = directional_fsc(first, second, 1.0)
    assert len(found.directions) == 96
    along = found.directions[:, 2] > 0.95
    across = found.directions[:, 2] < 0.2
    assert float(found.resolution_angst[along].median()) == pytest.approx(SIZE / 6, rel=0.2)
    assert float(found.resolution_angst[across].median()) == pytest.approx(SIZE / 15, rel=0.1)
    assert found.worst_over_best > 2


def test_even_views_are_efficient_and_side_views_are_not_complete() -> None:
    even = coverage(make_uniform_angles(2000)[:, :2])
    assert even.efficiency > 0.95
    tilted = make_uniform_angles(2000)[:, :2]
    tilted = tilted[(tilted[:, 1] < 20) | (tilted[:, 1] > 160)]
    assert coverage(tilted).efficiency < 0.3  # along z Fourier space is not seen at all
    with pytest.raises(ValueError, match="no views"):
        coverage(torch.zeros(0, 2))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    volume = stretched()
    for number, half in enumerate(noisy_pair(volume, 0.3 * float(volume.std())), 1):
        write_mrc(f"half{number}.mrc", half.float().numpy(), 1.0)
    angles = make_uniform_angles(100).numpy()
    table = {"rlnAngleRot": angles[:, 0], "rlnAngleTilt": angles[:, 1]}
    write_star("p.star", StarTable.from_columns("particles", table))
    words = ["directions", "--half", "half1.mrc", "--i", "p.star", "--sym", "D2", "--o", "out/d"]
    assert main(words) == 0
    assert list(read_star("out/d.star")) == ["directional_fsc", "coverage"]
    assert Path("out/d.png").stat().st_size > 5000
    said = capsys.readouterr().out
    assert "worst over best" in said and "Efficiency" in said
    assert main(["directions", "--o", "x"]) == 1
