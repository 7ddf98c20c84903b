"""3D classification (pipeline.md §4.11): global or local searches, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.nodes import MAP, MODEL, PARTICLES, Node
from verglas.jobs.contract.options import option
from verglas.jobs.contract.program import Program
from verglas.jobs.refine.map_job import MapJob
from verglas.jobs.refine.options import maps, shared
from verglas.jobs.refine.options.compute import ComputeOptions, ct_root
from verglas.jobs.refine.options.flags import REFINE_FLAGS

CONE = 3.0  # half-range of local searches in standard deviations


class Class3DOptions(ComputeOptions):
    """Options of 3D classification."""

    impossible_keys: ClassVar[Mapping[str, str]] = maps.IMPOSSIBLE
    unneeded_keys: ClassVar[Mapping[str, str]] = maps.UNNEEDED

    fn_ref: str = maps.REFERENCE_MAP
    fn_mask: str = maps.REFERENCE_MASK
    ref_correct_greyscale: bool = maps.ABSOLUTE_GREYSCALE
    ini_high: float = maps.INITIAL_LOW_PASS
    sym_name: str = maps.SYMMETRY
    do_ctf_correction: bool = shared.CTF_CORRECTION
    ctf_corrected_ref: bool = maps.CTF_CORRECTED_REFERENCE
    ctf_intact_first_peak: bool = shared.CTF_INTACT_FIRST_PEAK
    nr_classes: int = shared.class_count("maps")
    tau_fudge: float = shared.regularisation(4.0)
    nr_iter: int = option(
        25,
        label="Number of iterations:",
        flag="--iter",
        minimum=1,
        maximum=50,
        step=1,
        help="Iterations in all; also the number in the names of the output files.",
        **shared.OPTIMISE,
    )
    do_fast_subsets: bool = shared.FAST_SUBSETS
    particle_diameter: float = shared.mask_diameter("spherical")
    do_zero_mask: bool = shared.ZERO_MASK
    highres_limit: float = shared.HIGHRES_LIMIT
    dont_skip_align: bool = shared.ALIGNMENT
    sampling: str = maps.sampling(
        "7.5 degrees",
        "Angular sampling interval:",
        "Angular step after oversampling.",
        flag_if=shared.aligns,
        **shared.SAMPLE,
    )
    offset_range: float = shared.OFFSET_RANGE
    offset_step: float = shared.OFFSET_STEP
    do_local_ang_searches: bool = option(
        False,
        label="Perform local angular searches?",
        help="Search only around the orientations of the input, with a prior that falls off from them.",
        **shared.SAMPLE,
    )
    sigma_angles: float = option(
        5.0,
        label="Local angular search range:",
        unit="°",
        flag="--sigma_ang",
        minimum=0,
        maximum=15,
        step=0.1,
        flag_if=lambda o: o.dont_skip_align and o.do_local_ang_searches,
        to_flag=lambda value: value / CONE,
        help="Half-range of local searches: three standard deviations.",
        **shared.SAMPLE,
    )
    relax_sym: str = maps.relaxed_symmetry("Sampling")
    allow_coarser: bool = shared.COARSER_SAMPLING
    do_pad1: bool = maps.SKIP_PADDING


class Classification3D(MapJob):
    """Maps of particles by expectation-maximisation."""

    type: ClassVar[JobType] = JobType(
        "Class3D", "relion.class3d", 9, "3D classification", iterative=True, class_dims=3
    )
    Options = Class3DOptions
    program: ClassVar[Program] = Program.of(
        "refine",
        Class3DOptions,
        REFINE_FLAGS,
        relion_name="relion_refine",
        summary="2D and 3D classification of particles, 3D auto-refine",
    )
    fixed_flags: ClassVar[tuple[str, ...]] = ("--oversampling", "1", "--flatten_solvent", "--norm", "--scale")

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        """A run that goes on also hears that searches are not local any more."""
        words = super().command_line(options, directory, is_continue)
        return [*words, "--sigma_ang", "-1"] if options.fn_cont and "--sigma_ang" not in words else words

    @classmethod
    def expected_outputs(cls, options: Class3DOptions, directory: str) -> list[Node]:
        root = f"{ct_root(directory, options.fn_cont)}_it{options.nr_iter:03d}"
        volumes = [
            Node(f"{root}_class{k + 1:03d}.mrc", MAP, f"{MAP.label}.relion.class3d")
            for k in range(options.nr_classes)
        ]
        return [
            Node(f"{root}_data.star", PARTICLES, f"{PARTICLES.label}.class3d"),
            Node(f"{root}_model.star", MODEL, f"{MODEL.label}.class3d"),
            *volumes,
        ]
