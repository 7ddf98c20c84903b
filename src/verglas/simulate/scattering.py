"""Electron scattering of neutral atoms: how strongly each element shows in an image.

Five-Gaussian factors f(q) = sum a_i exp(-b_i q²), q = sin(theta)/lambda = s/2 in 1/Å, f in Å, of Peng, Ren,
Dudarev & Whelan, Acta Cryst. A52, 257 (1996) = International Tables C, table 4.3.2.2.
The projected potential of an atom is 47.878 V Å² f; what it displaces of the surrounding ice is
subtracted as a Gaussian of the atom's volume (Fraser, MacRae & Suzuki, J. Appl. Cryst. 11, 693, 1978), for an
image shows only the difference.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from verglas.simulate.model import UnusableModel

VOLT_PER_FACTOR = 47.87801  # V Å²: h² / (2 pi m e)
ICE_POTENTIAL_V = 4.53  # vitreous ice of 0.93 g/cm³ in the same isolated-atom approximation

_FACTORS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "H": ((0.0349, 0.1201, 0.197, 0.0573, 0.1195), (0.5347, 3.5867, 12.3471, 18.9525, 38.6269)),
    "C": ((0.0893, 0.2563, 0.757, 1.0487, 0.3575), (0.2465, 1.71, 6.4094, 18.6113, 50.2523)),
    "N": ((0.1022, 0.3219, 0.7982, 0.8197, 0.1715), (0.2451, 1.7481, 6.1925, 17.3894, 48.1431)),
    "O": ((0.0974, 0.2921, 0.691, 0.699, 0.2039), (0.2067, 1.3815, 4.6943, 12.7105, 32.4726)),
    "F": ((0.1083, 0.3175, 0.6487, 0.5846, 0.1421), (0.2057, 1.3439, 4.2788, 11.3932, 28.7881)),
    "Na": ((0.2142, 0.6853, 0.7692, 1.6589, 1.4482), (0.3334, 2.3446, 10.083, 48.3037, 138.27)),
    "Mg": ((0.2314, 0.6866, 0.9677, 2.1882, 1.1339), (0.3278, 2.272, 10.9241, 39.2898, 101.9748)),
    "P": ((0.2548, 0.6106, 1.4541, 2.3204, 0.8477), (0.2908, 1.874, 8.5176, 24.3434, 63.2996)),
    "S": ((0.2497, 0.5628, 1.3899, 2.1865, 0.7715), (0.2681, 1.6711, 7.0267, 19.5377, 50.3888)),
    "Cl": ((0.2443, 0.5397, 1.3919, 2.0197, 0.6621), (0.2468, 1.5242, 6.1537, 16.6687, 42.3086)),
    "K": ((0.4115, 1.4031, 2.2784, 2.6742, 2.2162), (0.3703, 3.3874, 13.1029, 68.9592, 194.4329)),
    "Ca": ((0.4054, 1.388, 2.1602, 3.7532, 2.2063), (0.3499, 3.0991, 11.9608, 53.9353, 142.3892)),
    "Mn": ((0.3796, 1.2094, 1.7815, 2.542, 1.5937), (0.2699, 2.0455, 7.4726, 31.0604, 91.5622)),
    "Fe": ((0.3946, 1.2725, 1.7031, 2.314, 1.4795), (0.2717, 2.0443, 7.6007, 29.9714, 86.2265)),
    "Co": ((0.4118, 1.3161, 1.6493, 2.193, 1.283), (0.2742, 2.0372, 7.7205, 29.968, 84.9383)),
    "Ni": ((0.386, 1.1765, 1.5451, 2.073, 1.3814), (0.2478, 1.766, 6.3107, 25.2204, 74.3146)),
    "Cu": ((0.4314, 1.3208, 1.5236, 1.4671, 0.8562), (0.2694, 1.9223, 7.3474, 28.9892, 90.6246)),
    "Zn": ((0.4288, 1.2646, 1.4472, 1.8294, 1.0934), (0.2593, 1.7998, 6.75, 25.586, 73.5284)),
    "Se": ((0.4477, 1.1678, 1.5843, 2.8087, 1.1956), (0.2405, 1.5442, 6.3231, 19.461, 52.0233)),
    "Br": ((0.4798, 1.1948, 1.8695, 2.6953, 0.8203), (0.2504, 1.5963, 6.9653, 19.8492, 50.3233)),
    "Mo": ((0.6773, 1.4798, 3.1788, 3.0824, 1.8384), (0.292, 2.0606, 8.1129, 30.5336, 100.0658)),
    "I": ((0.7047, 1.9484, 2.594, 4.1526, 1.5057), (0.2455, 1.8638, 6.7639, 21.8007, 56.4395)),
}
_FACTORS["D"] = _FACTORS["H"]

# Volume an atom keeps from the ice, Å³. Where hydrogens are not modelled, heavy atoms carry theirs: the
# averages over protein residues (134 Å³, 7.85 heavy atoms and 7.8 hydrogens per residue).
_VOLUME_BARE = {"H": 5.15, "D": 5.15, "C": 16.44, "N": 2.49, "O": 9.13, "S": 19.86, "P": 5.73}
_VOLUME_UNITED = {"C": 20.5, "N": 12.0, "O": 10.5, "S": 23.0, "P": 15.0}
_OTHER_VOLUME = 12.0
_HYDROGENS = {"C": 1.3, "N": 1.1, "O": 0.25}


def known_elements() -> list[str]:
    """Element symbols with a scattering factor."""
    return list(_FACTORS)


def check_elements(elements: Iterable[str], name: str = "model") -> None:
    """Raise UnusableModel naming the elements that have no scattering factor."""
    unknown = sorted(set(elements) - set(_FACTORS))
    if unknown:
        raise UnusableModel(
            f"{name}: no scattering factor for element {', '.join(map(repr, unknown))}; "
            f"known: {', '.join(_FACTORS)}. Correct the element column or leave these atoms out"
        )


def scattering_factor(element: str, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """f in Å of a bare atom at spatial frequency s in 1/Å (any shape)."""
    heights, widths = _FACTORS[element]
    quarter = np.asarray(frequency) ** 2 / 4
    return sum((a * np.exp(-b * quarter) for a, b in zip(heights, widths)), np.zeros_like(quarter))


def atom_potential(
    element: str, frequency: NDArray[np.float64], *, hydrogens_modelled: bool, in_ice: bool = True
) -> NDArray[np.float64]:
    """Transform (V Å³) of one atom's potential at frequency s (1/Å), ice displaced if `in_ice`."""
    factor = scattering_factor(element, frequency)
    if not hydrogens_modelled:
        factor = factor + _HYDROGENS.get(element, 0.0) * scattering_factor("H", frequency)
    potential = VOLT_PER_FACTOR * factor
    if in_ice:
        table = _VOLUME_BARE if hydrogens_modelled else _VOLUME_UNITED
        volume = table.get(element, _OTHER_VOLUME)
        shape = np.exp(-np.pi * volume ** (2 / 3) * np.asarray(frequency) ** 2)
        potential = potential - ICE_POTENTIAL_V * volume * shape
    return potential


def interaction_constant(voltage_kv: float) -> float:
    """sigma in rad / (V Å): phase of the electron wave per projected potential (6.53e-4 at 300 kV)."""
    kinetic = voltage_kv * 1e3
    rest = 510998.95
    wavelength = 12.2643247 / np.sqrt(kinetic * (1 + 0.978466e-6 * kinetic))
    return float(2 * np.pi / (wavelength * kinetic) * (rest + kinetic) / (2 * rest + kinetic))
