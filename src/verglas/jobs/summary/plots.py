"""One measured value over all micrographs of a list, as plots.

However many micrographs there are, at most `MOST_POINTS` are drawn: beyond that, runs of micrographs are
shown by their median and the range from the 10th to the 90th percentile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verglas.jobs.report.plot import BAND, LINE, Floats, Plot, Series, roomy

MOST_POINTS = 400


@dataclass(frozen=True)
class Track:
    """A value in the order of the micrographs: `low` and `high` are None while nothing is binned."""

    position: Floats  # number of the micrograph, from 1
    middle: Floats
    low: Floats | None
    high: Floats | None

    @classmethod
    def of(cls, values: Floats, most: int = MOST_POINTS) -> Track:
        """Values that are no finite numbers are left out."""
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite) <= most:
            return cls(np.asarray(finite + 1.0, np.float64), values[finite], None, None)
        parts = np.array_split(finite, most)
        ranges = np.array([np.percentile(values[part], [10, 50, 90]) for part in parts])
        position = np.array([part.mean() + 1 for part in parts])
        return cls(position, ranges[:, 1], ranges[:, 0], ranges[:, 2])


def track_plot(values: Floats, title: str) -> Plot:
    """The value against the number of the micrograph in its list."""
    track = Track.of(values)
    series = [Series("", track.position, track.middle)]
    if track.low is not None:
        band = Series("", track.position, track.low, BAND, other=track.high)
        series = [band, Series("", track.position, track.middle, LINE)]
    return Plot(title, "micrograph", title, series, y_range=roomy(values))


def shown(value: float) -> str:
    """A number as people write it: no exponent for what fits without."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
