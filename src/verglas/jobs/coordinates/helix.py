"""Helical segments: pairs of start and end points as coordinates with priors (pipeline.md §5.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verglas.formats.star import StarTable
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.coordinates.reading import X, Y

PSI_PRIOR = "rlnAnglePsiPrior"


def segment_table(table: StarTable, flags: Mapping[str, Any], pixel_size_angst: float) -> StarTable:
    """Coordinates of segments: cut from start-end pairs, or as they are if they carry priors."""
    if not flags["--helical_tubes"]:
        if PSI_PRIOR not in table:
            raise SetAside(
                f"helical segments need {PSI_PRIOR} in the coordinates; start-end pairs need "
                "'Coordinates are start-end only?'"
            )
        return table
    from verglas.particles.tubes import segments_of_tubes

    xy = np.stack([table.floats(X), table.floats(Y)], 1)
    if len(xy) % 2:
        raise SetAside(f"start-end coordinates come in pairs, found {len(xy)}")
    step = None
    if flags["--helical_cut_into_segments"]:
        step = flags["--helical_nr_asu"] * flags["--helical_rise"]
    found = segments_of_tubes(xy.reshape(-1, 2, 2), pixel_size_angst, step)
    count = len(found.xy)
    bimodal = flags["--helical_bimodal_angular_priors"]
    return StarTable.from_columns(
        "",
        {
            X: found.xy[:, 0],
            Y: found.xy[:, 1],
            "rlnHelicalTubeID": found.tube,
            "rlnAngleTiltPrior": np.full(count, 90.0),
            PSI_PRIOR: found.psi_deg,
            "rlnHelicalTrackLengthAngst": found.track_angst,
            "rlnAnglePsiFlipRatio": np.full(count, 0.5 if bimodal else 0.0),
        },
    )
