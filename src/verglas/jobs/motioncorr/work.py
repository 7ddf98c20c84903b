"""One movie: from open file to finished output files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from verglas.formats.atomic import write_text
from verglas.formats.mrc import write_mrc
from verglas.formats.stack_writer import StackWriter
from verglas.jobs.motioncorr.files import MovieFiles
from verglas.jobs.motioncorr.gain_input import load_defects, load_gain
from verglas.jobs.motioncorr.metadata import MovieFacts, write_metadata
from verglas.jobs.motioncorr.plot import drift_eps

if TYPE_CHECKING:
    from verglas.formats.movies import Movie
    from verglas.motion.results import CorrectedMovie, Motion


def correct(
    movie: Movie,
    facts: MovieFacts,
    files: MovieFiles,
    flags: Mapping[str, Any],
    gain_turn: tuple[int, int],  # rotation and flip of the gain
    device: str,
    memory_bytes: int,
) -> None:
    """Correct one movie and write its files; the metadata comes last and says that all is there.

    Raises ValueError or UnreadableMovie with the reason why the movie cannot be used.
    """
    from verglas.motion.correction import correct_movie

    gain, defects = None, None
    if flags["--defect_file"]:
        defects = load_defects(flags["--defect_file"], movie.shape_yx)
    if flags["--gainref"]:
        gain = load_gain(flags["--gainref"], movie, *gain_turn).factors
    settings = settings_of(flags, facts, memory_bytes)
    with ExitStack() as stack:
        append = None
        if flags["--save_movies"]:
            pixel = facts.pixel_size_angst * facts.bin_factor
            writer = StackWriter(files.stack, pixel, dtype=_dtype(flags))
            append = stack.enter_context(writer).add
        result = correct_movie(
            movie, settings, gain=gain, defects=defects, aligned_frames=append, device=device
        )
        if not result.image.min() < result.image.max():
            raise ValueError("every pixel of the sum has the same value: the movie is empty")
    write_images(result, files, _dtype(flags))
    write_text(files.plot, _plot(facts, result.motion), durable=False)
    write_text(files.log, _log(facts, result.motion), durable=False)
    write_metadata(files.metadata, facts, result.motion)


def settings_of(flags: Mapping[str, Any], facts: MovieFacts, memory_bytes: int) -> Any:
    """Program flags as the settings of the numerics."""
    from verglas.motion.settings import MotionSettings

    return MotionSettings(
        pixel_size_angst=facts.pixel_size_angst,
        voltage_kv=facts.voltage_kv,
        dose_per_frame_e_a2=facts.dose_per_frame_e_a2,
        pre_exposure_e_a2=facts.pre_exposure_e_a2,
        first_frame=flags["--first_frame_sum"],
        last_frame=flags["--last_frame_sum"],
        bin_factor=facts.bin_factor,
        bfactor_px2=flags["--bfactor"],
        group_frames=flags["--group_frames"],
        patches_yx=(flags["--patch_y"], flags["--patch_x"]),
        max_iterations=flags["--max_iter"],
        weight_by_dose=flags["--dose_weighting"],
        keep_unweighted=flags["--save_noDW"],
        keep_even_odd=flags["--even_odd_split"],
        find_hot_pixels=not flags["--skip_defect"],
        frames_per_spectrum=flags["--grouping_for_ps"],
        spectrum_size=flags["--ps_size"],
        early_dose_e_a2=flags["--dose_motionstats_cutoff"],
        memory_bytes=memory_bytes,
    )


def write_images(result: CorrectedMovie, files: MovieFiles, dtype: Any) -> None:
    """All images of a result that are there."""
    pixel = result.pixel_size_angst
    for path, image in (
        (files.unweighted, result.unweighted),
        (files.even, result.even),
        (files.odd, result.odd),
        (files.image, result.image),
    ):
        if image is not None:
            write_mrc(path, image, pixel, dtype=dtype)
    if result.spectrum is not None:
        write_mrc(files.spectrum, result.spectrum, result.spectrum_pixel_angst)


def _dtype(flags: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.float16 if flags["--float16"] else np.float32


def _plot(facts: MovieFacts, motion: Motion) -> str:
    pixel = facts.pixel_size_angst
    track = [(x * pixel, y * pixel) for y, x in motion.shifts_yx.tolist()]
    patches: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in motion.patch_shifts:
        centre = (row.centre_yx[1], row.centre_yx[0])
        step = (row.shift_yx[1] * pixel, row.shift_yx[0] * pixel)
        patches.setdefault(centre, []).append(step)
    shape_xy = (float(motion.shape_yx[1]), float(motion.shape_yx[0]))
    return drift_eps(facts.movie_name, track, list(patches.items()), shape_xy)


def _log(facts: MovieFacts, motion: Motion) -> str:
    used = len(motion.shifts_yx)
    lines = [
        f"Working on {facts.movie_name}",
        f"Movie size: X = {motion.shape_yx[1]} Y = {motion.shape_yx[0]} N = {motion.n_frames}",
        f"Frames used: {motion.first_frame + 1} to {motion.first_frame + used}",
        f"Detected {len(motion.hot_pixels_yx)} hot pixels",
        f"Expected error of the global track: {motion.expected_rms_px:.3f} px rms",
        *motion.messages,
    ]
    return "\n".join([*lines, ""])
