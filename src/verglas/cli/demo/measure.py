"""What the demo's project holds, measured against the truth of its simulation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.cli.demo.maps import MapResults
from verglas.cli.demo.plan import PARTICLE_DIAMETER_ANGST, DemoPlan
from verglas.formats.star import StarTable, read_star
from verglas.simulate.score import (
    PickScore,
    class_purity,
    drift_rms,
    match_points,
    normalised_mutual_information,
    score_picks,
)

MATCH_SHARE = 0.25  # of the diameter: how far a pick may be from its particle


@dataclass(frozen=True)
class Figure:
    """One measured value and the bound the demo promises."""

    name: str
    value: float
    unit: str
    bound: float
    at_most: bool  # the bound is an upper one

    @property
    def good(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def shown(self) -> str:
        sign = "<=" if self.at_most else ">="
        unit = f" {self.unit}" if self.unit else ""
        verdict = "good" if self.good else "MISSED"
        return f"{self.name:<28} {self.value:8.3g}{unit:<3} ({sign} {self.bound:g}) {verdict}"


def measure(project: Path, session: Path, plan: DemoPlan) -> list[Figure]:
    """Drift, defocus, picks and classes of the finished chain."""
    truth = session / "truth"
    data = project / f"Class2D/job006/run_it{plan.iterations:03d}_data.star"
    purity, information = class_scores(data, truth, plan.session.pixel_size_angst)
    return [
        Figure("drift RMS", _drift(project, truth), "px", 0.5, at_most=True),
        Figure(
            "defocus error, median", _defocus(project, truth), "Å", plan.defocus_bound_angst, at_most=True
        ),
        Figure("picks F1", _picks(project, truth, plan).f1, "", 0.85, at_most=False),
        Figure("class purity", purity, "", 0.6, at_most=False),
        Figure("class NMI", information, "", 0.4, at_most=False),
    ]


def map_figures(results: MapResults) -> list[Figure]:
    """Resolutions of the maps made from nothing."""
    return [
        Figure("first map, FSC 0.5 with truth", results.first_angst, "Å", 25.0, at_most=True),
        Figure("map, FSC 0.5 with truth", results.refined_angst, "Å", 15.0, at_most=True),
    ]


def truth_of(truth: Path, micrograph: str) -> Path:
    return truth / f"{Path(micrograph).stem}.star"


def _xy(table: StarTable, prefix: str) -> np.ndarray:
    return np.stack([table.floats(f"{prefix}X"), table.floats(f"{prefix}Y")], axis=1)


def _drift(project: Path, truth: Path) -> float:
    """RMS over all movies of the whole-frame tracks."""
    squares = []
    for path in sorted((project / "MotionCorr/job002/Movies").glob("*.star")):
        found = _xy(read_star(path)["global_shift"], "rlnMicrographShift")
        true = _xy(read_star(truth / path.name)["global_shift"], "rlnMicrographShift")
        squares.append(drift_rms(found, -true) ** 2)
    return float(np.sqrt(np.mean(squares)))


def _defocus(project: Path, truth: Path) -> float:
    """Median over micrographs of the mean of |U - U true| and |V - V true|."""
    table = read_star(project / "CtfFind/job003/micrographs_ctf.star")["micrographs"]
    errors = []
    for row, name in enumerate(table.strings("rlnMicrographName")):
        true = read_star(truth_of(truth, name))["micrograph"]
        pair = [
            abs(table.floats(label)[row] - true.floats(label)[0]) for label in ("rlnDefocusU", "rlnDefocusV")
        ]
        errors.append(np.mean(pair))
    return float(np.median(errors))


def _picks(project: Path, truth: Path, plan: DemoPlan) -> PickScore:
    """Picks of all micrographs; a border of half a particle is left out on both sides."""
    total = PickScore(0, 0, 0)
    pixel = plan.session.pixel_size_angst
    for path in sorted((project / "AutoPick/job004/Movies").glob("*_autopick.star")):
        star = read_star(path)
        found = _xy(star.first, "rlnCoordinate") if len(star) else np.zeros((0, 2))
        name = path.name.removesuffix("_autopick.star")
        true = _xy(read_star(truth / f"{name}.star")["particles"], "rlnCoordinate")
        total = total + score_picks(
            found,
            true,
            MATCH_SHARE * PARTICLE_DIAMETER_ANGST / pixel,
            PARTICLE_DIAMETER_ANGST / 2 / pixel,
            plan.session.shape_yx,
        )
    return total


def class_scores(data: Path, truth: Path, pixel_size_angst: float) -> tuple[float, float]:
    """Purity and NMI of the classes in a `_data.star` against the folder of truth.

    A particle that is none counts as a view of its own. Pixels are those of the micrographs.
    """
    particles = read_star(data)["particles"]
    names = np.array(particles.strings("rlnMicrographName"))
    positions = _xy(particles, "rlnCoordinate")
    found = particles.ints("rlnClassNumber")
    views = np.zeros(len(particles), int)
    distance = MATCH_SHARE * PARTICLE_DIAMETER_ANGST / pixel_size_angst
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        true = read_star(truth_of(truth, str(name)))["particles"]
        match = match_points(positions[rows], _xy(true, "rlnCoordinate"), distance)
        views[rows] = np.where(match >= 0, true.ints("rlnClassNumber")[match], 0)
    return class_purity(found, views), normalised_mutual_information(found, views)
