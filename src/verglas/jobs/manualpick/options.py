"""Options of Manual picking (pipeline.md §4.4 and §4.24)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MICROGRAPHS
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_DISPLAY: dict[str, Any] = {"tab": "Display"}


def _colour(options: ManualPickOptions) -> bool:
    return options.do_color


def _positive(key: str) -> Any:
    return lambda options: getattr(options, key) > 0


_WINDOW = "Kept for RELION's picking window; the page has controls of its own."


class ManualPickOptions(QueueOptions):
    """Picking by hand, and choosing micrographs by eye."""

    fn_in: str = option(
        "", label="Input micrographs:", flag="--i", node=MICROGRAPHS,
        pattern="Input micrographs (*.{star,mrc})", help="List of micrographs.", **_IO,
    )  # fmt: skip
    diameter: float = option(
        100.0, label="Particle diameter (A):", unit="Å", flag="--particle_diameter", minimum=0,
        maximum=500, step=50, help="Diameter of the circles on the screen.", **_DISPLAY,
    )  # fmt: skip
    micscale: float = option(
        0.2, label="Scale for micrographs:", flag="--scale", minimum=0.1, maximum=1, step=0.05,
        help="Reduction of the micrographs on the screen.", **_DISPLAY,
    )  # fmt: skip
    sigma_contrast: float = option(
        3.0, label="Sigma contrast:", unit="σ", flag="--sigma_contrast", minimum=0, maximum=10,
        step=0.5, help="Grey scale in standard deviations; 0: from minimum to maximum.", **_DISPLAY,
    )  # fmt: skip
    white_val: float = option(
        0.0, label="White value:", flag="--white", minimum=0, maximum=512, step=16,
        help="Value shown white; 0 for both: by contrast.", **_DISPLAY,
    )  # fmt: skip
    black_val: float = option(
        0.0, label="Black value:", flag="--black", minimum=0, maximum=512, step=16,
        help="Value shown black.", **_DISPLAY,
    )  # fmt: skip
    lowpass: float = option(
        20.0, label="Lowpass filter (A)", unit="Å", flag="--lowpass", flag_if=_positive("lowpass"),
        minimum=10, maximum=100, step=5, help="Low-pass filter for the screen.", **_DISPLAY,
    )  # fmt: skip
    highpass: float = option(
        -1.0, label="Highpass filter (A)", unit="Å", flag="--highpass",
        flag_if=_positive("highpass"), minimum=100, maximum=1000, step=100,
        help="High-pass filter for the screen; negative: none.", **_DISPLAY,
    )  # fmt: skip
    angpix: float = option(
        -1.0, label="Pixel size (A)", unit="Å", flag="--angpix", flag_if=_positive("angpix"),
        minimum=0.3, maximum=5, step=0.1, help="Negative: from the list.", **_DISPLAY,
    )  # fmt: skip
    ctfscale: float = option(
        1.0, label="Scale for CTF image:", flag="--ctf_scale", minimum=0.1, maximum=2, step=0.1,
        help="Reduction of the CTF images. " + _WINDOW, **_DISPLAY,
    )  # fmt: skip
    do_startend: bool = option(
        False, label="Pick start-end coordinates helices?", flag="--pick_start_end",
        help="Every pair of points is the start and end of a tube.", **_DISPLAY,
    )  # fmt: skip
    do_topaz_denoise: bool = option(
        False, label="OR: use Topaz denoising?", flag="--topaz_denoise",
        help="Denoising by topaz. " + _WINDOW, **_DISPLAY,
    )  # fmt: skip
    fn_topaz_exec: str = option(
        "topaz", label="Topaz executable", command=True, flag="--topaz_exe",
        flag_if=lambda options: options.do_topaz_denoise, help="Name or path of the topaz program.",
        **_DISPLAY,
    )  # fmt: skip
    do_fom_threshold: bool = option(
        False, label="Use autopick FOM threshold?", help="Show picks above a figure of merit.",
        tab="Colors",
    )  # fmt: skip
    minimum_pick_fom: float = option(
        0.0, label="Minimum autopick FOM:", flag="--minimum_pick_fom", tab="Colors",
        flag_if=lambda options: options.do_fom_threshold, minimum=-5, maximum=10, step=0.1,
        help="Least figure of merit that is shown.",
    )  # fmt: skip
    do_color: bool = option(
        False, label="Blue<>red color particles?", tab="Colors",
        help="Colour the circles by a column.",
    )  # fmt: skip
    color_label: str = option(
        "rlnParticleSelectZScore", label="MetaDataLabel for color:", flag="--color_label",
        tab="Colors", flag_if=_colour, help="Column that gives the colour. " + _WINDOW,
    )  # fmt: skip
    fn_color: str = option(
        "", label="STAR file with color label:", flag="--color_star", tab="Colors", flag_if=_colour,
        pattern="STAR file (*.star)", help="File with that column; empty: the coordinates. " + _WINDOW,
    )  # fmt: skip
    blue_value: float = option(
        0.0, label="Blue value:", flag="--blue", tab="Colors", flag_if=_colour, minimum=0,
        maximum=4, step=0.1, help="Value shown blue. " + _WINDOW,
    )  # fmt: skip
    red_value: float = option(
        2.0, label="Red value:", flag="--red", tab="Colors", flag_if=_colour, minimum=0, maximum=4,
        step=0.1, help="Value shown red. " + _WINDOW,
    )  # fmt: skip
