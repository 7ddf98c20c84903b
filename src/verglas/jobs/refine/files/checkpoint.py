"""Reading an iteration back: `--continue run_it005_optimiser.star`, ours or RELION's (refinement.md §9.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from verglas.formats.mrc import read_mrc
from verglas.formats.star import StarError, StarFile, StarTable, read_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.refine.files.half_sets import with_halves
from verglas.jobs.refine.files.optimiser import counters
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.files.saved_settings import sampling_asked, saved_settings

if TYPE_CHECKING:
    from verglas.em.state.model import Model, Moments, State
    from verglas.em.state.sampling import Sampling
    from verglas.em.state.settings import EmSettings, ParitySwitches


@dataclass(frozen=True)
class Checkpoint:
    """What the files of an iteration say."""

    settings: EmSettings
    state: State
    listed: ParticleList
    solvent_mask: str  # file, or None


def read_checkpoint(path: str, parity: ParitySwitches) -> Checkpoint:
    """Read optimiser, model, data and sampling files. Raises JobFailed naming what is missing."""
    try:
        optimiser = read_star(path)["optimiser_general"]
        models = [read_star(name) for name in _model_files(optimiser)]
        sampling_file = read_star(optimiser.string("rlnOrientSamplingStarFile"))
        sampling_table = sampling_file["sampling_general"]
        settings = saved_settings(optimiser, models[0]["model_general"], sampling_table, parity)
        data = optimiser.string("rlnExperimentalDataStarFile")
        listed = read_particles(data, with_ctf=settings.ctf, going_on=True)
        if settings.halves is not None:
            listed = with_halves(listed, data)
        _check_same_run(path, models, listed)
        sampling = _sampling(sampling_table, settings)
        state = _state(optimiser, [_model(each, listed, settings) for each in models], sampling, listed)
    except (StarError, OSError) as error:
        raise JobFailed(f"cannot go on from {path}: {error}") from error
    return Checkpoint(settings, state, listed, optimiser.string("rlnSolventMaskName"))


def _check_same_run(path: str, models: Sequence[StarFile], listed: ParticleList) -> None:
    """Raises JobFailed where model and particles cannot be of one run: their numbers would be mixed up."""
    for star in models:
        known = set(star["model_groups"].strings("rlnGroupName"))
        strange = sorted(set(listed.particles.group_names) - known)
        if strange:
            raise JobFailed(
                f"the files that {path} names are of different runs: {len(strange)} groups of its particles "
                f"(the first is {strange[0]}) are not in its model"
            )
        classes = star["model_classes"]
        if listed.assignments.class_index.max(initial=-1) >= len(classes):
            raise JobFailed(
                f"the files that {path} names are of different runs: its particles are of class "
                f"{listed.assignments.class_index.max() + 1}, its model has {len(classes)}"
            )


def _model_files(optimiser: StarTable) -> list[str]:
    labels = ("rlnModelStarFile", "rlnModelStarFile2")
    return [optimiser.string(label) for label in labels if label in optimiser]


def _sampling(table: StarTable, settings: EmSettings) -> Sampling:
    from verglas.em.state.sampling import Sampling

    return Sampling(
        dims=settings.dims,
        oversampling=settings.oversampling,
        psi_step_deg=table.number("rlnPsiStep"),
        offset_range_angst=table.number("rlnOffsetRange"),
        offset_step_angst=table.number("rlnOffsetStep"),
        healpix_order=table.integer("rlnHealpixOrder") if settings.dims == 3 else 2,
        symmetry=settings.symmetry,
        limit_tilt_deg=table.number("rlnTiltAngleLimit") if settings.dims == 3 else -91.0,
        perturb=settings.perturb,
        perturbation=table.number("rlnSamplingPerturbInstance"),
        asked=sampling_asked(table),
        local_sigma_deg=settings.local_sigma_deg if settings.dims == 3 else (0.0, 0.0, 0.0),
    )


def _model(star: StarFile, listed: ParticleList, settings: EmSettings) -> Model:
    from verglas.em.state.model import Model

    general, classes = star["model_general"], star["model_classes"]
    k = len(classes)
    tables = [star[f"model_class_{number + 1}"] for number in range(k)]

    def spectrum(label: str) -> np.ndarray:
        return np.stack([table.floats(label) for table in tables])

    def spectrum_or_zeros(label: str) -> np.ndarray:
        if all(label in table for table in tables):
            return spectrum(label)
        return np.zeros((k, len(tables[0])))  # RELION leaves out what it has not estimated

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
        gold_standard_fsc=spectrum_or_zeros("rlnGoldStandardFsc"),
        accuracy_rot_deg=np.array(classes.floats("rlnAccuracyRotations")),
        accuracy_shift_angst=np.array(classes.floats("rlnAccuracyTranslationsAngst")),
        orientability=spectrum_or_zeros("rlnSpectralOrientabilityContribution"),
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
        raise JobFailed("the model file lacks a noise spectrum (model_group_N or model_optics_group_N)")
    return np.array(table.floats("rlnSigma2Noise"))


def _scales(star: StarFile, listed: ParticleList) -> np.ndarray:
    """Intensity scales in the order of our groups, matched by name."""
    groups = star["model_groups"]
    known = dict(zip(groups.strings("rlnGroupName"), groups.floats("rlnGroupScaleCorrection")))
    return np.array([known.get(name, 1.0) for name in listed.particles.group_names])


def _state(optimiser: StarTable, models: Sequence[Model], sampling: Sampling, listed: ParticleList) -> State:
    from verglas.em.state.model import State

    return State(
        optimiser.integer("rlnCurrentIteration"),
        tuple(models),
        listed.assignments,
        sampling,
        **counters(optimiser),
        moments=_moments(optimiser),
    )


def _moments(optimiser: StarTable) -> Moments | None:
    """Momentum of a gradient run of ours; None: it starts anew."""
    name = optimiser.string("verglasMomentsFile") if "verglasMomentsFile" in optimiser else "None"
    if name == "None" or not Path(name).exists():
        return None
    import torch

    from verglas.em.state.model import Moments

    try:
        with np.load(name) as stored:
            first, second = (torch.from_numpy(stored[key]) for key in ("first", "second"))
            return Moments(first, second, stored["age"])
    except (ValueError, KeyError, BadZipFile) as error:
        raise JobFailed(f"{name} cannot be read: {error}") from error
