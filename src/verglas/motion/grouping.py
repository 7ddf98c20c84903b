"""Frames put together before alignment, and tracks of groups spread over their frames."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LEAST_GROUPS = 3


def group_sizes(n_frames: int, group: int) -> list[int]:
    """Frames in each group: floor(n / group) groups, at least 3; surplus frames go to the last ones.

    Fewer than three frames make a group each.
    """
    n_groups = min(n_frames, max(n_frames // group, LEAST_GROUPS))
    size, surplus = divmod(n_frames, n_groups)
    return [size] * (n_groups - surplus) + [size + 1] * surplus


def group_times(sizes: list[int]) -> Array:  # (G,) frames from the first frame to the group's centre
    ends = np.cumsum(sizes)
    return ends - (np.asarray(sizes) + 1) / 2


def spread(track: Array, times: Array, n_frames: int) -> Array:  # (G, 2) -> (n_frames, 2)
    """A group track at every frame; zero at the first frame."""
    if len(times) == 1:
        return np.zeros((n_frames, 2))
    everywhere = between(track, times, np.arange(n_frames, dtype=float))
    return everywhere - everywhere[0]


def between(track: Array, times: Array, wanted: Array) -> Array:  # (G, 2), (G,), (N,) -> (N, 2)
    """A track at other times: linear between the given ones and beyond them."""
    index = np.clip(np.searchsorted(times, wanted) - 1, 0, len(times) - 2)
    fraction = ((wanted - times[index]) / (times[index + 1] - times[index]))[:, None]
    found: Array = track[index] * (1 - fraction) + track[index + 1] * fraction
    return found
