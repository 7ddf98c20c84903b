"""The flags of `verglas refine`: RELION's, with RELION's defaults (relion_refine of 3.1 to 5)."""

from __future__ import annotations

from verglas.jobs.contract.program import Flag
from verglas.jobs.refine.options.engine import (
    AUTO,
    COMPUTE,
    CORRECT,
    ENGINE_OPTIONS,
    EXPERT,
    GENERAL,
    GRADIENT,
    HELIX,
    POSES,
    START,
    STREAM,
)

_STATE = "everything is computed on the fly; there is nothing to store"

_RUN: tuple[Flag, ...] = (
    Flag("--i", "", "Input images (in a star-file)", GENERAL),
    Flag("--o", "", "Output rootname", GENERAL),
    Flag("--continue", "", "Go on from this _optimiser.star; only flags given here override", GENERAL),
    Flag("--only_do_unfinished", False, "Go on from the newest iteration of --o, if there is one", GENERAL),
    Flag("--solvent_mask", "None", "Mask for the references (default: sphere of the diameter)", GENERAL),
    Flag("--ref", "None", "Image, stack or map with the reference(s)", START),
    Flag("--no_init_blobs", False, "VDAM: start from averages over random orientations", START),
    Flag("--init_blobs", False, "EM: start from random blobs", START),
    Flag("--starts", 0, "From nothing: so many starts by expectation-maximisation compete, and their best map replaces"
         " all mini-batches (0: mini-batches from blobs)", START),
    Flag("--sigma_ang", -1.0, "Local searches: standard deviation of all angles (degrees)", POSES),
    Flag("--auto_refine", False, "Refine until nothing improves any more", AUTO),
    Flag("--split_random_halves", False, "Refine two half-sets independently", AUTO),
    Flag("--streaming", False, "Bring the map of --o up to date with the particles of --i", STREAM),
    Flag("--helix", False, "The particles are helical segments", HELIX),
    Flag("--ctf_corrected_ref", False, "The input references are CTF-corrected", CORRECT),
    Flag("--ctf_uncorrected_ref", False, "The input references are not CTF-corrected", CORRECT),
    Flag("--grad", False, "Gradient optimisation with mini-batches (VDAM)", GRADIENT),
    Flag("--ref_angpix", -1.0, "Pixel size of the reference (Å; default: its header)", EXPERT),
    Flag("--trust_ref_size", False, "Take box and pixel size of the reference as they are", EXPERT),
    Flag("--dont_check_norm", False, "Do not check that the images are normalised", EXPERT),
    Flag("--j", 1, "Threads", COMPUTE),
    Flag("--pool", 1, "Accepted: batches are sized by the memory there is", COMPUTE),
    Flag("--gpu", "", "Devices to use, e.g. 0,1 (ranks separated by colons)", COMPUTE),
    Flag("--cpu", False, "Use no GPU even if there is one", COMPUTE),
    Flag("--preread_images", False, "Read all particles into memory first", COMPUTE),
    Flag("--scratch_dir", "", "Copy particle stacks to this local disc first", COMPUTE),
    Flag("--keep_free_scratch", 10.0, "GB to leave free on the scratch disc", COMPUTE),
    Flag("--keep_scratch", False, "Leave the scratch copy for the next job", COMPUTE),
    Flag("--reuse_scratch", False, "Use the scratch copy of the last job", COMPUTE),
    Flag("--no_parallel_disc_io", False, "Only rank 0 reads images and sends them to the others", COMPUTE),
    Flag("--combine_weights_via_disc", False, "Combine the ranks' sums through files", COMPUTE),
    Flag("--dont_combine_weights_via_disc", False, "Combine the ranks' sums through the network", COMPUTE),
    Flag("--parity", "", "Reproduce a reference program's defects for a comparison: relion3.1", EXPERT),
)  # fmt: skip

_UNNEEDED: tuple[Flag, ...] = (
    Flag("--verb", 1, unneeded="run.out is always written"),
    Flag("--skip_gridding", False, unneeded="no iterative gridding is done"),
    Flag("--onthefly_shifts", False, unneeded=_STATE),
    Flag("--free_gpu_memory", 0, unneeded="memory is planned from what is free"),
    Flag("--failsafe_threshold", 40, unneeded="sums of weights cannot underflow here"),
    Flag("--NN", False, unneeded="slices are interpolated linearly"),
    Flag("--r_min_nn", 10, unneeded="slices are interpolated linearly"),
    Flag("--pad_ctf", False, unneeded="the reference program disables it, too"),
)  # fmt: skip

REFINE_FLAGS: tuple[Flag, ...] = (
    *_RUN,
    *(flag for option in ENGINE_OPTIONS for flag in option.flags()),
    *_UNNEEDED,
)
