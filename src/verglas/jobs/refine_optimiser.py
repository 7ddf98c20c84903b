"""`_optimiser.star`: settings and counters under RELION's labels (pipeline.md §5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verglas.em.model import State
    from verglas.em.settings import EmSettings
    from verglas.jobs.refine_output import RunNames


def optimiser_values(names: RunNames, settings: EmSettings, state: State) -> dict[str, Any]:
    """Label -> value in RELION 3.1's order; labels of ours at the end."""
    base = names.iteration(state.iteration)
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
        "rlnSolventMaskName": "None",
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
        "rlnSgdInitialSubsetSize": 100,
        "rlnSgdFinalSubsetSize": 500,
        "rlnSgdMuFactor": 0.0,
        "rlnSgdSigma2FudgeInitial": 8.0,
        "rlnSgdSigma2FudgeHalflife": -1,
        "rlnSgdSkipAnneal": False,
        "rlnSgdSubsetSize": -1,
        "rlnSgdWriteEverySubset": 1,
        "rlnSgdStepsize": 0.5,
        "rlnDoAutoRefine": False,
        "rlnAutoLocalSearchesHealpixOrder": 4,
    }
    values |= _counters(settings, state)
    values |= _helix_and_flags(settings, state)
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
        "rlnDoHelicalRefine": settings.helix is not None,
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
        "rlnMaxNumberOfPooledParticles": 30,
    }
