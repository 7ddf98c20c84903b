"""Options of CTF estimation (pipeline.md §4.3)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MICROGRAPHS
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions

_NATIVE = "verglas estimates the CTF itself; the field is kept so that RELION can open the job."
_SEARCH: dict[str, Any] = {"tab": "CTFFIND-4.1", "on_continue": "locked"}
_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_OTHER_PROGRAM: dict[str, Any] = {"tab": "Gctf", "on_continue": "locked", "help": _NATIVE}


def _phase(options: CtfFindOptions) -> bool:
    return options.do_phaseshift


class CtfFindOptions(RankOptions, QueueOptions):
    """CTF estimation of every micrograph of a list."""

    input_star_mics: str = option(
        "", label="Input micrographs STAR file:", flag="--i", node=MICROGRAPHS,
        pattern="STAR files (*.star)", help="List of micrographs.", **_IO,
    )  # fmt: skip
    use_noDW: bool = option(
        False, label="Use micrograph without dose-weighting?", flag="--use_noDW",
        help="Estimate on rlnMicrographNameNoDW, whose high resolution is not damped.", **_IO,
    )  # fmt: skip
    do_phaseshift: bool = option(
        False, label="Estimate phase shifts?", flag="--do_phaseshift",
        help="Search a phase shift (phase plate).", **_IO,
    )  # fmt: skip
    phase_min: float = option(
        0.0, label="Phase shift (deg) - Min:", unit="°", flag="--phase_min", flag_if=_phase,
        help="Smallest phase shift.", **_IO,
    )  # fmt: skip
    phase_max: float = option(
        180.0, label="Phase shift (deg) - Max:", unit="°", flag="--phase_max", flag_if=_phase,
        help="Largest phase shift.", **_IO,
    )  # fmt: skip
    phase_step: float = option(
        10.0, label="Phase shift (deg) - Step:", unit="°", flag="--phase_step", flag_if=_phase,
        help="Step of the phase search.", **_IO,
    )  # fmt: skip
    dast: float = option(
        100.0, label="Amount of astigmatism (A):", unit="Å", flag="--dAst", minimum=0, maximum=2000,
        step=100, help="Expected astigmatism; ten times as much is found without penalty.", **_IO,
    )  # fmt: skip
    use_ctffind4: bool = option(True, label="Use CTFFIND-4.1?", help=_NATIVE, **_SEARCH)
    fn_ctffind_exe: str = option("", label="CTFFIND-4.1 executable:", command=True, help=_NATIVE, **_SEARCH)
    use_given_ps: bool = option(
        False, label="Use power spectra from MotionCorr job?", flag="--use_given_ps",
        help="Fit the spectra that motion correction summed (rlnCtfPowerSpectrum).", **_SEARCH,
    )  # fmt: skip
    slow_search: bool = option(
        False, label="Use exhaustive search?", flag="--fast_search", flag_when=False,
        help="verglas always searches the whole range; kept for RELION.", **_SEARCH,
    )  # fmt: skip
    ctf_win: int = option(
        -1, label="Estimate CTF on window size (pix)", unit="px", flag="--ctfWin", minimum=-16,
        maximum=4096, step=16, help="Use a centred square of this size; negative: all.", **_SEARCH,
    )  # fmt: skip
    box: int = option(
        512, label="FFT box size (pix):", unit="px", flag="--Box", minimum=64, maximum=1024, step=8,
        help="Size of the spectrum.", **_SEARCH,
    )  # fmt: skip
    resmin: float = option(
        30.0, label="Minimum resolution (A):", unit="Å", flag="--ResMin", minimum=10, maximum=200,
        step=10, help="Low-resolution end of the fit.", **_SEARCH,
    )  # fmt: skip
    resmax: float = option(
        5.0, label="Maximum resolution (A):", unit="Å", flag="--ResMax", minimum=1, maximum=20,
        step=1, help="High-resolution end of the fit.", **_SEARCH,
    )  # fmt: skip
    dfmin: float = option(
        5000.0, label="Minimum defocus value (A):", unit="Å", flag="--dFMin", minimum=0,
        maximum=25000, step=1000, help="Smallest defocus searched.", **_SEARCH,
    )  # fmt: skip
    dfmax: float = option(
        50000.0, label="Maximum defocus value (A):", unit="Å", flag="--dFMax", minimum=20000,
        maximum=100000, step=1000, help="Largest defocus searched.", **_SEARCH,
    )  # fmt: skip
    dfstep: float = option(
        500.0, label="Defocus step size (A):", unit="Å", flag="--FStep", minimum=200, maximum=2000,
        step=100, help="Step of the defocus search (finer where the fit needs it).", **_SEARCH,
    )  # fmt: skip
    do_local: bool = option(
        False, label="Estimate local defocus (tilt)?", flag="--local", tab="Local",
        on_continue="locked", help="Fit patches and a plane through them; gives tilt angle and axis.",
    )  # fmt: skip
    local_grid: int = option(
        5, label="Number of patches per side:", flag="--local_grid", tab="Local", minimum=3,
        maximum=9, step=1, flag_if=lambda o: o.do_local, on_continue="locked",
        help="Overlapping patches; more follow bent ice better and cost time.",
    )  # fmt: skip
    use_gctf: bool = option(False, label="Use Gctf instead?", **_OTHER_PROGRAM)
    fn_gctf_exe: str = option("", label="Gctf executable:", command=True, **_OTHER_PROGRAM)
    do_ignore_ctffind_params: bool = option(True, label="Ignore 'Searches' parameters?", **_OTHER_PROGRAM)
    do_EPA: bool = option(False, label="Perform equi-phase averaging?", **_OTHER_PROGRAM)
    other_gctf_args: str = option("", label="Other Gctf options:", **_OTHER_PROGRAM)
    use_gpu: bool = option(
        False, label="Use GPU acceleration?", tab="Compute", ours=True,
        help="Estimate on graphics cards; the fits are the processor's.",
    )  # fmt: skip
    gpu_ids: str = option(
        "", label="Which GPUs to use:", flag="--gpu", tab="Compute",
        flag_if=lambda options: options.use_gpu, flag_empty=True,
        help="Device numbers; ':' between ranks, ',' within one; empty: all.",
    )  # fmt: skip
