"""Signs in a particle list that its halves are not independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarFile, StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import after_job
from verglas.jobs.select.rows import positions_angst
from verglas.maps.postprocessing.leaks import Leak

HALF = "rlnRandomSubset"
TUBE = "rlnHelicalTubeID"
MICROGRAPH = "rlnMicrographName"
SHOWN = 3  # examples in a finding
Ints = npt.NDArray[np.int64]


def list_leaks(star: StarFile, table: StarTable, distance_angst: float) -> list[Leak]:
    """Images, places and filaments that are in both halves. Raises JobFailed without halves."""
    if HALF not in table:
        raise JobFailed(f"the particles have no {HALF}: there are no halves to compare")
    half = table.ints(HALF)
    other = sorted(set(half.tolist()) - {1, 2})
    if other:
        raise JobFailed(f"{HALF} is {', '.join(map(str, other))} for some particles: 1 or 2 is wanted")
    found = [_shared(_images(table), half, "image", _IMAGE_ADVICE)]
    if TUBE in table and MICROGRAPH in table:
        tubes = zip(table.strings(MICROGRAPH), table.strings(TUBE))
        names = [f"filament {tube} of {after_job(name)}" for name, tube in tubes]
        found.append(_shared(names, half, "filament", _TUBE_ADVICE))
    if "rlnCoordinateX" in table and MICROGRAPH in table:
        found.append(_neighbours(star, table, half, distance_angst))
    return [leak for leak in found if leak is not None]


_IMAGE_ADVICE = "repeats and symmetry copies of a particle must stay in its half"
_TUBE_ADVICE = "segments of a filament overlap: all of them belong in one half"


def _images(table: StarTable) -> list[str]:
    """What each particle was cut out as: subtraction and expansion keep the original name."""
    original = "rlnImageOriginalName"
    return table.strings(original if original in table else "rlnImageName")


def _shared(names: Sequence[str], half: Ints, kind: str, advice: str) -> Leak | None:
    in_half = [set(np.array(names, object)[half == number].tolist()) for number in (1, 2)]
    both = sorted(in_half[0] & in_half[1])
    if not both:
        return None
    text = f"{len(both)} {kind}s are in both halves ({', '.join(both[:SHOWN])} ...): {advice}"
    return Leak(f"{kind} in both halves", float(len(both)), text)


def _neighbours(star: StarFile, table: StarTable, half: Ints, distance_angst: float) -> Leak | None:
    """Particles of different images and halves that are closer than a distance: one particle, picked twice."""
    from scipy.spatial import cKDTree

    positions, names = positions_angst(star, table, -1.0), _images(table)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(table.strings(MICROGRAPH)):
        rows_of[after_job(name)].append(row)
    close = []
    for rows in map(np.array, rows_of.values()):
        pairs = cKDTree(positions[rows]).query_pairs(distance_angst, output_type="ndarray")
        one, two = rows[pairs[:, 0]], rows[pairs[:, 1]]
        different = half[one] != half[two]
        close += [(a, b) for a, b in zip(one[different], two[different]) if names[a] != names[b]]
    if not close:
        return None
    first = ", ".join(f"{names[a]} and {names[b]}" for a, b in close[:SHOWN])
    text = (
        f"{len(close)} pairs of particles within {distance_angst:g} Å lie in different halves ({first} ...): "
        "remove duplicates before the halves are drawn"
    )
    return Leak("neighbours in both halves", float(len(close)), text)
