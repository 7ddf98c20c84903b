"""What a session's folder tells by itself: where movies are, and how they were taken.

Every value comes with its source; what nobody recorded is assumed (and said to be so) or has to be given.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path

from verglas.formats.epu import (
    UnreadableEpu,
    find_epu_session,
    read_epu_image,
    read_epu_session,
    xml_of_movie,
)
from verglas.formats.mdoc import UnreadableMdoc, mdoc_of_movie, read_mdoc
from verglas.formats.movies import MovieInfo
from verglas.scheduler.live.requests.facts import Fact, Intake, number_or_text
from verglas.scheduler.live.requests.movies_found import GAIN_NAME, find_wildcard, first_movie, some_movies

GAIN_ENDINGS = (".gain", ".mrc", ".tif", ".tiff", ".dm4", ".dm3")
EER_FRACTION_DOSE = 1.0  # e/A2 of a fraction that EER frames are grouped to


def look_at_session(source: str, given: dict[str, str]) -> Intake:
    """Everything about a session from its folder (or wildcard) and from what the user gave.

    `given` holds texts by flag name and goes before everything else. Raises NothingFound.
    """
    wildcard = find_wildcard(source, given.get("movies", ""))
    intake = Intake(wildcard)
    intake.facts["movies"] = Fact(wildcard, "given" if glob.has_magic(source) else f"found in {source}")
    first = first_movie(wildcard)
    if first is not None:
        intake.first = first
        _read_companions(intake, Path(first.path))
    for key, text in given.items():
        if key != "movies":
            intake.facts[key] = Fact(number_or_text(text), "given")
    _microscope(intake)
    if intake.first is not None:
        _pixel_size(intake, intake.first)
        _dose(intake, intake.first)
        _gain(intake, Path(intake.first.path))
    return intake


def _read_companions(intake: Intake, movie: Path) -> None:
    """Files that the microscope's program left beside the movie or above it."""
    xml = xml_of_movie(movie)
    try:
        if xml is not None:
            intake.epu = read_epu_image(xml)
        session = find_epu_session(movie)
        if session is not None:
            intake.session = read_epu_session(session)
    except UnreadableEpu as error:
        intake.warnings.append(str(error))
    mdoc = mdoc_of_movie(movie)
    candidates = [mdoc] if mdoc else sorted(movie.parent.glob("*.mdoc"))[:20]
    for path in candidates:
        try:
            found = read_mdoc(path)
        except UnreadableMdoc as error:
            intake.warnings.append(str(error))
            continue
        intake.warnings.extend(found.problems)
        section = found.section_of(movie.name)
        if section is not None:
            intake.mdoc = section
            return


def _add(intake: Intake, key: str, value: float | str | None, source: str, *, assumed: bool = False) -> None:
    """A fact, unless a better source gave it before."""
    if value is not None and value != "" and key not in intake.facts:
        intake.facts[key] = Fact(value, source, assumed)


def _microscope(intake: Intake) -> None:
    if intake.epu is not None:
        _add(intake, "kv", intake.epu.voltage_kv, f"EPU, {Path(intake.epu.path).name}")
    if intake.mdoc is not None:
        _add(intake, "kv", intake.mdoc.voltage_kv, "SerialEM's mdoc")
    _add(intake, "cs", 2.7, "no program records it; 2.7 mm is usual, 0.01 with a corrector", assumed=True)
    _add(intake, "amplitude-contrast", 0.1, "usual for ice", assumed=True)


def _pixel_size(intake: Intake, first: MovieInfo) -> None:
    epu, mdoc = intake.epu, intake.mdoc
    if epu is not None and epu.pixel_size_angst:
        width = epu.width or first.shape_yx[1]
        finer = first.shape_yx[1] / width if first.kind != "eer" else 1.0
        if abs(finer - round(finer)) < 0.05 and round(finer) >= 2:
            source = f"EPU's {epu.pixel_size_angst:.4f} Å over {round(finer)}: super-resolution frames"
            _add(intake, "pixel-size", epu.pixel_size_angst / round(finer), source)
            _add(intake, "bin", float(round(finer)), "back to physical pixels")
        _add(intake, "pixel-size", epu.pixel_size_angst, f"EPU, {Path(epu.path).name}")
    if mdoc is not None and mdoc.pixel_size_angst:
        _add(intake, "pixel-size", mdoc.pixel_size_angst, "SerialEM's mdoc (PixelSpacing)")
    if first.pixel_size_angst > 0:
        _add(intake, "pixel-size", first.pixel_size_angst, f"header of {Path(first.path).name}")


def _dose(intake: Intake, first: MovieInfo) -> None:
    epu, mdoc = intake.epu, intake.mdoc
    total: tuple[float, str] | None = None
    if "dose" in intake.facts:
        total = float(intake.facts["dose"].value), "given"
    elif epu is not None and epu.dose_e_a2:
        total = epu.dose_e_a2, "EPU's dose"
    elif mdoc is not None and mdoc.dose_e_a2:
        total = mdoc.dose_e_a2, "SerialEM's ExposureDose"
    if total is None:
        return
    frames = first.n_frames
    if first.kind == "eer":
        grouping = max(1, round(frames * EER_FRACTION_DOSE / total[0]))
        _add(intake, "eer-grouping", float(grouping), f"{EER_FRACTION_DOSE:g} e/Å² per fraction")
        frames = max(1, frames // int(intake.number("eer-grouping")))
    source = f"{total[1]} of {total[0]:.1f} e/Å² over {frames} frames"
    _add(intake, "dose-per-frame", total[0] / frames, source)


def _gain(intake: Intake, movie: Path) -> None:
    """A gain file near the movies, if their frames need one."""
    needed = intake.session.movies_need_gain if intake.session is not None else None
    if "gain" in intake.facts:
        _gain_turn(intake)
        return
    if needed is False:
        return
    names = [intake.mdoc.gain_name] if intake.mdoc is not None and intake.mdoc.gain_name else []
    for folder in list(dict.fromkeys([movie.parent, *list(movie.parents)[1:5]])):
        for path in _gain_files(folder, names):
            _add(intake, "gain", str(path), f"found in {folder}")
            _gain_turn(intake)
            return
    if needed or (intake.first is not None and intake.first.kind == "eer"):
        intake.warnings.append(
            "the movies are not gain-corrected and no gain reference was found near them: give --gain"
        )


def _gain_turn(intake: Intake) -> None:
    """Rotation and flip by the pixel pattern of the first movies, unless they were given."""
    if "gain-rot" in intake.facts or "gain-flip" in intake.facts:
        return
    from verglas.scheduler.live.record.sanity import find_gain_turn

    paths = [Path(info.path) for info in some_movies(intake.wildcard, 3)]
    match = find_gain_turn(paths, intake.text("gain"))
    if match is not None and not match.is_reciprocal and (match.rotation or match.flip):
        source = f"fits the pixel pattern of the first movies, {match.significance:.0f} sigma"
        _add(intake, "gain-rot", float(match.rotation), source)
        _add(intake, "gain-flip", float(match.flip), source)


def _gain_files(folder: Path, names: list[str]) -> list[Path]:
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []
    exact = [name for name in entries if name in names]
    likely = [
        name for name in entries if GAIN_NAME.search(name) and Path(name).suffix.lower() in GAIN_ENDINGS
    ]
    return [folder / name for name in [*exact, *likely]]
