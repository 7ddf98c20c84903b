"""What CTF refinement works on: particles by micrograph, their halves, the maps that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.micrograph_job import Inputs, Item
from verglas.jobs.contract.program import Arguments
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.images.stacks import split_name
from verglas.jobs.volumes.reference_halves import ReferenceHalves, read_reference_halves

if TYPE_CHECKING:
    from verglas.ctf.refinement.micrograph import FitSettings
    from verglas.em.state.particles import Particles

Ints = npt.NDArray[np.int64]
ROWS = "particles"  # of an item: places of its particles in the list
MICROGRAPH, HALF = "rlnMicrographName", "rlnRandomSubset"


@dataclass(frozen=True, kw_only=True)
class RefinementInputs(Inputs):
    """Micrographs with their particles' places, all particles, and two half maps."""

    listed: ParticleList
    half: Ints  # (n,) 0 or 1; -1: not said
    reference: ReferenceHalves


def read_refinement_inputs(flags: Arguments, settings: FitSettings) -> RefinementInputs:
    """Raises NothingToDo while something is missing, JobFailed naming what cannot be used."""
    path = flags["--i"]
    if not path:
        raise JobFailed("--i says which particles are refined")
    if not flags["--f"]:
        raise JobFailed("--f names the postprocess.star of the particles' map: run Post-processing first")
    listed = read_particles(path, with_ctf=True)
    _check_columns(listed, path)
    reference = read_reference_halves(
        flags["--f"], flags["--m1"], flags["--m2"], flags["--mask"], flags["--angpix_ref"]
    )
    _check_groups(listed, reference, settings)
    half = np.asarray(listed.table.ints(HALF), np.int64) - 1
    half[(half < 0) | (half > 1)] = -1
    if (half < 0).all():
        raise JobFailed(f"{path}: not one particle belongs to half 1 or 2 ({HALF})")
    items = _items(listed, flags["--min_MG"], flags["--max_MG"])
    return RefinementInputs(items=items, listed=listed, half=half, reference=reference)


def values_before(particles: Particles, rows: Ints) -> npt.NDArray[np.float64]:
    """U, V, angle, phase shift, B-factor and scale (n, 6) of particles as the list has them."""
    columns = (
        particles.defocus_u_angst,
        particles.defocus_v_angst,
        particles.defocus_angle_deg,
        particles.phase_shift_deg,
        particles.b_factor_a2,
        particles.ctf_scale,
    )
    return np.stack([column[rows] for column in columns], 1)


def _check_columns(listed: ParticleList, path: str) -> None:
    wanted = {
        MICROGRAPH: "which micrograph a particle is from",
        HALF: "which half of the data a particle belongs to: take the particles of a 3D auto-refine",
        "rlnAngleRot": "orientations: take the particles of a 3D auto-refine",
    }
    for label, what in wanted.items():
        if label not in listed.table:
            raise JobFailed(f"{path} has no {label}, so it does not say {what}")
    for group in listed.particles.optics:
        if group.ctf_premultiplied:
            raise JobFailed(
                f"{path}: the images of optics group {group.name} were multiplied by a CTF that would no longer "
                "hold: extract particles without it"
            )


def _check_groups(listed: ParticleList, reference: ReferenceHalves, settings: FitSettings) -> None:
    """Every optics group in use must see some of the frequencies."""
    import torch

    from verglas.ctf.refinement.band import band_of

    for number in np.unique(listed.particles.optics_group):
        group = listed.particles.optics[int(number)]
        try:
            band_of(
                group.box_size,
                group.pixel_size_angst,
                torch.from_numpy(reference.fsc),
                reference.extent_angst,
                settings.lowest_angst,
            )
        except ValueError as error:
            raise JobFailed(f"optics group {group.name}: {error}") from error
        if not settings.magnification and settings.odd and group.cs_mm == 0:
            raise JobFailed(f"optics group {group.name} has a Cs of 0: beam tilt has no effect there")


def _items(listed: ParticleList, first: int, last: int) -> tuple[Item, ...]:
    """One item a micrograph, in the order of the list."""
    names = np.array(listed.table.strings(MICROGRAPH))
    unique, start, inverse = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    chosen = np.argsort(start)[max(first, 0) : None if last < 0 else last + 1]
    if not len(chosen):
        raise JobFailed(f"micrographs {first} to {last} are none of the {len(unique)} there are")
    found = []
    for index in chosen:
        rows = parts[index]
        source = _stack_of(listed.particles.names[int(rows[0])])
        found.append(Item(str(unique[index]), {ROWS: rows}, source))
    return tuple(found)


def _stack_of(name: str) -> Path:
    try:
        return Path(split_name(name)[1])
    except ValueError as error:
        raise JobFailed(str(error)) from error
