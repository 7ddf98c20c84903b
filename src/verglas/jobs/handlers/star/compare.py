"""Which rows two tables have in common: by a text, or by nearness of up to three numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from verglas.formats.labels import LabelType, label_type
from verglas.formats.star import StarTable
from verglas.jobs.contract.base import JobFailed


@dataclass(frozen=True)
class Comparison:
    """Rows of the first table that occur in the second, and those of either that do not."""

    both: StarTable
    only_first: StarTable
    only_second: StarTable


def compared(
    first: StarTable, second: StarTable, labels: Sequence[str], largest_distance: float
) -> Comparison:
    """Compare by one text column, or by 1 to 3 number columns up to a Euclidean distance."""
    for table in (first, second):
        missing = [label for label in labels if label not in table]
        if missing or not labels:
            raise JobFailed(f"table {table.name} has no column {missing[0] if missing else 'to compare by'}")
    if label_type(labels[0]) in (LabelType.STRING, None):
        if len(labels) > 1:
            raise JobFailed(f"{labels[0]} holds text: it is compared alone, without --label2")
        names = [table.strings(labels[0]) for table in (first, second)]
        known = [set(side) for side in names]
        in_second = np.array([name in known[1] for name in names[0]], bool)
        in_first = np.array([name in known[0] for name in names[1]], bool)
    else:
        points = [np.stack([table.floats(label) for label in labels], 1) for table in (first, second)]
        in_second = cKDTree(points[1]).query(points[0])[0] <= largest_distance
        in_first = cKDTree(points[0]).query(points[1])[0] <= largest_distance
    return Comparison(first.take(in_second), first.take(~in_second), second.take(~in_first))
