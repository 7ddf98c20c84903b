"""The demo's maps against the true structure: resolution, sections and surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from verglas.cli.demo.plan import FIRST_MAP, REFINED_MAP, DemoPlan
from verglas.formats.mrc import read_mrc
from verglas.jobs.simulate.model import load_model
from verglas.maps.fitting import fit
from verglas.maps.isosurface import rendered_isosurface
from verglas.maps.pictures import Bytes, contact_sheet, enlarged
from verglas.maps.shell_correlation import fsc, resolution_angst
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.volume import model_map

_VOLUME_ANGST3 = 700_000 * 1.21  # of the proteasome: daltons times the volume of one in protein
_SCALE = 3


@dataclass(frozen=True)
class MapResults:
    """What was reached, and a picture: a row a map, the true structure last."""

    first_angst: float  # FSC 0.5 with the truth
    refined_angst: float
    picture: Bytes


def map_results(
    project: Path, plan: DemoPlan, names: tuple[str, str] = (FIRST_MAP, REFINED_MAP)
) -> MapResults:
    """The first map and the refined one, each laid on the true structure in the better hand."""
    pixel = plan.map_pixel_angst
    truth = torch.from_numpy(model_map(load_model(), ProjectionSettings(plan.rescaled, pixel))).float()
    reached, shown = [], []
    for name in names:
        angst, laid = _laid_on(project / name, truth, pixel)
        reached.append(angst)
        shown.append(laid)
    return MapResults(reached[0], reached[1], _picture([*shown, truth.numpy()], pixel))


def _laid_on(path: Path, truth: torch.Tensor, pixel_angst: float) -> tuple[float, np.ndarray]:
    """Resolution (Å) of FSC 0.5 with the truth, and the map moved onto it; of the better hand."""
    found = []
    for hand in (1, -1):
        density = np.array(read_mrc(path).data[::hand], np.float32)
        moved = fit(torch.from_numpy(density), truth).apply(density)
        curve = fsc(torch.from_numpy(moved).double(), truth.double())
        found.append((resolution_angst(curve, len(truth), pixel_angst, 0.5), moved))
    return min(found, key=lambda each: each[0])


def _picture(maps: list[np.ndarray], pixel_angst: float) -> Bytes:
    """Central sections along z and y, and the surface from the side, of every map."""
    middle = len(maps[0]) // 2
    sections = np.stack([part for each in maps for part in (each[middle], each[:, middle])])
    sheet = enlarged(contact_sheet(sections, 2), _SCALE)
    side = np.array([[1.0, 0, 0], [0, 0.26, 0.97], [0, -0.97, 0.26]])  # the long axis upright, leaning to us
    enclosed = round(_VOLUME_ANGST3 / pixel_angst**3)
    gap = np.full((2 * _SCALE, _SCALE * len(maps[0])), 32, np.uint8)
    column = []
    for each in maps:
        threshold = float(np.partition(each, -enclosed, axis=None)[-enclosed])
        column += [rendered_isosurface(each, threshold, side, _SCALE * len(each)), gap]
    return np.hstack([sheet, np.full((len(sheet), 2 * _SCALE), 32, np.uint8), np.vstack(column[:-1])])
