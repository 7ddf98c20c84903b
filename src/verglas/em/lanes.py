"""Threads of an expectation step: one for a CPU, several for a GPU, each with a stream of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

LANES = 4  # threads that feed one GPU
LANE_PARTICLES = 2500  # a lane with fewer particles costs more than it brings


def lanes(devices: Sequence[torch.device], n_particles: int) -> list[torch.device]:
    """The device of every thread of the expectation step."""
    per_gpu = max(1, min(LANES, n_particles // (LANE_PARTICLES * len(devices))))
    return [device for device in devices for _ in range(per_gpu if device.type == "cuda" else 1)]


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """A stream of one's own on a GPU, begun after and ended before all other work there."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.default_stream(device))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()
