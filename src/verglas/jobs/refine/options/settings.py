"""From the flags of `verglas refine` to the engine's settings: of a new run, and of one that goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments
from verglas.jobs.refine.options.engine import ENGINE_OPTIONS, EngineOption

if TYPE_CHECKING:
    from verglas.em.state.model import State
    from verglas.em.state.settings import EmSettings, ParitySwitches

MOST_ITERATIONS = 999  # of an automatic refinement, which ends by itself
_SIGMAS = ("--sigma_rot", "--sigma_tilt", "--sigma_psi")
ALL_ANGLES = ("sigma_rot_deg", "sigma_tilt_deg", "sigma_psi_deg")
_STEPS = (
    "psi_step_deg", "healpix_order", "offset_range_px", "offset_step_px", "oversampling", "limit_tilt_deg",
    "skip_align", "skip_rotate",
)  # fmt: skip
_HELIX = ("--helix", "--helical_outer_diameter", "--bimodal_psi")


def parity_of(arguments: Arguments) -> ParitySwitches:
    """The parity switches a run asks for."""
    from verglas.em.state.settings import RELION_3_1, ParitySwitches

    known = {"": ParitySwitches(), "relion3.1": RELION_3_1}
    try:
        return known[arguments["--parity"]]
    except KeyError:
        listed = ", ".join(repr(name) for name in known)
        raise JobFailed(f"--parity {arguments['--parity']!r} is none of {listed}") from None


def settings_of(arguments: Arguments, dims: int) -> EmSettings:
    """Settings of a new run. Raises JobFailed for impossible combinations."""
    from verglas.em.state.settings import EmSettings

    values = _asked(arguments, _of_part(""))
    if values["random_seed"] < 0:
        # the same bytes whenever an update is done again
        values["random_seed"] = 1 if arguments["--streaming"] else int(time.time())
    values |= _special(arguments) | _parts(arguments, None)
    if "halves" in values and "--iter" not in arguments.given:
        values["n_iterations"] = MOST_ITERATIONS
    _check_prior_widths(arguments, dims)
    return _checked(EmSettings, dims=dims, **values)


def changed_settings(settings: EmSettings, arguments: Arguments) -> EmSettings:
    """Settings of a continued run: those of its files, and what is on the command line now.

    Raises JobFailed for an option that a run which goes on cannot change.
    """
    for option in ENGINE_OPTIONS:
        if option.fixed and option.flag in arguments.given:
            _refuse_change(option, arguments[option.flag], saved_value(settings, option))
    given = _asked(arguments, (o for o in _of_part("") if not o.fixed), only_given=True)
    if settings.dims == 3 and "healpix_order" in given:
        given = {"psi_step_deg": -1.0} | given  # as large as between directions
    return _checked(replace, settings, **given, **_special(arguments), **_parts(arguments, settings))


def saved_value(settings: EmSettings, option: EngineOption) -> Any:
    """The value of an option in settings; None where they lack its part."""
    holder = getattr(settings, option.part) if option.part else settings
    return None if holder is None else getattr(holder, option.name)


def with_changes(state: State, before: EmSettings, settings: EmSettings) -> State:
    """The state of a run that goes on, with the steps and sizes that are not as they were `before`."""
    from verglas.em.state.sampling import Sampling

    sampling = state.sampling
    fresh = Sampling.of(settings, state.model.pixel_size_angst)
    if settings.incr_size != before.incr_size:
        state = replace(state, incr_size=max(state.incr_size, settings.incr_size))
    if any(getattr(settings, name) != getattr(before, name) for name in _STEPS):
        kept = (sampling.perturbation, sampling.local_sigma_deg)
        sampling = replace(fresh, perturbation=kept[0], local_sigma_deg=kept[1])
    if settings.local_sigma_deg != before.local_sigma_deg:
        sampling = replace(sampling, local_sigma_deg=fresh.local_sigma_deg)
    return replace(state, sampling=sampling)


def _refuse_change(option: EngineOption, given: Any, saved: Any) -> None:
    if str(given).upper() != str(saved).upper() and saved is not None:
        raise JobFailed(
            f"{option.flag} {given}: a run that goes on keeps {saved}, because {option.fixed}; leave it out "
            "or begin a new run"
        )


def _check_prior_widths(arguments: Arguments, dims: int) -> None:
    asked = [flag for flag in ("--sigma_ang", *_SIGMAS) if arguments[flag] > 0]
    if dims == 2 and set(asked) - {"--sigma_psi"}:
        raise JobFailed(
            f"{', '.join(asked)}: not supported in 2D, where only psi can have a prior (--sigma_psi)"
        )
    if dims == 3 and asked and "--sigma_ang" not in asked and len(asked) < len(_SIGMAS):
        raise JobFailed(
            f"{', '.join(asked)} alone: a local search restricts all three angles; give --sigma_ang, or "
            f"{', '.join(_SIGMAS)}"
        )


def _of_part(part: str) -> Iterable[EngineOption]:
    return (option for option in ENGINE_OPTIONS if option.part == part and option.flag)


def _asked(arguments: Arguments, options: Iterable[EngineOption], only_given: bool = False) -> dict[str, Any]:
    """Field -> value of some options."""
    values: dict[str, Any] = {}
    for option in options:
        if option.off and arguments[option.off]:
            values[option.name] = False
        elif not only_given or option.flag in arguments.given:
            values[option.name] = arguments[option.flag]
    for name in ("symmetry", "relax_symmetry"):
        if name in values:
            values[name] = "" if values[name] == "None" else str(values[name]).upper()
    return values


def _special(arguments: Arguments) -> dict[str, Any]:
    """Fields that several flags, or none of a table's kind, decide."""
    values: dict[str, Any] = {"parity": parity_of(arguments)}
    if "--sigma_ang" in arguments.given:
        values |= dict.fromkeys(ALL_ANGLES, arguments["--sigma_ang"])
    if arguments["--ctf_uncorrected_ref"]:
        values["refs_are_ctf_corrected"] = False
    if arguments["--no_init_blobs"] or arguments["--init_blobs"]:
        values["blob_init"] = arguments["--init_blobs"]
    if arguments["--precision"] not in ("tensor", "single", "double"):
        raise JobFailed(f"--precision {arguments['--precision']!r} is none of tensor, single, double")
    return values


def _parts(arguments: Arguments, known: EmSettings | None) -> dict[str, Any]:
    """Settings of VDAM, helices and half-sets: those of the run that goes on, and what is given now."""
    from verglas.em.state.settings import GradientSettings, HalvesSettings, HelixSettings, StreamingSettings

    halves = _wants_halves(arguments)
    wanted: dict[str, tuple[bool, Any]] = {
        "gradient": (arguments["--grad"], GradientSettings()),
        "helix": (any(flag in arguments.given for flag in _HELIX), HelixSettings(bimodal_psi=False)),
        "halves": (halves, HalvesSettings()),
        "streaming": (arguments["--streaming"], StreamingSettings()),
    }
    found: dict[str, Any] = {}
    for part, (asked, fresh) in wanted.items():
        before = None if known is None else getattr(known, part)
        if not asked and before is None:
            continue
        values = _asked(arguments, _of_part(part), only_given=before is not None)
        if part == "helix":
            values = _along_helix(arguments, values)
        found[part] = replace(before or fresh, **values)
    return found


def _along_helix(arguments: Arguments, values: dict[str, Any]) -> dict[str, Any]:
    """--helix is what restricts offsets to the rise."""
    if not arguments["--helix"]:
        return {key: v for key, v in values.items() if key not in ("rise_angst", "n_asymmetric_units")}
    return values | {"rise_angst": max(0.0, arguments["--helical_rise_initial"])}


def _wants_halves(arguments: Arguments) -> bool:
    """Raises JobFailed for one of the two flags alone."""
    both = arguments["--auto_refine"], arguments["--split_random_halves"]
    if any(both) and not all(both):
        raise JobFailed(
            "--auto_refine and --split_random_halves go together: automatic refinement compares two "
            "half-sets, and nothing else here works with halves"
        )
    return all(both)


def _checked(make: Any, *positional: Any, **values: Any) -> EmSettings:
    from verglas.geometry.symmetry import PointGroup

    try:
        made: EmSettings = make(*positional, **values)
        for name in filter(None, (made.symmetry, made.relax_symmetry)):
            PointGroup.of(name)
    except ValueError as error:
        raise JobFailed(str(error)) from error
    return made
