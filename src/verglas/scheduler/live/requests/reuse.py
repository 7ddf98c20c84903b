"""What an earlier session lends to a new one: a saved profile, or the options of another project.

The new session's own values go first: what was given, or recorded by its microscope, is never replaced by
what another session had. Lent values stand where nobody recorded anything, and each says where it comes from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.jobs.chain import CLASSES, EXTRACTION, IMPORT, MAPS, MOTION, PICKING, SELECTION
from verglas.project.job_star import read_settings
from verglas.project.names import checked_plain_name
from verglas.project.project import Project
from verglas.scheduler.live.record.order import all_sessions, read_json
from verglas.scheduler.live.requests.facts import Fact, Intake, number_or_text
from verglas.scheduler.live.requests.first_options import mask_diameter

Options = dict[str, dict[str, str]]  # job folder -> option -> text

_SESSION_KEYS = (
    "fn_in_raw",
    "input_star_mics",
    "fn_input_autopick",
    "star_mics",
    "coords_suffix",
    "fn_img",
    "fn_mic",
    "fn_motion",
    "fn_picks",
    "fn_manual",
    "do_thresholds",
    "fn_gain_ref",
    "fn_defect",
    "other_args",
)
"""Options that belong to one session: its files and inputs."""
_FACTS = {
    "pixel-size": (IMPORT, "angpix"),
    "kv": (IMPORT, "kV"),
    "cs": (IMPORT, "Cs"),
    "amplitude-contrast": (IMPORT, "Q0"),
    "bin": (MOTION, "bin_factor"),
    "dose-per-frame": (MOTION, "dose_per_frame"),
    "eer-grouping": (MOTION, "eer_grouping"),
    "gain-rot": (MOTION, "gain_rot"),
    "gain-flip": (MOTION, "gain_flip"),
    "thresholds": (SELECTION, "thresholds"),
}
"""Options that follow from what is known about a session."""
_SIZED = (
    (MOTION, "patch_x"),
    (MOTION, "patch_y"),
    (EXTRACTION, "extract_size"),
    (EXTRACTION, "do_rescale"),
    (EXTRACTION, "rescale"),
)
"""Options that follow from the size of a pixel."""


def lend(intake: Intake, lent: Mapping[str, Mapping[str, str]], source: str) -> Options:
    """Complete what is known by lent options; those of them that remain options of the new session."""
    rest = {folder: dict(texts) for folder, texts in lent.items()}
    pixel = rest.get(IMPORT, {}).get("angpix", "")
    unknown = set() if _is_eer(intake) else {"eer-grouping"}
    if rest.get(MOTION, {}).pop("do_dose_weighting", "Yes") != "Yes":
        unknown.add("dose-per-frame")
    for fact, (folder, key) in _FACTS.items():
        text = rest.get(folder, {}).pop(key, "")
        if fact not in unknown:
            _add(intake, fact, _number_of(key, text), source)
    picked = rest.get(PICKING, {})
    low, high = picked.pop("log_diam_min", ""), picked.pop("log_diam_max", "")
    _add(intake, "diameter", f"{low},{high}" if low and high else "", source)
    for folder in (CLASSES, *MAPS):  # what followed from that diameter follows from the new session's
        if high and rest.get(folder, {}).get("particle_diameter") == mask_diameter(float(high)):
            del rest[folder]["particle_diameter"]
    if "pixel-size" in intake.facts and not _same(pixel, intake.number("pixel-size")):
        for folder, key in _SIZED:
            rest.get(folder, {}).pop(key, None)
    return rest


def _is_eer(intake: Intake) -> bool:
    return intake.first is not None and intake.first.kind == "eer"


def _add(intake: Intake, fact: str, text: str, source: str) -> None:
    known = intake.facts.get(fact)
    if text and (known is None or known.assumed):
        intake.facts[fact] = Fact(number_or_text(text), source)


def _number_of(key: str, text: str) -> str:
    """An option's text; a choice of a menu as its place in the menu, as the flag takes it."""
    from verglas.jobs.motioncorr.options import FLIPS, ROTATIONS

    menu = {"gain_rot": ROTATIONS, "gain_flip": FLIPS}.get(key, ())
    if text not in menu:
        return text
    place = list(menu).index(text)
    return str(place) if place else ""


def _same(text: str, pixel_angst: float) -> bool:
    try:
        return abs(float(text) / pixel_angst - 1) < 0.01
    except ValueError:
        return False


def profile_path(name: str) -> Path:
    """Where a profile of that name lies. Raises ValueError for what is no plain name."""
    return _profile_folder() / f"{checked_plain_name('profile', name)}.json"


def profile_names() -> list[str]:
    """Profiles that were saved, by name."""
    return sorted(path.stem for path in _profile_folder().glob("*.json"))


def _profile_folder() -> Path:
    base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return base / "verglas" / "profiles"


def read_profile(name: str) -> Options:
    """Options by job folder of a saved profile; {} if there is none of that name."""
    return {str(k): dict(v) for k, v in read_json(profile_path(name)).items()}


def write_profile(name: str, options: Mapping[str, Mapping[str, str]]) -> Path:
    """Save all options but those that belong to one session: its files and inputs."""
    kept = {
        folder: {key: value for key, value in texts.items() if key not in _SESSION_KEYS}
        for folder, texts in options.items()
    }
    path = profile_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(kept, indent=1))
    return path


def options_like(project: Project) -> Options:
    """The options that the newest live session of another project uses."""
    sessions = all_sessions(project.root)
    if not sessions:
        raise ValueError(f"{project.root} has no live session to take the options from")
    jobs = sessions[-1].order().jobs
    found = {}
    for folder, name in jobs.items():
        job_options = dict(read_settings(project.root / name).options)
        found[folder] = {key: value for key, value in job_options.items() if key not in _SESSION_KEYS}
    return found
