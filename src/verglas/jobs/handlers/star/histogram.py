"""Histogram of a column: printed as RELION prints it, and plotted."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.formats.atomic import atomic_write

_FEWEST_BINS = 5


@dataclass(frozen=True)
class Histogram:
    """Counts within the edges, and below and above them; percent where that was asked for."""

    values: np.ndarray  # (n,), sorted
    edges: np.ndarray  # (bins + 1,)
    counts: np.ndarray  # (bins + 2,): the first below all edges, the last from the last edge on

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        bins: int = -1,
        low: float = -np.inf,
        high: float = np.inf,
        *,
        in_percent: bool = False,
        cumulative: bool = False,
    ) -> Histogram:
        """Bins are half open, [a, b); the last value counts beyond the last edge, as RELION has it."""
        ordered = np.sort(np.asarray(values, float))
        low = low if np.isfinite(low) else float(ordered[0])
        high = high if np.isfinite(high) else float(ordered[-1])
        if not high > low:
            high = low + 1.0
        if bins < 1:
            bins = _automatic_bins(ordered, low, high)
        edges = np.linspace(low, high, bins + 1)
        below = np.searchsorted(ordered, edges, side="left")
        counts = np.diff(np.concatenate([[0], below, [len(ordered)]])).astype(float)
        if cumulative:
            counts = np.cumsum(counts)
        if in_percent:
            counts *= 100 / len(ordered)
        return cls(ordered, edges, counts)

    def lines(self) -> list[str]:
        values, edges = self.values, self.edges
        n = len(values)
        quarters = [values[min(n - 1, part * n // 4)] for part in (1, 2, 3)]
        lines = [
            f"Number of items: {n}",
            f"Min: {values[0]:g} Q1: {quarters[0]:g} Median: {quarters[1]:g} "
            f"Q3: {quarters[2]:g} Max: {values[-1]:g}",
            f"Mean: {values.mean():g} Std: {values.std():g}",
            f"Bin size: {len(self.counts)} width: {edges[1] - edges[0]:g}",
            f"[-INF, {edges[0]:.5g}): {self.counts[0]:g}",
        ]
        for start, end, count in zip(edges, edges[1:], self.counts[1:]):
            lines.append(f"[{start:.5g}, {end:.5g}): {count:g}")
        return [*lines, f"[{edges[-1]:.5g}, +INF]: {self.counts[-1]:g}"]

    def plot(self, path: Path, label: str) -> None:
        """Write the histogram as encapsulated PostScript."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        axis = figure.subplots()
        width = self.edges[1] - self.edges[0]
        axis.bar(self.edges - width / 2, self.counts[:-1], width * 0.95)
        axis.bar([self.edges[-1] + width / 2], self.counts[-1:], width * 0.95)
        axis.set_xlabel(label)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="eps")
        with atomic_write(path) as out:
            out.write(buffer.getvalue())


def _automatic_bins(ordered: np.ndarray, low: float, high: float) -> int:
    """Freedman and Diaconis: bins of width 2·IQR/n^(1/3)."""
    spread = float(np.subtract(*np.percentile(ordered, [75, 25])))
    width = 2 * spread / len(ordered) ** (1 / 3)
    if width <= 0:
        return _FEWEST_BINS
    return int(np.clip(np.ceil((high - low) / width), _FEWEST_BINS, 1000))
