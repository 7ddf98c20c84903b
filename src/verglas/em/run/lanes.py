"""Threads of an expectation step: one a core of a CPU, several for a GPU, each with its own stream.

While one thread of a GPU waits for a result on the host, the others keep the device busy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch

from verglas.em.operands.batches import host_bytes
from verglas.em.operands.operands import EStep, Operands, operands_of
from verglas.em.run.expectation import Expectation
from verglas.em.state.combine import pack_rows, share, unpack_rows
from verglas.em.state.particles import ImageSource, Ints, OpticsGroup, Particles

MAXIMISING = 8  # times the bytes of the summed data that the maximisation needs beside them
GPU_LANES = 3  # threads that feed one GPU
GPU_LANE_PARTICLES = 2500  # a lane with fewer particles costs more than it brings
CPU_LANE_PARTICLES = 100  # the same on a CPU, where lanes share out the cores


def lanes(
    devices: Sequence[torch.device], n_particles: int, dims: int, bytes_each: int = 0
) -> list[torch.device]:
    """The device of every thread of the expectation step.

    On a CPU a lane is a core (`torch.get_num_threads`): batches that fit its cache are too small to be
    shared by many. Lanes have sums of their own (`bytes_each`), so that there are no more of them than half
    of the memory holds, and volumes, which are large, are left to one lane with all cores.
    """
    found = []
    for device in devices:
        if device.type == "cuda":
            most, least = 1 if dims == 3 else GPU_LANES, GPU_LANE_PARTICLES
        else:
            cores = torch.get_num_threads() // devices.count(device)
            room = host_bytes() // 2 // max(1, bytes_each * devices.count(device))
            most, least = (1 if dims == 3 else min(cores, room)), CPU_LANE_PARTICLES
        found += [device] * max(1, min(most, n_particles // (least * len(devices))))
    return found


def expect(
    steps: Sequence[EStep],
    particles: Particles,
    sources: Mapping[torch.device, ImageSource],
    order: Ints,
    update: Callable[[int], None],
) -> Expectation:
    """The expectation step over particles `order`, a thread for each of `steps`.

    The threads share the particles of an optics group, and those of one device its operands. Sums are added
    in the order of the threads.
    """
    threads = Counter(step.device for step in steps)
    parts = [Expectation.begin(step, particles, sources[step.device], threads[step.device]) for step in steps]
    seen: list[list[Ints]] = [[] for _ in parts]
    done = 0
    for group, optics in enumerate(particles.optics):
        rows = order[particles.optics_group[order] == group]
        if not len(rows):
            continue
        made = {device: _plan(steps, device, optics) for device in {s.device for s in steps}}
        shares = [share(rows, number, len(parts)) for number in range(len(parts))]
        _run(parts, [made[step.device] for step in steps], shares, done, update)
        done += len(rows)
        for mine, more in zip(seen, shares):
            mine.append(more)
    first = parts[0]
    for part, mine in zip(parts[1:], seen[1:]):
        first.sums.add(part.sums)
        if mine:
            unpack_rows(first.found, pack_rows(part.found, np.concatenate(mine)))
        first.found.set_aside.update(part.found.set_aside)
        first.notes |= part.notes
    if first.estep.model.dims == 3 and not _fits_beside(first.sums.data):
        # volumes give their room to the maximisation
        first.sums.data, first.sums.weight = first.sums.data.cpu(), first.sums.weight.cpu()
    first.lattice_sums = None
    return first


def _fits_beside(data: torch.Tensor) -> bool:
    """Whether a device has room for the maximisation of volumes while their sums stay there."""
    if data.device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(data.device)
    spare = torch.cuda.memory_reserved(data.device) - torch.cuda.memory_allocated(data.device)
    return free + spare > MAXIMISING * data.numel() * data.element_size()


def _plan(steps: Sequence[EStep], device: torch.device, optics: OpticsGroup) -> Operands:
    """The operands of a device: threads only read them."""
    operands = operands_of(next(step for step in steps if step.device == device), optics)
    if operands.has_half_turns and not operands.estep.is_local:
        _ = operands.half_turns  # made before threads ask for it
    return operands


def _run(
    parts: Sequence[Expectation],
    operands_of_each: Sequence[Operands],
    shares: Sequence[Ints],
    before: int,
    update: Callable[[int], None],
) -> None:
    """The particles of one optics group; `update` hears from the first thread only."""
    if len(parts) == 1:
        parts[0].run(operands_of_each[0], shares[0], lambda count: update(before + count))
        return
    counts = [0] * len(parts)

    def work(number: int) -> None:
        def note(count: int) -> None:
            counts[number] = count
            if number == 0:
                update(before + sum(counts))

        torch.set_num_threads(inner)
        with own_stream(operands_of_each[number].estep.device, number):
            parts[number].run(operands_of_each[number], shares[number], note)

    cores = torch.get_num_threads()
    inner = max(1, cores // len(parts))
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            for finished in [pool.submit(work, number) for number in range(len(parts))]:
                finished.result()
    finally:
        torch.set_num_threads(cores)


@contextmanager
def own_stream(device: torch.device, number: int) -> Iterator[None]:
    """The stream of thread `number` on a GPU, begun after and ended before all other work there."""
    if device.type != "cuda":
        yield
        return
    stream = _stream(device, number)
    stream.wait_stream(torch.cuda.default_stream(device))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()


@cache
def _stream(device: torch.device, _number: int) -> torch.cuda.Stream:
    """Kept, because memory is handed out again only to the stream that gave it back."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
