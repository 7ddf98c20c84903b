"""Colour scales of pictures: grey values 0..255 to red, green, blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

# grey value (0 to 1) -> colour; linear in between
SCALES: dict[str, tuple[tuple[float, tuple[int, int, int]], ...]] = {
    "fire": ((0.0, (0, 0, 0)), (0.5, (128, 128, 128)), (0.75, (255, 255, 255)), (1.0, (255, 0, 0))),
    "ice": ((0.0, (0, 0, 255)), (0.25, (0, 0, 0)), (0.5, (128, 128, 128)), (1.0, (255, 255, 255))),
    "fire-n-ice": ((0.0, (0, 0, 255)), (0.5, (128, 128, 128)), (1.0, (255, 0, 0))),
    "rainbow": (
        (0.0, (0, 255, 255)),
        (0.25, (0, 0, 255)),
        (0.5, (0, 0, 0)),
        (0.75, (255, 0, 0)),
        (1.0, (255, 255, 0)),
    ),
    "difference": (
        (0.0, (0, 255, 255)),
        (0.25, (0, 0, 255)),
        (0.5, (255, 255, 255)),
        (0.75, (255, 0, 0)),
        (1.0, (255, 255, 0)),
    ),
}


def coloured(grey: Bytes, scale: str) -> Bytes:
    """A picture (h, w) in colours (h, w, 3) of a named scale. Raises ValueError for an unknown one."""
    if scale not in SCALES:
        raise ValueError(f"no colour scale {scale!r}; known: {', '.join(SCALES)}")
    places = np.array([place * 255 for place, _ in SCALES[scale]])
    colours = np.array([colour for _, colour in SCALES[scale]], float)
    values = np.arange(256)
    table = np.stack([np.interp(values, places, colours[:, n]) for n in range(3)], axis=1)
    picture: Bytes = np.rint(table).astype(np.uint8)[grey]
    return picture
