"""Options of CTF refinement (pipeline.md §4.19), and our own."""

from __future__ import annotations

from typing import Any, ClassVar

from verglas.jobs.contract.nodes import PARTICLES, POSTPROCESS
from verglas.jobs.contract.options import option, to_text
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

CHOICES = ("No", "Per-micrograph", "Per-particle")
_LETTER = dict(zip(CHOICES, "fmp"))
_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_FIT: dict[str, Any] = {"tab": "Fit"}


def _not_magnification(options: Any) -> bool:
    return not options.do_aniso_mag


def _fits_ctf(options: Any) -> bool:
    return options.do_ctf and not options.do_aniso_mag


def _menu(label: str, help: str) -> Any:
    return option("No", label=label, choices=CHOICES, help=help, **_FIT)


class CtfRefineOptions(RankOptions, ThreadOptions, QueueOptions):
    """Refined particles, what their maps are worth, and what is to be fitted."""

    unneeded_keys: ClassVar = {
        "range": "of RELION 3.0: --bf_range of the program limits a scan",
        "do_glob_astig": "of RELION 3.0: fit astigmatism per micrograph instead",
    }

    fn_data: str = option(
        "", label="Particles (from Refine3D):", flag="--i", node=PARTICLES, pattern="STAR files (*.star)",
        help="Particles with orientations and half-sets.", **_IO,
    )  # fmt: skip
    fn_post: str = option(
        "", label="Postprocess STAR file:", flag="--f", node=POSTPROCESS,
        pattern="STAR files (postprocess.star)",
        help="Names the half maps and the mask, and holds the FSC that weights frequencies.", **_IO,
    )  # fmt: skip
    do_aniso_mag: bool = option(
        False, label="Estimate (anisotropic) magnification?", flag="--fit_aniso",
        help="Nothing else is then fitted: run it first, and refine again before the rest.", **_FIT,
    )  # fmt: skip
    do_ctf: bool = option(
        True, label="Perform CTF parameter fitting?", help="What is chosen in the four menus.", **_FIT
    )
    do_defocus: str = _menu("Fit defocus?", "A value for every micrograph or for every particle.")
    do_astig: str = _menu("Fit astigmatism?", "Per particle it needs far more signal than there usually is.")
    do_bfactor: str = _menu("Fit B-factor?", "With a scale factor.")
    do_phase: str = _menu("Fit phase-shift?", "For data taken with a phase plate.")
    do_tilt: bool = option(
        False, label="Estimate beamtilt?", flag="--fit_beamtilt", flag_if=_not_magnification,
        help="For every optics group.", **_FIT,
    )  # fmt: skip
    do_trefoil: bool = option(
        False,
        label="Also estimate trefoil?",
        help="With the beam tilt: odd aberrations of third order.",
        **_FIT,
    )
    do_4thorder: bool = option(
        False, label="Estimate 4th order aberrations?", flag="--fit_aberr", flag_if=_not_magnification,
        help="For every optics group: an error in Cs, tetrafoil.", **_FIT,
    )  # fmt: skip
    minres: float = option(
        30.0, label="Minimum resolution for fits (A):", unit="Å", minimum=8, maximum=40, step=1,
        on_continue="locked", help="Lower frequencies take no part in any fit.", **_FIT,
    )  # fmt: skip
    do_opposite: bool = option(
        False, label="Compare with the other half's map?", flag="--opposite_half", ours=True,
        help="A particle's own half map was made with its own noise in it; the other one was not. RELION "
        "takes a particle's own.", **_FIT,
    )  # fmt: skip

    @property
    def fit_mode(self) -> str:
        """RELION's five letters; Cs is always fixed on the form."""
        phase, defocus, astigmatism, damping = (
            _LETTER[choice] for choice in (self.do_phase, self.do_defocus, self.do_astig, self.do_bfactor)
        )
        return f"{phase}{defocus}{astigmatism}f{damping}"

    @property
    def chosen(self) -> bool:
        """Whether anything at all is to be fitted."""
        menus = _fits_ctf(self) and self.fit_mode != "fffff"
        return bool(self.do_aniso_mag or self.do_tilt or self.do_4thorder or menus)

    def command_line(self) -> list[str]:
        lowest = to_text(self.minres)
        words = super().command_line()
        if self.do_aniso_mag:
            return [*words, "--kmin_mag", lowest]
        if _fits_ctf(self) and self.fit_mode != "fffff":
            words += ["--fit_defocus", "--fit_mode", self.fit_mode, "--kmin_defocus", lowest]
        if self.do_tilt:
            words += ["--kmin_tilt", lowest]
            words += ["--odd_aberr_max_n", "3"] if self.do_trefoil else []
        if self.do_4thorder:
            words += ["--kmin_aberr", lowest]
        return words
