"""Micrographs that hold other things than the rest: set aside by what 2D classes tell.

A few per cent of junk, bright as edges of carbon are, take classes from the particles
(benchmarks/live_classes.py --junk). Such micrographs stand in `unlike.star` beside the file of persons'
verdicts; a person who accepts one has the last word.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verglas.formats.star import read_star
from verglas.jobs.select.thresholds import UNLIKE_FILE, UNLIKE_VERDICT, read_manual, write_manual
from verglas.particles.unlike import class_divergence

LEAST_DIVERGENCE = 1.0  # nats; good micrographs lie below 0.2, junk above 2
LEAST_PARTICLES = 20  # of a micrograph, to be judged
MOST_SHARE = 0.2  # of the micrographs: what is more is no accident but a second kind of specimen


def set_unlike_aside(data: Path, manual_file: Path) -> tuple[list[str], str]:
    """Micrographs that the classes of a `_data.star` set aside anew, and what a person should know of it.

    Those that a person has judged are left alone.
    """
    found, of = unlike_micrographs(data)
    if len(found) > MOST_SHARE * of:
        text = f"{len(found)} of {of} micrographs fall into 2D classes of their own: two specimens?"
        return [], text
    path = manual_file.with_name(UNLIKE_FILE)
    known, persons = read_manual(path), read_manual(manual_file)
    new = [name for name in found if name not in known and name not in persons]
    for name in new:
        why = f"its particles fall into 2D classes of their own (divergence {found[name]:.1f})"
        known[name] = (UNLIKE_VERDICT, why)
    if new:
        write_manual(path, known)
    return new, ""


def unlike_micrographs(data: Path) -> tuple[dict[str, float], int]:
    """Divergence (nats) of micrographs of a `_data.star` that are unlike the others; the number of all."""
    table = read_star(data)["particles"]
    names, groups = np.unique(table.strings("rlnMicrographName"), return_inverse=True)
    divergence = class_divergence(groups, table.ints("rlnClassNumber"))
    enough = np.bincount(groups) >= LEAST_PARTICLES
    chosen = np.flatnonzero(enough & (divergence > LEAST_DIVERGENCE))
    return {str(names[at]): float(divergence[at]) for at in chosen}, len(names)
