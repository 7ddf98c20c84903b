"""The options of the engine, each stated once: flag, default, help, field of the settings, label in the files.

The command line (`flags.py`), the settings of new and continued runs (`settings.py`) and the files of an
iteration (`files/saved_settings.py`, `files/optimiser.py`) are loops over this table. A job's form names the flag
(`option(..., flag=...)`) and so has the same option.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verglas.jobs.contract.program import Flag

GENERAL = "General options"
START = "Initialisation"
POSES = "Orientations"
AUTO = "3D auto-refine"
STREAM = "A map that follows its particles"
HELIX = "Helical reconstruction"
CORRECT = "Corrections"
GRADIENT = "Gradient optimisation (VDAM)"
COMPUTE = "Computation"
EXPERT = "Expert options"

_BEGUN = "it decides how a run begins"
_DATA = "it says what the images are"
_SHAPE = "the files of the iteration hold what it decided"


@dataclass(frozen=True)
class EngineOption:
    """One option. `field`: of EmSettings, or of a part of it ("gradient.momentum").

    `flag` is empty for what only files say. `label` is that of RELION, or of ours where RELION does not keep the
    option; `file` the one it is in.
    """

    flag: str
    default: Any
    help: str
    section: str
    field: str
    label: str = ""
    file: str = "optimiser"
    fixed: str = ""  # why a run that goes on cannot change it; "": it can
    off: str = ""  # the flag that switches it off
    absent: Any = None  # value where files lack the label; None: the default

    @property
    def part(self) -> str:
        """The part of the settings that has the field; "": the settings themselves."""
        return self.field.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The field's name in its part."""
        return self.field.rpartition(".")[2]

    @property
    def if_absent(self) -> Any:
        """The value that files without the label stand for."""
        return self.default if self.absent is None else self.absent

    def flags(self) -> list[Flag]:
        """On the command line: the flag, and the one that switches it off."""
        if not self.flag:
            return []
        found = [Flag(self.flag, self.default, self.help, self.section)]
        if self.off:
            found.append(Flag(self.off, False, f"Switch off {self.flag}", self.section))
        return found


_O = EngineOption
ENGINE_OPTIONS: tuple[EngineOption, ...] = (
    _O("--iter", 50, "Maximum number of iterations to perform", GENERAL, "n_iterations",
       "rlnNumberOfIterations"),
    _O("--tau2_fudge", 1.0, "Regularisation parameter T: above 1 gives more weight to the data", GENERAL,
       "tau2_fudge", "rlnTau2FudgeFactor", "model"),
    _O("--K", 1, "Number of references to be refined", GENERAL, "n_classes", "rlnNrClasses", "model",
       fixed=_SHAPE),
    _O("--particle_diameter", -1.0, "Diameter of the circular mask (Å)", GENERAL,
       "particle_diameter_angst", "rlnParticleDiameter"),
    _O("--zero_mask", False, "Surroundings of particles: their mean, not noise", GENERAL, "zero_mask",
       "rlnDoZeroMask", off="--no_zero_mask"),
    _O("--flatten_solvent", False, "Mask the references as well", GENERAL, "flatten_solvent",
       "rlnDoSolventFlattening", off="--no_flatten_solvent"),
    _O("--center_classes", False, "Centre class averages on their centre of mass", GENERAL,
       "center_classes", "rlnDoCenterClasses", off="--no_center_classes"),
    _O("--offset", -1.0, "First sigma of offsets (Å; default 2.5 in 2D from nothing, else 10)", START,
       "sigma_offset_angst", fixed="the width found so far is in the model"),
    _O("--denovo_3dref", False, "First maps from the particles, without a reference", START, "denovo",
       "verglasMapsFromNothing", fixed=_BEGUN),
    _O("--firstiter_cc", False, "Score by cross-correlation in the first iteration", START, "firstiter_cc",
       "verglasFirstIterationCorrelates", fixed=_BEGUN),
    _O("--ini_high", -1.0, "Resolution (Å) to which the first references are limited", START,
       "ini_high_angst", "verglasInitialLowPass", fixed=_BEGUN),
    _O("--oversampling", 1, "Adaptive oversampling order (0 none, 1 twice, 2 four times)", POSES,
       "oversampling", "rlnAdaptiveOversampleOrder"),
    _O("--healpix_order", 2, "HEALPix order of directions before oversampling (3D)", POSES,
       "healpix_order"),
    _O("--psi_step", -1.0, "In-plane step before oversampling (degrees; default 10 in 2D)", POSES,
       "psi_step_deg"),
    _O("--offset_range", 6.0, "Search range of origin offsets (pixels)", POSES, "offset_range_px"),
    _O("--offset_step", 2.0, "Step of origin offsets before oversampling (pixels)", POSES,
       "offset_step_px"),
    _O("--limit_tilt", -91.0, "Keep side views (positive) or top views (negative) only", POSES,
       "limit_tilt_deg", "rlnTiltAngleLimit", "sampling"),
    _O("--sym", "C1", "Point group", POSES, "symmetry", "rlnSymmetryGroup", "sampling", fixed=_SHAPE),
    _O("--relax_sym", "", "Local searches also try the mates of poses under this point group", POSES,
       "relax_symmetry", "verglasRelaxedSymmetry"),
    _O("--perturb", 0.5, "Perturbation of the sampling in every iteration (0 none)", POSES, "perturb",
       "rlnSamplingPerturbFactor", "sampling"),
    _O("--sigma_rot", -1.0, "Local searches: standard deviation of rot (degrees)", POSES, "sigma_rot_deg"),
    _O("--sigma_tilt", -1.0, "Local searches: standard deviation of tilt (degrees)", POSES,
       "sigma_tilt_deg"),
    _O("--sigma_psi", -1.0, "Local searches: standard deviation of psi (degrees)", POSES, "sigma_psi_deg"),
    _O("--skip_align", False, "Keep orientations and offsets, only classify", POSES, "skip_align",
       "rlnDoSkipAlign", off="--no_skip_align"),
    _O("--skip_rotate", False, "Keep orientations, search offsets", POSES, "skip_rotate",
       "rlnDoSkipRotate", off="--no_skip_rotate"),
    _O("--auto_local_healpix_order", 4, "HEALPix order from which automatic searches are local", AUTO,
       "first_local_order", "rlnAutoLocalSearchesHealpixOrder"),
    _O("--low_resol_join_halves", -1.0, "Resolution (Å) up to which the halves are averaged", AUTO,
       "halves.low_res_join_angst", "rlnJoinHalvesUntilThisResolution"),
    _O("--solvent_correct_fsc", False, "FSC of masked half maps, corrected for the mask", AUTO,
       "halves.solvent_correct_fsc", "rlnDoSolventFscCorrection", off="--no_solvent_correct_fsc"),
    _O("--auto_ignore_angles", False, "Refine the sampling although angles still change", AUTO,
       "halves.ignore_angles", "verglasIgnoreAngles", off="--no_auto_ignore_angles"),
    _O("--auto_resol_angles", False, "Refine the sampling as soon as the resolution needs it", AUTO,
       "halves.resolution_decides", "verglasResolutionDecidesAngles", off="--no_auto_resol_angles"),
    _O("--maximum_angular_sampling", -1.0, "Automatic sampling never goes below this step (degrees)", AUTO,
       "halves.least_step_deg", "verglasLeastAngularStep"),
    _O("--minimum_angular_sampling", -1.0, "Automatic sampling goes at least to this step (degrees)", AUTO,
       "halves.fine_step_deg", "verglasNeededAngularStep"),
    _O("--streaming_again", 1.0, "Old particles that are searched again for each new one", STREAM,
       "streaming.again", "verglasStreamingAgain"),
    _O("--streaming_globally", 0.1, "Share of these that is searched over all orientations", STREAM,
       "streaming.globally", "verglasStreamingGlobally"),
    _O("--streaming_first", 10, "Most iterations on the particles that the map begins with", STREAM,
       "streaming.first_iterations", "verglasStreamingFirst", fixed=_BEGUN),
    _O("--junk_classes", 0, "1: particles that a smooth blob explains as well do not enter the map", STREAM,
       "streaming.junk_classes", "verglasJunkClasses"),
    _O("--helical_rise_initial", 0.0, "Rise (Å): limits offsets along the axis", HELIX, "helix.rise_angst",
       "rlnHelicalRiseInitial", fixed=_BEGUN),
    _O("--helical_outer_diameter", -1.0, "Outer diameter of tubes (Å)", HELIX,
       "helix.outer_diameter_angst", "rlnHelicalMaskTubeOuterDiameter"),
    _O("--bimodal_psi", False, "Also search psi + 180 degrees around the prior", HELIX,
       "helix.bimodal_psi", "verglasBimodalPsi", absent=True),
    _O("--helical_nr_asu", 1, "Asymmetric units per box", HELIX, "helix.n_asymmetric_units",
       "rlnNrHelicalAsymUnits", "model", fixed=_BEGUN),
    _O("--ctf", False, "Correct for the CTF", CORRECT, "ctf", "rlnDoCorrectCtf", fixed=_DATA),
    _O("--ctf_intact_first_peak", False, "Ignore CTFs until their first peak", CORRECT,
       "ctf_intact_first_peak", "rlnDoIgnoreCtfUntilFirstPeak", fixed=_DATA),
    _O("--ctf_phase_flipped", False, "The images were phase-flipped", CORRECT, "ctf_phase_flipped",
       "rlnCtfDataArePhaseFlipped", fixed=_DATA),
    _O("--only_flip_phases", False, "Only flip phases", CORRECT, "only_flip_phases",
       "rlnDoOnlyFlipCtfPhases", fixed=_DATA),
    _O("", True, "The references are corrected for the CTF", CORRECT, "refs_are_ctf_corrected",
       "rlnRefsAreCtfCorrected"),
    _O("", False, "All classes began as one reference", START, "one_seed", "verglasClassesFromOneReference"),
    _O("", True, "Maps are regularised", EXPERT, "do_map", "rlnDoMapEstimation"),
    _O("--norm", False, "Correct for normalisation errors", CORRECT, "correct_norm", "rlnDoCorrectNorm",
       off="--no_norm"),
    _O("--scale", False, "Correct intensity scales of image groups", CORRECT, "correct_scale",
       "rlnDoCorrectScale", off="--no_scale"),
    _O("--grad_em_iters", 0, "EM iterations at the end", GRADIENT, "gradient.em_iterations",
       "rlnGradEmIters"),
    _O("--grad_em_particles", 3000, "Particles per class of an EM iteration of maps from nothing", GRADIENT,
       "gradient.em_particles", "verglasGradEmParticles"),
    _O("--grad_ini_frac", 0.3, "Share of iterations with the initial batch size", GRADIENT,
       "gradient.ini_fraction", "rlnSgdInitialIterationsFraction"),
    _O("--grad_fin_frac", 0.2, "Share of iterations with the final batch size", GRADIENT,
       "gradient.fin_fraction", "rlnSgdFinalIterationsFraction"),
    _O("--grad_ini_subset", -1, "Initial batch size", GRADIENT, "gradient.ini_subset",
       "rlnSgdInitialSubsetSize"),
    _O("--grad_fin_subset", -1, "Final batch size", GRADIENT, "gradient.fin_subset",
       "rlnSgdFinalSubsetSize"),
    _O("--grad_ini_resol", -1.0, "Images reach to this resolution in the initial phase (Å)", GRADIENT,
       "gradient.ini_resolution_angst", "rlnSgdInitialResolution"),
    _O("--grad_fin_resol", -1.0, "Images reach to this resolution in the final phase (Å)", GRADIENT,
       "gradient.fin_resolution_angst", "rlnSgdFinalResolution"),
    _O("--grad_stepsize", -1.0, "Step size", GRADIENT, "gradient.step_size", "rlnSgdStepsize"),
    _O("--grad_write_iter", 10, "Write files every so many iterations", GRADIENT, "gradient.write_every",
       "rlnSgdWriteEverySubset"),
    _O("--mu", 0.9, "Momentum", GRADIENT, "gradient.momentum", "rlnSgdMuFactor"),
    _O("--class_inactivity_threshold", 0.0, "Replace classes below this share of the mean", GRADIENT,
       "gradient.class_inactivity_threshold", "rlnSgdClassInactivityThreshold"),
    _O("--auto_sampling", False, "Choose sampling steps by what the accuracies need", GRADIENT,
       "auto_sampling", "rlnDoAutoSampling", off="--no_auto_sampling"),
    _O("--fast_subsets", False, "Subsets of the data in the first 15 iterations", COMPUTE, "fast_subsets",
       "rlnDoFastSubsetOptimisation", off="--no_fast_subsets"),
    _O("--precision", "tensor", "Products: tensor (bfloat16/TF32), single or double", COMPUTE,
       "precision", "verglasPrecision"),
    _O("--always_cc", False, "Score by cross-correlation in all iterations", EXPERT, "always_cc",
       "verglasAlwaysCorrelates", off="--no_always_cc"),
    _O("--maxsig", -1, "Most poses considered in the second pass", EXPERT, "max_significants",
       "rlnMaximumSignificantPoses"),
    _O("--allow_coarser_sampling", False, "Coarser sampling while accuracies are poor", EXPERT,
       "allow_coarser", "verglasAllowCoarserSampling", off="--no_coarser_sampling"),
    _O("--pad", 2.0, "Padding of the references for their transforms", EXPERT, "padding",
       "rlnPaddingFactor", "model"),
    _O("--random_seed", -1, "Seed of all random numbers (-1: from the clock)", EXPERT, "random_seed",
       "rlnRandomSeed", fixed="half-sets, subsets and perturbations follow from it"),
    _O("--coarse_size", -1, "Largest image size of the first pass", EXPERT, "max_coarse_size",
       "rlnMaximumCoarseImageSize"),
    _O("--adaptive_fraction", 0.999, "Share of the weight kept by the first pass", EXPERT,
       "adaptive_fraction", "rlnAdaptiveOversampleFraction"),
    _O("--maskedge", 5, "Width of the soft edge of the mask (pixels)", EXPERT, "mask_edge_px",
       "rlnWidthMaskEdge"),
    _O("--fix_sigma_noise", False, "Keep the noise spectra", EXPERT, "fix_sigma_noise",
       "rlnFixSigmaNoiseEstimates", off="--no_fix_sigma_noise"),
    _O("--fix_sigma_offset", False, "Keep the standard deviation of offsets", EXPERT, "fix_sigma_offset",
       "rlnFixSigmaOffsetEstimates", off="--no_fix_sigma_offset"),
    _O("--sigma2_fudge", 1.0, "Factor on the noise spectra in the expectation step", EXPERT, "sigma2_fudge",
       "verglasNoiseFudge"),
    _O("--incr_size", 10, "Fourier shells beyond the current resolution", EXPERT, "incr_size",
       "rlnIncrementImageSize"),
    _O("--strict_highres_exp", -1.0, "High-resolution limit of the expectation step (Å)", EXPERT,
       "strict_highres_angst", "rlnHighresLimitExpectation"),
    _O("--strict_lowres_exp", -1.0, "Low-resolution limit of the expectation step (Å)", EXPERT,
       "strict_lowres_angst", "rlnLowresLimitExpectation"),
)  # fmt: skip

BY_FLAG = {option.flag: option for option in ENGINE_OPTIONS if option.flag}
