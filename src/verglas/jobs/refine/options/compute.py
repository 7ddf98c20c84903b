"""Options that all refinements share: input and computation (pipeline.md §4.9, §4.11, §4.12)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from verglas.jobs.contract.nodes import PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

OVERSAMPLING = 1
_IO: dict[str, Any] = {"tab": "I/O"}
_COMPUTE: dict[str, Any] = {"tab": "Compute"}


class RefineInputOptions(ThreadOptions, RankOptions, QueueOptions):
    """Input of a refinement: a particle list, or the iteration to go on from."""

    fn_img: str = option(
        "", label="Input images STAR file:", flag="--i", node=PARTICLES, on_continue="locked",
        pattern="STAR files (*.star) \t Image stacks (not recommended, read help!) (*.{spi,mrcs})",
        help="The particles to classify.", **_IO,
    )  # fmt: skip
    fn_cont: str = option(
        "", label="Continue from here:", flag="--continue", on_continue="only",
        pattern="STAR Files (*_optimiser.star)",
        help="The _optimiser.star of the iteration to go on from.", **_IO,
    )  # fmt: skip


class ComputeOptions(RefineInputOptions):
    """The Compute tab."""

    do_parallel_discio: bool = option(
        True, label="Use parallel disc I/O?", flag="--no_parallel_disc_io", flag_when=False,
        help="Yes: every rank reads its own images. No: rank 0 reads them and sends them.", **_COMPUTE,
    )  # fmt: skip
    nr_pool: int = option(
        3, label="Number of pooled particles:", flag="--pool", minimum=1, maximum=16, step=1,
        help="Particles that RELION would read per thread and batch. verglas accepts it, writes it into the"
        " optimiser file, and sizes its batches by the memory there is.", **_COMPUTE,
    )  # fmt: skip
    do_preread_images: bool = option(
        False, label="Pre-read all particles into RAM?", flag="--preread_images",
        help="Read every image once, at the start. Needs 4 bytes per pixel.", **_COMPUTE,
    )  # fmt: skip
    scratch_dir: str = option(
        os.environ.get("RELION_SCRATCH_DIR", ""), label="Copy particles to scratch directory:",
        flag="--scratch_dir",
        flag_if=lambda options: bool(options.scratch_dir) and not options.do_preread_images,
        help="A fast local disc. What does not fit is read from its own place.", **_COMPUTE,
    )  # fmt: skip
    do_combine_thru_disc: bool = option(
        False, label="Combine iterations through disc?", flag="--combine_weights_via_disc",
        help="Yes: at the end of every iteration all ranks write their accumulated results to disc, the"
        " master adds them and writes a new file that all ranks read. Less network traffic, more disc"
        " access; which is better depends on the cluster, and it gets slow at high resolution. No: the"
        " results are sent through the network. Both give the same numbers to the last bit.", **_COMPUTE,
    )  # fmt: skip
    use_gpu: bool = option(
        Path("/dev/nvidiactl").exists(), label="Use GPU acceleration?", flag="--cpu", flag_when=False,
        help="Yes: the GPUs named below, or the processor where there is none. No: the processor only.",
        **_COMPUTE,
    )  # fmt: skip
    gpu_ids: str = option(
        "", label="Which GPUs to use:", flag="--gpu", flag_if=lambda options: options.use_gpu,
        help="Device numbers: ':' separates ranks, ',' devices of one rank. Empty: all.", **_COMPUTE,
    )  # fmt: skip


def doubled(value: float) -> float:
    """The step before oversampling for a step after it, as the form asks for."""
    return value * 2**OVERSAMPLING


def ct_root(directory: str, fn_cont: str) -> str:
    """Root name of the output: run, or run_ctM when going on from iteration M."""
    if not fn_cont:
        return f"{directory}run"
    digits = fn_cont.rpartition("_it")[2][:3]
    return f"{directory}run_ct{int(digits)}" if digits.isdigit() else f"{directory}run_ct"
