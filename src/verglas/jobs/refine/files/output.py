"""The files of one iteration: data, model, optimiser, sampling and references (pipeline.md §5.7).

They are the output and the checkpoint at once. Numbers are written with all their digits, so that a run that
goes on from them is the run that was not interrupted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.atomic import atomic_write
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.refine.files.angdist import write_angular_distributions
from verglas.jobs.refine.files.particles import PARTICLE_NUMBER, ParticleList

if TYPE_CHECKING:
    from verglas.em.state.model import Model, State
    from verglas.em.state.settings import EmSettings

SET_ASIDE = "set_aside.star"


def root_of_run(optimiser: str) -> str:
    """The root name of the run that an `_itNNN_optimiser.star` belongs to; "" for another file."""
    found = re.fullmatch(r"(.+)_it\d{3}_optimiser\.star", optimiser)
    return found[1] if found else ""


@dataclass(frozen=True)
class RunNames:
    """Root name of a run ("Class2D/job006/run") and the names of an iteration's files."""

    root: str
    solvent_mask: str = "None"
    pooled: int = 1  # --pool times threads: what RELION would hold at a time

    def iteration(self, number: int) -> str:
        return f"{self.root}_it{number:03d}"

    def moments(self, number: int) -> str:
        """Momentum of a VDAM run (a numpy archive of ours)."""
        return f"{self.iteration(number)}_moments.npz"

    def references(self, number: int, dims: int, n_classes: int) -> list[str]:
        """How model_classes names the references."""
        base = self.iteration(number)
        if dims == 2:
            return [f"{k + 1:06d}@{base}_classes.mrcs" for k in range(n_classes)]
        return [f"{base}_class{k + 1:03d}.mrc" for k in range(n_classes)]


def write_iteration(
    names: RunNames, settings: EmSettings, state: State, listed: ParticleList, command: str, version: str
) -> None:  # fmt: skip
    """Write all files of an iteration; the optimiser last, because it says that the others are there."""
    base = names.iteration(state.iteration)
    write_references(names, state)
    write_moments(names, state)
    if state.model.dims == 3 and not (settings.skip_align or settings.skip_rotate):
        write_angular_distributions(base, state)
    write_star(f"{base}_model.star", model_tables(names, settings, state, listed), precision="full")
    write_star(f"{base}_data.star", data_tables(state, listed), precision="full")
    write_star(f"{base}_sampling.star", sampling_tables(state), precision="full")
    comments = [f"# verglas refine; version {version}", f"# {command} "]
    optimiser = optimiser_table(names, settings, state)
    write_star(f"{base}_optimiser.star", [optimiser], comments=comments, precision="full")


def write_references(names: RunNames, state: State) -> None:
    """The stack of class averages, or one map per class; float32."""
    model, base = state.model, names.iteration(state.iteration)
    images = model.references.float().cpu().numpy()
    if model.dims == 2:
        write_mrc(f"{base}_classes.mrcs", images, model.pixel_size_angst)
        if model.unmasked is not None:  # one file, of the last iteration
            unmasked = model.unmasked.float().cpu().numpy()
            write_mrc(f"{names.root}_unmasked_classes.mrcs", unmasked, model.pixel_size_angst)
        return
    for k, image in enumerate(images):
        write_mrc(f"{base}_class{k + 1:03d}.mrc", image, model.pixel_size_angst)


def write_moments(names: RunNames, state: State) -> None:
    """The momentum of a gradient run, without which going on would not be going on."""
    moments = state.moments
    if moments is None:
        return
    with atomic_write(names.moments(state.iteration)) as out:
        np.savez(
            out, first=moments.first.cpu().numpy(), second=moments.second.cpu().numpy(),
            age=moments.age,
        )  # fmt: skip


def data_tables(state: State, listed: ParticleList) -> list[StarTable]:
    """Optics, and the particles with their poses; particles set aside are left out."""
    found, particles = state.assignments, listed.particles
    columns: dict[str, Any] = {
        "rlnGroupNumber": particles.scale_group + 1,
        "rlnAngleRot": found.rot_deg,
        "rlnAngleTilt": found.tilt_deg,
        "rlnAnglePsi": found.psi_deg,
        "rlnOriginXAngst": found.origin_yx_angst[:, 1],
        "rlnOriginYAngst": found.origin_yx_angst[:, 0],
        "rlnClassNumber": found.class_index + 1,
        "rlnNormCorrection": found.norm,
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


def model_tables(
    names: RunNames, settings: EmSettings, state: State, listed: ParticleList
) -> list[StarTable]:
    """All tables of `_model.star`."""
    model = state.model
    tables = [_model_general(settings, state, listed), _model_classes(names, settings, state)]
    tables += [_class_spectra(model, k) for k in range(model.n_classes)]
    tables += _groups(settings, model, listed)
    if model.dims == 3:
        tables += [
            StarTable.from_columns(
                f"model_pdf_orient_class_{k + 1}", {"rlnOrientationDistribution": weights}
            )
            for k, weights in enumerate(model.direction_weights)
        ]
    return tables


def _model_general(settings: EmSettings, state: State, listed: ParticleList) -> StarTable:
    model = state.model
    resolution = 1 / model.current_resolution if model.current_resolution > 0 else 999.0
    values: dict[str, Any] = {
        "rlnReferenceDimensionality": model.dims,
        "rlnDataDimensionality": 2,
        "rlnOriginalImageSize": model.box_size,
        "rlnCurrentResolution": resolution,
        "rlnCurrentImageSize": model.current_size,
        "rlnPaddingFactor": settings.padding,
        **_helix_general(settings),
        "rlnFourierSpaceInterpolator": 1,
        "rlnMinRadiusNnInterpolation": 10,
        "rlnPixelSize": model.pixel_size_angst,
        "rlnNrClasses": model.n_classes,
        "rlnNrBodies": 1,
        "rlnNrGroups": len(model.scale),
        "rlnTau2FudgeFactor": settings.tau2_fudge,
        "rlnNormCorrectionAverage": model.norm_average,
        "rlnSigmaOffsetsAngst": model.sigma_offset_angst,
        "rlnOrientationalPriorMode": int(settings.sigma_psi_deg > 0),
        "rlnSigmaPriorRotAngle": 0.0,
        "rlnSigmaPriorTiltAngle": 0.0,
        "rlnSigmaPriorPsiAngle": max(0.0, settings.sigma_psi_deg),
        "rlnLogLikelihood": model.log_likelihood,
        "rlnAveragePmax": model.average_p_max,
    }
    return StarTable.from_columns("model_general", values, is_list=True)


def _helix_general(settings: EmSettings) -> dict[str, Any]:
    """The flag of helices and what RELION writes where it is set: 2D averages have no twist."""
    helix = settings.helix
    if helix is None or helix.rise_angst <= 0:
        return {"rlnIsHelix": 0}
    rise = helix.rise_angst
    return {
        "rlnIsHelix": 1,
        "rlnNrHelicalAsymUnits": helix.n_asymmetric_units,
        "rlnHelicalTwistMin": 0.0,
        "rlnHelicalTwistMax": 0.0,
        "rlnHelicalTwistInitialStep": 0.0,
        "rlnHelicalRiseMin": rise,
        "rlnHelicalRiseMax": rise,
        "rlnHelicalRiseInitialStep": 0.0,
    }


def _model_classes(names: RunNames, settings: EmSettings, state: State) -> StarTable:
    from verglas.em.maximise.resolution import class_resolutions

    model = state.model
    resolution, completeness = class_resolutions(model)
    columns: dict[str, Any] = {
        "rlnReferenceImage": names.references(state.iteration, model.dims, model.n_classes),
        "rlnClassDistribution": model.class_weights,
        "rlnAccuracyRotations": model.accuracy_rot_deg,
        "rlnAccuracyTranslationsAngst": model.accuracy_shift_angst,
        "rlnEstimatedResolution": resolution,
        "rlnOverallFourierCompleteness": completeness,
    }
    if model.dims == 2:
        columns["rlnClassPriorOffsetX"] = model.class_offsets_angst[:, 1]
        columns["rlnClassPriorOffsetY"] = model.class_offsets_angst[:, 0]
    if settings.helix is not None and settings.helix.rise_angst > 0:
        columns["rlnHelicalRise"] = np.full(model.n_classes, settings.helix.rise_angst)
        columns["rlnHelicalTwist"] = np.zeros(model.n_classes)
    return StarTable.from_columns("model_classes", columns)


def _shell_columns(model: Model) -> dict[str, Any]:
    shells = np.arange(model.n_shells)
    frequency = shells / model.extent_angst
    angst = np.concatenate([[999.0], 1 / frequency[1:]])
    return {"rlnSpectralIndex": shells, "rlnResolution": frequency, "rlnAngstromResolution": angst}


def _class_spectra(model: Model, k: int) -> StarTable:
    columns = _shell_columns(model)
    columns |= {
        "rlnSsnrMap": model.data_vs_prior[k],
        "rlnGoldStandardFsc": np.zeros(model.n_shells),
        "rlnFourierCompleteness": model.coverage[k],
        "rlnReferenceSigma2": model.sigma2_reference[k],
        "rlnReferenceTau2": model.tau2[k],
        "rlnSpectralOrientabilityContribution": model.orientability[k],
    }
    return StarTable.from_columns(f"model_class_{k + 1}", columns)


def _groups(settings: EmSettings, model: Model, listed: ParticleList) -> list[StarTable]:
    """Scale groups and their noise: RELION 3.1 has one spectrum per group, ours is of the optics group."""
    particles = listed.particles
    counts = np.bincount(particles.scale_group, minlength=len(model.scale))
    columns = {
        "rlnGroupNumber": np.arange(len(counts)) + 1,
        "rlnGroupName": list(particles.group_names),
        "rlnGroupNrParticles": counts,
        "rlnGroupScaleCorrection": model.scale,
    }
    tables = [StarTable.from_columns("model_groups", columns)]
    shells = _shell_columns(model)
    for group in range(len(counts)):
        noise = model.sigma2_noise[noise_row(settings, listed, group)]
        table = {
            "rlnSpectralIndex": shells["rlnSpectralIndex"],
            "rlnResolution": shells["rlnResolution"],
            "rlnSigma2Noise": noise,
        }
        tables.append(StarTable.from_columns(f"model_group_{group + 1}", table))
    for number, noise in enumerate(model.sigma2_noise):
        table = {
            "rlnSpectralIndex": shells["rlnSpectralIndex"],
            "rlnResolution": shells["rlnResolution"],
            "rlnSigma2Noise": noise,
        }
        tables.append(StarTable.from_columns(f"model_optics_group_{number + 1}", table))
    return tables


def noise_row(settings: EmSettings, listed: ParticleList, group: int) -> int:
    """Which row of σ² holds the spectrum of a scale group (that of its first particle)."""
    if settings.parity.noise_per_scale_group:
        return group
    members = np.nonzero(listed.particles.scale_group == group)[0]
    return int(listed.particles.optics_group[members[0]]) if members.size else 0


def sampling_tables(state: State) -> list[StarTable]:
    """Tables of `_sampling.star`."""
    sampling, asked = state.sampling, state.sampling.original
    values: dict[str, Any] = {
        "rlnIs3DSampling": sampling.dims == 3,
        "rlnIs3DTranslationalSampling": 0,
    }
    if sampling.dims == 3:
        values["rlnHealpixOrder"] = sampling.healpix_order
        values["rlnSymmetryGroup"] = sampling.symmetry
        values["rlnTiltAngleLimit"] = sampling.limit_tilt_deg
    values |= {
        "rlnPsiStep": sampling.psi_step_deg,
        "rlnOffsetRange": sampling.offset_range_angst,
        "rlnOffsetStep": sampling.offset_step_angst,
        "rlnHelicalOffsetStep": -1.0,
        "rlnSamplingPerturbInstance": sampling.perturbation,
        "rlnSamplingPerturbFactor": sampling.perturb,
        "rlnHealpixOrderOriginal": asked.healpix_order,
        "rlnPsiStepOriginal": asked.psi_step_deg,
        "rlnOffsetRangeOriginal": asked.offset_range_angst,
        "rlnOffsetStepOriginal": asked.offset_step_angst,
    }
    values = {key: int(v) if isinstance(v, bool) else v for key, v in values.items()}
    return [StarTable.from_columns("sampling_general", values, is_list=True)]


def optimiser_table(names: RunNames, settings: EmSettings, state: State) -> StarTable:
    """`optimiser_general` with the labels of RELION 3.1 in its order."""
    from verglas.jobs.refine.files.optimiser import optimiser_values

    return StarTable.from_columns(
        "optimiser_general", optimiser_values(names, settings, state), is_list=True
    )
