"""The drift of one movie's frames for its job's summary."""

from __future__ import annotations

import numpy as np

from verglas.formats.star import read_star
from verglas.jobs.motioncorr.metadata import NOT_USED
from verglas.jobs.summary.pictures import Row, micrograph_picture, or_nothing


@or_nothing
def drift_pictures(row: Row) -> str:
    """The micrograph and the track of its movie's frames."""
    return f"{micrograph_picture(row)}{_track(row['rlnMicrographMetadata'])}"


def _track(metadata_path: str) -> str:
    """The global shift of every frame as a path; a dot where it begins."""
    shift = read_star(metadata_path)["global_shift"]
    xy = np.stack([shift.floats(f"rlnMicrographShift{axis}") for axis in "XY"], 1)
    xy = xy[xy[:, 0] != NOT_USED]
    xy = xy - (xy.max(axis=0) + xy.min(axis=0)) / 2
    scale = 46 / max(float(np.abs(xy).max()), 1e-6)
    points = " ".join(f"{60 + scale * x:.1f},{60 + scale * y:.1f}" for x, y in xy)
    first = points.split(" ", 1)[0].split(",")
    return (
        '<svg viewBox="0 0 120 120" role="img"><title>drift of the frames</title>'
        f'<polyline class="track" points="{points}"/>'
        f'<circle cx="{first[0]}" cy="{first[1]}" r="2.5"/></svg>'
    )
