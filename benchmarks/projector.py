"""Speed of slices and insertion: `python benchmarks/projector.py [--device cuda] [--threads 1]`.

Prints millions of half-plane pixels per second for random orientations (the hard case: no two slices share
cache lines) and for slices sorted by direction, as refinement visits them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from verglas.fourier import BackProjector, Projector, half_disc
from verglas.geometry import euler_matrices, healpix_directions


def seconds(work: Callable[[], object], device: str) -> float:
    """Best of three; CPU seconds per thread on a CPU, wall time on a GPU."""
    times = []
    for _ in range(3):
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter() if device != "cpu" else time.process_time()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append((time.perf_counter() if device != "cpu" else time.process_time()) - start)
    return min(times)


def orientations(count: int, random: bool) -> torch.Tensor:
    if random:
        return euler_matrices(torch.rand(count, 3, dtype=torch.float64) * 360)
    directions = healpix_directions(5)[:count]
    return euler_matrices(torch.cat([directions, torch.zeros(len(directions), 1)], 1))


def measure(size: int, padding: int, dims: int, count: int, device: str, random: bool) -> tuple[float, float]:
    projector = Projector.of(torch.rand([size] * dims, device=device), padding=padding, dims=dims)
    matrices = orientations(count, random).to(device)
    if dims == 2:
        matrices = euler_matrices(torch.rand(count, 3) * torch.tensor([0, 0, 360])).to(device)
    indices = half_disc(size).indices_yx.to(device)
    slices = projector.at(matrices, indices)
    weights = torch.ones(slices.shape, device=device)
    sums = BackProjector.empty(size, padding=padding, dims=dims, device=device)
    sums.insert_at(slices[:2], weights[:2], matrices[:2], indices)
    million = slices.numel() / 1e6
    read = seconds(lambda: projector.at(matrices, indices), device)
    add = seconds(lambda: sums.insert_at(slices, weights, matrices, indices), device)
    return million / read, million / add


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    count = 400 if arguments.device == "cpu" else 8000
    print("dims  box  pad  order    slices Mpx/s  insertion Mpx/s")
    cases = [(2, 128, 2), (3, 64, 2), (3, 128, 1), (3, 128, 2), (3, 256, 1)]
    for dims, size, padding in cases:
        for random in (True, False) if dims == 3 else (True,):
            read, add = measure(size, padding, dims, count, arguments.device, random)
            order = "random" if random else "sorted"
            print(f"{dims:4d} {size:4d} {padding:4d}  {order}  {read:14.0f} {add:16.0f}")


if __name__ == "__main__":
    main()
