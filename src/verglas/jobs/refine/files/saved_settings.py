"""Settings in the files of an iteration, written and read by the table of engine options (refinement.md §9.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verglas.formats.star import StarTable
from verglas.jobs.refine.options.engine import ENGINE_OPTIONS, EngineOption

if TYPE_CHECKING:
    from verglas.em.state.sampling import Steps
    from verglas.em.state.settings import EmSettings, ParitySwitches

NONE = "None"  # an empty text


def labelled(settings: EmSettings, file: str) -> dict[str, Any]:
    """Label -> value of the options that a file holds; without those of parts that are not in use."""
    found: dict[str, Any] = {}
    for option in ENGINE_OPTIONS:
        holder = getattr(settings, option.part) if option.part else settings
        if option.label and option.file == file and holder is not None:
            value = getattr(holder, option.name)
            found[option.label] = (value or NONE) if value == "" else type(option.default)(value)
    return found


def value_of(table: StarTable, label: str, default: Any) -> Any:
    """The value of a label with the type of its default, which it has where the table lacks it."""
    if label not in table:
        return default
    if isinstance(default, bool):
        return table.flag(label)
    if isinstance(default, int):
        return int(table.number(label))
    if isinstance(default, float):
        return table.number(label)
    text = table.string(label)
    return "" if text == NONE else text


def sampling_asked(table: StarTable) -> Steps:
    """The steps the user asked for; RELION before 3.1 has only those in use."""
    from verglas.em.state.sampling import Steps

    def asked(label: str, default: float = 0.0) -> float:
        number: float = value_of(table, f"{label}Original", value_of(table, label, default))
        return number

    return Steps(
        int(asked("rlnHealpixOrder", 2.0)),
        asked("rlnPsiStep"),
        asked("rlnOffsetRange"),
        asked("rlnOffsetStep"),
    )


def saved_settings(
    optimiser: StarTable, general: StarTable, sampling: StarTable, parity: ParitySwitches
) -> EmSettings:
    """Settings of the run that wrote the tables `optimiser_general`, `model_general`, `sampling_general`."""
    from verglas.em.state.settings import EmSettings

    tables = {"optimiser": optimiser, "model": general, "sampling": sampling}
    dims = general.integer("rlnReferenceDimensionality")
    values = _of_part("", tables) | _steps(sampling, general, dims)
    names = ("sigma_rot_deg", "sigma_tilt_deg", "sigma_psi_deg")
    values |= {name: width for name, width in zip(names, _prior_widths(general)) if width > 0}
    if value_of(optimiser, "rlnDoGradientRefine", False):
        values["gradient"] = _part("gradient", tables)
    if value_of(optimiser, "rlnDoAutoRefine", False):
        values["halves"] = _part("halves", tables)
    if value_of(optimiser, "verglasFollowsParticles", False):
        values["streaming"] = _part("streaming", tables)
    if _is_helical(optimiser):
        values["helix"] = _helix(tables, parity)
    return EmSettings(dims=dims, parity=parity, **values)


def _of_part(part: str, tables: Mapping[str, StarTable]) -> dict[str, Any]:
    options = (option for option in ENGINE_OPTIONS if option.part == part and option.label)
    return {option.name: _read(tables[option.file], option) for option in options}


def _read(table: StarTable, option: EngineOption) -> Any:
    found = value_of(table, option.label, option.default)
    return found if option.label in table else option.if_absent


def _part(part: str, tables: Mapping[str, StarTable]) -> Any:
    from verglas.em.state.settings import GradientSettings, HalvesSettings, HelixSettings, StreamingSettings

    kinds = {
        "gradient": GradientSettings,
        "halves": HalvesSettings,
        "helix": HelixSettings,
        "streaming": StreamingSettings,
    }
    return kinds[part](**_of_part(part, tables))


def _steps(sampling: StarTable, general: StarTable, dims: int) -> dict[str, Any]:
    """The grid the user asked for, in the units of the settings."""
    asked, pixel = sampling_asked(sampling), general.number("rlnPixelSize")
    return {
        "healpix_order": asked.healpix_order if dims == 3 else 2,
        "psi_step_deg": asked.psi_step_deg,
        "offset_range_px": round(asked.offset_range_angst / pixel, 9),
        "offset_step_px": round(asked.offset_step_angst / pixel, 9),
    }


def _prior_widths(general: StarTable) -> tuple[float, float, float]:
    """σ of rot, tilt and psi around what is known of a particle; zeros: there is no such prior."""
    if not value_of(general, "rlnOrientationalPriorMode", 0):
        return 0.0, 0.0, 0.0
    rot, tilt, psi = (general.number(f"rlnSigmaPrior{angle}Angle") for angle in ("Rot", "Tilt", "Psi"))
    return rot, tilt, psi


def _is_helical(optimiser: StarTable) -> bool:
    """RELION has settings of helical segments where --helix or a tube was given."""
    return (
        value_of(optimiser, "rlnDoHelicalRefine", False)
        or value_of(optimiser, "rlnHelicalMaskTubeOuterDiameter", -1.0) > 0
        or value_of(optimiser, "verglasHelicalSegments", False)
    )


def _helix(tables: Mapping[str, StarTable], parity: ParitySwitches) -> Any:
    """RELION's files do not say whether the polarity is searched."""
    helix, optimiser = _part("helix", tables), tables["optimiser"]
    if not value_of(optimiser, "rlnDoHelicalRefine", False):
        helix = replace(helix, rise_angst=0.0)
    if parity.forget_bimodal_psi and "verglasBimodalPsi" not in optimiser:
        helix = replace(helix, bimodal_psi=False)
    return helix
