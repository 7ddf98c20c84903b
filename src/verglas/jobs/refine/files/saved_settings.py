"""Settings of a run that goes on, from the files of its iteration: ours, or RELION's (refinement.md §9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verglas.formats.star import StarFile, StarTable

if TYPE_CHECKING:
    from verglas.em.state.sampling import Steps
    from verglas.em.state.settings import (
        EmSettings,
        GradientSettings,
        HelixSettings,
        ParitySwitches,
    )


def flag_or(table: StarTable, label: str, default: bool = False) -> bool:
    """A flag that not every version writes."""
    return table.flag(label) if label in table else default


def number_or(table: StarTable, label: str, default: float) -> float:
    """A number that not every version writes."""
    return table.number(label) if label in table else default


def sampling_asked(table: StarTable) -> Steps:
    """The steps the user asked for; RELION before 3.1 has only those in use."""
    from verglas.em.state.sampling import Steps

    def asked(label: str, default: float = 0.0) -> float:
        return number_or(table, f"{label}Original", number_or(table, label, default))

    return Steps(
        int(asked("rlnHealpixOrder", 2)), asked("rlnPsiStep"), asked("rlnOffsetRange"),
        asked("rlnOffsetStep"),
    )  # fmt: skip


def saved_settings(
    optimiser: StarTable, model: StarFile, sampling: StarTable, parity: ParitySwitches
) -> EmSettings:
    from verglas.em.state.settings import EmSettings

    general = model["model_general"]
    flag, number = optimiser.flag, optimiser.number
    pixel = general.number("rlnPixelSize")
    asked = sampling_asked(sampling)
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
        healpix_order=asked.healpix_order if dims == 3 else 2,
        psi_step_deg=asked.psi_step_deg,
        offset_range_px=round(asked.offset_range_angst / pixel, 9),
        offset_step_px=round(asked.offset_step_angst / pixel, 9),
        perturb=sampling.number("rlnSamplingPerturbFactor"),
        symmetry=sampling.string("rlnSymmetryGroup") if dims == 3 else "C1",
        limit_tilt_deg=sampling.number("rlnTiltAngleLimit") if dims == 3 else -91.0,
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
        fast_subsets=flag_or(optimiser, "rlnDoFastSubsetOptimisation"),
        center_classes=flag_or(optimiser, "rlnDoCenterClasses"),
        allow_coarser=flag_or(optimiser, "verglasAllowCoarserSampling"),
        auto_sampling=flag_or(optimiser, "rlnDoAutoSampling"),
        ini_high_angst=number_or(optimiser, "verglasInitialLowPass", -1.0),
        firstiter_cc=flag_or(optimiser, "verglasFirstIterationCorrelates"),
        always_cc=flag_or(optimiser, "verglasAlwaysCorrelates"),
        max_significants=int(number_or(optimiser, "rlnMaximumSignificantPoses", -1)),
        gradient=_gradient(optimiser),
        helix=_helix(optimiser, general, parity),
        sigma_psi_deg=general.number("rlnSigmaPriorPsiAngle")
        if general.integer("rlnOrientationalPriorMode")
        else -1.0,
        random_seed=optimiser.integer("rlnRandomSeed"),
        parity=parity,
    )


def _gradient(optimiser: StarTable) -> GradientSettings | None:
    """VDAM settings of a gradient run (RELION 4, 5, or ours)."""
    from verglas.em.state.settings import GradientSettings

    if not flag_or(optimiser, "rlnDoGradientRefine"):
        return None
    number = optimiser.number
    return GradientSettings(
        ini_fraction=number_or(optimiser, "rlnSgdInitialIterationsFraction", 0.3),
        fin_fraction=number_or(optimiser, "rlnSgdFinalIterationsFraction", 0.2),
        momentum=number("rlnSgdMuFactor"),
        step_size=number("rlnSgdStepsize"),
        ini_subset=optimiser.integer("rlnSgdInitialSubsetSize"),
        fin_subset=optimiser.integer("rlnSgdFinalSubsetSize"),
        write_every=optimiser.integer("rlnSgdWriteEverySubset"),
        em_iterations=int(number_or(optimiser, "rlnGradEmIters", 0)),
        class_inactivity_threshold=number_or(optimiser, "rlnSgdClassInactivityThreshold", 0.0),
    )


def _helix(
    optimiser: StarTable, general: StarTable, parity: ParitySwitches
) -> HelixSettings | None:
    """Settings of helical segments: RELION has them where --helix or a tube was given.

    Its files do not say whether the polarity is searched.
    """
    from verglas.em.state.settings import HelixSettings

    restricted = flag_or(optimiser, "rlnDoHelicalRefine")
    diameter = number_or(optimiser, "rlnHelicalMaskTubeOuterDiameter", -1.0)
    if not restricted and diameter <= 0 and not flag_or(optimiser, "verglasHelicalSegments"):
        return None
    return HelixSettings(
        rise_angst=number_or(optimiser, "rlnHelicalRiseInitial", 0.0) if restricted else 0.0,
        outer_diameter_angst=diameter,
        bimodal_psi=flag_or(optimiser, "verglasBimodalPsi", not parity.forget_bimodal_psi),
        n_asymmetric_units=int(number_or(general, "rlnNrHelicalAsymUnits", 1)),
    )
