"""What a report tells of a project, collected once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from verglas import __version__
from verglas.formats.mrc import UnreadableImage
from verglas.formats.stack import read_images
from verglas.formats.star import StarError
from verglas.project.confinement import confined
from verglas.project.project import Project
from verglas.project.report.maps import MapShown, newest_map
from verglas.project.report.picks import PickedMicrograph, picked_micrograph
from verglas.project.results.accepted import Acceptance, ParticleCounts, acceptance, particle_counts
from verglas.project.results.acquisition import acquisition
from verglas.project.results.classes import averages, gallery, model_lists
from verglas.project.results.methods import Known, methods_paragraph
from verglas.project.results.micrographs import MicrographTable, micrograph_lists, micrograph_table
from verglas.project.results.settings_used import JobSettings, settings_used
from verglas.project.summary import job_summaries

Floats = NDArray[np.float64]
MOST_CLASSES = 40
EXTREMES = 5
_PAUSE_S, _PAUSE_MEDIANS = 600.0, 8.0
_LEFT_OUT = ("defocus_v_angst", "azimuth_deg", "motion_early_angst", "motion_late_angst")
_PACKAGES = ("numpy", "scipy", "torch", "numba")


@dataclass(frozen=True)
class Series:
    """One figure of the micrographs along the session, in its unit."""

    title: str
    unit: str
    values: Floats


@dataclass(frozen=True)
class Classes:
    """The newest class averages, largest first."""

    model: str
    iteration: int
    count: int
    best_angst: float | None
    images: NDArray[np.floating]  # (at most MOST_CLASSES, y, x)
    empty: int = 0  # classes without a particle


@dataclass(frozen=True)
class ReportFacts:
    """`times_s` are calendar times; `pauses` (begin, end) in between; the rest is as it is shown."""

    title: str
    root: str
    made: str
    particulars: list[tuple[str, str]]  # sample, microscope, dose, ...
    totals: list[tuple[str, str]]
    accepted: Acceptance | None
    times_s: Floats
    series: list[Series]
    pauses: list[tuple[float, float]]
    best: list[str]
    worst: list[str]
    picked: PickedMicrograph | None
    classes: Classes | None
    map: MapShown | None
    jobs: list[JobSettings]
    problems: list[tuple[str, str]]  # failed job, why
    versions: str
    methods: str


def report_facts(project: Project, sample: str = "", microscope: str = "") -> ReportFacts:
    """Reads the lists and models of the project; what cannot be read is left out."""
    table = _table(project)
    taken = acquisition(project)
    accepted, particles = acceptance(project), particle_counts(project)
    classes, jobs = _classes(project), settings_used(project)
    best = classes.best_angst if classes else None
    map_shown = newest_map(project)
    angst = map_shown.resolution_angst if map_shown else None
    known = Known(sample, microscope, taken, accepted, particles, table, jobs, best, angst)
    times = table.columns["time_s"] if table else np.zeros(0)
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    given = [("Sample", sample), ("Microscope", microscope), *taken.items()]
    low, high = _extremes(table)
    failed = [(job.name, job.reason) for job in job_summaries(project) if job.status == "Failed"]
    return ReportFacts(
        project.root.name,
        str(project.root),
        now,
        [(key, str(text)) for key, text in given if text],
        _totals(accepted, particles, table, times),
        accepted,
        times,
        _series(table),
        pauses_of(times),
        low,
        high,
        _picked(project, table),
        classes,
        map_shown,
        jobs,
        failed,
        _versions(),
        methods_paragraph(known),
    )


def _table(project: Project) -> MicrographTable | None:
    """The richest list that can be read and names micrographs."""
    for path in micrograph_lists(project):
        try:
            return micrograph_table(project, path)
        except (OSError, StarError):
            continue
    return None


def pauses_of(times_s: Floats) -> list[tuple[float, float]]:
    """Stretches without a new micrograph: over ten minutes and eight times the usual distance."""
    times = np.sort(times_s[np.isfinite(times_s)])
    if len(times) < 3:
        return []
    gaps = np.diff(times)
    least = max(_PAUSE_S, _PAUSE_MEDIANS * float(np.median(gaps)))
    return [(float(times[n]), float(times[n + 1])) for n in np.flatnonzero(gaps > least)]


def duration(seconds: float) -> str:
    """In the unit that tells something of it."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _totals(
    accepted: Acceptance | None, particles: ParticleCounts, table: MicrographTable | None, times: Floats
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if accepted is not None:
        share = f" ({100 * accepted.accepted / accepted.found:.0f} %)" if accepted.found else ""
        found += [("movies", f"{accepted.found:,}"), ("accepted", f"{accepted.accepted:,}{share}")]
    if table is not None and "picks" in table.columns:
        found.append(("picks", f"{int(np.nansum(table.columns['picks'])):,}"))
    if particles.extracted is not None:
        found.append(("particles", f"{particles.extracted:,}"))
    if particles.selected is not None:
        found.append(("in chosen classes", f"{particles.selected:,}"))
    known = times[np.isfinite(times)]
    if len(known) > 1:
        found.append(("duration", duration(float(np.ptp(known)))))
    return found


def _series(table: MicrographTable | None) -> list[Series]:
    found = []
    for kind in table.kinds if table is not None else []:
        values = table.columns[kind.key] if table is not None else np.zeros(0)
        if kind.key in _LEFT_OUT or not np.nanmax(np.abs(values)) > 0:
            continue
        found.append(Series(kind.title, kind.shown_unit or kind.unit, values * kind.shown_scale))
    return found


def _extremes(table: MicrographTable | None) -> tuple[list[str], list[str]]:
    """Best and worst by CTF fit, as "name: value"; no micrograph is both."""
    values = table.columns.get("ctf_resolution_angst") if table is not None else None
    if table is None or values is None:
        return [], []
    order = [int(row) for row in np.argsort(values, kind="stable") if np.isfinite(values[row])]
    shown = [f"{table.names[row].rsplit('/', 1)[-1]}: {values[row]:.2f} Å" for row in order]
    return shown[:EXTREMES], shown[max(EXTREMES, len(shown) - EXTREMES) :][::-1]


def _classes(project: Project) -> Classes | None:
    for model in model_lists(project):
        try:
            shown = gallery(project, model)
            if shown.dimensions != 2:
                continue
            filled = [row for row in shown.classes if not row.empty]
            rows = sorted(filled, key=lambda row: -row.share)[:MOST_CLASSES]
            named = zip(rows, averages(project, rows))
            real = [(str(confined(project, row.image.partition("@")[2])), index) for row, (_, index) in named]
            if not real:
                continue
            images = read_images(real)
        except (OSError, StarError, UnreadableImage):
            continue
        empty = sum(row.empty for row in shown.classes)
        return Classes(model, shown.iteration, len(shown.classes), shown.best_angst, images, empty)
    return None


def _picked(project: Project, table: MicrographTable | None) -> PickedMicrograph | None:
    """The micrograph with the best CTF fit, small, with a circle round each pick."""
    values = table.columns.get("ctf_resolution_angst") if table is not None else None
    if table is None or values is None or not np.isfinite(values).any():
        return None
    name = table.names[int(np.nanargmin(values))]
    try:
        return picked_micrograph(project, name, table.pixel_size_angst)
    except (OSError, StarError, UnreadableImage, ValueError):
        return None


def _versions() -> str:
    found = [f"verglas {__version__}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
