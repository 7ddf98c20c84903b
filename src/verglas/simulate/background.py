"""What lies around the particles: vitreous ice, a carbon film, crystalline contamination.

Ice and carbon are random potentials with the structure factor of the material; where they are thick, fewer
electrons arrive (inelastic scattering, Beer-Lambert).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

Image = NDArray[np.float32]

ICE_MOLECULES_PER_A3 = 0.0311
ICE_MOLECULE_V_A3 = 145.6  # 47.878 V Å² x (f_O + 2 f_H) at s = 0
CARBON_ATOMS_PER_A3 = 0.1
CARBON_ATOM_V_A3 = 120.1
MEAN_FREE_PATH_ICE_ANGST = 3000.0  # for loss into the energy filter or outside the aperture, 300 kV
MEAN_FREE_PATH_CARBON_ANGST = 1600.0


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Ice, carbon and contamination of one field of view (lengths in Å)."""

    ice_thickness_angst: float = 350.0
    ice_gradient: float = 0.2  # relative change of the thickness across the field
    ice_waviness: float = 0.05  # relative standard deviation of its slow undulation
    ice_noise: float = 0.35  # 1 would be ice frozen during the exposure; it moves, and averages out
    carbon_share: float = 0.0  # share of the field covered by the film
    carbon_thickness_angst: float = 150.0
    crystals: int = 0  # ice crystals lying on the film
    crystal_diameter_angst: float = 700.0


@dataclass(frozen=True, slots=True)
class Background:
    """Ice and carbon potentials in V Å, transmitted share of the electrons, mask of carbon and crystals."""

    ice: Image  # (H, W)
    carbon: Image | None
    transmission: Image
    occupied: NDArray[np.bool_]


def make_background(
    shape_yx: tuple[int, int], pixel_size_angst: float, settings: BackgroundSettings, rng: np.random.Generator
) -> Background:
    """A random background of this shape."""
    thickness = ice_thickness(shape_yx, settings, rng)
    white = rng.standard_normal(shape_yx, np.float32)
    ice = coloured(white, pixel_size_angst, _water_structure)
    per_area = ICE_MOLECULES_PER_A3 * thickness
    ice *= settings.ice_noise * ICE_MOLECULE_V_A3 * np.sqrt(per_area) / np.float32(pixel_size_angst)
    film = carbon_mask(shape_yx, settings.carbon_share, rng)
    carbon = None
    if settings.carbon_share > 0:
        white = rng.standard_normal(shape_yx, np.float32)
        carbon = coloured(white, pixel_size_angst, _carbon_structure) * film
        atoms = CARBON_ATOMS_PER_A3 * settings.carbon_thickness_angst
        carbon *= np.float32(CARBON_ATOM_V_A3 * np.sqrt(atoms) / pixel_size_angst)
    crystal = crystals(shape_yx, pixel_size_angst, settings, rng)
    path = (thickness + crystal) / MEAN_FREE_PATH_ICE_ANGST
    path += film * np.float32(settings.carbon_thickness_angst / MEAN_FREE_PATH_CARBON_ANGST)
    occupied = (film > 0.05) | (crystal > 1)
    return Background(ice, carbon, np.exp(-path), occupied)


def ice_thickness(shape_yx: tuple[int, int], settings: BackgroundSettings, rng: np.random.Generator) -> Image:
    """Thickness of the ice in Å (H, W): a slope in a random direction and slow waves."""
    direction = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-0.5, 0.5, shape_yx[0], dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, shape_yx[1], dtype=np.float32)[None]
    relative = 1 + settings.ice_gradient * np.float32(np.cos(direction)) * x
    relative = relative + settings.ice_gradient * np.float32(np.sin(direction)) * y
    coarse = rng.standard_normal((7, 7)).astype(np.float32)
    zoom = (shape_yx[0] / 4, shape_yx[1] / 4)
    grid_y = np.linspace(1, 5, int(zoom[0]), dtype=np.float32)
    grid_x = np.linspace(1, 5, int(zoom[1]), dtype=np.float32)
    waves = scipy.ndimage.map_coordinates(
        coarse, np.meshgrid(grid_y, grid_x, indexing="ij"), order=3, mode="nearest"
    )
    relative = relative + settings.ice_waviness * _enlarged(waves.astype(np.float32), shape_yx)
    return np.maximum(settings.ice_thickness_angst * relative, 0).astype(np.float32)


def _enlarged(small: Image, shape_yx: tuple[int, int]) -> Image:
    """Nearest neighbour: the waves are so slow that more would not be seen."""
    rows = np.minimum(np.arange(shape_yx[0]) // 4, small.shape[0] - 1)
    columns = np.minimum(np.arange(shape_yx[1]) // 4, small.shape[1] - 1)
    return small[rows[:, None], columns[None]]


def coloured(white: Image, pixel_size_angst: float, structure: object) -> Image:
    """White noise with its power multiplied by structure(s), s in 1/Å."""
    spectrum = scipy.fft.rfft2(white)
    ky = np.fft.fftfreq(white.shape[0], pixel_size_angst).astype(np.float32)
    kx = np.fft.rfftfreq(white.shape[1], pixel_size_angst).astype(np.float32)
    squared = ky[:, None] ** 2 + kx[None] ** 2
    spectrum *= np.sqrt(structure(np.sqrt(squared)))  # type: ignore[operator]
    return scipy.fft.irfft2(spectrum, s=white.shape)


def ice_amplitude(s: Image, pixel_size_angst: float, thickness_angst: float, strength: float) -> Image:
    """What white noise (unit variance per pixel) is multiplied with at s to be ice, in V Å."""
    per_pixel = ICE_MOLECULE_V_A3 * np.sqrt(ICE_MOLECULES_PER_A3 * thickness_angst)
    amplitude = strength * per_pixel / pixel_size_angst * np.sqrt(_water_structure(s))
    return amplitude.astype(np.float32)


def _water_structure(s: Image) -> Image:
    """Structure factor of vitreous ice: stiff at low resolution, a ring at 3.7 Å."""
    s = np.asarray(s, np.float32)
    return 0.12 + 1.3 * np.exp(-(((s - 0.27) / 0.05) ** 2)) + 0.6 / (1 + np.exp((0.35 - s) / 0.03))


def _carbon_structure(s: Image) -> Image:
    """Amorphous carbon: nearly white, a weak ring at 3.6 Å."""
    return 0.25 + 0.25 * np.exp(-(((np.asarray(s, np.float32) - 0.28) / 0.08) ** 2))


def carbon_mask(shape_yx: tuple[int, int], share: float, rng: np.random.Generator) -> Image:
    """1 on the film, 0 in the hole: the round edge of a hole much larger than the field; (H, W)."""
    if share <= 0:
        return np.zeros(shape_yx, np.float32)
    if share >= 1:
        return np.ones(shape_yx, np.float32)
    height, width = shape_yx
    angle = rng.uniform(0, 2 * np.pi)
    radius = 2.0 * max(height, width)
    y = np.arange(height, dtype=np.float32)[:, None] - height / 2 - radius * np.float32(np.sin(angle))
    x = np.arange(width, dtype=np.float32)[None] - width / 2 - radius * np.float32(np.cos(angle))
    distance = np.sqrt(y**2 + x**2)
    distance += 3 * _enlarged(rng.standard_normal((height // 4, width // 4)).astype(np.float32), shape_yx)
    edge = np.quantile(distance[::8, ::8], 1 - share)
    return np.clip((distance - edge) / 6 + 0.5, 0, 1).astype(np.float32)


def crystals(
    shape_yx: tuple[int, int], pixel_size_angst: float, settings: BackgroundSettings, rng: np.random.Generator
) -> Image:
    """Extra thickness in Å of ice crystals (H, W): lumps of overlapping rounded facets."""
    thickness = np.zeros(shape_yx, np.float32)
    for _ in range(settings.crystals):
        centre = rng.uniform(0, 1, 2) * shape_yx
        size = settings.crystal_diameter_angst / 2 / pixel_size_angst * rng.uniform(0.5, 1.3)
        for _ in range(rng.integers(2, 5)):
            place = centre + rng.normal(0, 0.4, 2) * size
            _add_facet(thickness, place, size * rng.uniform(0.5, 0.9), rng)
    return scipy.ndimage.gaussian_filter(thickness, 12 / pixel_size_angst) if settings.crystals else thickness


def _add_facet(
    thickness: Image, centre: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> None:
    """Lay one lump, 300 to 1,200 Å thick and thinner towards its edge, on what is there."""
    low = np.maximum((centre - 1.5 * radius).astype(int), 0)
    high = np.minimum((centre + 1.5 * radius).astype(int) + 1, thickness.shape)
    if (low >= high).any():
        return
    y = np.arange(low[0], high[0])[:, None] - centre[0]
    x = np.arange(low[1], high[1])[None] - centre[1]
    angle = np.arctan2(y, x)
    edge = radius * np.ones_like(angle)
    for wave in (2, 3, 5, 7):
        edge += radius * rng.normal(0, 0.12 / wave**0.5) * np.cos(wave * angle + rng.uniform(0, 7))
    depth = np.clip((edge - np.hypot(y, x)) / (0.6 * radius), 0, 1) ** 0.7
    thickness[low[0] : high[0], low[1] : high[1]] += (depth * rng.uniform(300, 1200)).astype(np.float32)
