"""The files of one iteration: data, model, optimiser, sampling and references (pipeline.md §5.7).

They are the output and the checkpoint at once. Numbers are written with all their digits, so that a run that
goes on from them is the run that was not interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.refine.files.angdist import write_angular_distributions
from verglas.jobs.refine.files.model_file import model_tables
from verglas.jobs.refine.files.names import RunNames, references
from verglas.jobs.refine.files.optimiser import optimiser_table
from verglas.jobs.refine.files.particles import PARTICLE_NUMBER, ParticleList
from verglas.jobs.refine.files.saved_settings import labelled

if TYPE_CHECKING:
    from verglas.em.state.model import Model, State
    from verglas.em.state.sampling import Sampling
    from verglas.em.state.settings import EmSettings

SET_ASIDE = "set_aside.star"


def write_iteration(
    names: RunNames, settings: EmSettings, state: State, listed: ParticleList, command: str, version: str
) -> None:
    """Write all files of an iteration; the optimiser last, because it says that the others are there."""
    from verglas.em.schedule.common import usable_particles

    base = names.base(state)
    write_moments(names, state)
    if state.joined:
        write_half_maps(names, state)
    bases, used = names.models(state), usable_particles(state, len(listed.particles))
    for number, (model, own) in enumerate(zip(state.models, bases)):
        rows = used if len(bases) == 1 else listed.particles.of_half(used, number)
        write_references(names, own, model)
        # of a map that follows its particles all directions are as likely: run_data tells what was found
        searched = not (settings.skip_align or settings.skip_rotate) and settings.streaming is None
        if model.dims == 3 and searched:
            write_angular_distributions(own, model, state.sampling)
        tables = model_tables(own, settings, model, state.sampling, listed, rows)
        write_star(f"{own}_model.star", tables, precision="full")
    write_star(f"{base}_data.star", data_tables(state, listed), precision="full")
    sampling = sampling_tables(settings, state.sampling)
    write_star(f"{base}_sampling.star", sampling, precision="full")
    comments = [f"# verglas refine; version {version}", f"# {command} "]
    optimiser = optimiser_table(names, settings, state)
    write_star(f"{base}_optimiser.star", [optimiser], comments=comments, precision="full")


def write_references(names: RunNames, base: str, model: Model) -> None:
    """The stack of class averages, or one map per class; float32."""
    images = model.references.float().cpu().numpy()
    if model.dims == 2:
        write_mrc(f"{base}_classes.mrcs", images, model.pixel_size_angst)
        if model.unmasked is not None:  # one file, of the last iteration
            unmasked = model.unmasked.float().cpu().numpy()
            write_mrc(f"{names.root}_unmasked_classes.mrcs", unmasked, model.pixel_size_angst)
        return
    for name, image in zip(references(base, model.dims, model.n_classes), images):
        write_mrc(name, image, model.pixel_size_angst)


def write_half_maps(names: RunNames, state: State) -> None:
    """The half maps of the last iteration as the data alone say: what post-processing begins with."""
    for half, model in enumerate(state.models):
        if model.unfiltered is not None:
            image = model.unfiltered[0].float().cpu().numpy()
            write_mrc(names.unfiltered(half), image, model.pixel_size_angst)


def write_moments(names: RunNames, state: State) -> None:
    """The momentum of a gradient run, without which going on would not be going on."""
    moments = state.moments
    if moments is None:
        return
    with atomic_write(names.moments(state.iteration)) as out:
        np.savez(out, first=moments.first.cpu().numpy(), second=moments.second.cpu().numpy(), age=moments.age)


def data_tables(state: State, listed: ParticleList) -> list[StarTable]:
    """Optics, and the particles with their poses; particles set aside are left out."""
    found, particles = state.assignments, listed.particles
    half = {} if particles.half is None else {"rlnRandomSubset": particles.half + 1}
    columns: dict[str, Any] = {
        "rlnGroupNumber": particles.scale_group + 1,
        "rlnAngleRot": found.rot_deg,
        "rlnAngleTilt": found.tilt_deg,
        "rlnAnglePsi": found.psi_deg,
        "rlnOriginXAngst": found.origin_yx_angst[:, 1],
        "rlnOriginYAngst": found.origin_yx_angst[:, 0],
        "rlnClassNumber": found.class_index + 1,
        "rlnNormCorrection": found.norm,
        **half,
        "rlnLogLikeliContribution": found.log_likelihood,
        "rlnMaxValueProbDistribution": found.p_max,
        "rlnNrOfSignificantSamples": found.n_significant,
    }
    table = listed.table.with_columns(columns)
    keep = np.ones(len(table), bool)
    keep[list(found.set_aside)] = False
    if particles.number is not None or not keep.all():
        table = table.with_columns({PARTICLE_NUMBER: particles.numbers})
    return [listed.optics_table, table if keep.all() else table.take(keep)]


def write_set_aside(directory: Path, state: State, listed: ParticleList) -> None:
    """List the particles that could not be used and why; no file when there are none."""
    path = directory / SET_ASIDE
    aside = state.assignments.set_aside
    if not aside:
        path.unlink(missing_ok=True)
        return
    rows = sorted(aside)
    columns = {
        "rlnImageName": [listed.particles.names[row] for row in rows],
        "verglasReason": [" ".join(aside[row].split()) for row in rows],
    }
    write_star(path, [StarTable.from_columns("set_aside", columns)])


def sampling_tables(settings: EmSettings, sampling: Sampling) -> list[StarTable]:
    """Tables of `_sampling.star`."""
    saved, asked = labelled(settings, "sampling"), sampling.original
    values: dict[str, Any] = {"rlnIs3DSampling": sampling.dims == 3, "rlnIs3DTranslationalSampling": 0}
    if sampling.dims == 3:
        values["rlnHealpixOrder"] = sampling.healpix_order
        values["rlnSymmetryGroup"] = saved["rlnSymmetryGroup"]
        values["rlnTiltAngleLimit"] = saved["rlnTiltAngleLimit"]
    values |= {
        "rlnPsiStep": sampling.psi_step_deg,
        "rlnOffsetRange": sampling.offset_range_angst,
        "rlnOffsetStep": sampling.offset_step_angst,
        "rlnHelicalOffsetStep": -1.0,
        "rlnSamplingPerturbInstance": sampling.perturbation,
        "rlnSamplingPerturbFactor": saved["rlnSamplingPerturbFactor"],
        "rlnHealpixOrderOriginal": asked.healpix_order,
        "rlnPsiStepOriginal": asked.psi_step_deg,
        "rlnOffsetRangeOriginal": asked.offset_range_angst,
        "rlnOffsetStepOriginal": asked.offset_step_angst,
    }
    values = {key: int(v) if isinstance(v, bool) else v for key, v in values.items()}
    return [StarTable.from_columns("sampling_general", values, is_list=True)]
