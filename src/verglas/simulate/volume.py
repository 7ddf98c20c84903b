"""The true map of a model: its potential on a grid, band-limited, for judging reconstructions."""

from __future__ import annotations

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from verglas.simulate.model import AtomicModel
from verglas.simulate.projection import ProjectionSettings
from verglas.simulate.scattering import atom_potential, check_elements

_FINER = 2


def model_map(
    model: AtomicModel, settings: ProjectionSettings, b_factor_a2: float = 0.0
) -> NDArray[np.float32]:
    """Potential (z, y, x) in V of a centred model; its projections along z times the pixel size are V Å."""
    check_elements(model.elements, model.name)
    box, pixel = settings.box, settings.pixel_size_angst
    fine = box * _FINER
    hydrogens = bool(np.isin(model.elements, ["H", "D"]).any())
    places = model.coordinates[:, ::-1] / (pixel / _FINER) + box // 2 * _FINER
    k = scipy.fft.fftfreq(box, 1 / box)
    half = np.arange(box // 2 + 1)
    radius = np.sqrt(k[:, None, None] ** 2 + k[None, :, None] ** 2 + half**2) / (box * pixel)
    total = np.zeros((box, box, box // 2 + 1), np.complex64)
    for element in np.unique(model.elements):
        grid = np.zeros((fine, fine, fine), np.float32)
        _splat(places[model.elements == element].astype(np.float32), grid)
        spectrum = _cropped(scipy.fft.rfftn(grid, workers=1), box)
        spectrum *= atom_potential(str(element), radius, hydrogens_modelled=hydrogens, in_ice=settings.in_ice)
        total += spectrum
    spline = np.sinc(k / fine) ** 3
    total /= spline[:, None, None] * spline[None, :, None] * np.sinc(half / fine) ** 3
    total *= np.exp(-b_factor_a2 / 4 * radius**2) / pixel**3
    if box % 2 == 0:
        total[box // 2] = total[:, box // 2] = total[:, :, box // 2] = 0
    return scipy.fft.irfftn(total, s=(box, box, box)).astype(np.float32)


def _cropped(spectrum: NDArray[np.complex64], box: int) -> NDArray[np.complex64]:
    top = (box + 1) // 2
    spectrum = np.concatenate([spectrum[:top], spectrum[top - box :]], axis=0)
    spectrum = np.concatenate([spectrum[:, :top], spectrum[:, top - box :]], axis=1)
    return spectrum[:, :, : box // 2 + 1]


@numba.njit(cache=True)  # type: ignore[misc,unused-ignore]
def _splat(places: NDArray[np.float32], grid: NDArray[np.float32]) -> None:
    """Quadratic B-splines at (z, y, x); atoms outside the grid are left out."""
    size = grid.shape[0]
    weights = np.empty((3, 3), np.float32)
    whole = np.empty(3, np.int64)
    for i in range(places.shape[0]):
        inside = True
        for axis in range(3):
            whole[axis] = int(np.floor(places[i, axis] + 0.5))
            offset = places[i, axis] - whole[axis]
            weights[axis, 0] = 0.5 * (0.5 - offset) ** 2
            weights[axis, 2] = 0.5 * (0.5 + offset) ** 2
            weights[axis, 1] = 1 - weights[axis, 0] - weights[axis, 2]
            inside = inside and 1 <= whole[axis] <= size - 2
        if inside:
            for a in range(3):
                for b in range(3):
                    for c in range(3):
                        grid[whole[0] + a - 1, whole[1] + b - 1, whole[2] + c - 1] += (
                            weights[0, a] * weights[1, b] * weights[2, c]
                        )
