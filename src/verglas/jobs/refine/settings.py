"""From the flags of `verglas refine` to the engine's settings."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import (
        EmSettings,
        GradientSettings,
        HelixSettings,
        ParitySwitches,
    )

# flag -> field of EmSettings; what a continued run may change, too
_FIELDS = {
    "--K": "n_classes",
    "--iter": "n_iterations",
    "--tau2_fudge": "tau2_fudge",
    "--particle_diameter": "particle_diameter_angst",
    "--maskedge": "mask_edge_px",
    "--zero_mask": "zero_mask",
    "--flatten_solvent": "flatten_solvent",
    "--oversampling": "oversampling",
    "--healpix_order": "healpix_order",
    "--psi_step": "psi_step_deg",
    "--offset_range": "offset_range_px",
    "--offset_step": "offset_step_px",
    "--perturb": "perturb",
    "--sym": "symmetry",
    "--limit_tilt": "limit_tilt_deg",
    "--sigma_psi": "sigma_psi_deg",
    "--sigma_rot": "sigma_rot_deg",
    "--sigma_tilt": "sigma_tilt_deg",
    "--skip_align": "skip_align",
    "--skip_rotate": "skip_rotate",
    "--allow_coarser_sampling": "allow_coarser",
    "--auto_sampling": "auto_sampling",
    "--coarse_size": "max_coarse_size",
    "--adaptive_fraction": "adaptive_fraction",
    "--maxsig": "max_significants",
    "--offset": "sigma_offset_angst",
    "--ini_high": "ini_high_angst",
    "--firstiter_cc": "firstiter_cc",
    "--always_cc": "always_cc",
    "--incr_size": "incr_size",
    "--strict_highres_exp": "strict_highres_angst",
    "--strict_lowres_exp": "strict_lowres_angst",
    "--pad": "padding",
    "--ctf": "ctf",
    "--ctf_intact_first_peak": "ctf_intact_first_peak",
    "--ctf_phase_flipped": "ctf_phase_flipped",
    "--only_flip_phases": "only_flip_phases",
    "--norm": "correct_norm",
    "--scale": "correct_scale",
    "--fix_sigma_noise": "fix_sigma_noise",
    "--fix_sigma_offset": "fix_sigma_offset",
    "--center_classes": "center_classes",
    "--fast_subsets": "fast_subsets",
    "--random_seed": "random_seed",
}


def parity_of(arguments: Arguments) -> ParitySwitches:
    """The parity switches a run asks for."""
    from verglas.em.state.settings import RELION_3_1, ParitySwitches

    known = {"": ParitySwitches(), "relion3.1": RELION_3_1}
    try:
        return known[arguments["--parity"]]
    except KeyError:
        listed = ", ".join(repr(name) for name in known)
        raise JobFailed(f"--parity {arguments['--parity']!r} is none of {listed}") from None


_NOT_YET = (
    "--sigma_ang", "--sigma_rot", "--sigma_tilt",
)  # fmt: skip


def refuse_missing(arguments: Arguments) -> None:
    """Raise JobFailed for options that would have no effect: silence would be a wrong result."""
    asked = [
        flag for flag in _NOT_YET if flag in arguments.given and arguments[flag] not in ("", -1.0)
    ]
    if asked:
        raise JobFailed(f"{', '.join(asked)}: not supported by verglas refine yet; leave it out")


def settings_of(arguments: Arguments, dims: int) -> EmSettings:
    """Settings of a new run. Raises JobFailed for impossible combinations."""
    from verglas.em.state.settings import EmSettings

    values = {field: arguments[flag] for flag, field in _FIELDS.items()}
    return _checked(EmSettings, dims=dims, **_refined(values, arguments))


def changed_settings(settings: EmSettings, arguments: Arguments) -> EmSettings:
    """Settings of a continued run: those of its files, and what is on the command line now."""
    given = {field: arguments[flag] for flag, field in _FIELDS.items() if flag in arguments.given}
    given.pop("random_seed", None)
    return _checked(
        replace, settings, **_refined(given, arguments, settings.gradient, settings.helix)
    )


_STEPS = (
    "--psi_step", "--healpix_order", "--offset_range", "--offset_step", "--oversampling", "--limit_tilt",
)  # fmt: skip


def with_sampling(state: State, settings: EmSettings, arguments: Arguments) -> State:
    """The state of a run that goes on, with the steps given now, if any are."""
    from verglas.em.state.sampling import Sampling

    if not any(flag in arguments.given for flag in _STEPS):
        return state
    fresh = Sampling.of(settings, state.model.pixel_size_angst)
    return replace(state, sampling=replace(fresh, perturbation=state.sampling.perturbation))


def _refined(
    values: dict[str, Any],
    arguments: Arguments,
    gradient: GradientSettings | None = None,
    helix: HelixSettings | None = None,
) -> dict[str, Any]:
    values = dict(values)
    if arguments["--no_norm"]:
        values["correct_norm"] = False
    if arguments["--no_scale"]:
        values["correct_scale"] = False
    if arguments["--ctf_uncorrected_ref"]:
        values["refs_are_ctf_corrected"] = False
    if arguments["--no_init_blobs"]:
        values["blob_init"] = False
    if arguments["--init_blobs"]:
        values["blob_init"] = True
    if values.get("random_seed", 0) < 0:
        values["random_seed"] = int(time.time())
    if "symmetry" in values:
        values["symmetry"] = str(values["symmetry"]).upper()
    values["parity"] = parity_of(arguments)
    if any(flag in arguments.given for flag in _HELIX):
        values["helix"] = _helix(arguments, helix)
    if arguments["--grad"] or gradient is not None:
        values["gradient"] = _gradient(arguments, gradient)
    precision = arguments["--precision"]
    if precision not in ("tensor", "single", "double"):
        raise JobFailed(f"--precision {precision!r} is none of 'tensor', 'single', 'double'")
    values["precision"] = precision
    return values


_HELIX = ("--helix", "--helical_outer_diameter", "--bimodal_psi")


def _helix(arguments: Arguments, known: HelixSettings | None) -> HelixSettings:
    """Settings of helical segments; a run that goes on keeps what is not given."""
    from verglas.em.state.settings import HelixSettings

    if known is None:
        known = HelixSettings(bimodal_psi=False)
    values: dict[str, Any] = {}
    if arguments["--helix"]:
        values["rise_angst"] = max(0.0, arguments["--helical_rise_initial"])
        values["n_asymmetric_units"] = arguments["--helical_nr_asu"]
    if "--helical_outer_diameter" in arguments.given:
        values["outer_diameter_angst"] = arguments["--helical_outer_diameter"]
    if arguments["--bimodal_psi"]:
        values["bimodal_psi"] = True
    return replace(known, **values)


_GRADIENT_FIELDS = {
    "--grad_ini_frac": "ini_fraction",
    "--grad_fin_frac": "fin_fraction",
    "--mu": "momentum",
    "--grad_stepsize": "step_size",
    "--grad_ini_subset": "ini_subset",
    "--grad_fin_subset": "fin_subset",
    "--grad_write_iter": "write_every",
    "--grad_em_iters": "em_iterations",
    "--class_inactivity_threshold": "class_inactivity_threshold",
}


def _gradient(arguments: Arguments, known: GradientSettings | None) -> GradientSettings:
    """VDAM settings: those of the run that goes on, where there is one, and what is given now."""
    from verglas.em.state.settings import GradientSettings

    given = {
        name: arguments[flag]
        for flag, name in _GRADIENT_FIELDS.items()
        if known is None or flag in arguments.given
    }
    return replace(known or GradientSettings(), **given)


def _checked(make: Any, *positional: Any, **values: Any) -> EmSettings:
    try:
        made: EmSettings = make(*positional, **values)
    except ValueError as error:
        raise JobFailed(str(error)) from error
    return made
