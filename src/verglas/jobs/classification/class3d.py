"""3D classification (pipeline.md §4.11): global searches over the asymmetric unit."""

from __future__ import annotations

from typing import Any, ClassVar

from verglas.jobs.classification import options as shared
from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.nodes import MAP, MASK, MODEL, PARTICLES, Node
from verglas.jobs.contract.options import option
from verglas.jobs.contract.program import Program
from verglas.jobs.refine.flags import REFINE_FLAGS
from verglas.jobs.refine.job import RefineJob
from verglas.jobs.refine.options import OVERSAMPLING, ComputeOptions, ct_root

SAMPLING_STEPS = (
    "30 degrees", "15 degrees", "7.5 degrees", "3.7 degrees", "1.8 degrees", "0.9 degrees",
    "0.5 degrees", "0.2 degrees", "0.1 degrees",
)  # fmt: skip
_MAPS = "Image Files (*.{spi,vol,mrc})"
_IO: dict[str, Any] = {"tab": "I/O"}
_REFERENCE: dict[str, Any] = {"tab": "Reference", "on_continue": "locked"}


def coarse_order(step: str) -> int:
    """HEALPix order before oversampling of a step on the form."""
    return SAMPLING_STEPS.index(step) + 1 - OVERSAMPLING


class Class3DOptions(ComputeOptions):
    """Options of 3D classification."""

    fn_ref: str = option(
        "", label="Reference map:", flag="--ref", node=MAP, pattern=_MAPS, on_continue="locked",
        help="Starting map.", **_IO,
    )  # fmt: skip
    fn_mask: str = option(
        "", label="Reference mask (optional):", flag="--solvent_mask", node=MASK, pattern=_MAPS,
        help="Soft mask in [0, 1] instead of the sphere of the mask diameter.", **_IO,
    )  # fmt: skip
    ref_correct_greyscale: bool = option(
        False, label="Ref. map is on absolute greyscale?", flag="--firstiter_cc", flag_when=False,
        help="No: the first iteration scores by cross-correlation.", **_REFERENCE,
    )  # fmt: skip
    ini_high: float = option(
        60.0, label="Initial low-pass filter (A):", unit="Å", flag="--ini_high", minimum=0, maximum=200,
        step=5, flag_if=lambda o: o.ini_high > 0, help="Low-pass of the starting map.", **_REFERENCE,
    )  # fmt: skip
    sym_name: str = option(
        "C1",
        label="Symmetry:",
        flag="--sym",
        help="Point group: C1, D2, O, T, I1 ...",
        **_REFERENCE,
    )
    do_ctf_correction: bool = shared.CTF_CORRECTION
    ctf_corrected_ref: bool = option(
        False, label="Has reference been CTF-corrected?", flag="--ctf_corrected_ref",
        flag_if=shared.corrects_ctf,
        help="No: in the first iteration its projections are not multiplied by the CTF.", **shared.CTF,
    )  # fmt: skip
    ctf_intact_first_peak: bool = shared.CTF_INTACT_FIRST_PEAK
    nr_classes: int = shared.class_count("maps")
    tau_fudge: float = shared.regularisation(4.0)
    nr_iter: int = option(
        25, label="Number of iterations:", flag="--iter", minimum=1, maximum=50, step=1,
        help="Iterations in all; also the number in the names of the output files.", **shared.OPTIMISE,
    )  # fmt: skip
    do_fast_subsets: bool = shared.FAST_SUBSETS
    particle_diameter: float = shared.mask_diameter("spherical")
    do_zero_mask: bool = shared.ZERO_MASK
    highres_limit: float = shared.HIGHRES_LIMIT
    dont_skip_align: bool = shared.ALIGNMENT
    sampling: str = option(
        "7.5 degrees", label="Angular sampling interval:", flag="--healpix_order", choices=SAMPLING_STEPS,
        to_flag=coarse_order, flag_if=shared.aligns, help="Angular step after oversampling.", **shared.SAMPLE,
    )  # fmt: skip
    offset_range: float = shared.OFFSET_RANGE
    offset_step: float = shared.OFFSET_STEP
    allow_coarser: bool = shared.COARSER_SAMPLING
    do_pad1: bool = option(
        False, label="Skip padding?", tab="Compute", help="Pad references once instead of twice."
    )


class Classification3D(RefineJob):
    """Maps of particles by expectation-maximisation."""

    type: ClassVar[JobType] = JobType(
        "Class3D", "relion.class3d", 9, "3D classification", iterative=True, class_dims=3
    )
    Options = Class3DOptions
    program: ClassVar[Program] = Program.of(
        "refine", Class3DOptions, REFINE_FLAGS, relion_name="relion_refine",
        summary="2D and 3D classification of particles",
    )  # fmt: skip
    fixed_flags: ClassVar[tuple[str, ...]] = (
        "--oversampling", "1", "--flatten_solvent", "--norm", "--scale",
    )  # fmt: skip

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        words = super().command_line(options, directory, is_continue)
        return [*words, "--pad", "1" if options.do_pad1 else "2"]

    @classmethod
    def expected_outputs(cls, options: Class3DOptions, directory: str) -> list[Node]:
        root = ct_root(directory, bool(options.fn_cont), options.fn_cont)
        root = f"{root}_it{options.nr_iter:03d}"
        maps = [
            Node(f"{root}_class{k + 1:03d}.mrc", MAP, f"{MAP.label}.relion.class3d")
            for k in range(options.nr_classes)
        ]
        return [
            Node(f"{root}_data.star", PARTICLES, f"{PARTICLES.label}.class3d"),
            Node(f"{root}_model.star", MODEL, f"{MODEL.label}.class3d"),
            *maps,
        ]

    @classmethod
    def check(cls, options: Class3DOptions) -> list[str]:
        if options.fn_cont:
            return []
        complaints = [] if options.fn_img else ["Input images STAR file is empty"]
        if options.fn_ref in ("", "None"):
            complaints.append("Reference map is empty")
        return complaints
