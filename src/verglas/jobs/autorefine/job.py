"""3D auto-refine (pipeline.md §4.12): gold-standard half-sets, sampling and convergence by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.nodes import HALF_MAP, MAP, OPTIMISER, PARTICLES, Node
from verglas.jobs.contract.options import option
from verglas.jobs.contract.program import Program
from verglas.jobs.refine.map_job import MapJob
from verglas.jobs.refine.options import maps, shared
from verglas.jobs.refine.options.compute import ComputeOptions, ct_root
from verglas.jobs.refine.options.flags import REFINE_FLAGS

_AUTO: dict[str, Any] = {"tab": "Auto-sampling"}
_FIRST: dict[str, Any] = {"tab": "Auto-sampling", "on_continue": "locked"}


class Refine3DOptions(ComputeOptions):
    """Options of 3D auto-refine."""

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
    particle_diameter: float = shared.mask_diameter("spherical")
    do_zero_mask: bool = shared.ZERO_MASK
    do_solvent_fsc: bool = option(
        False,
        label="Use solvent-flattened FSCs?",
        flag="--solvent_correct_fsc",
        flag_if=lambda o: o.fn_mask not in ("", "None"),
        help="The FSC of the masked half-maps, corrected for what the mask itself correlates, decides "
        "resolution and regularisation. Needs a reference mask.",
        **shared.OPTIMISE,
    )
    sampling: str = maps.sampling(
        "7.5 degrees",
        "Initial angular sampling:",
        "Angular step of the first iterations, after oversampling; it gets finer by itself.",
        **_FIRST,
    )
    offset_range: float = shared.offset_range(
        5.0, "Initial offset range (pix):", "Radius of the first searches for offsets.", **_FIRST
    )
    offset_step: float = shared.offset_step(
        1.0, "Initial offset step (pix):", "First step of offsets, after oversampling.", **_FIRST
    )
    auto_local_sampling: str = option(
        "1.8 degrees",
        label="Local searches from auto-sampling:",
        flag="--auto_local_healpix_order",
        choices=maps.SAMPLING_STEPS,
        to_flag=maps.coarse_order,
        help="From this angular step on, each particle is searched around its last orientation.",
        **_FIRST,
    )
    relax_sym: str = maps.relaxed_symmetry("Auto-sampling")
    auto_faster: bool = option(
        False,
        label="Use finer angular sampling faster?",
        flag="--auto_ignore_angles",
        help="Refine the sampling as soon as the resolution needs it, even if orientations still change.",
        **_AUTO,
    )
    do_streaming: bool = option(
        False,
        label="Follow a growing list?",
        flag="--streaming",
        tab="Running",
        ours=True,
        help="Every run of the job brings its map up to date with the particles that are in the list by then: new "
        "ones are added, those that have gone are taken out. A live session does this while movies arrive.",
    )
    do_pad1: bool = maps.SKIP_PADDING


class AutoRefine3D(MapJob):
    """One map, refined until nothing improves any more."""

    type: ClassVar[JobType] = JobType(
        "Refine3D",
        "relion.refine3d",
        10,
        "3D auto-refine",
        iterative=True,
        class_dims=3,
        has_halves=True,
        final_map="run_class001.mrc",
        map_rank=2,
        settings_name="auto3d",
    )
    Options = Refine3DOptions
    program: ClassVar[Program] = Program.of(
        "refine",
        Refine3DOptions,
        REFINE_FLAGS,
        relion_name="relion_refine",
        summary="2D and 3D classification of particles, 3D auto-refine",
    )
    fixed_flags: ClassVar[tuple[str, ...]] = (
        "--auto_refine",
        "--split_random_halves",
        "--flatten_solvent",
        "--oversampling",
        "1",
        "--low_resol_join_halves",
        "40",
        "--norm",
        "--scale",
    )

    @classmethod
    def command_line(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        """Finer sampling faster is two flags."""
        words = super().command_line(options, directory, is_continue and not options.do_streaming)
        if options.auto_faster:
            return [*words, "--auto_resol_angles"]
        return [*words, "--no_auto_resol_angles"] if options.fn_cont else words

    @classmethod
    def goes_on_in_place(cls, options: Refine3DOptions) -> bool:
        """An update goes on where the one before ended."""
        return options.do_streaming

    @classmethod
    def expected_outputs(cls, options: Refine3DOptions, directory: str) -> list[Node]:
        root = ct_root(directory, options.fn_cont)
        return [
            Node(f"{root}_data.star", PARTICLES, f"{PARTICLES.label}.refine3d"),
            Node(f"{root}_optimiser.star", OPTIMISER, f"{OPTIMISER.label}.refine3d"),
            Node(f"{root}_half1_class001_unfil.mrc", HALF_MAP, f"{MAP.label}.relion.halfmap.refine3d"),
            Node(f"{root}_class001.mrc", MAP, f"{MAP.label}.relion.refine3d"),
        ]

    @classmethod
    def check(cls, options: Refine3DOptions) -> list[str]:
        complaints = super().check(options)
        if options.do_solvent_fsc and options.fn_mask in ("", "None"):
            complaints.append("Solvent-flattened FSCs need a reference mask")
        return complaints
