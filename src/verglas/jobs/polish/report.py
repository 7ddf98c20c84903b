"""What a polishing job shows: tracks over their micrographs, how far particles went, what frames are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verglas.formats.stack import open_stack
from verglas.formats.star import StarError
from verglas.jobs.polish.files import PolishFiles, read_tracks
from verglas.jobs.polish.inputs import MicrographItem
from verglas.jobs.polish.weights import read_weights
from verglas.jobs.summary.figures import save_figure
from verglas.jobs.summary.micrograph_log import Summary, write_summary
from verglas.jobs.summary.pictures import Row, micrograph_picture, or_nothing

MOTION, SPREAD = "verglasParticleMotionAngst", "verglasParticleMotionSpreadAngst"
ENLARGED = 10.0  # times, so that tracks can be seen
_DRAWN = 400


def write_report(directory: Path, done: Sequence[tuple[MicrographItem, PolishFiles]]) -> None:
    """`summary.html` with tracks, `logfile.pdf` and `bfactors.png`."""
    rows = [_row(item, files) for item, files in done]
    titles = {
        "rlnGroupNrParticles": "Particles per micrograph",
        MOTION: "Mean path of particles (Å)",
        SPREAD: "RMS of paths about the mean track (Å)",
    }
    write_summary(directory, Summary("Bayesian polishing", titles, _picture, SPREAD), rows)
    _write_figures(directory, rows)


def _row(item: MicrographItem, files: PolishFiles) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rlnMicrographName": item.name,
        "rlnGroupNrParticles": len(item.table),
        MOTION: float("nan"),
        SPREAD: float("nan"),
        "tracks": "",
    }
    if not files.tracks.exists():
        return row
    try:
        tracks = read_tracks(files.tracks)
    except (StarError, KeyError, ValueError):
        return row
    steps = np.diff(tracks, axis=1)
    moved = tracks - tracks[:, :1]
    row[MOTION] = float(np.hypot(*np.moveaxis(steps, -1, 0)).sum(axis=1).mean())
    row[SPREAD] = float(np.sqrt(((moved - moved.mean(axis=0)) ** 2).sum(axis=-1).mean()))
    row["tracks"] = str(files.tracks)
    row["places"] = item.places_yx()
    row["pixel"] = item.group().original_pixel_size_angst or 1.0
    return row


@or_nothing
def _picture(row: Row) -> str:
    """The micrograph, and its particles' tracks, enlarged, where they are."""
    with open_stack(row["rlnMicrographName"]) as stack:
        height, width = stack.shape_yx
    lines = tracks_svg(read_tracks(Path(row["tracks"])), row["places"], (height, width), row["pixel"])
    return f"{micrograph_picture(row)}{lines}"


def tracks_svg(tracks_angst: Any, places_yx: Any, shape_yx: tuple[int, int], pixel_angst: float) -> str:
    """Tracks (P, F, 2) at places (P, 2) of a micrograph; a dot where each begins."""
    height, width = shape_yx
    side = 240.0
    scale = side / max(height, width)
    parts = []
    for track, (y, x) in list(zip(tracks_angst, places_yx))[:_DRAWN]:
        moved = (track - track[0]) * (ENLARGED / pixel_angst) + (y, x)
        points = " ".join(f"{scale * b:.1f},{scale * a:.1f}" for a, b in moved)
        parts.append(f'<polyline class="track" points="{points}"/>')
        parts.append(f'<circle cx="{scale * x:.1f}" cy="{scale * y:.1f}" r="1.2"/>')
    title = f"<title>tracks of particles, {ENLARGED:g} times enlarged</title>"
    box = f"0 0 {scale * width:.0f} {scale * height:.0f}"
    return f'<svg viewBox="{box}" role="img">{title}{"".join(parts)}</svg>'


def write_weights_figure(directory: Path) -> None:
    """`logfile.pdf` and `bfactors.png` of a job that knows no tracks of micrographs."""
    _write_figures(directory, ())


def _write_figures(directory: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.3, 9))
    top, middle, bottom = figure.subplots(3)
    figure.subplots_adjust(0.11, 0.07, 0.97, 0.95, 0.2, 0.35)
    path = directory / "bfactors.star"
    if path.exists():
        weights = read_weights(path)
        frames = np.arange(len(weights.amplitude))
        top.plot(frames, -weights.b_factor_a2, "o-", markersize=3)
        middle.plot(frames, np.log(np.maximum(weights.amplitude, 1e-6)), "o-", markersize=3)
    top.set_title("What frames are worth", fontsize=10)
    top.set_ylabel("B-factor (Å²)")
    middle.set_ylabel("ln of the scale")
    middle.set_xlabel("frame, from 0")
    for label, title in ((MOTION, "mean path"), (SPREAD, "about the mean track")):
        values = np.array([row[label] for row in rows], float)
        if np.isfinite(values).any():
            bottom.hist(values[np.isfinite(values)], bins=30, histtype="step", label=title)
            bottom.legend(fontsize=8)
    bottom.set_xlabel("motion of particles (Å)")
    bottom.set_ylabel("micrographs")
    save_figure(figure, directory / "logfile.pdf")
    save_figure(figure, directory / "bfactors.png")
