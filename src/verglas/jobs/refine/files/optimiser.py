"""`_optimiser.star`: settings, counters and names of files under RELION's labels (pipeline.md §5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable
from verglas.jobs.refine.files.saved_settings import labelled, value_of

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings
    from verglas.jobs.refine.files.names import RunNames

OF_NO_ITERATION = -1  # RELION's number of the last iteration of an automatic refinement

# Labels of RELION 3.1 in its order, and what it writes for what is not in use here.
_RELION: dict[str, Any] = {
    "rlnOutputRootName": "",
    "rlnModelStarFile": "",
    "rlnModelStarFile2": None,
    "rlnExperimentalDataStarFile": "",
    "rlnOrientSamplingStarFile": "",
    "rlnCurrentIteration": 0,
    "rlnNumberOfIterations": 0,
    "rlnDoSplitRandomHalves": False,
    "rlnJoinHalvesUntilThisResolution": -1.0,
    "rlnAdaptiveOversampleOrder": 1,
    "rlnAdaptiveOversampleFraction": 0.999,
    "rlnRandomSeed": 0,
    "rlnParticleDiameter": -1.0,
    "rlnWidthMaskEdge": 5,
    "rlnDoZeroMask": False,
    "rlnDoSolventFlattening": False,
    "rlnDoSolventFscCorrection": False,
    "rlnSolventMaskName": "None",
    "rlnSolventMask2Name": "None",
    "rlnBodyStarFile": "None",
    "rlnTauSpectrumName": "None",
    "rlnMaximumCoarseImageSize": -1,
    "rlnHighresLimitExpectation": -1.0,
    "rlnLowresLimitExpectation": -1.0,
    "rlnIncrementImageSize": 10,
    "rlnDoMapEstimation": True,
    "rlnDoFastSubsetOptimisation": False,
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
    "rlnNumberOfIterWithoutResolutionGain": 0,
    "rlnBestResolutionThusFar": 0.0,
    "rlnNumberOfIterWithoutChangingAssignments": 0,
    "rlnDoSkipAlign": False,
    "rlnDoSkipRotate": False,
    "rlnOverallAccuracyRotations": 999.0,
    "rlnOverallAccuracyTranslationsAngst": 999.0,
    "rlnChangesOptimalOrientations": 999.0,
    "rlnChangesOptimalOffsets": 999.0,
    "rlnChangesOptimalClasses": 1.0,
    "rlnSmallestChangesOrientations": 999.0,
    "rlnSmallestChangesOffsets": 999.0,
    "rlnSmallestChangesClasses": 9999999,
    "rlnLocalSymmetryFile": "None",
    "rlnDoHelicalRefine": False,
    "rlnIgnoreHelicalSymmetry": False,
    "rlnFourierMask": "None",
    "rlnHelicalTwistInitial": 0.0,
    "rlnHelicalRiseInitial": 0.0,
    "rlnHelicalCentralProportion": 0.3,
    "rlnNrHelicalNStart": 1,
    "rlnHelicalMaskTubeInnerDiameter": -1.0,
    "rlnHelicalMaskTubeOuterDiameter": -1.0,
    "rlnHelicalSymmetryLocalRefinement": False,
    "rlnHelicalSigmaDistance": -1.0,
    "rlnHelicalKeepTiltPriorFixed": False,
    "rlnHasConverged": False,
    "rlnHasHighFscAtResolLimit": False,
    "rlnHasLargeSizeIncreaseIterationsAgo": 0,
    "rlnDoCorrectNorm": False,
    "rlnDoCorrectScale": False,
    "rlnDoCorrectCtf": False,
    "rlnDoIgnoreCtfUntilFirstPeak": False,
    "rlnCtfDataArePhaseFlipped": False,
    "rlnDoOnlyFlipCtfPhases": False,
    "rlnRefsAreCtfCorrected": True,
    "rlnFixSigmaNoiseEstimates": False,
    "rlnFixSigmaOffsetEstimates": False,
    "rlnMaxNumberOfPooledParticles": 1,
}

# field of State -> label. RELION keeps the smallest change of classes as a whole number, and not whether the
# sampling is fine enough.
_COUNTERS: dict[str, str] = {
    "resolution_stalled": "rlnNumberOfIterWithoutResolutionGain",
    "hidden_stalled": "rlnNumberOfIterWithoutChangingAssignments",
    "change_classes": "rlnChangesOptimalClasses",
    "change_angles_deg": "rlnChangesOptimalOrientations",
    "change_offsets_angst": "rlnChangesOptimalOffsets",
    "best_change_classes": "verglasSmallestChangesClasses",
    "best_change_angles_deg": "rlnSmallestChangesOrientations",
    "best_change_offsets_angst": "rlnSmallestChangesOffsets",
    "accuracy_rot_deg": "rlnOverallAccuracyRotations",
    "accuracy_shift_angst": "rlnOverallAccuracyTranslationsAngst",
    "has_high_fsc": "rlnHasHighFscAtResolLimit",
    "incr_size": "rlnIncrementImageSize",
    "fine_enough": "verglasSamplingIsFineEnough",
    "converged": "rlnHasConverged",
    "joined": "rlnHasConverged",
    "refs_are_ctf_corrected": "rlnRefsAreCtfCorrected",
}


def optimiser_table(names: RunNames, settings: EmSettings, state: State) -> StarTable:
    """`optimiser_general`: RELION 3.1's labels in its order, then those of RELION 4 and 5 and ours.

    RELION 3.1 keeps labels that it does not know.
    """
    known = labelled(settings, "optimiser") | _kind(settings, state)
    known |= {label: getattr(state, field) for field, label in _COUNTERS.items()}
    known |= _names(names, state)
    known["rlnSmallestChangesClasses"] = int(state.best_change_classes)
    known["rlnBestResolutionThusFar"] = state.model.current_resolution
    known["rlnMaxNumberOfPooledParticles"] = names.pooled
    values = _RELION | known
    values = {key: int(v) if isinstance(v, bool) else v for key, v in values.items() if v is not None}
    return StarTable.from_columns("optimiser_general", values, is_list=True)


def counters(optimiser: StarTable) -> dict[str, Any]:
    """Fields of State, as `optimiser_table` wrote them, or RELION."""
    from verglas.em.state.model import State

    defaults = {field: getattr(State, field) for field in _COUNTERS}
    whole = value_of(optimiser, "rlnSmallestChangesClasses", defaults["best_change_classes"])
    defaults["best_change_classes"] = whole
    return {field: value_of(optimiser, label, defaults[field]) for field, label in _COUNTERS.items()}


def _kind(settings: EmSettings, state: State) -> dict[str, Any]:
    """What kind of run it is: labels that decide which parts of the settings there are."""
    helix = settings.helix
    return {
        "rlnDoSplitRandomHalves": settings.halves is not None and not state.joined,
        "rlnDoAutoRefine": settings.halves is not None,
        "rlnDoHelicalRefine": helix is not None and helix.rise_angst > 0,
        "rlnDoGradientRefine": settings.gradient is not None,
        "verglasHelicalSegments": helix is not None,
        "verglasFollowsParticles": settings.streaming is not None,
    }


def _names(names: RunNames, state: State) -> dict[str, Any]:
    base, models = names.base(state), names.models(state)
    found: dict[str, Any] = {
        "rlnOutputRootName": names.root,
        "rlnModelStarFile": f"{models[0]}_model.star",
        "rlnModelStarFile2": f"{models[1]}_model.star" if len(models) > 1 else None,
        "rlnExperimentalDataStarFile": f"{base}_data.star",
        "rlnOrientSamplingStarFile": f"{base}_sampling.star",
        "rlnCurrentIteration": OF_NO_ITERATION if state.joined else state.iteration,
        "rlnSolventMaskName": names.solvent_mask,
    }
    moments = "None" if state.moments is None else names.moments(state.iteration)
    return found | {"verglasMomentsFile": moments}
