"""What the compiled second pass works on: named tuples of arrays, which numba takes apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.generic]  # of single or double precision; compiled for what comes
Integers = npt.NDArray[np.integer]


class Images(NamedTuple):
    """Particles as the likelihood sees them; layouts are those of `slices`: real parts before imaginary parts."""

    y: Reals  # (b, 2P) for scores
    back: Reals  # (b, 2P) for sums
    y_power: Reals  # (b, P), as all that follow
    back_power: Reals
    noise_power: Reals
    image_power: Reals


class FineSlices(NamedTuple):
    """Slices of the references."""

    rows: Reals  # (n, 2(P-1)), without the origin
    origin: Reals  # (n, 2)
    power: Reals  # (n, P)
    number: Integers  # (KO * c,): where each fine slice is among the n


class Poses(NamedTuple):
    """Coarse orientations and shifts, their children, and what is known of them beforehand."""

    phases: Reals  # (T * s, 2, P-1)
    orientation_prior: Reals  # (KO,)
    shift_prior: Reals  # (b, K, T)
    turn_prior: Reals  # (b, O) or (0, 0)
    n_orientations: int
    directions: Integers  # (O,)
    fine_shifts: Reals  # (T * s, 2) Å
    old_shift: Reals  # (b, 2) Å
    centres: Reals  # (K, 2) Å
    axes: Reals  # (b, 2), or zeros: of the filament


class Bands(NamedTuple):
    """Which pixels belong where."""

    shells: Integers  # (P,)
    marks: Reals  # (K, n_marked) bool: pixels of the scale correction


class Found(NamedTuple):
    """What the pass says of each particle: written."""

    column: Integers  # (b,) best fine orientation
    shift: Integers  # (b,) best fine shift
    p_max: Reals
    log_sum: Reals
    accepted: Reals
    spectra: Reals  # (b, shells): added to
    scale_sums: Reals  # (b, 2): added to


class Sums(NamedTuple):
    """What is added to. `n_directions` columns of `direction_weight` belong to a class."""

    data: Reals  # (A, n, 2P)
    weight: Reals  # (A, n, P)
    class_weight: Reals  # (K,) float64, as all that follow
    direction_weight: Reals  # (K * n_directions,)
    n_directions: int
    class_offset: Reals  # (K, 2)
    offset: Reals  # (1,)


class Room(NamedTuple):
    """Arrays that are used for one particle after another."""

    hit_o: Integers
    hit_t: Integers
    moved: Reals  # (T * s, 2(P-1)) the particle at every shift ...
    is_moved: Reals  # (T,) ... that was asked for
    block: Reals
    s_re: Reals
    s_im: Reals
    cross: Reals
    predicted: Reals
    low_cross: Reals
    low_predicted: Reals
    before: Reals
