"""What a refinement is asked to do: everything that does not change between iterations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from verglas.compute.gemm import Precision

Combine = Literal["network", "disc"]


@dataclass(frozen=True, slots=True)
class ParitySwitches:
    """Known defects of the reference program, reproduced only for comparisons (docs/parity.md)."""

    offset_prior_in_pixels: bool = False  # refinement.md §2.6: px and Å added, then times p²
    class_offset_by_total_weight: bool = False  # §3.8: class offset divided by the sum over classes
    noise_per_scale_group: bool = False  # RELION <= 3.1: one noise spectrum per scale group
    small_initial_references: bool = False  # §4.3: shell index of ini_high used as image size
    lose_nyquist_row: bool = False  # row -size/2 of a cropped image is missing from σ² and norm
    keep_edge_voxels: bool = False  # §3.4: voxels at exactly r_max survive, without regularisation
    forget_class_prior: bool = False  # 2D: the first iteration after a restart has equal class priors
    no_class_prior_in_local_searches: bool = False  # §2.6: with a prior on angles
    no_least_sigma_offset: bool = False  # helices: σ of the offsets has no lower bound
    forget_bimodal_psi: bool = False  # helices: a restart searches the prior's polarity only


RELION_3_1 = ParitySwitches(True, True, True, True, True, True, True, True, True, True)


@dataclass(frozen=True, slots=True)
class HelixSettings:
    """2D classification of helical segments: priors from the filament and a restricted search along it."""

    rise_angst: float = 0.0  # offsets along the axis limited to ± rise/2; 0: not restricted
    outer_diameter_angst: float = -1.0  # of the tube that masks images; <= 0: none
    bimodal_psi: bool = True  # polarity unknown: psi + 180° is searched, too
    n_asymmetric_units: int = 1

    @property
    def restricts_offsets(self) -> bool:
        """Whether offsets along the axis are limited instead of having a prior."""
        return self.rise_angst > 0


@dataclass(frozen=True, slots=True)
class GradientSettings:
    """VDAM mini-batches (refinement.md §7)."""

    ini_fraction: float = 0.3
    fin_fraction: float = 0.2
    momentum: float = 0.9
    step_size: float = -1.0  # -1: by kind of job (§7.1)
    ini_subset: int = -1  # -1: by kind of job
    fin_subset: int = -1
    ini_resolution_angst: float = -1.0  # images reach so far in the initial phase; <= 0: no limit
    fin_resolution_angst: float = -1.0  # and so far from the final phase on
    write_every: int = 10
    em_iterations: int = 0  # plain EM iterations at the end
    em_particles: int = 3000  # per class that such an iteration of a map from nothing looks at
    class_inactivity_threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class HalvesSettings:
    """Gold-standard auto-refine: two half-sets that never meet but where said (refinement.md §3.6, §5)."""

    low_res_join_angst: float = 40.0  # below this resolution the halves share their sums; <= 0: never
    solvent_correct_fsc: bool = False  # the FSC of masked halves, freed of what the mask correlates
    ignore_angles: bool = False  # angles need not settle before the sampling is refined
    resolution_decides: bool = False  # the resolution alone may ask for a finer sampling
    least_step_deg: float = -1.0  # fine steps are never below it ("maximum sampling")
    fine_step_deg: float = -1.0  # sampling goes at least this far ("minimum sampling")


@dataclass(frozen=True, slots=True)
class StreamingSettings:
    """A map that follows particles while they arrive (docs/streaming-refinement.md)."""

    again: float = 1.0  # particles searched again for each new one
    globally: float = 0.1  # share of these that is searched over all orientations
    first_iterations: int = 10  # most iterations on the particles that the map begins with
    junk_classes: int = 0  # 1: what no orientation explains better than a smooth blob does not enter the map

    def __post_init__(self) -> None:
        if self.junk_classes not in (0, 1):
            raise ValueError(f"a map has 0 or 1 junk classes beside it, got {self.junk_classes}")
        if self.again < 0 or not 0 <= self.globally <= 1 or self.first_iterations < 1:
            raise ValueError(
                f"streaming searches {self.again:g} particles again for each new one, {self.globally:g} of them "
                f"globally, after {self.first_iterations} iterations: expected at least 0, 0 to 1, at least 1"
            )


@dataclass(frozen=True, slots=True)
class EmSettings:
    """Options of one refinement; lengths in Å unless the name says otherwise."""

    n_classes: int = 1
    dims: int = 2  # 2: class averages; 3: maps
    n_iterations: int = 50
    tau2_fudge: float = 1.0
    particle_diameter_angst: float = -1.0  # <= 0: box minus mask edge
    mask_edge_px: float = 5.0
    zero_mask: bool = False
    flatten_solvent: bool = False
    do_map: bool = True
    # orientations
    oversampling: int = 1
    healpix_order: int = 2
    psi_step_deg: float = -1.0  # <= 0: 10 in 2D, the direction step in 3D
    offset_range_px: float = 6.0
    offset_step_px: float = 2.0
    perturb: float = 0.5
    symmetry: str = "C1"
    limit_tilt_deg: float = -91.0
    sigma_psi_deg: float = -1.0
    sigma_rot_deg: float = -1.0
    sigma_tilt_deg: float = -1.0
    first_local_order: int = 4  # 3D: the HEALPix order from which automatic searches are local
    relax_symmetry: str = ""  # local searches also try the mates under this group
    skip_align: bool = False
    skip_rotate: bool = False
    allow_coarser: bool = False  # steps follow the accuracies, from the user's upwards
    auto_sampling: bool = False  # steps are refined when the assignments have settled
    max_coarse_size: int = -1
    adaptive_fraction: float = 0.999
    max_significants: int = -1
    # starting point
    sigma_offset_angst: float = -1.0  # <= 0: 2.5 in 2D from nothing, else 10 (docs/parity.md)
    ini_high_angst: float = -1.0
    firstiter_cc: bool = False
    always_cc: bool = False
    denovo: bool = False  # 3D: the first references come from the particles at random orientations
    one_seed: bool = False  # all classes begin as the same reference: particles are dealt out at random
    blob_init: bool | None = None  # first references as random blobs; None: with VDAM only
    # resolution
    incr_size: int = 10
    strict_highres_angst: float = -1.0
    strict_lowres_angst: float = -1.0
    padding: float = 2.0
    # corrections
    ctf: bool = False
    ctf_intact_first_peak: bool = False
    ctf_phase_flipped: bool = False
    only_flip_phases: bool = False
    refs_are_ctf_corrected: bool = True
    correct_norm: bool = False
    correct_scale: bool = False
    fix_sigma_noise: bool = False
    fix_sigma_offset: bool = False
    sigma2_fudge: float = 1.0
    center_classes: bool = False
    fast_subsets: bool = False
    gradient: GradientSettings | None = None
    halves: HalvesSettings | None = None  # two half-sets, automatic sampling and convergence
    helix: HelixSettings | None = None
    streaming: StreamingSettings | None = None  # kept up to date while particles arrive; with half-sets
    # running
    random_seed: int = 1
    precision: Precision = "tensor"
    parity: ParitySwitches = field(default_factory=ParitySwitches)

    def __post_init__(self) -> None:
        if self.n_classes < 1:
            raise ValueError(f"the number of classes must be at least 1, got {self.n_classes}")
        if self.dims not in (2, 3):
            raise ValueError(f"references have 2 or 3 dimensions, got {self.dims}")
        if not 0 < self.adaptive_fraction < 1:
            raise ValueError(f"adaptive fraction must lie in (0, 1), got {self.adaptive_fraction}")
        if self.denovo and (self.dims != 3 or self.halves is not None):
            raise ValueError("first maps from the particles are 3D, without half-sets")
        if self.dims == 3 and self.helix is not None:
            raise ValueError("helices of 3D references are not supported")
        if self.halves is not None and (self.dims != 3 or self.n_classes != 1):
            raise ValueError("half-sets are refined with one 3D reference")
        if self.streaming is not None and self.halves is None:
            raise ValueError("a map that follows its particles is one of two half-sets")
        if self.offset_step_px <= 0 or self.offset_range_px < 0:
            raise ValueError(
                f"offset step must be positive and range not negative, got {self.offset_step_px} and"
                f" {self.offset_range_px} px"
            )

    @property
    def local_sigma_deg(self) -> tuple[float, float, float]:
        """σ of rot, tilt and psi in local searches; zeros without them."""
        asked = (self.sigma_rot_deg, self.sigma_tilt_deg, self.sigma_psi_deg)
        return asked if min(asked) > 0 else (0.0, 0.0, 0.0)

    @property
    def double(self) -> bool:
        """Whether everything is computed in float64 (tests)."""
        return self.precision == "double"
