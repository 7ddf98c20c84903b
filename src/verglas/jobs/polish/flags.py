"""Flags of the program that have no place on the form (relion_motion_refine 3.1.3)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.program import Flag

_DIAGNOSTIC = "tracks, correlations and weights are written in any case"
_NO_LIMIT = "frames are read one after the other"
_TABLES = "correlations are evaluated as finely as they need"
_MOTION, _TRAIN, _COMBINE, _EXPERT = "Motion", "Parameter estimation", "Combine frames", "Expert options"

DEFAULTS: dict[str, Any] = {"--s_vel": 0.5, "--min_p": 1000}

EXTRA_FLAGS = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--m1", "", "Half map 1, in place of the one that --f names"),
    Flag("--m2", "", "Half map 2"),
    Flag("--angpix_ref", -1.0, "Pixel size of the half maps; not positive: that of their headers"),
    Flag("--mask", "", "Mask, in place of the one that --f names"),
    Flag("--pad", 2.0, "Padding of the half maps"),
    Flag("--only_do_unfinished", False, "Keep micrographs whose files are there already"),
    Flag("--verb", 1, unneeded="progress is always shown"),
    Flag("--fdose", -1.0, "Dose per frame in e/A2; not positive: as motion correction recorded", _MOTION),
    Flag("--only_group", -1, "Only micrographs with particles of this optics group; negative: all", _MOTION),
    Flag("--diag", False, unneeded=_DIAGNOSTIC),
    Flag("--cc_pad", 1.0, unneeded=_TABLES),
    Flag("--dmg_a", 3.40, "Damage: dose that leaves 1/e is a k^b + c, parameter a", _MOTION),
    Flag("--dmg_b", -1.06, "Parameter b", _MOTION),
    Flag("--dmg_c", -0.54, "Parameter c", _MOTION),
    Flag("--max_iters", 10000, "Iterations of the search for tracks, at most", _MOTION),
    Flag("--eps", 1e-5, "Gradient at which the search ends", _MOTION),
    Flag("--no_whiten", False, "Do not divide by the spectrum of the noise", _MOTION),
    Flag("--unreg_glob", False, "Not offered: common motion is always part of the prior", _MOTION),
    Flag("--glob_off", False, "Look for each particle near its coordinates first", _MOTION),
    Flag("--glob_off_max", 10.0, "How far, in pixels of the particles", _MOTION),
    Flag("--absolute_params", False, "Deviations are per frame, not per dose", _MOTION),
    Flag("--debug_opt", False, unneeded=_DIAGNOSTIC),
    Flag("--gi", False, "Begin with the global tracks of motion correction only", _MOTION),
    Flag("--sq_exp_ker", False, "Velocities correlate as a Gaussian of the distance", _MOTION),
    Flag("--max_ed", -1, "Modes that may move; not positive: all", _MOTION),
    Flag("--out_cut", False, unneeded="frequencies beyond the resolution of the half maps are never used"),
    Flag("--params2", False, "Train velocity and divergence", _TRAIN),
    Flag("--params3", False, "Train acceleration, too", _TRAIN),
    Flag("--align_frac", 0.5, "Fraction of the Fourier pixels that align", _TRAIN),
    Flag("--par_group", -1, "Train on this optics group only; negative: all", _TRAIN),
    Flag("--s_vel_0", 0.6, "First velocity", _TRAIN),
    Flag("--s_div_0", 10000.0, "First divergence", _TRAIN),
    Flag("--s_acc_0", 3.0, "First acceleration", _TRAIN),
    Flag("--in_step", 3000.0, "First step of the simplex, in Å of divergence", _TRAIN),
    Flag("--conv", 30.0, "Size of the simplex at which training ends", _TRAIN),
    Flag("--par_iters", 100, "Iterations of the simplex, at most", _TRAIN),
    Flag("--mot_range", 50.0, "How far tracks may go, in pixels of the particles", _TRAIN),
    Flag("--seed", 23, "Seed of the choice of micrographs", _TRAIN),
    Flag("--crop", -1, "Cut this box out of the polished particles, after the CTF", _COMBINE),
    Flag("--ctf_multiply", False, "Multiply polished particles by their CTF", _COMBINE),
    Flag("--bfactors", "", "B-factors of frames from this file, instead of fitting them", _COMBINE),
    Flag("--diag_bfactor", False, unneeded=_DIAGNOSTIC),
    Flag("--suffix", "", "Added to the names of stacks and lists", _COMBINE),
    Flag("--recenter", False, "Not offered: re-extract with re-centring, then polish", _COMBINE),
    Flag("--recenter_x", 0.0, unneeded="re-centring is not offered"),
    Flag("--recenter_y", 0.0, unneeded="re-centring is not offered"),
    Flag("--recenter_z", 0.0, unneeded="re-centring is not offered"),
    Flag("--min_MG", 0, "First micrograph, from 0", _EXPERT),
    Flag("--max_MG", -1, "Last micrograph; negative: all", _EXPERT),
    Flag("--sbs", False, unneeded=_NO_LIMIT),
    Flag("--find_shortest", False, "Not offered: shorter movies count in the frames they have", _EXPERT),
    Flag("--debug", False, unneeded=_DIAGNOSTIC),
    Flag("--mps", -1.0, "Pixel size of the movies; not positive: as recorded", _EXPERT),
    Flag("--cps", -1.0, "Pixel size of the coordinates; not positive: of the micrographs", _EXPERT),
    Flag("--hot", -1.0, unneeded="the hot pixels that motion correction found are replaced"),
    Flag("--debug_mov", False, unneeded=_DIAGNOSTIC),
    Flag("--mov_toReplace", "", "This part of the movies' names is replaced", _EXPERT),
    Flag("--mov_replaceBy", "", "by this one", _EXPERT),
    Flag("--eer_upsampling", -1, "Grid of EER movies; not positive: as recorded", _EXPERT),
    Flag("--eer_grouping", -1, "Hardware frames of a frame; not positive: as recorded", _EXPERT),
)
