"""One movie: its movie particles cut out, and where each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from verglas.formats.stack import image_name
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.extract.settings import AUTOMATIC_RADIUS
from verglas.jobs.motioncorr.recorded import RecordedMotion
from verglas.jobs.movierefine.inputs import MICROGRAPH, MOTION_X, MOTION_Y, motion_of_movie
from verglas.jobs.movierefine.references import references_of_refinement
from verglas.jobs.polish.inputs import MicrographItem
from verglas.jobs.polish.settings import window_of
from verglas.particles.extraction import ExtractionSettings, extract_particles, normalise_particles
from verglas.polish.movie_offsets import MovieOffsets, movie_offsets, running_average
from verglas.polish.movie_spectra import Cutting, MovieSpectra, movie_spectra

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]
Flags = Mapping[str, Any]
REACH_SIGMAS, LEAST_REACH_PX = 3.0, 3.0
_ANGLES = ("rot_deg", "tilt_deg", "psi_deg")


def refine_movie(item: MicrographItem, stack: Path, listed: Path, flags: Flags) -> None:
    """Stack of movie particles, then their list: all frames of a particle, particle by particle."""
    motion = motion_of_movie(item)
    used = motion.used(flags["--first_movie_frame"], flags["--last_movie_frame"])
    groups = _groups(len(used), flags["--avg_movie_frames"])
    places = item.places_yx() * motion.binning
    seen = places[:, None] + motion.displacements(places, used)
    spectra, images = _read(item, motion, used, groups, seen, flags)
    found, angles = _search(item, spectra, flags)
    stack.parent.mkdir(parents=True, exist_ok=True)
    settings = _settings(flags, motion)
    pixel = motion.pixel_size_angst * settings.pixel_factor
    flat = images.reshape(-1, *images.shape[2:])
    write_stack(stack, flat, pixel)
    cut_off = seen - np.trunc(seen)  # windows begin at whole pixels
    beside = np.stack([cut_off[:, each].mean(axis=1) for each in groups], axis=1) * motion.pixel_size_angst
    offsets = found.places_px * item.group().pixel_size_angst
    write_star(listed, [_table(item, used, groups, str(stack), beside + offsets, angles, found, flags)])


def _groups(frames: int, size: int) -> list[slice]:
    """Frames of each movie particle; the last one takes what remains."""
    count = max(frames // size, 1)
    return [slice(n * size, (n + 1) * size if n < count - 1 else frames) for n in range(count)]


def _settings(flags: Flags, motion: RecordedMotion) -> ExtractionSettings:
    """Boxes are given in pixels of the micrograph, frames have those of the movie."""
    window = 2 * round(flags["--extract_size"] * motion.binning / 2)
    scale = flags["--scale"] if flags["--scale"] > 0 else flags["--extract_size"]
    radius = flags["--bg_radius"] if flags["--bg_radius"] > 0 else int(AUTOMATIC_RADIUS * scale)
    return ExtractionSettings(
        window, scale_px=scale, normalise=False, background_radius_px=radius, invert=flags["--invert_contrast"]
    )  # fmt: skip


def _read(
    item: MicrographItem, motion: RecordedMotion, used: range, groups: list[slice], seen: Floats, flags: Flags
) -> tuple[MovieSpectra, Array]:
    """Transforms for the search, and images (P, G, N, N) of the movie particles, in one pass."""
    group, settings = item.group(), _settings(flags, motion)
    count, side = len(item.table), settings.output_px
    images = np.zeros((count, len(groups), side, side), np.float32)
    group_of = {frame: g for g, each in enumerate(groups) for frame in range(each.start, each.stop)}

    def frames() -> Iterator[Any]:
        for number, frame in enumerate(motion.frames(motion.open(), used)):
            xy = seen[:, number, ::-1]
            images[:, group_of[number]] += extract_particles(frame, xy, settings)
            yield frame

    band = references_of_refinement(flags["--continue"]).band(group)
    window = window_of(group.box_size, group.pixel_size_angst, motion.pixel_size_angst)
    try:
        spectra = movie_spectra(frames(), seen, Cutting(window, group.box_size, band))
        if flags["--norm"]:
            _normalise(images, settings, flags)
    except ValueError as error:
        raise SetAside(str(error)) from error
    if len(groups) < len(used):
        spectra = _grouped(spectra, groups)
    return spectra, images


def _normalise(images: Array, settings: ExtractionSettings, flags: Flags) -> None:
    from verglas.particles.background import background_of
    from verglas.particles.dust import remove_dust

    around = background_of(images.shape[-1], settings.background_radius_px)
    for stack in images:
        if max(flags["--white_dust"], flags["--black_dust"]) > 0:
            remove_dust(stack, around, flags["--white_dust"], flags["--black_dust"], 1)
        normalise_particles(stack, around)


def _grouped(spectra: MovieSpectra, groups: list[slice]) -> MovieSpectra:
    """Sums of frames, on the scale that one movie particle has the noise of one frame of so many."""
    particles = (spectra.of(particle) for particle in range(len(spectra.values)))
    values = torch.stack([torch.stack([each[part].sum(0) for part in groups]) for each in particles])
    power = torch.stack([spectra.power[each].sum(0) for each in groups])
    return MovieSpectra(spectra.band, values, power, spectra.box_px)


def _search(
    item: MicrographItem, spectra: MovieSpectra, flags: Flags
) -> tuple[MovieOffsets, dict[str, Floats]]:
    """Offsets, and angles (P, G) where these are searched, too."""
    references = references_of_refinement(flags["--continue"])
    noise = spectra.noise()
    averaged = running_average(spectra, flags["--movie_frames_running_avg"])
    sigma = flags["--sigma_off"]
    reach = min(max(REACH_SIGMAS * sigma, LEAST_REACH_PX), spectra.box_px / 4)

    def offsets(turned: MicrographItem) -> MovieOffsets:
        predictions = references.predictions(turned, spectra.band, other=False)
        return movie_offsets(averaged, predictions, noise, sigma, reach)

    assert item.assignments is not None
    best = offsets(item)
    shape = best.log_posterior.shape
    angles = {name: np.repeat(getattr(item.assignments, name)[:, None], shape[1], 1) for name in _ANGLES}
    if flags["--skip_rotate"]:
        return best, angles
    for steps in product((-1.0, 0.0, 1.0), repeat=3):
        if not any(steps):
            continue
        turned = {
            name: getattr(item.assignments, name) + step * flags["--sigma_ang"]
            for name, step in zip(_ANGLES, steps)
        }
        tried = offsets(replace(item, assignments=replace(item.assignments, **turned)))
        tried = replace(tried, log_posterior=tried.log_posterior - 0.5 * sum(step**2 for step in steps))
        better = tried.log_posterior > best.log_posterior
        for name in _ANGLES:
            angles[name] = np.where(better, turned[name][:, None], angles[name])
        best = MovieOffsets(
            np.where(better[..., None], tried.places_px, best.places_px),
            np.where(better, tried.log_posterior, best.log_posterior),
            np.where(better, tried.probability, best.probability),
        )
    return best, angles


def _table(
    item: MicrographItem,
    used: range,
    groups: list[slice],
    stack: str,
    offsets_angst: Floats,  # (P, G, 2) as (y, x): where the particle is from where it was refined
    angles: dict[str, Floats],
    found: MovieOffsets,
    flags: Flags,
) -> StarTable:
    """Rows of the particles, once for each movie particle."""
    count, n = len(item.table), len(groups)
    rows = np.repeat(np.arange(count), n)
    table = item.table.take(rows)
    assert item.assignments is not None
    origins = np.repeat(item.assignments.origin_yx_angst, n, axis=0) - offsets_angst.reshape(-1, 2)
    frames = [used.start + each.start + 1 for each in groups]
    columns: dict[str, Any] = {
        "rlnImageName": [image_name(stack, index) for index in range(count * n)],
        "rlnParticleName": [name for name in item.table.strings("rlnImageName") for _ in range(n)],
        MICROGRAPH: [f"{frame:06d}@{item.name}" for _ in range(count) for frame in frames],
        "rlnMovieFrameNumber": frames * count,
        "rlnMovieFramesRunningAverage": [flags["--movie_frames_running_avg"]] * len(rows),
        "rlnOriginXAngst": origins[:, 1],
        "rlnOriginYAngst": origins[:, 0],
        "rlnMaxValueProbDistribution": found.probability.ravel(),
        MOTION_X: found.places_px[..., 1].ravel() * item.group().pixel_size_angst,
        MOTION_Y: found.places_px[..., 0].ravel() * item.group().pixel_size_angst,
    }
    labels = dict(zip(_ANGLES, ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")))
    columns |= {labels[name]: values.ravel() for name, values in angles.items()}
    return table.named("particles").with_columns(columns)
