"""Memory that a worker frees stays with it, ready for the next item."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGEST_KEPT = 1 << 30  # bytes of one array; larger ones go back to the system at once


def keep_freed_memory() -> None:
    """Ask the allocator not to give arrays back to the system when they are freed.

    Items of a job need the same large arrays one after the other, and the system clears every page that
    it hands out anew: a quarter to a half of the CPU seconds of motion correction, a third of those of
    a global 3D iteration. The process stays as large as its largest item. Where the C library is not
    glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
