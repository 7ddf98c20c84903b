"""Solvent masks, against plain definitions and relion_mask_create."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.fourier import forward, low_pass, shell_indices
from verglas.maps import create_mask
from verglas.maps.mask_creation import extend, soften, spherical_shell

Make = Callable[..., torch.Tensor]


def test_extension_and_edge_of_one_voxel() -> None:
    region = np.zeros((15, 15, 15), bool)
    region[7, 7, 7] = True
    grown = extend(region, 3)
    axis = np.arange(15) - 7
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    np.testing.assert_array_equal(grown, squared < 9)
    np.testing.assert_array_equal(extend(squared < 25, -2), ~extend(squared >= 25, 2))
    edge = soften(region, 4)
    assert edge[7, 7, 9] == pytest.approx(0.5)
    assert edge[7, 7, 11] == 0
    assert edge[7, 7, 7] == 1


def test_low_pass_is_one_then_a_cosine_then_zero() -> None:
    noise = torch.randn(32, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    smooth = low_pass(noise, 2.0, 8.0)  # shell 8
    spectrum, shells = forward(smooth, 3).abs(), shell_indices(32, 3)
    torch.testing.assert_close(spectrum[shells < 7], forward(noise, 3).abs()[shells < 7])
    assert float(spectrum[shells > 9].max()) < 1e-12
    on_axis = spectrum[0, 0, 8] / forward(noise, 3)[0, 0, 8].abs()
    assert float(on_axis) == pytest.approx(0.5)


def test_shell_and_errors() -> None:
    shell = spherical_shell(32, 12, 6, 2)
    assert float(shell[16, 16, 16]) == 0
    assert float(shell[16, 16, 16 + 9]) == 1
    with pytest.raises(ValueError, match="highest value"):
        create_mask(torch.zeros(8, 8, 8), 0.5)


@pytest.mark.relion
@pytest.mark.parametrize("invert", [False, True])
def test_relion_mask_create(tmp_path: Path, blobs: Make, invert: bool) -> None:
    volume = blobs(48).float()
    write_mrc(tmp_path / "map.mrc", volume.numpy(), 2.0)
    command = [
        "relion_mask_create",
        "--i",
        "map.mrc",
        "--o",
        "mask.mrc",
        "--ini_threshold",
        "0.05",
        "--extend_inimask",
        "3",
        "--width_soft_edge",
        "5",
        "--lowpass",
        "15",
        "--angpix",
        "2",
    ]
    command += ["--invert"] if invert else []
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    theirs = np.array(read_mrc(tmp_path / "mask.mrc").data)
    ours = create_mask(
        volume, 0.05, pixel_size_angst=2.0, low_pass_angst=15, extend_px=3, soft_edge_px=5, invert=invert
    )
    different = np.abs(ours.numpy() - theirs) > 1e-4
    assert different.mean() < 1e-3  # a voxel at the threshold may fall to either side
