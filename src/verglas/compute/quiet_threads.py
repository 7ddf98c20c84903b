"""Threads that wait sleep: a core that one of them does not need is somebody else's.

By default OpenMP's threads turn in circles at every barrier. On a machine where others work that takes twice
the time, and twice the CPU seconds, of a single thread.
"""

from __future__ import annotations

import os

SLEEPING = {
    "OMP_WAIT_POLICY": "PASSIVE",  # every OpenMP
    "GOMP_SPINCOUNT": "0",  # GNU's, which torch brings
    "KMP_BLOCKTIME": "0",  # Intel's and LLVM's: milliseconds
}


def let_waiting_threads_sleep() -> None:
    """For this process and those it starts; what somebody has set holds. To be called before torch is loaded."""
    for name, value in SLEEPING.items():
        os.environ.setdefault(name, value)
