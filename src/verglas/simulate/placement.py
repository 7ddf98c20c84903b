"""Where particles lie: at random, no two closer than a distance, cut by the border as anything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Random placing jams at 54.7 % of the area; asking for more than this share of that never ends.
_JAMMING = 0.547


def place_particles(
    count: int,
    shape_yx: tuple[int, int],
    distance: float,
    rng: np.random.Generator,
    *,
    border: float = 0.0,
    forbidden: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Centres (m, 2) as (y, x) in pixels; exactly `count` of them inside the frame, those come first.

    Others lie up to `border` pixels outside, so that the edge of the frame cuts particles too.
    `forbidden` marks pixels of the frame where no centre may lie. Raises ValueError if they do not fit.
    """
    height, width = shape_yx
    limit = _JAMMING * height * width / (np.pi / 4 * distance**2) if distance > 0 else np.inf
    if count > limit:
        raise ValueError(
            f"{count} particles {distance:.0f} pixels apart do not fit on {width} x {height} pixels: "
            f"about {int(limit)} do; take a larger field, a smaller distance or fewer particles"
        )
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
    inside: list[tuple[float, float]] = []
    outside: list[tuple[float, float]] = []
    cell = max(distance, 1.0)
    for _ in range(3000 * max(count, 1)):
        if len(inside) == count:
            break
        y, x = rng.uniform(-border, height + border), rng.uniform(-border, width + border)
        in_frame = 0 <= y < height and 0 <= x < width
        if in_frame and forbidden is not None and forbidden[int(y), int(x)]:
            continue
        if _free(cells, y, x, distance, cell):
            cells.setdefault((int(y // cell), int(x // cell)), []).append((y, x))
            (inside if in_frame else outside).append((y, x))
    if len(inside) < count:
        raise ValueError(
            f"only {len(inside)} of {count} particles {distance:.0f} pixels apart found a place on "
            f"{width} x {height} pixels; take a smaller distance or fewer particles"
        )
    return np.array(inside + outside, float).reshape(-1, 2)


def _free(
    cells: dict[tuple[int, int], list[tuple[float, float]]], y: float, x: float, distance: float, cell: float
) -> bool:
    row, column = int(y // cell), int(x // cell)
    for i in (row - 1, row, row + 1):
        for j in (column - 1, column, column + 1):
            for b, a in cells.get((i, j), ()):
                if (b - y) ** 2 + (a - x) ** 2 < distance**2:
                    return False
    return True
