"""Local resolution: zones of known resolution, RELION beside it, and the filter that follows a map."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from half_maps import damped, noisy_pair

from verglas.fourier import forward, shell_indices, shell_sums
from verglas.maps import fsc
from verglas.maps.local.filter import local_low_pass
from verglas.maps.local.resolution import LocalSettings, _window_fsc, local_resolution, memory_bytes
from verglas.maps.local.windows import WindowGrid

SIZE, PIXEL = 126, 1.0
ZONES = (4.0, 6.0, 8.0)  # Å
AT_ORIGIN, THRESHOLD = 20.0, 0.143  # SSNR at zero frequency; the FSC that defines the resolution


def zones() -> torch.Tensor:
    """White noise damped by another B-factor in each third of the box along x.

    SSNR falls as exp(-B k²/2) against noise of deviation 1, and is that of the threshold at 1/d: the FSC crosses it
    with a slope, as it does in maps. A band cut off sharply is no known resolution: a sphere smears the cut over
    1/diameter.
    """
    generator = torch.Generator().manual_seed(5)
    white = torch.randn(SIZE, SIZE, SIZE, generator=generator, dtype=torch.float64)
    place, width = torch.arange(SIZE, dtype=torch.float64), SIZE / len(ZONES)
    rises = [torch.sigmoid((place - width * number) / 1.5) for number in range(1, len(ZONES))]
    bounds = [torch.ones(SIZE), *rises, torch.zeros(SIZE)]
    total = torch.zeros_like(white)
    for number, d in enumerate(ZONES):
        b_factor = 2 * d**2 * math.log(AT_ORIGIN * (1 - THRESHOLD) / THRESHOLD)
        total += (bounds[number] - bounds[number + 1]) * damped(white, PIXEL, b_factor)
    return total * AT_ORIGIN**0.5


def test_three_zones_have_their_resolution() -> None:
    first, second = noisy_pair(zones(), 1.0)
    settings = LocalSettings(PIXEL, sampling_angst=14.0, mask_radius_angst=10.0, mask_edge_angst=8.0)
    assert memory_bytes(SIZE, settings) > 0
    calls: list[tuple[int, int]] = []
    found = local_resolution(first, second, first, settings, lambda *done: calls.append(done))
    assert calls[-1][0] == calls[-1][1] == len(found.curves.points)
    for number, wanted in enumerate(ZONES):
        place = int((number + 0.5) * SIZE / len(ZONES))
        middle = found.resolution_angst[48:78, 48:78, place - 1 : place + 2].median()
        assert float(middle) == pytest.approx(wanted, rel=0.05)
    assert float(found.resolution_angst[0, 0, 0]) == 0
    assert found.filtered.shape == first.shape


def test_a_window_as_large_as_the_box_has_the_fsc_of_the_masked_maps() -> None:
    first, second = (
        zones()[:64, :64, :64] + part for part in noisy_pair(torch.zeros(64, 64, 64).double(), 1.0)
    )
    grid = WindowGrid(64, torch.zeros(1, 3, dtype=torch.long), torch.rand(64, 64, 64).double())
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
