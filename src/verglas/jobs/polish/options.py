"""Options of Bayesian polishing (pipeline.md §4.20; do_float16 of 4)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MICROGRAPHS, PARTICLES, POLISH_PARAMETERS, POSTPROCESS
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_TRAIN: dict[str, Any] = {"tab": "Train", "on_continue": "locked"}
_POLISH: dict[str, Any] = {"tab": "Polish", "on_continue": "locked"}
PARAMETERS_FILE = "opt_params_all_groups.txt"


def _trains(options: Any) -> bool:
    return options.do_param_optim


def _polishes(options: Any) -> bool:
    return options.do_polish and not options.do_param_optim


def _own(options: Any) -> bool:
    return _polishes(options) and options.do_own_params


class PolishOptions(RankOptions, ThreadOptions, QueueOptions):
    """Particles, their movies and half maps; training or polishing."""

    fn_mic: str = option(
        "", label="Micrographs (from MotionCorr):", flag="--corr_mic", node=MICROGRAPHS,
        pattern="STAR files (*.star)",
        help="The list of motion correction: its metadata say which movie, gain, defects, dose and tracks "
        "belong to each micrograph.", **_IO,
    )  # fmt: skip
    fn_data: str = option(
        "", label="Particles (from Refine3D or CtfRefine):", flag="--i", node=PARTICLES,
        pattern="STAR files (*.star)", help="Refined particles, with their half-sets.", **_IO,
    )  # fmt: skip
    fn_post: str = option(
        "", label="Postprocess STAR file:", flag="--f", node=POSTPROCESS,
        pattern="STAR files (postprocess.star)",
        help="Names the half maps and the mask, and says how far they can be trusted.", **_IO,
    )  # fmt: skip
    first_frame: int = option(
        1, label="First movie frame:", flag="--first_frame", minimum=1, maximum=10, step=1,
        help="Counted from 1.", **_IO,
    )  # fmt: skip
    last_frame: int = option(
        -1, label="Last movie frame:", flag="--last_frame", minimum=5, maximum=50, step=1,
        help="Not positive: all.", **_IO,
    )  # fmt: skip
    extract_size: int = option(
        -1, label="Extraction size (pix in unbinned movie):", unit="px", flag="--window", minimum=64,
        maximum=1024, step=8, flag_if=lambda o: o.extract_size > 0,
        help="Box of the polished particles in pixels of the movie; not positive: that of the particles.",
        **_IO,
    )  # fmt: skip
    rescale: int = option(
        -1, label="Re-scaled size (pixels):", unit="px", flag="--scale", minimum=64, maximum=1024, step=8,
        flag_if=lambda o: o.rescale > 0,
        help="The same box in pixels of the polished particles. Both sizes are given, or neither.", **_IO,
    )  # fmt: skip
    do_float16: bool = option(
        False, label="Write output in float16?", flag="--float16", ours=True, flag_if=_polishes,
        help="Half the disc space; RELION 3.1 cannot read it (4 and later can).", **_IO,
    )  # fmt: skip
    do_param_optim: bool = option(
        False, label="Train optimal parameters?",
        help="Find the three deviations below from the data, instead of polishing.", **_TRAIN,
    )  # fmt: skip
    eval_frac: float = option(
        0.5, label="Fraction of Fourier pixels for testing:", flag="--eval_frac", minimum=0, maximum=1,
        step=0.01, flag_if=_trains,
        help="The highest frequencies judge tracks that the others found.", **_TRAIN,
    )  # fmt: skip
    optim_min_part: int = option(
        10000, label="Use this many particles:", flag="--min_p", minimum=5000, maximum=50000, step=1000,
        flag_if=_trains, help="Micrographs are taken at random until they hold so many.", **_TRAIN,
    )  # fmt: skip
    do_polish: bool = option(
        True, label="Perform particle polishing?", flag="--combine_frames", flag_if=_polishes,
        help="Track particles, weight frames, and write particles anew.", **_POLISH,
    )  # fmt: skip
    opt_params: str = option(
        "", label="Optimised parameter file:", flag="--params_file", node=POLISH_PARAMETERS,
        pattern="TXT files (*.txt)", flag_if=lambda o: _polishes(o) and not o.do_own_params,
        help=f"{PARAMETERS_FILE} of a training job.", **_POLISH,
    )  # fmt: skip
    do_own_params: bool = option(
        False, label="OR use your own parameters?", help="The three below.", **_POLISH
    )
    sigma_vel: float = option(
        0.2, label="Sigma for velocity (A/dose):", flag="--s_vel", minimum=1, maximum=10, step=0.1,
        flag_if=_own, help="How fast particles move, Å for each e/Å².", **_POLISH,
    )  # fmt: skip
    sigma_div: float = option(
        5000.0, label="Sigma for divergence (A):", unit="Å", flag="--s_div", minimum=0, maximum=10000,
        step=10000, flag_if=_own, help="Over what distance particles move together.", **_POLISH,
    )  # fmt: skip
    sigma_acc: float = option(
        2.0, label="Sigma for acceleration (A/dose):", flag="--s_acc", minimum=-1, maximum=7, step=0.1,
        flag_if=_own, help="How much velocities change; not positive: as they like.", **_POLISH,
    )  # fmt: skip
    minres: float = option(
        20.0, label="Minimum resolution for B-factor fit (A):", unit="Å", flag="--bfac_minfreq", minimum=8,
        maximum=40, step=1, flag_if=_polishes, help="Lower frequencies are left out.", **_POLISH,
    )  # fmt: skip
    maxres: float = option(
        -1.0, label="Maximum resolution for B-factor fit (A):", unit="Å", flag="--bfac_maxfreq", minimum=-1,
        maximum=15, step=1, flag_if=_polishes,
        help="Higher frequencies are left out; not positive: those beyond the half maps' resolution.",
        **_POLISH,
    )  # fmt: skip

    def command_line(self) -> list[str]:
        """Training takes its fractions together, and two parameters where there is no acceleration."""
        words = super().command_line()
        if not _trains(self):
            return words
        kind = "--params3" if self.sigma_acc > 0 else "--params2"
        return [*words, "--align_frac", f"{1 - self.eval_frac:g}", kind]
