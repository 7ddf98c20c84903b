"""From a particle STAR file to what the engine takes (pipeline.md §5.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.tables import after_job, before_optics_groups, read_list

if TYPE_CHECKING:
    from verglas.em.state.particles import Assignments, OpticsGroup, Particles

Floats = npt.NDArray[np.float64]
PARTICLE_NUMBER = "verglasParticleNumber"  # in the list that a run began with


@dataclass(frozen=True)
class ParticleList:
    """A particle file: its tables as they are, and what the engine makes of them."""

    optics_table: StarTable
    table: StarTable
    particles: Particles
    assignments: Assignments


def read_particles(path: str, *, with_ctf: bool, going_on: bool = False) -> ParticleList:
    """Read a particle list. Raises NothingToDo while there is none, JobFailed where it cannot be used.

    With `going_on` particles keep the numbers they had before others were set aside.
    """
    from verglas.em.state.particles import Particles

    star, table = read_list(path, "particles")
    optics_table = star.get("optics")
    if optics_table is None:
        raise JobFailed(before_optics_groups(path))
    optics, number = optics_groups(optics_table, path)
    groups = _optics_index(table, number, path)
    names = table.strings("rlnImageName")
    scale_group, group_names = _scale_groups(table)
    column = _Columns(table)
    if with_ctf:
        _check_microscope(optics_table, path)
    if with_ctf and "rlnDefocusU" not in table:
        raise JobFailed(f"{path} has no rlnDefocusU: run CTF estimation first, or leave out --ctf")
    defocus_u = column("rlnDefocusU")
    particles = Particles(
        names=tuple(names),
        optics=optics,
        optics_group=groups,
        scale_group=scale_group,
        group_names=group_names,
        defocus_u_angst=defocus_u,
        defocus_v_angst=column("rlnDefocusV", default=defocus_u),
        defocus_angle_deg=column("rlnDefocusAngle"),
        phase_shift_deg=column("rlnPhaseShift"),
        b_factor_a2=column("rlnCtfBfactor"),
        ctf_scale=column("rlnCtfScalefactor", default=1.0),
        psi_prior_deg=column("rlnAnglePsiPrior") if "rlnAnglePsiPrior" in table else None,
        number=table.ints(PARTICLE_NUMBER) if going_on and PARTICLE_NUMBER in table else None,
    )
    return ParticleList(optics_table, table, particles, _assignments(column, particles, with_ctf))


@dataclass(frozen=True)
class _Columns:
    table: StarTable

    def __call__(self, label: str, default: Floats | float = 0.0) -> Floats:
        if label in self.table:
            return np.array(self.table.floats(label))
        return np.broadcast_to(np.asarray(default, np.float64), len(self.table)).copy()


def optics_groups(table: StarTable, path: str) -> tuple[tuple[OpticsGroup, ...], dict[int, int]]:
    """Optics groups in file order, and position by group number."""
    from verglas.em.state.particles import OpticsGroup

    for label in ("rlnImageSize", "rlnImagePixelSize"):
        if label not in table:
            raise JobFailed(f"{path}: the optics table has no {label}")
    found = []
    for row in range(len(table)):
        number, vector = _numbers_of(table, row), _vectors_of(table, row)
        matrix = (
            number("rlnMagMat00", 1.0),
            number("rlnMagMat01", 0.0),
            number("rlnMagMat10", 0.0),
            number("rlnMagMat11", 1.0),
        )
        name = table.string("rlnOpticsGroupName", row) if "rlnOpticsGroupName" in table else str(row + 1)
        try:
            group = OpticsGroup(
                name,
                int(number("rlnImageSize", 0)),
                number("rlnImagePixelSize", 0.0),
                number("rlnVoltage", 300.0),
                number("rlnSphericalAberration", 2.7),
                number("rlnAmplitudeContrast", 0.1),
                bool(number("rlnCtfDataAreCtfPremultiplied", 0)),
                vector("rlnEvenZernike"),
                vector("rlnOddZernike"),
                (number("rlnBeamTiltX", 0.0), number("rlnBeamTiltY", 0.0)),
                None if matrix == (1, 0, 0, 1) else matrix,
                original_pixel_size_angst=number("rlnMicrographOriginalPixelSize", 0.0),
            )
        except ValueError as error:
            raise JobFailed(f"{path}: {error}") from error
        found.append(group)
    numbers = table.ints("rlnOpticsGroup") if "rlnOpticsGroup" in table else range(1, len(table) + 1)
    return tuple(found), {int(number): i for i, number in enumerate(numbers)}


def _check_microscope(optics_table: StarTable, path: str) -> None:
    """A CTF needs to know the microscope: silence about it would be a wrong CTF."""
    labels = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
    missing = [label for label in labels if label not in optics_table]
    if missing:
        raise JobFailed(
            f"{path}: the optics table has no {', '.join(missing)}, which the CTF needs: add it, or "
            "leave out --ctf"
        )
    for row in range(len(optics_table)):
        contrast, voltage = optics_table.number(labels[2], row), optics_table.number(labels[0], row)
        if not (0 <= contrast < 1 and voltage > 0):
            raise JobFailed(
                f"{path}: optics group {row + 1} has an amplitude contrast of {contrast:g} and {voltage:g} kV; "
                "expected at least 0 and less than 1, and a voltage above 0"
            )


def _optics_index(table: StarTable, number: dict[int, int], path: str) -> npt.NDArray[np.int64]:
    if "rlnOpticsGroup" not in table:
        return np.zeros(len(table), np.int64)
    groups = table.ints("rlnOpticsGroup")
    unknown = sorted(set(groups.tolist()) - set(number))
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise JobFailed(f"{path}: particles of optics group {listed}, which the optics table lacks")
    return np.array([number[int(group)] for group in groups], np.int64)


def _scale_groups(table: StarTable) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Intensity-scale groups: by rlnGroupName, else by micrograph, in order of name."""
    for label in ("rlnGroupName", "rlnMicrographName"):
        if label in table:
            names = [after_job(name) for name in table.strings(label)]
            known = sorted(set(names))
            position = {name: i for i, name in enumerate(known)}
            return np.array([position[name] for name in names], np.int64), tuple(known)
    return np.zeros(len(table), np.int64), ("group_1",)


def _assignments(column: _Columns, particles: Particles, with_ctf: bool) -> Assignments:
    """Poses of an earlier job where the file has them; unusable particles are set aside."""
    from verglas.em.state.particles import Assignments

    classes = column("rlnClassNumber").astype(np.int64) - 1
    found = Assignments(
        rot_deg=column("rlnAngleRot"),
        tilt_deg=column("rlnAngleTilt"),
        psi_deg=column("rlnAnglePsi"),
        origin_yx_angst=np.stack([column("rlnOriginYAngst"), column("rlnOriginXAngst")], 1),
        class_index=classes,
        norm=column("rlnNormCorrection", default=1.0),
        log_likelihood=column("rlnLogLikeliContribution"),
        p_max=column("rlnMaxValueProbDistribution"),
        n_significant=column("rlnNrOfSignificantSamples").astype(np.int64),
    )
    found.norm[~(found.norm > 0)] = 1.0
    if with_ctf:
        for row in np.nonzero(~np.isfinite(particles.defocus_u_angst + particles.defocus_v_angst))[0]:
            found.set_aside[int(row)] = "its defocus is not a number"
    return found


def _numbers_of(table: StarTable, row: int) -> Callable[[str, float], float]:
    """A row's numbers by label, with a default for missing columns."""

    def number(label: str, default: float) -> float:
        return table.number(label, row) if label in table else default

    return number


def _vectors_of(table: StarTable, row: int) -> Callable[[str], tuple[float, ...]]:
    """A row's vectors by label, empty where the column is missing."""

    def vector(label: str) -> tuple[float, ...]:
        return tuple(table.vectors(label)[row]) if label in table else ()

    return vector
