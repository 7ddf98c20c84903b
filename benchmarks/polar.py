"""The coarse pass of Class2D as Cartesian products and in the polar form (refinement.md §11.9), CPU seconds.

    python benchmarks/polar.py [--particles 200] [--K 10 50] [--size 44] [--angles 30] [--threads 1]

Polar: rings of angular Fourier coefficients, one complex product per harmonic, a transform back to angles.
Cartesian: what the engine does, half of the angles by products of real and of imaginary parts, the half turns
from their difference. Both from operands that lie ready (shifted images, references), random numbers: what
is compared is the time that the same number of scores takes, not the scores.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch

from verglas.compute.gemm import precision_of_products, product

SHIFTS = 21  # a range of 5 px in steps of 2


def cpu_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Smallest CPU time of some repeats, after one that does not count."""
    work()
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def cartesian(rows: int, classes: int, size: int, angles: int) -> Callable[[], object]:
    """(rows, K, angles) scores from products over the pixels of half a disc."""
    pixels = round(math.pi * (size / 2) ** 2 / 2)
    images = torch.randn(rows, 2 * pixels)
    real, imag = (torch.randn(classes * angles // 2, pixels) for _ in range(2))

    def work() -> torch.Tensor:
        even, odd = product(images[:, :pixels], real), product(images[:, pixels:], imag)
        return torch.stack([even + odd, even - odd], 1)

    return work


def polar(rows: int, classes: int, size: int) -> Callable[[], object]:
    """(rows, K, M) scores from products over the rings, one for each of M/2 + 1 harmonics."""
    rings = size // 2
    n_angles = 2 ** math.ceil(math.log2(math.pi * size))  # what the outermost ring needs
    harmonics = n_angles // 2 + 1
    images = torch.randn(harmonics, rows, rings, dtype=torch.complex64)
    references = torch.randn(harmonics, rings, classes, dtype=torch.complex64)

    def work() -> torch.Tensor:
        return torch.fft.irfft(torch.bmm(images, references), n_angles, dim=0)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=200)
    parser.add_argument("--K", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--size", type=int, default=44, help="side of the transforms, px")
    parser.add_argument("--angles", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = options.particles * SHIFTS
    for classes in options.K:
        found = {}
        for name in ("tensor", "single"):
            with precision_of_products(name):
                work = cartesian(rows, classes, options.size, options.angles)
                found[f"cartesian {name}"] = cpu_seconds(work)
        found["polar"] = cpu_seconds(polar(rows, classes, options.size))
        text = ", ".join(f"{name} {seconds:.3f}" for name, seconds in found.items())
        print(f"K = {classes}, {rows} shifted images: CPU s {text}", flush=True)


if __name__ == "__main__":
    main()
