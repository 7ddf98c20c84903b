"""Options of Motion correction (pipeline.md §4.2; do_save_movies of 2.1, do_float16 of 4, even/odd of 5)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MOVIES
from verglas.jobs.contract.options import option, to_text
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

ROTATIONS = ("No rotation (0)", "90 degrees (1)", "180 degrees (2)", "270 degrees (3)")
FLIPS = ("No flipping (0)", "Flip upside down (1)", "Flip left to right (2)")
_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_MOTION: dict[str, Any] = {"tab": "Motion", "on_continue": "locked"}
_NATIVE = "verglas corrects motion itself; the field is kept so that RELION can open the job."


def _menu_number(choice: str) -> int:
    """The number in brackets at the end of a menu entry."""
    return int(choice.rsplit("(", 1)[1].rstrip(")"))


def _has_gain(options: MotionCorrOptions) -> bool:
    return bool(options.fn_gain_ref)


class MotionCorrOptions(RankOptions, ThreadOptions, QueueOptions):
    """Motion correction of every movie of a list."""

    input_star_mics: str = option(
        "", label="Input movies STAR file:", flag="--i", node=MOVIES,
        pattern="STAR files (*.star)", help="List of movies, from Import.", **_IO,
    )  # fmt: skip
    first_frame_sum: int = option(
        1, label="First frame for corrected sum:", flag="--first_frame_sum", minimum=1, maximum=32,
        step=1, help="First frame that is used, counted from 1.", **_IO,
    )  # fmt: skip
    last_frame_sum: int = option(
        -1, label="Last frame for corrected sum:", flag="--last_frame_sum", minimum=0, maximum=32,
        step=1, help="Last frame that is used; 0 or negative: all.", **_IO,
    )  # fmt: skip
    dose_per_frame: float = option(
        1.0, label="Dose per frame (e/A2):", unit="e/Å²", flag="--dose_per_frame", minimum=0,
        maximum=5, step=0.2, help="Electron dose of one frame (of one EER fraction).", **_IO,
    )  # fmt: skip
    pre_exposure: float = option(
        0.0, label="Pre-exposure (e/A2):", unit="e/Å²", flag="--preexposure", minimum=0, maximum=5,
        step=0.5, help="Dose the specimen had before the first frame.", **_IO,
    )  # fmt: skip
    eer_grouping: int = option(
        32, label="EER fractionation:", flag="--eer_grouping", minimum=1, maximum=100, step=1,
        help="Hardware frames of an EER movie that make one fraction.", **_IO,
    )  # fmt: skip
    do_float16: bool = option(
        False, label="Write output in float16?", flag="--float16",
        help="Half the disc space. RELION 4 and later can read it, 3.1 cannot.", **_IO,
    )  # fmt: skip
    do_dose_weighting: bool = option(
        True, label="Do dose-weighting?", flag="--dose_weighting",
        help="Weight every frame by what radiation damage leaves of each frequency.", **_IO,
    )  # fmt: skip
    do_save_noDW: bool = option(
        False, label="Save non-dose weighted as well?", flag="--save_noDW",
        flag_if=lambda options: options.do_dose_weighting,
        help="Also write the plain sum (_noDW.mrc), good for CTF estimation.", **_IO,
    )  # fmt: skip
    do_even_odd_split: bool = option(
        False, label="Save images for denoising?", flag="--even_odd_split",
        help="Also write sums of the even and of the odd frames (_EVN.mrc, _ODD.mrc).", **_IO,
    )  # fmt: skip
    do_save_ps: bool = option(
        False, label="Save sum of power spectra?",
        help="Write summed spectra (_PS.mrc) for CTF estimation.", **_IO,
    )  # fmt: skip
    group_for_ps: float = option(
        4.0, label="Sum power spectra every e/A2:", unit="e/Å²", minimum=0, maximum=10, step=0.5,
        flag_if=lambda options: options.do_save_ps,
        help="Dose of the frames that are added up before each spectrum.", **_IO,
    )  # fmt: skip
    do_save_movies: bool = option(
        False, label="Save aligned movie stacks?", flag="--save_movies",
        help="Also write every aligned frame (_movie.mrcs), as RELION 2.1 did.", **_IO,
    )  # fmt: skip
    bfactor: float = option(
        150.0, label="Bfactor:", unit="px²", flag="--bfactor", minimum=0, maximum=1500, step=50,
        help="Limits the frequencies of the alignment and weights its first round; after that the "
        "movie's own signal-to-noise ratio weights them.", **_MOTION,
    )  # fmt: skip
    patch_x: int = option(
        1, label="Number of patches X:", flag="--patch_x", minimum=1, maximum=15, step=1,
        help="Patches along x whose motion is measured separately; 1 x 1: whole frames only.",
        **_MOTION,
    )  # fmt: skip
    patch_y: int = option(
        1, label="Number of patches Y:", flag="--patch_y", minimum=1, maximum=15, step=1,
        help="Patches along y.", **_MOTION,
    )  # fmt: skip
    group_frames: int = option(
        1, label="Group frames:", flag="--group_frames", minimum=1, maximum=5, step=1,
        help="Frames added up before shifts are measured. Rarely needed: tracks are smoothed by "
        "what the movie itself says about its motion.", **_MOTION,
    )  # fmt: skip
    bin_factor: float = option(
        1.0, label="Binning factor:", flag="--bin_factor", minimum=1, maximum=2, step=1,
        help="Fourier cropping of the frames; 2 for super-resolution movies; fractions allowed.",
        **_MOTION,
    )  # fmt: skip
    fn_gain_ref: str = option(
        "", label="Gain-reference image:", flag="--gainref", pattern="Gain (*.{mrc,tif,tiff,gain,dm4})",
        help="Gain reference that the frames are multiplied with (EER .mrc gains divide).", **_MOTION,
    )  # fmt: skip
    gain_rot: str = option(
        ROTATIONS[0], label="Gain rotation:", choices=ROTATIONS, flag="--gain_rot",
        flag_if=_has_gain, to_flag=_menu_number, help="Quarter turns of the gain.", **_MOTION,
    )  # fmt: skip
    gain_flip: str = option(
        FLIPS[0], label="Gain flip:", choices=FLIPS, flag="--gain_flip", flag_if=_has_gain,
        to_flag=_menu_number, help="Flip of the gain after its rotation.", **_MOTION,
    )  # fmt: skip
    do_gain_auto: bool = option(
        False, label="Find gain orientation from the movies?", flag="--gain_auto", flag_if=_has_gain,
        help="Lay the gain over the first movies in all eight orientations and use the one that fits "
        "their pixel pattern; rotation and flip above are used if none fits clearly.", **_MOTION,
    )  # fmt: skip
    fn_defect: str = option(
        "", label="Defect file:", flag="--defect_file",
        help="Bad pixels: rectangles (x y w h), a map (1 is bad), or a SerialEM defect file.",
        **_MOTION,
    )  # fmt: skip
    do_own_motioncor: bool = option(
        True, label="Use RELION's own implementation?", flag="--use_own",
        help="Always Yes here: " + _NATIVE, **_MOTION,
    )  # fmt: skip
    fn_motioncor2_exe: str = option("", label="MOTIONCOR2 executable:", command=True, help=_NATIVE, **_MOTION)
    use_gpu: bool = option(
        False, label="Use GPU acceleration?", tab="Motion", ours=True,
        help="Correct on graphics cards; every MPI process keeps a movie of its own on its card.",
    )  # fmt: skip
    gpu_ids: str = option(
        "", label="Which GPUs to use:", tab="Motion", flag="--gpu",
        flag_if=lambda options: options.use_gpu, flag_empty=True,
        help="Device numbers; ':' between ranks, ',' within one; empty: all.",
    )  # fmt: skip
    other_motioncor2_args: str = option("", label="Other MOTIONCOR2 arguments", help=_NATIVE, **_MOTION)

    def command_line(self) -> list[str]:
        """The flags; the spectra's group is passed in frames, as the program wants it."""
        words = super().command_line()
        if self.do_save_ps:
            frames = 1
            if self.dose_per_frame > 0:
                frames = max(1, int(self.group_for_ps / self.dose_per_frame + 0.5))
            words += ["--grouping_for_ps", to_text(frames)]
        return words
