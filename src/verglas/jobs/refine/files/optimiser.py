"""`_optimiser.star`: settings and counters under RELION's labels (pipeline.md §5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings
    from verglas.jobs.refine.files.output import RunNames


def optimiser_values(names: RunNames, settings: EmSettings, state: State) -> dict[str, Any]:
    """Label -> value in RELION 3.1's order; labels of ours at the end."""
    base, gradient = names.iteration(state.iteration), settings.gradient
    values: dict[str, Any] = {
        "rlnOutputRootName": names.root,
        "rlnModelStarFile": f"{base}_model.star",
        "rlnExperimentalDataStarFile": f"{base}_data.star",
        "rlnOrientSamplingStarFile": f"{base}_sampling.star",
        "rlnCurrentIteration": state.iteration,
        "rlnNumberOfIterations": settings.n_iterations,
        "rlnDoSplitRandomHalves": False,
        "rlnJoinHalvesUntilThisResolution": -1.0,
        "rlnAdaptiveOversampleOrder": settings.oversampling,
        "rlnAdaptiveOversampleFraction": settings.adaptive_fraction,
        "rlnRandomSeed": settings.random_seed,
        "rlnParticleDiameter": settings.particle_diameter_angst,
        "rlnWidthMaskEdge": int(settings.mask_edge_px),
        "rlnDoZeroMask": settings.zero_mask,
        "rlnDoSolventFlattening": settings.flatten_solvent,
        "rlnDoSolventFscCorrection": False,
        "rlnSolventMaskName": names.solvent_mask,
        "rlnSolventMask2Name": "None",
        "rlnBodyStarFile": "None",
        "rlnTauSpectrumName": "None",
        "rlnMaximumCoarseImageSize": settings.max_coarse_size,
        "rlnHighresLimitExpectation": settings.strict_highres_angst,
        "rlnLowresLimitExpectation": settings.strict_lowres_angst,
        "rlnIncrementImageSize": settings.incr_size,
        "rlnDoMapEstimation": settings.do_map,
        "rlnDoFastSubsetOptimisation": settings.fast_subsets,
        "rlnDoExternalReconstruct": False,
        "rlnDoStochasticGradientDescent": False,
        "rlnDoStochasticEM": False,
        "rlnSgdInitialIterations": 50,
        "rlnSgdFinalIterations": 50,
        "rlnSgdInBetweenIterations": 200,
        "rlnSgdInitialResolution": 35.0,
        "rlnSgdFinalResolution": 15.0,
        "rlnSgdInitialSubsetSize": gradient.ini_subset if gradient else 100,
        "rlnSgdFinalSubsetSize": gradient.fin_subset if gradient else 500,
        "rlnSgdMuFactor": gradient.momentum if gradient else 0.0,
        "rlnSgdSigma2FudgeInitial": 8.0,
        "rlnSgdSigma2FudgeHalflife": -1,
        "rlnSgdSkipAnneal": False,
        "rlnSgdSubsetSize": -1,
        "rlnSgdWriteEverySubset": gradient.write_every if gradient else 1,
        "rlnSgdStepsize": gradient.step_size if gradient else 0.5,
        "rlnDoAutoRefine": False,
        "rlnAutoLocalSearchesHealpixOrder": 4,
    }
    values |= _counters(settings, state)
    values |= _helix_and_flags(settings, state)
    values["rlnMaxNumberOfPooledParticles"] = names.pooled
    values |= _later_and_ours(names, settings, state)
    return {key: int(value) if isinstance(value, bool) else value for key, value in values.items()}


def _counters(settings: EmSettings, state: State) -> dict[str, Any]:
    return {
        "rlnNumberOfIterWithoutResolutionGain": state.resolution_stalled,
        "rlnBestResolutionThusFar": state.model.current_resolution,
        "rlnNumberOfIterWithoutChangingAssignments": state.hidden_stalled,
        "rlnDoSkipAlign": settings.skip_align,
        "rlnDoSkipRotate": settings.skip_rotate,
        "rlnOverallAccuracyRotations": state.accuracy_rot_deg,
        "rlnOverallAccuracyTranslationsAngst": state.accuracy_shift_angst,
        "rlnChangesOptimalOrientations": state.change_angles_deg,
        "rlnChangesOptimalOffsets": state.change_offsets_angst,
        "rlnChangesOptimalClasses": state.change_classes,
        "rlnSmallestChangesOrientations": state.best_change_angles_deg,
        "rlnSmallestChangesOffsets": state.best_change_offsets_angst,
        "rlnSmallestChangesClasses": int(state.best_change_classes),
    }


def _helix_and_flags(settings: EmSettings, state: State) -> dict[str, Any]:
    return {
        "rlnLocalSymmetryFile": "None",
        "rlnDoHelicalRefine": settings.helix is not None and settings.helix.rise_angst > 0,
        "rlnIgnoreHelicalSymmetry": False,
        "rlnFourierMask": "None",
        "rlnHelicalTwistInitial": 0.0,
        "rlnHelicalRiseInitial": settings.helix.rise_angst if settings.helix else 0.0,
        "rlnHelicalCentralProportion": 0.3,
        "rlnNrHelicalNStart": 1,
        "rlnHelicalMaskTubeInnerDiameter": -1.0,
        "rlnHelicalMaskTubeOuterDiameter": settings.helix.outer_diameter_angst
        if settings.helix
        else -1.0,
        "rlnHelicalSymmetryLocalRefinement": False,
        "rlnHelicalSigmaDistance": -1.0,
        "rlnHelicalKeepTiltPriorFixed": False,
        "rlnHasConverged": False,
        "rlnHasHighFscAtResolLimit": state.has_high_fsc,
        "rlnHasLargeSizeIncreaseIterationsAgo": 0,
        "rlnDoCorrectNorm": settings.correct_norm,
        "rlnDoCorrectScale": settings.correct_scale,
        "rlnDoCorrectCtf": settings.ctf,
        "rlnDoIgnoreCtfUntilFirstPeak": settings.ctf_intact_first_peak,
        "rlnCtfDataArePhaseFlipped": settings.ctf_phase_flipped,
        "rlnDoOnlyFlipCtfPhases": settings.only_flip_phases,
        "rlnRefsAreCtfCorrected": state.refs_are_ctf_corrected,
        "rlnFixSigmaNoiseEstimates": settings.fix_sigma_noise,
        "rlnFixSigmaOffsetEstimates": settings.fix_sigma_offset,
    }


def _later_and_ours(names: RunNames, settings: EmSettings, state: State) -> dict[str, Any]:
    """Labels of RELION 4 and 5, and what RELION does not write though a restart from iteration 0 needs it.

    RELION 3.1 keeps labels that it does not know.
    """
    from verglas.em.state.settings import GradientSettings

    gradient = settings.gradient or GradientSettings()
    moments = names.moments(state.iteration) if state.moments is not None else "None"
    return {
        "rlnDoGradientRefine": settings.gradient is not None,
        "rlnGradEmIters": gradient.em_iterations,
        "rlnSgdInitialIterationsFraction": gradient.ini_fraction,
        "rlnSgdFinalIterationsFraction": gradient.fin_fraction,
        "rlnSgdClassInactivityThreshold": gradient.class_inactivity_threshold,
        "rlnMaximumSignificantPoses": settings.max_significants,
        "rlnDoAutoSampling": settings.auto_sampling,
        "rlnDoCenterClasses": settings.center_classes,
        "verglasAllowCoarserSampling": settings.allow_coarser,
        "verglasInitialLowPass": settings.ini_high_angst,
        "verglasFirstIterationCorrelates": settings.firstiter_cc,
        "verglasAlwaysCorrelates": settings.always_cc,
        "verglasHelicalSegments": settings.helix is not None,
        "verglasBimodalPsi": settings.helix is not None and settings.helix.bimodal_psi,
        "verglasSmallestChangesClasses": float(state.best_change_classes),
        "verglasMomentsFile": moments,
    }
