"""Options of Movie refinement (pipeline.md §4.21)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MOVIES, OPTIMISER
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_EXTRACT: dict[str, Any] = {"tab": "extract", "on_continue": "locked"}
_NORMALISE: dict[str, Any] = {"tab": "normalise", "on_continue": "locked"}
_REFINE: dict[str, Any] = {"tab": "refine"}


def _norm(options: Any) -> bool:
    return options.do_norm


class MovieRefineOptions(RankOptions, ThreadOptions, QueueOptions):
    """Movies, the auto-refine that knows the particles, how movie particles are cut and moved."""

    fn_movie_star: str = option(
        "", label="Input movies STAR file:", flag="--i", node=MOVIES, pattern="STAR Files (*.{star})",
        help="Movies of Import, whose tracks motion correction found, or the aligned movies that it saved.",
        **_IO,
    )  # fmt: skip
    movie_rootname: str = option(
        "movie", label="Rootname of movies files:", flag="--movie_name",
        help="What stands between a micrograph's name and the extension of its movie's: movie for x_movie.mrcs.",
        **_IO,
    )  # fmt: skip
    fn_cont: str = option(
        "", label="Continue 3D auto-refine from:", flag="--continue", node=OPTIMISER,
        pattern="STAR Files (*_optimiser.star)",
        help="Its particles, poses and half maps; it may be a job that is still to run.", **_IO,
    )  # fmt: skip
    join_nr_mics: int = option(
        50, label="Process micrographs in batches of:", flag="--join_nr_mics", minimum=10, maximum=200, step=10,
        help="Every micrograph is kept by itself here: this is the number in one list of particles; not "
        "positive: one list of all.", **_IO,
    )  # fmt: skip
    first_movie_frame: int = option(
        1, label="First movie frame to extract:", flag="--first_movie_frame", minimum=1, maximum=20, step=1,
        help="Counted from 1.", **_EXTRACT,
    )  # fmt: skip
    last_movie_frame: int = option(
        0, label="Last movie frame to extract:", flag="--last_movie_frame", minimum=0, maximum=64, step=1,
        help="0: all.", **_EXTRACT,
    )  # fmt: skip
    avg_movie_frames: int = option(
        1, label="Average every so many frames:", flag="--avg_movie_frames", minimum=1, maximum=8, step=1,
        help="One movie particle for so many frames; the last one takes what remains.", **_EXTRACT,
    )  # fmt: skip
    max_mpi_nodes: int = option(
        8, label="Maximum number of MPI nodes:", flag="--max_mpi_nodes", minimum=2, maximum=24, step=1,
        help="Micrographs that are read at the same time, at most.", **_EXTRACT,
    )  # fmt: skip
    extract_size: int = option(
        128, label="Particle box size (pix):", unit="px", flag="--extract_size", minimum=64, maximum=512,
        step=8, help="In pixels of the micrographs.", **_EXTRACT,
    )  # fmt: skip
    do_invert: bool = option(
        True,
        label="Invert contrast?",
        flag="--invert_contrast",
        help="Make dark particles white.",
        **_EXTRACT,
    )
    do_rescale: bool = option(False, label="Rescale particles?", help="To the size below.", **_EXTRACT)
    rescale: int = option(
        128, label="Re-scaled size (pixels):", unit="px", flag="--scale", minimum=64, maximum=512, step=8,
        flag_if=lambda o: o.do_rescale, help="Box of the movie particles.", **_EXTRACT,
    )  # fmt: skip
    do_norm: bool = option(
        True, label="Normalize movie-particles?", flag="--norm",
        help="Background mean 0, slope 0, standard deviation 1.", **_NORMALISE,
    )  # fmt: skip
    bg_diameter: float = option(
        -1.0, label="Diameter background circle (pix):", unit="px", flag="--bg_radius", minimum=-1, maximum=600,
        step=10, flag_if=_norm, to_flag=lambda value: int(value / 2) if value > 0 else -1,
        help="Not positive: three quarters of the box.", **_NORMALISE,
    )  # fmt: skip
    white_dust: float = option(
        -1.0, label="Stddev for white dust removal:", flag="--white_dust", minimum=-1, maximum=10, step=0.1,
        flag_if=_norm, help="Brighter pixels are replaced by noise; negative: off.", **_NORMALISE,
    )  # fmt: skip
    black_dust: float = option(
        -1.0, label="Stddev for black dust removal:", flag="--black_dust", minimum=-1, maximum=10, step=0.1,
        flag_if=_norm, help="Darker pixels are replaced by noise; negative: off.", **_NORMALISE,
    )  # fmt: skip
    movie_runavg_window: int = option(
        5, label="Running average window:", flag="--movie_frames_running_avg", minimum=1, maximum=15, step=1,
        help="Frames that are looked at together.", **_REFINE,
    )  # fmt: skip
    movie_sigma_offset: float = option(
        1.0, label="Stddev on the translations (pix):", unit="px", flag="--sigma_off", minimum=0.5, maximum=10,
        step=0.5, help="How far particles are expected from their refined place.", **_REFINE,
    )  # fmt: skip
    do_alsorot_movies: bool = option(
        False, label="Also include rotational searches?", flag="--skip_rotate", flag_when=False,
        help="Yes: look for rotations, too; not with batches. The flag --skip_rotate means No.", **_REFINE,
    )  # fmt: skip
    movie_sigma_angles: float = option(
        1.0, label="Stddev on the rotations (deg):", unit="°", flag="--sigma_ang", minimum=0.5, maximum=10,
        step=0.5, flag_if=lambda o: o.do_alsorot_movies,
        help="How far orientations are expected from the refined ones.", **_REFINE,
    )  # fmt: skip
