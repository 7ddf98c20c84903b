"""Workers keep what they free."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEGABYTES = 64
PROGRAM = f"""
import ctypes, resource, sys
from verglas.compute.memory import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "keep":
    keep_freed_memory()
def used():
    size = {MEGABYTES} << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pointer = libc.malloc(size)
    ctypes.memset(pointer, 1, size)
    libc.free(pointer)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
used()
print(used())
"""


def faults(how: str) -> int:
    """Pages the system had to hand out for an array of the size of one that was just freed."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_freed_arrays_are_used_again() -> None:
    if faults("give back") < 100:
        pytest.skip("this C library keeps freed memory, or has large pages, anyway")
    assert faults("keep") < 100
