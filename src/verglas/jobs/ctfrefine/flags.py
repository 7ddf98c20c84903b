"""The flags of `verglas ctf_refine`, and the settings that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag

if TYPE_CHECKING:
    from verglas.ctf.refinement.damping import DampingRange
    from verglas.ctf.refinement.micrograph import FitSettings

_DEFOCUS, _DAMPING, _ODD = "Defocus fit options", "B-factor options", "Beam-tilt options"
_EVEN, _MAGNIFICATION = "Symmetric aberrations options", "Anisotropic magnification options"
_COMPUTE = "Computational options"
EXTRA = (
    Flag("--o", "CtfRefine/", "Output directory, e.g. CtfRefine/job041/"),
    Flag("--m1", "", "Reference map, half 1 (default: that of --f)"),
    Flag("--m2", "", "Reference map, half 2"),
    Flag("--angpix_ref", -1.0, "Pixel size of the reference map (Å)"),
    Flag("--mask", "", "Reference mask (default: that of --f)"),
    Flag("--pad", 2.0, "Padding factor"),
    Flag("--only_do_unfinished", False, "Keep micrographs whose results are there already"),
    Flag("--ctf_pad", False, unneeded="the CTF is evaluated at the frequencies that are fitted"),
    Flag("--diag", False, unneeded="what was summed and fitted is always kept"),
    Flag("--fit_defocus", False, "Fit what --fit_mode says to particles and micrographs", _DEFOCUS),
    Flag(
        "--fit_mode", "fpmfm", "Phase shift, defocus, astigmatism, Cs, B-factor: each p (per particle), m "
        "(per micrograph) or f (fixed)", _DEFOCUS,
    ),
    Flag("--max_defocus_iters", 100, "Maximum number of iterations", _DEFOCUS),
    Flag("--bf0", False, "Scan each particle's defocus before the fit", _DEFOCUS),
    Flag("--bf1", False, "Scan each particle's defocus after the fit", _DEFOCUS),
    Flag("--bf_only", False, "Scan only", _DEFOCUS),
    Flag("--bf_range", 2000.0, "Range of the scan (Å)", _DEFOCUS),
    Flag("--legacy_astig", False, unneeded="--fit_mode fppff fits astigmatism to each particle"),
    Flag("--kmin_defocus", 30.0, "Lowest resolution (Å)", _DEFOCUS),
    Flag("--fit_bfacs", False, "Estimate B-factors by a scan", _DAMPING),
    Flag("--bfac_per_mg", False, "B-factors per micrograph, not per particle", _DAMPING),
    Flag("--bfac_min_B", -30.0, "Least B-factor (Å²)", _DAMPING),
    Flag("--bfac_max_B", 300.0, "Largest B-factor (Å²)", _DAMPING),
    Flag("--bfac_min_scale", 0.2, "Least scale factor", _DAMPING),
    Flag("--kmin_bfac", 30.0, "Lowest resolution (Å)", _DAMPING),
    Flag("--kmin_tilt", 20.0, "Lowest resolution (Å)", _ODD),
    Flag("--odd_aberr_max_n", 0, "Highest order of odd aberrations; below 3 the beam tilt only", _ODD),
    Flag("--xr0_t", -1.0, "A ring of frequencies left out begins here (Å)", _ODD),
    Flag("--xr1_t", -1.0, "and ends here", _ODD),
    Flag("--kmin_aberr", 20.0, "Lowest resolution (Å)", _EVEN),
    Flag("--even_aberr_max_n", 4, "Highest order of even aberrations", _EVEN),
    Flag("--xr0_a", -1.0, "A ring of frequencies left out begins here (Å)", _EVEN),
    Flag("--xr1_a", -1.0, "and ends here", _EVEN),
    Flag("--kmin_mag", 20.0, "Lowest resolution (Å)", _MAGNIFICATION),
    Flag("--keep_astig", False, "Do not express astigmatism in the new coordinates", _MAGNIFICATION),
    Flag("--part_astig", False, "Astigmatism may differ between a micrograph's particles", _MAGNIFICATION),
    Flag("--mag_passes", 3, "Times that the fit starts anew from what it found", _MAGNIFICATION),
    Flag("--min_MG", 0, "First micrograph, from 0", _COMPUTE),
    Flag("--max_MG", -1, "Last micrograph; below 0: all", _COMPUTE),
    Flag("--debug", False, unneeded="there is nothing to be written besides", section=_COMPUTE),
    Flag("--verb", 1, unneeded="run.out always tells the same", section=_COMPUTE),
)  # fmt: skip


def settings_of(flags: Arguments) -> FitSettings:
    """What is to be fitted. Raises JobFailed where that is nothing, or contradicts itself."""
    from verglas.ctf.refinement.micrograph import FitMode, FitSettings

    mode = None
    if flags["--fit_defocus"] and not flags["--bf_only"]:
        try:
            mode = FitMode(flags["--fit_mode"])
        except ValueError as error:
            raise JobFailed(f"--fit_mode: {error}") from error
    if mode is not None and not mode.free(2).any:
        raise JobFailed(f"--fit_mode {mode.letters} fixes everything: nothing is left to be fitted")
    scan_only = flags["--fit_defocus"] and flags["--bf_only"]
    settings = FitSettings(
        mode=mode,
        defocus_from_angst=flags["--kmin_defocus"],
        iterations=flags["--max_defocus_iters"],
        scan_before=bool(scan_only or (flags["--fit_defocus"] and flags["--bf0"])),
        scan_after=bool(mode is not None and flags["--bf1"]),
        scan_reach_angst=flags["--bf_range"],
        damping=_damping(flags) if flags["--fit_bfacs"] else None,
        damping_per_micrograph=flags["--bfac_per_mg"],
        damping_from_angst=flags["--kmin_bfac"],
        odd=flags["--fit_beamtilt"],
        odd_from_angst=flags["--kmin_tilt"],
        odd_degree=flags["--odd_aberr_max_n"],
        odd_ring_angst=_ring(flags["--xr0_t"], flags["--xr1_t"]),
        even=flags["--fit_aberr"],
        even_from_angst=flags["--kmin_aberr"],
        even_degree=flags["--even_aberr_max_n"],
        even_ring_angst=_ring(flags["--xr0_a"], flags["--xr1_a"]),
        magnification=flags["--fit_aniso"],
        magnification_from_angst=flags["--kmin_mag"],
    )
    _check(settings)
    return settings


def _check(s: FitSettings) -> None:
    others = s.mode is not None or s.scan_before or s.damping is not None or s.odd or s.even
    if s.magnification and others:
        raise JobFailed("--fit_aniso goes alone: refine again with its result before anything else is fitted")
    if not s.magnification and not others:
        raise JobFailed(
            "nothing is to be fitted: give --fit_defocus, --fit_bfacs, --fit_beamtilt, --fit_aberr or --fit_aniso"
        )
    if s.odd_degree > 9 or s.even_degree > 8 or s.even_degree < 2:
        raise JobFailed(
            f"aberrations of order {s.odd_degree} (odd, at most 9) and {s.even_degree} (even, 2 to 8) are not "
            "fitted"
        )


def _damping(flags: Arguments) -> DampingRange:
    from verglas.ctf.refinement.damping import DampingRange

    low, high = flags["--bfac_min_B"], flags["--bfac_max_B"]
    if not low < high:
        raise JobFailed(f"B-factors from {low:g} to {high:g} Å² are no range")
    return DampingRange(low, high, flags["--bfac_min_scale"])


def _ring(begins: float, ends: float) -> tuple[float, float] | None:
    return (begins, ends) if min(begins, ends) > 0 else None
