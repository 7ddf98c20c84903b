"""Reading an iteration back: `--continue run_it005_optimiser.star`, ours or RELION's (refinement.md §9.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarError, StarFile, StarTable, read_star
from verglas.jobs.base import JobFailed
from verglas.jobs.refine_input import ParticleList, read_particles

if TYPE_CHECKING:
    from verglas.em.model import Model, State
    from verglas.em.sampling import Sampling
    from verglas.em.settings import EmSettings, ParitySwitches


@dataclass(frozen=True)
class Checkpoint:
    """What the files of an iteration say."""

    settings: EmSettings
    state: State
    listed: ParticleList
    root: str


def read_checkpoint(path: str, parity: ParitySwitches) -> Checkpoint:
    """Read optimiser, model, data and sampling files. Raises JobFailed naming what is missing."""
    try:
        optimiser = read_star(path)["optimiser_general"]
        model_file = read_star(optimiser.string("rlnModelStarFile"))
        ctf = optimiser.flag("rlnDoCorrectCtf")
        listed = read_particles(optimiser.string("rlnExperimentalDataStarFile"), with_ctf=ctf)
        sampling_table = read_star(optimiser.string("rlnOrientSamplingStarFile"))[
            "sampling_general"
        ]
        settings = _settings(optimiser, model_file, sampling_table, parity)
        model = _model(model_file, listed, settings)
        state = _state(optimiser, model, _sampling(sampling_table, settings), listed)
    except (StarError, OSError) as error:
        raise JobFailed(f"cannot go on from {path}: {error}") from error
    return Checkpoint(settings, state, listed, optimiser.string("rlnOutputRootName"))


def _settings(
    optimiser: StarTable, model: StarFile, sampling: StarTable, parity: ParitySwitches
) -> EmSettings:
    from verglas.em.settings import EmSettings

    general = model["model_general"]
    flag, number = optimiser.flag, optimiser.number
    pixel = general.number("rlnPixelSize")
    dims = general.integer("rlnReferenceDimensionality")
    return EmSettings(
        n_classes=general.integer("rlnNrClasses"),
        dims=dims,
        n_iterations=optimiser.integer("rlnNumberOfIterations"),
        tau2_fudge=general.number("rlnTau2FudgeFactor"),
        particle_diameter_angst=number("rlnParticleDiameter"),
        mask_edge_px=number("rlnWidthMaskEdge"),
        zero_mask=flag("rlnDoZeroMask"),
        flatten_solvent=flag("rlnDoSolventFlattening"),
        do_map=flag("rlnDoMapEstimation"),
        oversampling=optimiser.integer("rlnAdaptiveOversampleOrder"),
        healpix_order=sampling.integer("rlnHealpixOrder") if dims == 3 else 2,
        psi_step_deg=sampling.number("rlnPsiStep"),
        offset_range_px=sampling.number("rlnOffsetRange") / pixel,
        offset_step_px=sampling.number("rlnOffsetStep") / pixel,
        perturb=sampling.number("rlnSamplingPerturbFactor"),
        symmetry=sampling.string("rlnSymmetryGroup") if dims == 3 else "C1",
        skip_align=flag("rlnDoSkipAlign"),
        skip_rotate=flag("rlnDoSkipRotate"),
        max_coarse_size=optimiser.integer("rlnMaximumCoarseImageSize"),
        adaptive_fraction=number("rlnAdaptiveOversampleFraction"),
        incr_size=optimiser.integer("rlnIncrementImageSize"),
        strict_highres_angst=number("rlnHighresLimitExpectation"),
        strict_lowres_angst=number("rlnLowresLimitExpectation"),
        padding=general.number("rlnPaddingFactor"),
        ctf=flag("rlnDoCorrectCtf"),
        ctf_intact_first_peak=flag("rlnDoIgnoreCtfUntilFirstPeak"),
        ctf_phase_flipped=flag("rlnCtfDataArePhaseFlipped"),
        only_flip_phases=flag("rlnDoOnlyFlipCtfPhases"),
        refs_are_ctf_corrected=flag("rlnRefsAreCtfCorrected"),
        correct_norm=flag("rlnDoCorrectNorm"),
        correct_scale=flag("rlnDoCorrectScale"),
        fix_sigma_noise=flag("rlnFixSigmaNoiseEstimates"),
        fix_sigma_offset=flag("rlnFixSigmaOffsetEstimates"),
        fast_subsets=_flag(optimiser, "rlnDoFastSubsetOptimisation"),
        center_classes=_flag(optimiser, "rlnDoCenterClasses"),
        random_seed=optimiser.integer("rlnRandomSeed"),
        parity=parity,
    )


def _flag(table: StarTable, label: str, default: bool = False) -> bool:
    return table.flag(label) if label in table else default


def _sampling(table: StarTable, settings: EmSettings) -> Sampling:
    from verglas.em.sampling import Sampling

    return Sampling(
        dims=settings.dims,
        oversampling=settings.oversampling,
        psi_step_deg=table.number("rlnPsiStep"),
        offset_range_angst=table.number("rlnOffsetRange"),
        offset_step_angst=table.number("rlnOffsetStep"),
        healpix_order=settings.healpix_order,
        symmetry=settings.symmetry,
        limit_tilt_deg=table.number("rlnTiltAngleLimit") if settings.dims == 3 else -91.0,
        perturb=settings.perturb,
        perturbation=table.number("rlnSamplingPerturbInstance"),
    )


def _model(star: StarFile, listed: ParticleList, settings: EmSettings) -> Model:
    from verglas.em.model import Model

    general, classes = star["model_general"], star["model_classes"]
    k = len(classes)
    tables = [star[f"model_class_{number + 1}"] for number in range(k)]

    def spectrum(label: str) -> np.ndarray:
        return np.stack([table.floats(label) for table in tables])

    weights = np.array(classes.floats("rlnClassDistribution"))
    resolution = general.number("rlnCurrentResolution")
    return Model(
        references=_references(classes, settings.dims),
        pixel_size_angst=general.number("rlnPixelSize"),
        class_weights=weights,
        direction_weights=_direction_weights(star, weights, settings.dims),
        class_offsets_angst=_class_offsets(classes, k),
        sigma2_noise=_noise(star, listed, settings),
        tau2=spectrum("rlnReferenceTau2"),
        data_vs_prior=spectrum("rlnSsnrMap"),
        sigma2_reference=spectrum("rlnReferenceSigma2"),
        coverage=spectrum("rlnFourierCompleteness"),
        scale=_scales(star, listed),
        sigma_offset_angst=general.number("rlnSigmaOffsetsAngst"),
        norm_average=general.number("rlnNormCorrectionAverage"),
        current_resolution=1 / resolution if resolution > 0 else 0.0,
        current_size=general.integer("rlnCurrentImageSize"),
        log_likelihood=general.number("rlnLogLikelihood"),
        average_p_max=general.number("rlnAveragePmax"),
        accuracy_rot_deg=np.array(classes.floats("rlnAccuracyRotations")),
        accuracy_shift_angst=np.array(classes.floats("rlnAccuracyTranslationsAngst")),
        orientability=spectrum("rlnSpectralOrientabilityContribution"),
    )


def _references(classes: StarTable, dims: int) -> Any:
    """References (K, N, N[, N]) float32: slices of stacks, or one map per class."""
    import torch

    files: dict[str, np.ndarray] = {}
    images = []
    for name in classes.strings("rlnReferenceImage"):
        number, _, path = name.rpartition("@")
        if path not in files:
            files[path] = np.asarray(read_mrc(path).data)
        data = files[path]
        if dims == 2 and data.ndim == 3:
            data = data[int(number or 1) - 1]
        images.append(data)
    return torch.from_numpy(np.stack(images).astype(np.float32))


def _class_offsets(classes: StarTable, k: int) -> np.ndarray:
    if "rlnClassPriorOffsetX" not in classes:
        return np.zeros((k, 2))
    x, y = classes.floats("rlnClassPriorOffsetX"), classes.floats("rlnClassPriorOffsetY")
    return np.stack([y, x], 1)


def _direction_weights(star: StarFile, weights: np.ndarray, dims: int) -> np.ndarray:
    if dims == 2:
        return weights[:, None].copy()
    rows = [
        star[f"model_pdf_orient_class_{number + 1}"].floats("rlnOrientationDistribution")
        for number in range(len(weights))
    ]
    return np.stack(rows)


def _noise(star: StarFile, listed: ParticleList, settings: EmSettings) -> np.ndarray:
    """σ² per noise group: RELION 4 and later (and verglas) have optics groups, 3.1 scale groups."""
    n_scale, n_optics = len(listed.particles.group_names), len(listed.particles.optics)
    per_scale = [star.get(f"model_group_{number + 1}") for number in range(n_scale)]
    if settings.parity.noise_per_scale_group:
        return np.stack([_spectrum(table) for table in per_scale])
    per_optics = [star.get(f"model_optics_group_{number + 1}") for number in range(n_optics)]
    if all(table is not None for table in per_optics):
        return np.stack([_spectrum(table) for table in per_optics])
    counts = np.zeros((n_optics, n_scale))
    np.add.at(counts, (listed.particles.optics_group, listed.particles.scale_group), 1)
    spectra = np.stack([_spectrum(table) for table in per_scale])
    return counts @ spectra / np.maximum(counts.sum(1, keepdims=True), 1)


def _spectrum(table: StarTable | None) -> np.ndarray:
    if table is None:
        raise JobFailed(
            "the model file lacks a noise spectrum (model_group_N or model_optics_group_N)"
        )
    return np.array(table.floats("rlnSigma2Noise"))


def _scales(star: StarFile, listed: ParticleList) -> np.ndarray:
    """Intensity scales in the order of our groups, matched by name."""
    groups = star["model_groups"]
    known = dict(zip(groups.strings("rlnGroupName"), groups.floats("rlnGroupScaleCorrection")))
    return np.array([known.get(name, 1.0) for name in listed.particles.group_names])


def _state(optimiser: StarTable, model: Model, sampling: Sampling, listed: ParticleList) -> State:
    from verglas.em.model import State

    number = optimiser.number
    state = State(optimiser.integer("rlnCurrentIteration"), model, listed.assignments, sampling)
    return replace(
        state,
        resolution_stalled=optimiser.integer("rlnNumberOfIterWithoutResolutionGain"),
        hidden_stalled=optimiser.integer("rlnNumberOfIterWithoutChangingAssignments"),
        change_classes=number("rlnChangesOptimalClasses"),
        change_angles_deg=number("rlnChangesOptimalOrientations"),
        change_offsets_angst=number("rlnChangesOptimalOffsets"),
        best_change_classes=number("rlnSmallestChangesClasses"),
        best_change_angles_deg=number("rlnSmallestChangesOrientations"),
        best_change_offsets_angst=number("rlnSmallestChangesOffsets"),
        accuracy_rot_deg=number("rlnOverallAccuracyRotations"),
        accuracy_shift_angst=number("rlnOverallAccuracyTranslationsAngst"),
        has_high_fsc=_flag(optimiser, "rlnHasHighFscAtResolLimit"),
        refs_are_ctf_corrected=_flag(optimiser, "rlnRefsAreCtfCorrected", True),
    )
