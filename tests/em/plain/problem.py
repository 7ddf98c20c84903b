"""What one iteration starts from, what its expectation collects, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plain.poses import Poses


@dataclass
class Filament:
    """What is known of helical segments (§2.5, §2.11); `rise` 0: offsets are not restricted."""

    psi: np.ndarray  # (n,)
    tube_psi: np.ndarray  # (n,): how the tubes lie, as found last
    sigma_psi: float
    bimodal: bool
    rise: float
    diameter: float


@dataclass
class Local:
    """A search around the last orientations (§2.5)."""

    angles: np.ndarray  # (n, 3)
    sigma: float  # of directions and of psi


@dataclass
class Problem:
    """One iteration of a classification; lengths in Å, angles in degrees."""

    images: np.ndarray  # (n, N, N)
    ctf: list[dict]  # u, v, angle, phase, kv, cs, q0
    pixel: float
    references: np.ndarray  # (K, N, N) or (K, N, N, N)
    direction_weight: np.ndarray  # (K, D), including the weight of the class
    class_offset: np.ndarray  # (K, 2) y, x; zeros in 3D
    sigma2: np.ndarray  # (G, S)
    noise_group: np.ndarray
    scale: np.ndarray  # (J,)
    scale_group: np.ndarray
    data_vs_prior: np.ndarray  # (K, S)
    sigma_offset: float
    norm_average: float
    norm: np.ndarray
    origin: np.ndarray  # (n, 2) y, x
    diameter: float
    mask_edge: float
    poses: Poses
    offset_range: float
    offset_step: float
    current_size: int
    coarse_size: int
    tau2_fudge: float
    fraction: float = 0.999
    perturbation: float = 0.0
    pad: int = 2
    symmetry: int = 1  # n of C_n
    filament: Filament | None = None
    local: Local | None = None
    gradient: bool = False  # two pseudo-halves of residuals are collected (§7.2)
    most_significant: int | None = None  # coarse poses per particle (§2.8)

    @property
    def dims(self):
        return self.references.ndim - 1

    @property
    def r_max(self):
        return self.current_size // 2

    @property
    def n_shells(self):
        return self.references.shape[-1] // 2 + 1


@dataclass
class Sums:
    """§2.9; `data` and `weight` are full lattices per half and class."""

    data: np.ndarray
    weight: np.ndarray
    direction: np.ndarray  # (K, D)
    offset: np.ndarray  # (K, 2)
    move: float
    noise: np.ndarray  # (G, S)
    noise_weight: np.ndarray
    cross: np.ndarray  # (J,)
    power: np.ndarray  # (J,)

    @classmethod
    def zeros(cls, p: Problem) -> Sums:
        shape = (2 if p.gradient else 1, len(p.references), *[2 * (p.pad * p.r_max + 1) + 1] * p.dims)
        return cls(
            np.zeros(shape, complex),
            np.zeros(shape),
            np.zeros_like(p.direction_weight),
            np.zeros((len(p.references), 2)),
            0.0,
            np.zeros_like(p.sigma2),
            np.zeros(len(p.sigma2)),
            np.zeros(len(p.scale)),
            np.zeros(len(p.scale)),
        )


@dataclass
class Result:
    """What the iteration gives."""

    orientation: np.ndarray  # (n, 3, 3)
    origin: np.ndarray
    klass: np.ndarray
    p_max: np.ndarray
    norm: np.ndarray
    n_significant: np.ndarray
    log_likelihood: np.ndarray
    class_weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    direction_weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    class_offset: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sigma2: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sigma_offset: float = 0.0
    norm_average: float = 0.0
    scale: np.ndarray = field(default_factory=lambda: np.zeros(0))
    tau2: np.ndarray = field(default_factory=lambda: np.zeros(0))
    data_vs_prior: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sigma2_reference: np.ndarray = field(default_factory=lambda: np.zeros(0))
    coverage: np.ndarray = field(default_factory=lambda: np.zeros(0))
    references: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def zeros(cls, n: int) -> Result:
        zero = lambda *shape: np.zeros((n, *shape))  # noqa: E731
        whole = zero().astype(int)
        return cls(zero(3, 3), zero(2), whole, zero(), zero(), whole.copy(), zero())

    @property
    def psi(self):
        """In-plane angles of 2D classes, degrees."""
        return np.rad2deg(np.arctan2(self.orientation[:, 0, 1], self.orientation[:, 0, 0]))
