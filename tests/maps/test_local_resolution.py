"""Local resolution: zones of known resolution, RELION beside it, and the filter that follows a map."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from half_maps import noisy_pair

from verglas.fourier import forward, low_pass, shell_indices, shell_sums
from verglas.maps import fsc
from verglas.maps.local.filter import local_low_pass
from verglas.maps.local.resolution import LocalSettings, _window_fsc, local_resolution, memory_bytes
from verglas.maps.local.windows import WindowGrid

SIZE, PIXEL = 96, 1.0
ZONES = (4.0, 8.0)


def zones() -> torch.Tensor:
    """White noise low-passed at another resolution in each half of the box along x, in Å."""
    generator = torch.Generator().manual_seed(5)
    white = torch.randn(SIZE, SIZE, SIZE, generator=generator, dtype=torch.float64)
    place = torch.arange(SIZE, dtype=torch.float64)
    second = torch.sigmoid((place - SIZE // 2) / 2)
    shares = (1 - second, second)
    return sum(share * low_pass(white, PIXEL, d) * 3 for share, d in zip(shares, ZONES))


def test_zones_are_told_apart() -> None:
    first, second = noisy_pair(zones(), 1.0)
    settings = LocalSettings(PIXEL, sampling_angst=10.0, mask_radius_angst=8.0, mask_edge_angst=8.0)
    assert memory_bytes(SIZE, settings) > 0
    calls: list[tuple[int, int]] = []
    found = local_resolution(first, second, first, settings, lambda *done: calls.append(done))
    assert calls[-1][0] == calls[-1][1] == len(found.curves.points)
    for place, wanted in zip((20, 76), ZONES):
        middle = found.resolution_angst[36:60, 36:60, place - 1 : place + 2].median()
        assert float(middle) == pytest.approx(wanted, rel=0.25)  # spheres see their neighbours, too
    assert float(found.resolution_angst[0, 0, 0]) == 0
    assert found.filtered.shape == first.shape


def test_a_window_as_large_as_the_box_has_the_fsc_of_the_masked_maps() -> None:
    first, second = noisy_pair(zones(), 1.0)
    grid = WindowGrid(SIZE, torch.zeros(1, 3, dtype=torch.long), torch.rand(SIZE, SIZE, SIZE).double())
    padded = [grid.pad(half) for half in (first, second)]
    curve = _window_fsc(grid, grid.points, padded[0], padded[1])[0]
    torch.testing.assert_close(curve, fsc(first * grid.mask, second * grid.mask))


def test_windows_are_put_back_where_they_were_cut() -> None:
    grid = WindowGrid.of(24, 6, 4, 2)
    volume = torch.randn(24, 24, 24)
    total, weight = torch.zeros_like(grid.pad(volume)), torch.zeros_like(grid.pad(volume))
    windows = grid.cut(grid.pad(volume), grid.points)
    grid.add_to(total, windows, grid.points)
    grid.add_to(weight, torch.ones_like(windows), grid.points)
    inside = grid.unpad(weight) > 0
    torch.testing.assert_close((grid.unpad(total) / grid.unpad(weight))[inside], volume[inside])
    with pytest.raises(ValueError, match="no window"):
        WindowGrid.of(24, 6, 30, 2)


def test_the_local_filter_follows_its_map() -> None:
    white = torch.randn(32, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    even = torch.full_like(white, 6.4)  # shell 5
    smooth = local_low_pass(white, even, 1.0)
    shells = shell_indices(32, 3)
    power = shell_sums(forward(smooth, 3).abs(), shells, 17)
    assert float(power[8:].max()) < 1e-9 < float(power[4])
    halves = even.clone()
    halves[..., 16:] = 2.5
    mixed = local_low_pass(white, halves, 1.0)
    assert float(mixed[..., 20:28].std()) > 3 * float(mixed[..., 4:12].std())
    with pytest.raises(ValueError, match="differ"):
        local_low_pass(white, even[:8], 1.0)
    with pytest.raises(ValueError, match="everywhere"):
        local_low_pass(white, even * 0, 1.0)
