"""The form of the initial model (pipeline.md §4.10): RELION 4 and 5's keys, and those of 3 beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from verglas.jobs.contract.options import option
from verglas.jobs.refine.options import maps, shared
from verglas.jobs.refine.options.compute import ComputeOptions

_SGD: dict[str, Any] = {"tab": "SGD"}
_OLD = "RELION 3's name; 0: by the number of mini-batches and of particles."
_WITHOUT_STARTS = " Without competing starts only."


def in_phases(options: Any) -> bool:
    """Whether the iterations are given as RELION 3 does, phase by phase."""
    return bool(options.sgd_ini_iter + options.sgd_inbetween_iter + options.sgd_fin_iter > 0)


def iterations(options: Any) -> int:
    """Mini-batches in all; also the number in the names of the output files."""
    if not in_phases(options):
        return int(options.nr_iter)
    return int(options.sgd_ini_iter + options.sgd_inbetween_iter + options.sgd_fin_iter)


def runs_in_c1(options: Any) -> bool:
    """Whether the symmetry is found and applied at the end."""
    return bool(options.do_run_C1) and str(options.sym_name).upper() != "C1"


class InitialModelOptions(ComputeOptions):
    """Options of the initial model."""

    impossible_keys: ClassVar[Mapping[str, str]] = {"sigma_tilt": maps.IMPOSSIBLE["sigma_tilt"]}
    unneeded_keys: ClassVar[Mapping[str, str]] = {
        "skip_gridding": "no iterative gridding is done",
        "sgd_sigma2fudge_halflife": "RELION's form does not pass it either",
        **dict.fromkeys(
            ("sgd_subset_size", "sgd_write_subsets", "sgd_highres_limit"),
            "mini-batches are sized by the number of particles, and the resolution follows from the data",
        ),
    }

    do_ctf_correction: bool = shared.CTF_CORRECTION
    ctf_phase_flipped: bool = option(
        False,
        label="Have data been phase-flipped?",
        flag="--ctf_phase_flipped",
        flag_if=shared.corrects_ctf,
        help="Use the CTF's absolute value.",
        **shared.CTF,
    )
    ctf_intact_first_peak: bool = shared.CTF_INTACT_FIRST_PEAK
    nr_iter: int = option(
        200,
        label="Number of VDAM mini-batches:",
        flag="--iter",
        minimum=50,
        maximum=500,
        step=10,
        to_flag=int,
        flag_if=lambda o: not in_phases(o),
        help="Mini-batches in all; also the number in the names of the output files. With competing starts the last "
        "eight alone are done, by expectation-maximisation.",
        **shared.OPTIMISE,
    )
    tau_fudge: float = shared.regularisation(4.0)
    nr_classes: int = shared.class_count("maps")
    particle_diameter: float = shared.mask_diameter("spherical")
    do_solvent: bool = option(
        True,
        label="Flatten and enforce non-negative solvent?",
        flag="--flatten_solvent",
        help="Mask the maps with the sphere of the mask diameter.",
        **shared.LOCKED,
    )
    sym_name: str = option(
        "C1", label="Symmetry:", help="Point group of the particle: C1, D2, O, T, I1 ...", **shared.LOCKED
    )
    do_run_C1: bool = option(
        True,
        label="Run in C1 and apply symmetry later?",
        help="Yes: maps are made without symmetry; then the axes are found, aligned and applied. "
        "No: the symmetry is applied in every iteration.",
        **shared.LOCKED,
    )
    nr_starts: int = option(
        4,
        label="Number of competing starts:",
        flag="--starts",
        minimum=0,
        maximum=20,
        step=1,
        ours=True,
        help="So many starts, each from other random blobs, run by expectation-maximisation; the one that explains "
        "particles best that none of them has seen goes on, and mini-batches are not needed. 0: RELION's way, "
        "mini-batches from one set of blobs.",
        **shared.LOCKED,
    )
    sampling: str = maps.sampling(
        "15 degrees",
        "Initial angular sampling:",
        "Angular step of the first iterations, after oversampling; it gets finer by itself.",
        **shared.SAMPLE,
    )
    offset_range: float = shared.offset_range(
        6.0, "Offset search range (pix):", "Radius of the search for offsets.", **shared.SAMPLE
    )
    offset_step: float = shared.offset_step(
        1.0, "Offset search step (pix):", "Step of offsets after oversampling.", **shared.SAMPLE
    )
    sgd_ini_iter: int = option(
        0, label="Number of initial iterations:", minimum=0, maximum=300, step=10, help=_OLD, **_SGD
    )
    sgd_inbetween_iter: int = option(
        0, label="Number of in-between iterations:", minimum=0, maximum=500, step=50, help=_OLD, **_SGD
    )
    sgd_fin_iter: int = option(
        0, label="Number of final iterations:", minimum=0, maximum=300, step=10, help=_OLD, **_SGD
    )
    sgd_write_iter: int = option(
        10,
        label="Write-out frequency (iter):",
        flag="--grad_write_iter",
        minimum=1,
        maximum=50,
        step=1,
        help="Write the files of every so many mini-batches.",
        **_SGD,
    )
    sgd_ini_resol: float = option(
        0.0,
        label="Initial resolution (A):",
        unit="Å",
        flag="--grad_ini_resol",
        minimum=0,
        maximum=60,
        step=5,
        flag_if=lambda o: o.sgd_ini_resol > 0,
        help="Resolution to which images reach in the initial phase; 0: an eighth of the mask diameter.",
        **_SGD,
    )
    sgd_fin_resol: float = option(
        0.0,
        label="Final resolution (A):",
        unit="Å",
        flag="--grad_fin_resol",
        minimum=0,
        maximum=30,
        step=5,
        flag_if=lambda o: o.sgd_fin_resol > 0,
        help="Resolution to which images reach in the final phase; 0: a twelfth of the mask diameter, at least "
        "12 Å.",
        **_SGD,
    )
    sgd_ini_subset_size: int = option(
        0,
        label="Initial mini-batch size:",
        flag="--grad_ini_subset",
        minimum=0,
        maximum=300,
        step=10,
        flag_if=lambda o: o.sgd_ini_subset_size > 0,
        help="Particles of a mini-batch of the initial phase; 0: by the number of particles."
        + _WITHOUT_STARTS,
        **_SGD,
    )
    sgd_fin_subset_size: int = option(
        0,
        label="Final mini-batch size:",
        flag="--grad_fin_subset",
        minimum=0,
        maximum=2000,
        step=100,
        flag_if=lambda o: o.sgd_fin_subset_size > 0,
        help="Particles of a mini-batch of the final phase; 0: by the number of particles." + _WITHOUT_STARTS,
        **_SGD,
    )
    do_pad1: bool = option(
        True, label="Skip padding?", tab="Compute", help="Pad references once instead of twice."
    )


FIRST_SHARE, LAST_SHARE, FINEST_ANGST = 8.0, 12.0, 12.0  # of the diameter; what a first map is for


def first_limit(options: Any) -> float:
    """Resolution (Å) of the initial phase; 0: none."""
    return float(options.sgd_ini_resol or max(0.0, options.particle_diameter) / FIRST_SHARE)


def last_limit(options: Any) -> float:
    """Resolution (Å) of the final phase; 0: none."""
    if options.sgd_fin_resol or options.particle_diameter <= 0:
        return float(options.sgd_fin_resol)
    return max(FINEST_ANGST, options.particle_diameter / LAST_SHARE)
