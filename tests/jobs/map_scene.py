"""A folder with half maps, a map and a mask of a simulated ball of atoms."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from half_maps import ball_of_atoms, damped, noisy_pair

from verglas.formats.mrc import write_mrc
from verglas.maps import create_mask

SIZE, PIXEL = 48, 1.4
HALF1, HALF2 = "half1_class001_unfil.mrc", "half2_class001_unfil.mrc"


def write_scene(folder: Path, noise: float = 0.5) -> torch.Tensor:
    """Files `half1/2_class001_unfil.mrc`, `map.mrc`, `mask.mrc`; returns the noise-free map."""
    signal = damped(ball_of_atoms(SIZE, 13, 2500), PIXEL, 60.0)
    pair = noisy_pair(signal, noise * float(signal.std()))
    for name, volume in ((HALF1, pair[0]), (HALF2, pair[1]), ("map.mrc", signal)):
        write_mrc(folder / name, volume.float().numpy(), PIXEL)
    mask = create_mask(
        signal,
        0.1 * float(signal.max()),
        pixel_size_angst=PIXEL,
        low_pass_angst=10,
        extend_px=2,
        soft_edge_px=4,
    )
    write_mrc(folder / "mask.mrc", mask.float().numpy(), PIXEL)
    return signal
