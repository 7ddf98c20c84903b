"""What a refinement believes: references, spectra and priors. And the state a run needs to go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.state.particles import Assignments, Floats
from verglas.em.state.sampling import Sampling

UNKNOWN_ACCURACY = 999.0


@dataclass
class Model:
    """Model of K classes in a box of N px with S = N/2+1 shells; arrays float64, lengths in Å."""

    references: Tensor  # (K, N, N[, N])
    pixel_size_angst: float
    class_weights: Floats  # (K,), sum 1
    direction_weights: Floats  # (K, D), including the class weight
    class_offsets_angst: Floats  # (K, 2) y, x: mean offset of a 2D class
    sigma2_noise: Floats  # (G, S) per noise group
    tau2: Floats  # (K, S)
    data_vs_prior: Floats  # (K, S)
    sigma2_reference: Floats  # (K, S)
    coverage: Floats  # (K, S)
    scale: Floats  # (J,) per scale group
    sigma_offset_angst: float
    norm_average: float = 1.0
    current_resolution: float = 0.0  # 1/Å
    current_size: int = 0
    log_likelihood: float = 0.0
    average_p_max: float = 0.0
    accuracy_rot_deg: Floats = field(default_factory=lambda: np.zeros(0))  # (K,)
    accuracy_shift_angst: Floats = field(default_factory=lambda: np.zeros(0))
    orientability: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (K, S)
    gold_standard_fsc: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (K, S); half-sets
    unmasked: Tensor | None = None  # (K, N, N) 2D averages before the solvent was flattened
    unfiltered: Tensor | None = None  # (K, N, N, N) half maps without prior, of the last iteration

    @property
    def n_classes(self) -> int:
        return int(self.references.shape[0])

    @property
    def box_size(self) -> int:
        return int(self.references.shape[-1])

    @property
    def n_shells(self) -> int:
        return self.box_size // 2 + 1

    @property
    def dims(self) -> int:
        return self.references.ndim - 1

    @property
    def extent_angst(self) -> float:
        """Side of the box in Å."""
        return self.box_size * self.pixel_size_angst


@dataclass
class Moments:
    """Momentum of the gradient algorithm, per class on the padded transform (refinement.md §7.3)."""

    first: Tensor  # (2, K, L...) complex, per pseudo-half
    second: Tensor  # (K, L...) real
    age: Floats  # (K,)

    def to(self, device: torch.device) -> Moments:
        """The same on a device."""
        return Moments(self.first.to(device), self.second.to(device), self.age)


@dataclass
class State:
    """Everything a run needs to go on from the end of an iteration."""

    iteration: int
    models: tuple[Model, ...]  # one, or one for each half-set
    assignments: Assignments
    sampling: Sampling
    resolution_stalled: int = 0  # iterations without gain
    hidden_stalled: int = 0
    change_classes: float = 1.0
    change_angles_deg: float = UNKNOWN_ACCURACY
    change_offsets_angst: float = UNKNOWN_ACCURACY
    best_change_classes: float = 9999999.0
    best_change_angles_deg: float = UNKNOWN_ACCURACY
    best_change_offsets_angst: float = UNKNOWN_ACCURACY
    accuracy_rot_deg: float = UNKNOWN_ACCURACY
    accuracy_shift_angst: float = UNKNOWN_ACCURACY
    has_high_fsc: bool = False
    incr_size: int = 10  # shells beyond the resolution that images hold
    fine_enough: bool = False  # a finer sampling would tell nothing more
    converged: bool = False  # the next iteration is the last: halves are joined, up to Nyquist
    joined: bool = False  # this was it
    refs_are_ctf_corrected: bool = True
    moments: Moments | None = None

    @property
    def model(self) -> Model:
        """The model, or that of the first half-set, which decides for both."""
        return self.models[0]

    def with_models(self, *models: Model) -> State:
        """The state with other models."""
        return replace(self, models=models)
