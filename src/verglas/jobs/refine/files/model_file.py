"""`_model.star`: references, priors and spectra of one model (pipeline.md §5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.star import StarTable
from verglas.jobs.refine.files.names import references
from verglas.jobs.refine.files.particles import ParticleList
from verglas.jobs.refine.files.saved_settings import labelled

if TYPE_CHECKING:
    from verglas.em.state.model import Model
    from verglas.em.state.particles import Ints
    from verglas.em.state.sampling import Sampling
    from verglas.em.state.settings import EmSettings


def model_tables(
    base: str, settings: EmSettings, model: Model, sampling: Sampling, listed: ParticleList, rows: Ints
) -> list[StarTable]:
    """All tables of the `_model.star` of one model, whose files begin with `base`; `rows`: its particles."""
    general = _general(settings, model, sampling)
    tables = [general, _classes(base, settings, model)]
    tables += [_class_spectra(model, k) for k in range(model.n_classes)]
    tables += _groups(settings, model, listed, rows)
    if model.dims == 3:
        tables += [
            StarTable.from_columns(f"model_pdf_orient_class_{k + 1}", {"rlnOrientationDistribution": weights})
            for k, weights in enumerate(model.direction_weights)
        ]
    return tables


def _general(settings: EmSettings, model: Model, sampling: Sampling) -> StarTable:
    saved = labelled(settings, "model")
    resolution = 1 / model.current_resolution if model.current_resolution > 0 else 999.0
    values: dict[str, Any] = {
        "rlnReferenceDimensionality": model.dims,
        "rlnDataDimensionality": 2,
        "rlnOriginalImageSize": model.box_size,
        "rlnCurrentResolution": resolution,
        "rlnCurrentImageSize": model.current_size,
        "rlnPaddingFactor": saved["rlnPaddingFactor"],
        **_helix_general(settings),
        "rlnFourierSpaceInterpolator": 1,
        "rlnMinRadiusNnInterpolation": 10,
        "rlnPixelSize": model.pixel_size_angst,
        "rlnNrClasses": saved["rlnNrClasses"],
        "rlnNrBodies": 1,
        "rlnNrGroups": len(model.scale),
        "rlnTau2FudgeFactor": saved["rlnTau2FudgeFactor"],
        "rlnNormCorrectionAverage": model.norm_average,
        "rlnSigmaOffsetsAngst": model.sigma_offset_angst,
        **_prior_widths(settings, sampling),
        "rlnLogLikelihood": model.log_likelihood,
        "rlnAveragePmax": model.average_p_max,
    }
    return StarTable.from_columns("model_general", values, is_list=True)


def _prior_widths(settings: EmSettings, sampling: Sampling) -> dict[str, Any]:
    """σ of rot, tilt and psi in use: of local searches, or in 2D around the filament's psi."""
    widths = sampling.local_sigma_deg if sampling.dims == 3 else (0.0, 0.0, max(0.0, settings.sigma_psi_deg))
    labels = ("rlnSigmaPriorRotAngle", "rlnSigmaPriorTiltAngle", "rlnSigmaPriorPsiAngle")
    return {"rlnOrientationalPriorMode": int(max(widths) > 0)} | dict(zip(labels, widths))


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


def _classes(base: str, settings: EmSettings, model: Model) -> StarTable:
    from verglas.em.maximise.resolution import class_resolutions

    resolution, completeness = class_resolutions(model)
    columns: dict[str, Any] = {
        "rlnReferenceImage": references(base, model.dims, model.n_classes),
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
        "rlnGoldStandardFsc": model.gold_standard_fsc[k]
        if len(model.gold_standard_fsc)
        else np.zeros(model.n_shells),
        "rlnFourierCompleteness": model.coverage[k],
        "rlnReferenceSigma2": model.sigma2_reference[k],
        "rlnReferenceTau2": model.tau2[k],
        "rlnSpectralOrientabilityContribution": model.orientability[k],
    }
    return StarTable.from_columns(f"model_class_{k + 1}", columns)


def _groups(settings: EmSettings, model: Model, listed: ParticleList, rows: Ints) -> list[StarTable]:
    """Scale groups and their noise: RELION 3.1 has one spectrum per group, ours is of the optics group."""
    particles = listed.particles
    counts = np.bincount(particles.scale_group[rows], minlength=len(model.scale))
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
