"""2D classification (pipeline.md §4.9)."""

from __future__ import annotations

from typing import Any, ClassVar

from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.nodes import MODEL, PARTICLES, Node
from verglas.jobs.contract.options import JobOptions, option
from verglas.jobs.contract.program import Program
from verglas.jobs.refine.job import RefineJob
from verglas.jobs.refine.options import shared
from verglas.jobs.refine.options.compute import ComputeOptions, ct_root, doubled
from verglas.jobs.refine.options.flags import REFINE_FLAGS

VDAM_FLAGS = {"--class_inactivity_threshold": "0.1", "--grad_write_iter": "10"}
_HELIX: dict[str, Any] = {"tab": "Helix", "on_continue": "locked"}


def _is_helix(options: Class2DOptions) -> bool:
    return options.do_helix


class Class2DOptions(ComputeOptions):
    """Options of 2D classification; keys of RELION 3.1, and those of 4 and 5 beside them."""

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
    nr_classes: int = shared.class_count("class averages")
    tau_fudge: float = shared.regularisation(2.0)
    nr_iter: int = option(
        25,
        label="Number of iterations:",
        flag="--iter",
        minimum=1,
        maximum=50,
        step=1,
        flag_if=lambda o: not o.do_grad and o.nr_iter_em <= 0,
        help="EM iterations in all; also the number in the names of the output files.",
        **shared.OPTIMISE,
    )
    do_em: bool = option(True, label="Use EM algorithm?", help="Expectation-maximisation.", **shared.OPTIMISE)
    nr_iter_em: int = option(
        0,
        label="Number of EM iterations:",
        flag="--iter",
        minimum=0,
        maximum=50,
        step=1,
        flag_if=lambda o: not o.do_grad and o.nr_iter_em > 0,
        help="RELION 4 and 5's name of the number of iterations; 0: the number above.",
        **shared.OPTIMISE,
    )
    do_grad: bool = option(
        False,
        label="Use VDAM algorithm?",
        flag="--grad",
        help="Gradient descent with mini-batches instead of EM. The usual 200 look at some 112,000 particles "
        "in all, however few there are: faster than 25 iterations of EM from about 5,000 particles on "
        "(1,000 take three times as long).",
        **shared.OPTIMISE,
    )
    nr_iter_grad: int = option(
        200,
        label="Number of VDAM mini-batches:",
        flag="--iter",
        minimum=50,
        maximum=500,
        step=10,
        flag_if=lambda o: o.do_grad,
        help="Mini-batches in all.",
        **shared.OPTIMISE,
    )
    do_fast_subsets: bool = shared.FAST_SUBSETS
    particle_diameter: float = shared.mask_diameter("circular")
    do_zero_mask: bool = shared.ZERO_MASK
    highres_limit: float = shared.HIGHRES_LIMIT
    do_center: bool = option(
        False,
        label="Center class averages?",
        flag="--center_classes",
        help="Move class averages that are more than 2 pixels off to their centre of mass. RELION 5 has"
        " this on; on simulated sets classes came out better without (docs/parity.md).",
        **shared.OPTIMISE,
    )
    dont_skip_align: bool = shared.ALIGNMENT
    psi_sampling: float = option(
        6.0,
        label="In-plane angular sampling:",
        unit="°",
        flag="--psi_step",
        to_flag=doubled,
        minimum=0.5,
        maximum=20,
        step=0.5,
        flag_if=shared.aligns,
        help="In-plane step after oversampling.",
        **shared.SAMPLE,
    )
    offset_range: float = shared.OFFSET_RANGE
    offset_step: float = shared.OFFSET_STEP
    allow_coarser: bool = shared.COARSER_SAMPLING
    do_helix: bool = option(
        False, label="Classify 2D helical segments?", help="The particles are helical segments.", **_HELIX
    )
    helical_tube_outer_diameter: float = option(
        200.0,
        label="Tube diameter (A):",
        unit="Å",
        flag="--helical_outer_diameter",
        minimum=100,
        maximum=1000,
        step=10,
        flag_if=_is_helix,
        help="Outer diameter of the tubes.",
        **_HELIX,
    )
    do_bimodal_psi: bool = option(
        True,
        label="Do bimodal angular searches?",
        flag="--bimodal_psi",
        flag_if=_is_helix,
        help="Search psi and psi + 180°.",
        **_HELIX,
    )
    range_psi: float = option(
        6.0,
        label="Angular search range - psi (deg):",
        unit="°",
        flag="--sigma_psi",
        minimum=3,
        maximum=30,
        step=1,
        flag_if=_is_helix,
        to_flag=lambda value: min(max(value, 0), 90) / 3,
        help="Half-range of in-plane angles around the prior.",
        **_HELIX,
    )
    do_restrict_xoff: bool = option(
        True,
        label="Restrict helical offsets to rise:",
        flag="--helix",
        flag_if=_is_helix,
        help="Limit offsets along the helix to one rise.",
        **_HELIX,
    )
    helical_rise: float = option(
        4.75,
        label="Helical rise (A):",
        unit="Å",
        flag="--helical_rise_initial",
        minimum=-1,
        maximum=100,
        step=1,
        flag_if=lambda o: o.do_helix and o.do_restrict_xoff,
        help="Rise of the helix.",
        **_HELIX,
    )


class Classification2D(RefineJob):
    """Class averages of particles, by EM or VDAM."""

    type: ClassVar[JobType] = JobType(
        "Class2D", "relion.class2d", 8, "2D classification", iterative=True, class_dims=2
    )
    Options = Class2DOptions
    program: ClassVar[Program] = Program.of(
        "refine",
        Class2DOptions,
        REFINE_FLAGS,
        relion_name="relion_refine",
        summary="2D and 3D classification of particles, 3D auto-refine",
    )
    fixed_flags: ClassVar[tuple[str, ...]] = (
        "--oversampling",
        "1",
        "--pad",
        "2",
        "--flatten_solvent",
        "--norm",
        "--scale",
    )

    @classmethod
    def command_line(cls, options: JobOptions, directory: str, is_continue: bool) -> list[str]:
        """With VDAM also what RELION 4 and 5 pass: classes that ran empty are begun anew."""
        words = super().command_line(options, directory, is_continue)
        if "--grad" not in words:
            return words
        missing = [word for flag, value in VDAM_FLAGS.items() if flag not in words for word in (flag, value)]
        return [*words, *missing]

    @classmethod
    def expected_outputs(cls, options: Class2DOptions, directory: str) -> list[Node]:
        iterations = options.nr_iter_em if options.nr_iter_em > 0 else options.nr_iter
        last = options.nr_iter_grad if options.do_grad else iterations
        root = f"{ct_root(directory, options.fn_cont)}_it{last:03d}"
        return [
            Node(f"{root}_data.star", PARTICLES, f"{PARTICLES.label}.class2d"),
            Node(f"{root}_model.star", MODEL, f"{MODEL.label}.class2d"),
        ]

    @classmethod
    def check(cls, options: Class2DOptions) -> list[str]:
        complaints = [] if options.fn_img or options.fn_cont else ["Input images STAR file is empty"]
        if options.do_grad and options.nr_mpi > 1:
            complaints.append("VDAM runs in one process: set the number of MPI processes to 1")
        if options.do_em and options.do_grad and options.nr_iter_em > 0:
            complaints.append("choose either the EM or the VDAM algorithm, not both")
        return complaints
