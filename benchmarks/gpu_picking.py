"""Picking on a GPU: are the picks the CPU's, and how long does a micrograph take?

    PYTHONPATH=src python benchmarks/gpu_picking.py [--device cuda:0] [--size 4096] [--training-steps 150]

Needs torch, numpy and scipy. Makes a micrograph (1 A/px) of three kinds of particles behind a CTF, in noise
and with a patch of contamination; picks it, dirty areas left out, by the Laplacian of Gaussian, by templates
(psi step 10 degrees, CTF) and by a network trained on a quarter of it, on both; compares the picks above the
threshold and prints seconds per micrograph after one run that warms up. The CPU has as many threads as torch
takes (set OMP_NUM_THREADS=1 for one core).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree

from verglas.fourier import frequency_grid
from verglas.optics import CtfParameters, ctf
from verglas.picking.dirty_areas import find_dirty_areas
from verglas.picking.log_picker import LogSettings, pick_blobs
from verglas.picking.network import pick_with_network
from verglas.picking.picks import Picks
from verglas.picking.template_bank import bank_of_images
from verglas.picking.template_picker import TemplateSettings, pick_with_templates
from verglas.picking.training import Example, TrainingSettings, train_network

PIXEL_ANGST = 1.0
DIAMETER_ANGST = 140.0
BOX = 192
CTF_VALUES = {
    "defocus_u_angst": 15000.0,
    "defocus_v_angst": 14800.0,
    "defocus_angle_deg": 20.0,
    "voltage_kv": 300.0,
    "cs_mm": 2.7,
    "amplitude_contrast": 0.1,
}
DISTANCE_PX = 1.5  # between the picks of one place
FOM_TOLERANCE = 0.02
SHARE = 0.995  # of the picks that must be found by both


def views() -> torch.Tensor:  # (3, BOX, BOX)
    """Three different lopsided particles, white."""
    y, x = torch.meshgrid(*[torch.arange(BOX) - BOX / 2] * 2, indexing="ij")
    made = []
    for shape in ((1.0, 0.6, 20.0), (0.7, 0.7, 30.0), (0.9, 0.4, -25.0)):
        body = ((x / (70 * shape[0])) ** 2 + (y / (70 * shape[1])) ** 2) < 1
        lobe = torch.hypot(x - shape[2], y + 15) < 18
        made.append(body.float() + lobe.float())
    return torch.stack(made)


def micrograph(size: int) -> tuple[torch.Tensor, np.ndarray]:  # (size, size), (n, 2) x y
    """Particles black on white noise and slowly varying ice; their centres."""
    rng = np.random.default_rng(1)
    step = round(1.25 * DIAMETER_ANGST)
    grid = np.stack(np.meshgrid(*[np.arange(step, size - step, step)] * 2), -1).reshape(-1, 2)
    xy = grid[rng.uniform(size=len(grid)) < 0.6] + rng.integers(-10, 11, 2)
    specimen = torch.zeros(size, size)
    references = views()
    for x, y in xy.tolist():
        turned = torch.rot90(references[rng.integers(3)], int(rng.integers(4)))
        top, left = y - BOX // 2, x - BOX // 2
        specimen[top : top + BOX, left : left + BOX] -= turned
    parameters = CtfParameters.of(**CTF_VALUES)
    transfer = ctf(parameters, frequency_grid(size, PIXEL_ANGST))[0]
    image = 2 * torch.fft.irfft2(torch.fft.rfft2(specimen) * transfer, s=(size, size))
    torch.manual_seed(1)
    image = image + torch.randn(size, size)
    patch = size // 6
    coarse = 3 * torch.randn(1, 1, 8, 8)
    image[:patch, :patch] += torch.nn.functional.interpolate(coarse, (patch, patch))[0, 0]
    return image, xy


def pickers(image: torch.Tensor, xy: np.ndarray, steps: int) -> dict[str, Callable[[torch.Tensor], Picks]]:
    """Every method as a function of the micrograph, which lies on a device."""
    quarter = image.shape[0] // 2
    here = xy[(xy < quarter - BOX).all(axis=1)]
    network = train_network(
        [Example(image[:quarter, :quarter], PIXEL_ANGST, here)], TrainingSettings(DIAMETER_ANGST, steps=steps)
    )
    bank = bank_of_images(views(), PIXEL_ANGST, diameter_angst=160, psi_step_deg=10, resolution_angst=20)
    parameters = CtfParameters.of(**CTF_VALUES)
    blobs, templates = LogSettings(120, 150), TemplateSettings(0.7 * DIAMETER_ANGST)

    def by_blobs(pixels: torch.Tensor) -> Picks:
        dirty = find_dirty_areas(pixels, PIXEL_ANGST, DIAMETER_ANGST)
        return pick_blobs(pixels, PIXEL_ANGST, blobs, dirty)

    def by_templates(pixels: torch.Tensor) -> Picks:
        dirty = find_dirty_areas(pixels, PIXEL_ANGST, DIAMETER_ANGST)
        here = bank.to(pixels.device)
        return pick_with_templates(pixels, PIXEL_ANGST, here, templates, parameters, dirty)

    def by_network(pixels: torch.Tensor) -> Picks:
        dirty = find_dirty_areas(pixels, PIXEL_ANGST, DIAMETER_ANGST)
        return pick_with_network(pixels, PIXEL_ANGST, network, dirty)

    return {"LoG": by_blobs, "templates": by_templates, "network": by_network}


def timed(
    pick: Callable[[torch.Tensor], Picks], image: torch.Tensor, device: str, runs: int
) -> tuple[Picks, float]:
    """The picks and the least seconds, from the host's memory to coordinates."""
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        found = pick(image.to(device))
        seconds.append(time.perf_counter() - begin)
    return found.picked(), min(seconds)


def agreement(one: Picks, other: Picks) -> tuple[float, float]:
    """Share of picks that both found, and the largest difference of their figures of merit."""
    if not len(one) or not len(other):
        return float(len(one) == len(other)), 0.0
    distance, index = cKDTree(other.xy).query(one.xy)
    same = distance < DISTANCE_PX
    fom = np.abs(one.fom[same] - other.fom[index[same]])
    return float(same.sum() / max(len(one), len(other))), float(fom.max(initial=0))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--training-steps", type=int, default=150)
    given = parser.parse_args()
    image, xy = micrograph(given.size)
    equal = True
    print(f"{given.size} x {given.size}, {len(xy)} particles, {given.device} beside the CPU")
    print(f"{'method':<12}{'picks':>7}{'true':>7}{'same':>8}{'d fom':>9}{'CPU s':>8}{'device s':>10}")
    for name, pick in pickers(image, xy, given.training_steps).items():
        cpu, cpu_seconds = timed(pick, image, "cpu", 2)
        found, seconds = timed(pick, image, given.device, 4)
        share, fom = agreement(cpu, found)
        equal &= share >= SHARE and fom <= FOM_TOLERANCE
        near = cKDTree(found.xy).query(xy)[0] if len(found) else np.full(len(xy), np.inf)
        print(
            f"{name:<12}{len(found):7d}{(near < 20).mean():7.3f}{share:8.4f}{fom:9.1e}"
            f"{cpu_seconds:8.2f}{seconds:10.3f}",
            flush=True,
        )
    print("equal within tolerance" if equal else "NOT EQUAL")
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
