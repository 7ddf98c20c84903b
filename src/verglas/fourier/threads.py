"""Running compiled kernels that release the interpreter lock on the cores torch is allowed to use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch


def n_threads() -> int:
    """Threads a kernel may use: those given to torch (`torch.set_num_threads`, OMP_NUM_THREADS)."""
    return max(1, torch.get_num_threads())


def run_ranges(kernel: Callable[[int, int], None], total: int, least: int = 1) -> None:
    """Call kernel(start, stop) on ranges that cover 0..total, one per thread, at least `least` long.

    Plain threads rather than numba's own parallel loops: those abort the process after a fork (OpenMP) or
    when two Python threads enter them at once (workqueue).
    """
    parts = max(1, min(n_threads(), total // max(1, least)))
    if parts == 1:
        kernel(0, total)
        return
    edges = [total * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(kernel, a, b) for a, b in pairwise(edges)]:
            done.result()
