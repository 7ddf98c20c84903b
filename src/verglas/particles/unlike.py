"""Groups of particles (micrographs) that fall into other classes than all the rest.

What is picked on carbon, on ice or on a charged spot is sorted by 2D classification into classes that hold
little else, while particles of every good micrograph spread over the classes much as those of any other. So
a micrograph of junk is known by the divergence of its distribution over the classes from that of the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


def class_divergence(groups: Ints, classes: Ints) -> Floats:  # (n,), (n,) -> (n_groups,)
    """Kullback-Leibler divergence, in nats, of each group's classes from those of all other groups.

    `groups` count from 0, `classes` from any number. Chance alone makes a group of n particles diverge by
    (K - 1) / 2n with K classes in use; this is subtracted, so that the mean over like groups is about 0. A
    group whose classes hold a share s of the others' particles diverges by -ln s.
    """
    _, columns = np.unique(classes, return_inverse=True)
    shape = (int(groups.max()) + 1, int(columns.max()) + 1)
    counts = np.zeros(shape)
    np.add.at(counts, (groups, columns), 1)
    sizes = counts.sum(axis=1, keepdims=True)
    rest = counts.sum(axis=0) - counts + 1  # no class is impossible for others
    share = counts / np.maximum(sizes, 1)
    ratio = np.where(counts > 0, share * rest.sum(axis=1, keepdims=True) / rest, 1)
    raw = (share * np.log(ratio)).sum(axis=1)
    found: Floats = raw - (shape[1] - 1) / (2 * np.maximum(sizes[:, 0], 1))
    return found
