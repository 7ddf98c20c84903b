"""The leak detector: ten planted faults are found, ten clean runs are not accused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from half_maps import ball_of_atoms, damped, noisy_pair

from verglas.cli.main import main
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.maps import create_mask, outside_weight

SIZE, PIXEL, COUNT = 48, 1.4, 200
Columns = dict[str, list[object]]


def particles(seed: int, helical: bool = False) -> Columns:
    """A clean list: 10 micrographs, places at least 200 Å apart, halves at random (per filament)."""
    rng = np.random.default_rng(seed)
    grid = [(x * 300.0, y * 300.0) for x in range(5) for y in range(4)]
    half = rng.integers(1, 3, COUNT)
    columns: Columns = {
        "rlnImageName": [f"{n + 1:06d}@p.mrcs" for n in range(COUNT)],
        "rlnMicrographName": [f"m{n // 20}.mrc" for n in range(COUNT)],
        "rlnCoordinateX": [grid[n % 20][0] + rng.uniform(0, 80) for n in range(COUNT)],
        "rlnCoordinateY": [grid[n % 20][1] + rng.uniform(0, 80) for n in range(COUNT)],
        "rlnOriginXAngst": rng.normal(0, 3, COUNT).tolist(),
        "rlnOriginYAngst": rng.normal(0, 3, COUNT).tolist(),
        "rlnOpticsGroup": [1] * COUNT,
    }
    if helical:
        tube = np.arange(COUNT) // 5 % 4 + 1
        columns["rlnHelicalTubeID"] = tube.tolist()
        half = rng.integers(1, 3, COUNT // 5)[np.arange(COUNT) // 5]
    return columns | {"rlnRandomSubset": half.tolist()}


def write_list(columns: Columns) -> None:
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["o"],
        "rlnMicrographOriginalPixelSize": [1.0],
        "rlnImagePixelSize": [1.4],
        "rlnImageSize": [SIZE],
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)]
    write_star("p.star", tables)


def write_maps(first: torch.Tensor, second: torch.Tensor, mask: torch.Tensor | None = None) -> None:
    for number, half in enumerate((first, second), 1):
        write_mrc(f"half{number}.mrc", half.float().numpy(), PIXEL)
    if mask is not None:
        write_mrc("mask.mrc", mask.float().numpy(), PIXEL)


def check_list() -> int:
    return main(["halves", "check", "--i", "p.star"])


def check_maps(*words: str) -> int:
    return main(["halves", "check", "--half", "half1.mrc", *words])


def signal() -> torch.Tensor:
    return damped(ball_of_atoms(SIZE, 11, 2000), PIXEL, 60.0)


def pair(seed: int, noise: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    clean = signal()
    return noisy_pair(clean, noise * float(clean.std()), seed)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def repeated(columns: Columns, rows: list[int], **changed: list[object]) -> Columns:
    new = {key: [values[row] for row in rows] for key, values in columns.items()}
    new["rlnRandomSubset"] = [3 - half for half in new["rlnRandomSubset"]]
    new |= changed
    return {key: [*values, *new[key]] for key, values in columns.items()}


def an_image_in_both() -> Columns:
    return repeated(particles(1), [7])


def symmetry_copies() -> Columns:
    return repeated(particles(2), list(range(40)))


def subtracted_copies() -> Columns:
    columns = particles(3)
    columns["rlnImageOriginalName"] = columns["rlnImageName"]
    return repeated(columns, [3, 9], rlnImageName=["000001@s.mrcs", "000002@s.mrcs"])


def picked_twice() -> Columns:
    columns = particles(4)
    near = [float(columns["rlnCoordinateX"][row]) + 12 for row in (5, 60)]
    return repeated(columns, [5, 60], rlnImageName=["000201@p.mrcs", "000202@p.mrcs"], rlnCoordinateX=near)


def moved_together() -> Columns:
    """Apart where they were picked, on one place where they were refined."""
    columns = particles(5)
    x, origin = (float(columns[key][5]) for key in ("rlnCoordinateX", "rlnOriginXAngst"))
    return repeated(
        columns, [5], rlnImageName=["000201@p.mrcs"], rlnCoordinateX=[x + 60], rlnOriginXAngst=[origin + 60]
    )


def split_filament() -> Columns:
    columns = particles(6, helical=True)
    columns["rlnRandomSubset"][12] = 3 - int(columns["rlnRandomSubset"][12])
    return columns


@pytest.mark.parametrize(
    "plant",
    [an_image_in_both, symmetry_copies, subtracted_copies, picked_twice, moved_together, split_filament],
)
def test_planted_faults_of_lists(plant: Callable[[], Columns], capsys: pytest.CaptureFixture) -> None:
    write_list(plant())
    assert check_list() == 1
    assert "LEAK" in capsys.readouterr().out


def test_particles_in_both_maps(capsys: pytest.CaptureFixture) -> None:
    """Three in ten particles in both halves: their noise is in both maps."""
    first, second = pair(1)
    common = torch.randn(first.shape, generator=torch.Generator().manual_seed(9), dtype=first.dtype)
    common *= 2.0 * float(signal().std())
    first, second = (0.7**0.5 * (half - signal()) + 0.3**0.5 * common + signal() for half in (first, second))
    write_maps(first, second)
    assert check_maps() == 1
    assert "noise in both halves" in capsys.readouterr().out


def test_a_tight_mask(capsys: pytest.CaptureFixture) -> None:
    first, second = pair(2)
    sharp = (signal() > 0.25 * float(signal().max())).double()
    write_maps(first, second, sharp)
    assert check_maps("--mask", "mask.mrc") == 1
    assert "tight mask" in capsys.readouterr().out


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_one_map_twice(factor: float, capsys: pytest.CaptureFixture) -> None:
    first, _ = pair(3)
    write_maps(first, factor * first)
    assert check_maps() == 1
    assert "one map twice" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(5))
def test_clean_lists_are_not_accused(seed: int) -> None:
    write_list(particles(10 + seed, helical=seed % 2 == 1))
    assert check_list() == 0


@pytest.mark.parametrize("seed", range(5))
def test_clean_maps_are_not_accused(seed: int) -> None:
    first, second = pair(20 + seed, noise=1.0 + 0.5 * seed)
    if seed % 2:
        write_maps(first, second)
        assert check_maps() == 0
        return
    wide = create_mask(
        signal(),
        0.1 * float(signal().max()),
        pixel_size_angst=PIXEL,
        low_pass_angst=12,
        extend_px=3,
        soft_edge_px=6,
    )
    write_maps(first, second, wide * (1 - outside_weight(SIZE, 20, 4, 3)))
    assert check_maps("--mask", "mask.mrc") == 0


def test_what_is_refused() -> None:
    assert main(["halves", "check"]) == 1
    assert main(["halves", "check", "--distance", "3"]) == 1
    columns = particles(1)
    del columns["rlnRandomSubset"]
    write_list(columns)
    assert check_list() == 1
