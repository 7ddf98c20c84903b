"""From what is known about a session to the options of its jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from verglas.jobs.chain import (
    CLASSES,
    CTF,
    EXTRACTION,
    IMPORT,
    INITIAL_MODEL,
    MAPS,
    MOTION,
    PICKING,
    REFINEMENT,
    SELECTION,
)
from verglas.project.project import Project
from verglas.scheduler.live.record.chain import checked_options, enter_chain
from verglas.scheduler.live.record.grouping import BeamShiftGroups
from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
from verglas.scheduler.live.record.stage_settings import StageSettings, Version
from verglas.scheduler.live.requests.facts import Fact, Intake

BOX_OF_DIAMETER = 1.5
MASK_OF_DIAMETER = 1.1
FINEST_2D_PIXEL_ANGST = 3.5
PATCH_PIXELS = 800
DIAMETERS = ("100", "180")


def chain_options(intake: Intake, changed: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Options by job folder; `changed` (what the user or a profile sets) goes before all."""
    pixel = intake.number("pixel-size")
    binning = float(intake.facts["bin"].value) if "bin" in intake.facts else 1.0
    options = {
        IMPORT: _import_options(intake, pixel),
        MOTION: _motion_options(intake, binning),
        CTF: {"do_phaseshift": "Yes"} if intake.epu and intake.epu.phase_plate else {},
        **_particle_options(intake, pixel * binning),
        SELECTION: {"thresholds": intake.text("thresholds")},
    }
    for folder, values in changed.items():
        options[folder] = {**options.get(folder, {}), **values}
    for folder, texts in options.items():
        checked_options(folder, texts)
    return options


def _import_options(intake: Intake, pixel: float) -> dict[str, str]:
    return {
        "fn_in_raw": intake.wildcard, "angpix": f"{pixel:.6g}", "kV": f"{intake.number('kv'):g}",
        "Cs": f"{intake.number('cs'):g}", "Q0": f"{intake.number('amplitude-contrast'):g}",
    }  # fmt: skip


def _motion_options(intake: Intake, binning: float) -> dict[str, str]:
    options = {"bin_factor": f"{binning:g}"}
    if "dose-per-frame" in intake.facts:
        options["dose_per_frame"] = f"{intake.number('dose-per-frame'):.6g}"
    else:
        options["do_dose_weighting"] = "No"
    if "eer-grouping" in intake.facts:
        options["eer_grouping"] = f"{intake.number('eer-grouping'):.0f}"
    if intake.text("gain"):
        options["fn_gain_ref"] = intake.text("gain")
    for key, flag in (("gain_rot", "gain-rot"), ("gain_flip", "gain-flip")):
        if flag in intake.facts:
            options[key] = _menu(key, int(intake.number(flag)))
    if intake.first is not None:
        height, width = (side / binning for side in intake.first.shape_yx)
        options["patch_x"] = str(max(1, min(7, round(width / PATCH_PIXELS))))
        options["patch_y"] = str(max(1, min(7, round(height / PATCH_PIXELS))))
    return options


def _menu(key: str, number: int) -> str:
    from verglas.jobs.motioncorr.options import FLIPS, ROTATIONS

    choices = ROTATIONS if key == "gain_rot" else FLIPS
    if not 0 <= number < len(choices):
        raise ValueError(f"{key}: expected 0 to {len(choices) - 1}, got {number}")
    return choices[number]


def _particle_options(intake: Intake, pixel: float) -> dict[str, dict[str, str]]:
    """Picking, box and classes from the range of diameters."""
    low, _, high = intake.text("diameter").partition(",")
    if not low:
        low, high = DIAMETERS
        text = ",".join(DIAMETERS)
        intake.facts["diameter"] = Fact(text, "give --diameter MIN,MAX in Å", assumed=True)
    least, most = float(low), float(high or low)
    if not 0 < least <= most:
        raise ValueError(f"--diameter {intake.text('diameter')!r}: expected MIN,MAX in Å")
    box = _even(BOX_OF_DIAMETER * most / pixel)
    small = _even(min(box, BOX_OF_DIAMETER * most / max(pixel, FINEST_2D_PIXEL_ANGST)))
    extract = {"extract_size": str(box), "do_rescale": "Yes" if small < box else "No"}
    if small < box:
        extract["rescale"] = str(small)
    diameter = {"particle_diameter": mask_diameter(most)}
    return {
        PICKING: {"do_log": "Yes", "log_diam_min": f"{least:g}", "log_diam_max": f"{most:g}"},
        EXTRACTION: extract,
        CLASSES: {**diameter, "nr_classes": "50", "do_grad": "Yes"},
        INITIAL_MODEL: dict(diameter),
        REFINEMENT: dict(diameter),
    }


def mask_diameter(most_angst: float) -> str:
    """Of the mask around a particle, as an option's text, from the largest diameter of the particle."""
    return f"{MASK_OF_DIAMETER * most_angst:g}"


def _even(size: float) -> int:
    return max(2, 2 * round(size / 2))


def set_up(
    project: Project,
    order: LiveOrder,
    intake: Intake,
    options: Mapping[str, Mapping[str, str]],
    *,
    classes: bool,
    by_beam_shift: bool,
) -> LiveFolder:
    """Register the chain and write the session's files, at once; nothing runs yet."""
    folder = LiveFolder(project.root, order.name)
    here = folder.path.relative_to(project.root)
    facts = {key: asdict(fact) for key, fact in intake.facts.items()}
    with project.change(f"live session {order.name}") as change:
        manual = str(folder.manual_file.relative_to(project.root))
        jobs, of_stages = enter_chain(change, options, manual, classes=classes)
        settings = StageSettings({stage: [Version(texts)] for stage, texts in of_stages.items()})
        change.write(str(here / folder.settings_file.name), settings.as_bytes())
        optics = groups(intake, by_beam_shift=by_beam_shift)
        change.write(str(here / "groups.json"), optics.as_bytes())
        change.write(str(here / "facts.json"), json.dumps(facts, indent=1).encode())
        maps = {each: dict(options[each]) for each in MAPS if each in options}
        known = replace(order, jobs=jobs, wildcard=intake.wildcard, map_options=maps)
        folder.create(change, known)
    return folder


def groups(intake: Intake, *, by_beam_shift: bool) -> BeamShiftGroups:
    """Optics of the session's movies."""
    microscope = {
        "pixel_size_angst": intake.number("pixel-size"), "voltage_kv": intake.number("kv"),
        "cs_mm": intake.number("cs"), "amplitude_contrast": intake.number("amplitude-contrast"),
    }  # fmt: skip
    tolerance = float(intake.facts["shift-tolerance"].value) if "shift-tolerance" in intake.facts else 0.0
    return BeamShiftGroups(
        microscope=microscope, mtf=intake.text("mtf"), by_beam_shift=by_beam_shift,
        tolerance=tolerance,
    )  # fmt: skip
