"""Options of Particle extraction (pipeline.md §4.6 and §4.24)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import COORDINATES, MICROGRAPHS, PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions
from verglas.jobs.coordinates.source import flags_of


def _norm(options: ExtractOptions) -> bool:
    return options.do_norm


def _reextract(options: ExtractOptions) -> bool:
    return options.do_reextract


def _recenter(options: ExtractOptions) -> bool:
    return options.do_reextract and options.do_recenter


def _helix(options: ExtractOptions) -> bool:
    return options.do_extract_helix


def _tubes(options: ExtractOptions) -> bool:
    return options.do_extract_helix and options.do_extract_helical_tubes


_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_RECENTER: dict[str, Any] = {**_IO, "unit": "px", "flag_if": _recenter}
_EXTRACT: dict[str, Any] = {"tab": "extract", "on_continue": "locked"}
_HELIX: dict[str, Any] = {"tab": "Helix", "on_continue": "locked", "flag_if": _helix}
_TUBES: dict[str, Any] = {"tab": "Helix", "on_continue": "locked"}
_CENTRE = "Coordinate of the new centre in the reference, in pixels from its middle."


class ExtractOptions(RankOptions, QueueOptions):
    """Cutting particles out of micrographs."""

    star_mics: str = option(
        "", label="micrograph STAR file:", flag="--i", node=MICROGRAPHS,
        pattern="Input STAR file (*.{star})", help="List of micrographs, with their CTF.", **_IO,
    )  # fmt: skip
    coords_suffix: str = option(
        "", label="Input coordinates:", node=COORDINATES,
        flag_if=lambda options: not options.do_reextract,
        pattern="Input coords_suffix file ({coords_suffix}*)",
        help="coords_suffix_*.star of a picking job (2.x, 3.x), a list of coordinate files (4, 5), or one "
        "file with all coordinates, which names their micrographs: STAR, cryoSPARC .cs, .csv, topaz.",
        **_IO,
    )  # fmt: skip
    do_reextract: bool = option(
        False, label="OR re-extract refined particles?",
        help="Take coordinates from a refinement instead.", **_IO,
    )  # fmt: skip
    fndata_reextract: str = option(
        "", label="Refined particles STAR file:", flag="--reextract_data_star", node=PARTICLES,
        flag_if=_reextract, pattern="Input STAR file (*.{star})",
        help="_data.star of a classification or refinement.", **_IO,
    )  # fmt: skip
    do_reset_offsets: bool = option(
        False, label="Reset the refined offsets to zero?", flag="--reset_offsets",
        flag_if=_reextract, help="Forget the refined shifts.", **_IO,
    )  # fmt: skip
    do_recenter: bool = option(
        False, label="OR: re-center refined coordinates?", flag="--recenter", flag_if=_reextract,
        help="Move the coordinates by the refined shifts, and to another centre if given.", **_IO,
    )  # fmt: skip
    recenter_x: str = option(
        "0", label="Re-center on X-coordinate (in pix):", flag="--recenter_x", help=_CENTRE,
        **_RECENTER,
    )  # fmt: skip
    recenter_y: str = option(
        "0", label="Re-center on Y-coordinate (in pix):", flag="--recenter_y", help=_CENTRE,
        **_RECENTER,
    )  # fmt: skip
    recenter_z: str = option(
        "0", label="Re-center on Z-coordinate (in pix):", flag="--recenter_z", help=_CENTRE,
        **_RECENTER,
    )  # fmt: skip
    do_float16: bool = option(
        False, label="Write output in float16?", flag="--float16",
        help="Half the disc space; RELION 3.1 cannot read it (4 and later can).", **_IO,
    )  # fmt: skip

    extract_size: int = option(
        128, label="Particle box size (pix):", unit="px", flag="--extract_size", minimum=64,
        maximum=512, step=8, help="Box in micrograph pixels; an even number.", **_EXTRACT,
    )  # fmt: skip
    do_invert: bool = option(
        True, label="Invert contrast?", flag="--invert_contrast",
        help="Make dark particles white.", **_EXTRACT,
    )  # fmt: skip
    do_norm: bool = option(
        True, label="Normalize particles?", flag="--norm",
        help="Background mean 0, slope 0, standard deviation 1.", **_EXTRACT,
    )  # fmt: skip
    bg_diameter: float = option(
        -1.0, label="Diameter background circle (pix):", unit="px", minimum=-1, maximum=600,
        step=10, help="Everything outside is background; negative: 75 % of the box.", **_EXTRACT,
    )  # fmt: skip
    white_dust: float = option(
        -1.0, label="Stddev for white dust removal:", unit="σ", flag="--white_dust", flag_if=_norm,
        minimum=-1, maximum=10, step=0.1,
        help="Brighter pixels are replaced by noise; negative: off.", **_EXTRACT,
    )  # fmt: skip
    black_dust: float = option(
        -1.0, label="Stddev for black dust removal:", unit="σ", flag="--black_dust", flag_if=_norm,
        minimum=-1, maximum=10, step=0.1,
        help="Darker pixels are replaced by noise; negative: off.", **_EXTRACT,
    )  # fmt: skip
    do_rescale: bool = option(
        False, label="Rescale particles?", help="Reduce (or enlarge) the boxes.", **_EXTRACT
    )
    rescale: int = option(
        128, label="Re-scaled size (pixels):", unit="px", flag="--scale",
        flag_if=lambda options: options.do_rescale, minimum=64, maximum=512, step=8,
        help="Box after rescaling; an even number.", **_EXTRACT,
    )  # fmt: skip
    do_fom_threshold: bool = option(
        False, label="Use autopick FOM threshold?",
        help="Take only picks of a certain figure of merit.", **_EXTRACT,
    )  # fmt: skip
    minimum_pick_fom: float = option(
        0.0, label="Minimum autopick FOM:", flag="--minimum_pick_fom",
        flag_if=lambda options: options.do_fom_threshold, minimum=-5, maximum=10, step=0.1,
        help="Picks above this figure of merit are extracted.", **_EXTRACT,
    )  # fmt: skip

    do_extract_helix: bool = option(
        False, label="Extract helical segments?", flag="--helix", help="Segments of helical tubes.",
        **_TUBES,
    )  # fmt: skip
    helical_tube_outer_diameter: float = option(
        200.0, label="Tube diameter (A):", unit="Å", flag="--helical_outer_diameter", minimum=100,
        maximum=1000, step=10, help="Outer diameter; the background lies outside the tube.",
        **_HELIX,
    )  # fmt: skip
    helical_bimodal_angular_priors: bool = option(
        True, label="Use bimodal angular priors?", flag="--helical_bimodal_angular_priors",
        help="Tubes may point either way.", **_HELIX,
    )  # fmt: skip
    do_extract_helical_tubes: bool = option(
        True, label="Coordinates are start-end only?", flag="--helical_tubes",
        help="Coordinates are pairs: start and end of each tube.", **_HELIX,
    )  # fmt: skip
    do_cut_into_segments: bool = option(
        True, label="Cut helical tubes into segments?", flag="--helical_cut_into_segments",
        flag_if=_tubes, help="Otherwise one box at the middle of each tube.", **_TUBES,
    )  # fmt: skip
    helical_nr_asu: int = option(
        1, label="Number of unique asymmetrical units:", flag="--helical_nr_asu", flag_if=_tubes,
        minimum=1, maximum=100, step=1, help="Asymmetric units from one segment to the next.",
        **_TUBES,
    )  # fmt: skip
    helical_rise: float = option(
        1.0, label="Helical rise (A):", unit="Å", flag="--helical_rise", flag_if=_tubes, minimum=0,
        maximum=100, step=0.01, help="Rise of one asymmetric unit.", **_TUBES,
    )  # fmt: skip

    def command_line(self) -> list[str]:
        """RELION's flags: coordinates by suffix or list, background radius from the diameter."""
        words = super().command_line()
        if not self.do_reextract and self.coords_suffix:
            words += flags_of(self.coords_suffix)
        if self.do_norm:
            words += ["--bg_radius", str(self.background_radius_px)]
        if self.do_extract_helix and self.do_extract_helical_tubes and not self.do_cut_into_segments:
            for flag in ("--helical_nr_asu", "--helical_rise"):
                words[words.index(flag) + 1] = "1"
        return words

    @property
    def background_radius_px(self) -> int:
        """Radius in pixels of the final box, truncated (refinement.md §10.5)."""
        diameter = self.bg_diameter if self.bg_diameter > 0 else 0.75 * self.extract_size
        radius = diameter / 2
        if self.do_rescale:
            radius *= self.rescale / self.extract_size
        return int(radius)
