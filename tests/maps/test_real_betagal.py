"""900 real β-galactosidase particles with published poses: hand and resolution against the atomic model."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.fourier import (
    BackProjector,
    centre_signs,
    crop_spectrum,
    forward,
    frequency_grid,
    inverse,
    shift_in_fourier,
    squared_radius,
)
from verglas.geometry import PointGroup, euler_matrices
from verglas.maps import fsc, half_map_fsc, reconstruct, resolution_angst, solvent_sphere
from verglas.optics import CtfParameters, ctf

pytestmark = pytest.mark.real
BOX, PIXEL_ANGST = 64, 3.54


def particle_sums(folder: Path) -> list[BackProjector]:
    """Sums of even and odd particles, symmetrised."""
    table = read_star(folder / "truth" / "matched_particles_published_pose.star")["particles"]
    stacks: dict[str, np.ndarray] = {}
    images = []
    for name in table.strings("rlnImageName"):
        number, path = name.split("@")
        if path not in stacks:
            stacks[path] = np.array(read_mrc(folder / "project" / path).data, dtype=np.float32)
        images.append(stacks[path][int(number) - 1])
    angles = [table.floats(f"rlnAngle{word}") for word in ("Rot", "Tilt", "Psi")]
    origins = [table.floats(f"rlnOrigin{axis}Angst") for axis in "YX"]
    defocus = (table.floats(f"rlnDefocus{word}") for word in ("U", "V", "Angle"))
    parameters = CtfParameters.of(*defocus, voltage_kv=200, cs_mm=1.4, amplitude_contrast=0.1)
    transfer = ctf(parameters, frequency_grid(BOX, PIXEL_ANGST))
    spectra = forward(torch.from_numpy(np.stack(images)))
    spectra = shift_in_fourier(spectra, torch.from_numpy(np.stack(origins, 1) / PIXEL_ANGST))
    spectra = spectra * centre_signs(BOX) * transfer
    matrices = euler_matrices(np.stack(angles, axis=1))
    halves = []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        sums = BackProjector.empty(BOX)
        sums.insert(spectra[half], transfer[half].square(), matrices[half])
        sums.make_hermitian()
        sums.symmetrise(PointGroup.of("D2").operators)
        halves.append(sums)
    return halves


def model_atoms(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Atoms (n, 3) centred with the two-fold axes along x, y, z, and their atomic numbers."""
    gemmi = pytest.importorskip("gemmi")
    atoms = [
        (*atom.pos.tolist(), atom.element.atomic_number)
        for chain in gemmi.read_structure(str(path))[0]
        for residue in chain
        if not residue.is_water()
        for atom in residue
    ]
    positions, weights = np.array(atoms)[:, :3], np.array(atoms)[:, 3]
    positions = positions - np.average(positions, axis=0, weights=weights)
    axes = np.linalg.eigh((positions * weights[:, None]).T @ positions)[1]
    if np.linalg.det(axes) < 0:
        axes[:, 0] *= -1
    return positions @ axes, weights


def density(positions: np.ndarray, weights: np.ndarray) -> torch.Tensor:
    """Gaussian atoms of B = 20 Å² on the particle's grid."""
    fine = 3 * BOX
    index = np.round(positions[:, ::-1] / (PIXEL_ANGST / 3)).astype(int) + fine // 2
    grid = np.zeros((fine, fine, fine), np.float32)
    np.add.at(grid, tuple(index.T), weights)
    spectrum = crop_spectrum(forward(torch.from_numpy(grid), 3), BOX, 3)
    decay = torch.exp(-squared_radius(BOX, 3) / (BOX * PIXEL_ANGST) ** 2 * 20 / 4)
    return inverse(spectrum * decay, dims=3)


def best_curve(volume: torch.Tensor, atoms: np.ndarray, weights: np.ndarray, hand: int) -> torch.Tensor:
    """FSC with the model in the best of the ways its axes can lie; hand -1 mirrors it."""
    mask = solvent_sphere(BOX, 50)
    curves = []
    for order in itertools.permutations(range(3)):
        turned = atoms[:, order].copy()
        turned[:, 0] *= np.linalg.det(np.eye(3)[list(order)]) * hand
        curves.append(fsc(volume * mask, density(turned, weights) * mask))
    return max(curves, key=lambda curve: float(curve[5:16].mean()))


def test_hand_and_resolution_against_the_atomic_model(real_data: Path) -> None:
    halves = particle_sums(real_data / "empiar10204_betagal")
    assert resolution_angst(half_map_fsc(*halves)[0], BOX, PIXEL_ANGST) < 9.5
    halves[0].add_(halves[1])
    volume = reconstruct(halves[0])[0]
    atoms, weights = model_atoms(real_data / "models" / "5a1a_betagalactosidase_D2.cif")
    right = best_curve(volume, atoms, weights, hand=1)
    wrong = best_curve(volume, atoms, weights, hand=-1)
    assert resolution_angst(right, BOX, PIXEL_ANGST, 0.5) <= 10
    assert float(right[5:16].mean()) > 0.88
    assert float(wrong[5:16].mean()) < 0.35
