"""What is done with finished maps: masks, post-processing, local resolution; ours and RELION's in one run.

    python benchmarks/maps.py [--large 512]

Half maps are made of the packaged 20S proteasome (128 px of 1.4 Å) with three B-factors and two noise levels, and of
five other specimens for automatic masks. RELION is skipped where it is not installed. `--large` times mask and
curves for a box of that size (random maps; 20 GB of memory for 512).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star
from verglas.fourier import forward, inverse, low_pass
from verglas.fourier.gridding import real_radius
from verglas.fourier.radial import radii, weight_radially
from verglas.jobs.simulate.model import load_model
from verglas.maps import create_mask
from verglas.maps.auto_mask import automatic_mask, smooth
from verglas.maps.mask_creation import MaskShape, mask_of
from verglas.maps.postprocessing.half_map_curves import half_map_curves
from verglas.maps.postprocessing.sharpening import SharpeningSettings, sharpening_of
from verglas.simulate.density import model_density
from verglas.simulate.model import AtomicModel

BOX, PIXEL = 128, 1.4


def damped(volume: torch.Tensor, b_factor_a2: float) -> torch.Tensor:
    decay = torch.exp(-b_factor_a2 / 4 * (radii(BOX) / (BOX * PIXEL)).square())
    return inverse(weight_radially(forward(volume, 3), decay), BOX, 3)


def noisy(volume: torch.Tensor, level: float, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noise = level * float(volume.std())
    return [volume + noise * torch.randn(volume.shape, generator=generator) for _ in range(2)]


def density(model: AtomicModel) -> torch.Tensor:
    centre = BOX // 2 * PIXEL
    return model_density(model.moved(model.coordinates + centre), BOX, PIXEL)


def specimens() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Name -> (map, what of it is ordered): whole, half, a thin slab, with a micelle, with a weak arm."""
    model = load_model()
    whole = density(model)
    z = model.coordinates[:, 2]
    half = density(
        AtomicModel(model.coordinates[z > 0], model.elements[z > 0], model.b_factors[z > 0], "half")
    )
    slab_rows = np.abs(z) < 20
    slab = density(
        AtomicModel(*(a[slab_rows] for a in (model.coordinates, model.elements, model.b_factors)), "slab")
    )
    axis = torch.arange(BOX) - BOX // 2
    ring = (axis[:, None].float() ** 2 + axis.float() ** 2).sqrt()
    belt = ((ring > 38) & (ring < 50)).float()[None] * (axis[:, None, None].abs() < 10)
    micelle = smooth(belt, PIXEL) * 0.35 * float(smooth(whole, PIXEL).max())
    arm_rows = (model.coordinates[:, 0] > 25) & (z > 0)
    arm = density(
        AtomicModel(*(a[arm_rows] for a in (model.coordinates, model.elements, model.b_factors)), "arm")
    )
    moved = damped(arm.roll((0, 0, 18), (0, 1, 2)), 300.0) * 0.5
    return {
        "20S": (whole, whole),
        "half of it": (half, half),
        "a slab": (slab, slab),
        "with a micelle": (whole + micelle, whole),
        "with a weak arm": (half + moved, half),
    }


def automatic_masks() -> None:
    print("\nAutomatic masks: last shell with it and with the true mask; FSC with random phases there")
    for number, (name, (volume, ordered)) in enumerate(specimens().items()):
        halves = noisy(damped(volume, 100.0), 1.5, number)
        start = time.perf_counter()
        found = automatic_mask(halves[0], halves[1], PIXEL)
        seconds = time.perf_counter() - start
        typical = float(smooth(ordered, PIXEL).max())
        true = mask_of((smooth(ordered, PIXEL) > 0.25 * typical).numpy(), MaskShape(2, 7))
        curves, _ = half_map_curves(halves[0], halves[1], true)
        assert found.curves is not None
        print(
            f"  {name:16} {found.curves.final_shell:3d} {curves.final_shell:3d}   {found.random_fsc:6.3f}   "
            f"{seconds:.1f} s {'; '.join(found.warnings)}"
        )


def against_relion(folder: Path) -> None:
    print(
        "\nPost-processing, RELION beside it: resolution (Å), B-factor (Å²), largest difference of FSC, seconds"
    )
    whole = density(load_model())
    threshold = 0.3 * float(low_pass(whole, PIXEL, 15.0).max())
    mask = create_mask(
        whole, threshold, pixel_size_angst=PIXEL, low_pass_angst=15, extend_px=3, soft_edge_px=6
    )
    write_mrc(folder / "mask.mrc", mask.numpy(), PIXEL)
    for b_factor in (60, 120, 180):
        for level in (1.0, 4.0):
            halves = noisy(damped(whole, b_factor), level, b_factor)
            for number, half in enumerate(halves, 1):
                write_mrc(folder / f"half{number}.mrc", half.numpy(), PIXEL)
            start = time.perf_counter()
            curves, mean = half_map_curves(halves[0], halves[1], mask)
            settings = SharpeningSettings(PIXEL, b_factor_a2=None)
            ours = sharpening_of(mean, curves.true, settings)
            seconds = time.perf_counter() - start
            resolution = BOX * PIXEL / curves.final_shell
            line = f"  B {b_factor:3d}, noise {level:g}: {resolution:.2f}, {ours.b_factor_a2:.1f}"
            if shutil.which("relion_postprocess"):
                line += _relion(folder, curves, mean, settings)
            print(f"{line}; {seconds:.1f} s")


def _relion(folder: Path, curves: object, mean: torch.Tensor, settings: SharpeningSettings) -> str:
    start = time.perf_counter()
    command = [
        "relion_postprocess",
        "--i",
        "half1.mrc",
        "--mask",
        "mask.mrc",
        "--o",
        "theirs",
        "--angpix",
        str(PIXEL),
    ]
    subprocess.run([*command, "--auto_bfac"], cwd=folder, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    star = read_star(folder / "theirs.star")
    general, table = star["general"], star["fsc"]
    differences = []
    for label, curve in (("UnmaskedMaps", "unmasked"), ("MaskedMaps", "masked"), ("Corrected", "true")):
        theirs = table.floats(f"rlnFourierShellCorrelation{label}")
        differences.append(float(np.abs(theirs - getattr(curves, curve).numpy()).max()))
    corrected = torch.tensor(table.floats("rlnFourierShellCorrelationCorrected"))
    same = sharpening_of(mean, corrected, settings).b_factor_a2
    return (
        f" | {general.number('rlnFinalResolution'):.2f}, {general.number('rlnBfactorUsedForSharpening'):.1f} "
        f"(ours on RELION's curve {same:.1f}) | unmasked {differences[0]:.0e}, masked {differences[1]:.0e}, "
        f"corrected {differences[2]:.3f} | {seconds:.1f} s,"
    )


def large(size: int) -> None:
    print(f"\nA box of {size}")
    region = (real_radius(size, 3) < 0.3 * size).numpy()
    for what in ("first", "second"):
        start = time.perf_counter()
        mask = mask_of(region, MaskShape(3, 6))
        print(f"  mask, {what} time: {time.perf_counter() - start:.1f} s")
    first = torch.randn(size, size, size)
    second = first + torch.randn(size, size, size)
    start = time.perf_counter()
    _, mean = half_map_curves(first, second, mask)
    print(f"  curves: {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    weight_radially(mean, sharpening_of(mean, torch.ones(size // 2 + 1), SharpeningSettings(1.0)).factors)
    inverse(mean, size, 3)
    print(f"  sharpening: {time.perf_counter() - start:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        against_relion(Path(folder))
    automatic_masks()
    if arguments.large:
        large(arguments.large)


if __name__ == "__main__":
    main()
