"""The options of the jobs that a session's map goes through: ordinary ones, as a person would fill in the forms."""

from __future__ import annotations

from collections.abc import Mapping

from verglas.compute.workers import available_cores
from verglas.jobs.chain import INITIAL_MODEL, MASK, REFINEMENT, SHARPENING
from verglas.jobs.refine.streaming.warm import warm_options
from verglas.jobs.registry import job_class
from verglas.project.registration import LoadedJob
from verglas.scheduler.live.record.map_state import NO_SYMMETRY
from verglas.scheduler.live.record.order import LiveOrder

FIRST_MAP, LIST = "initial_model.mrc", "particles.star"
MAP, HALF = "run_class001.mrc", "run_half1_class001_unfil.mrc"
MOST_THREADS = 8
START_SHARE = 1 / 6  # of the diameter: low pass of the first map before it is refined


def diameter_angst(order: LiveOrder) -> float:
    """Of the mask around a particle; 0 where nobody said."""
    return float(order.map_options.get(INITIAL_MODEL, {}).get("particle_diameter", 0))


def first_map(order: LiveOrder, particles: str, symmetry: str) -> LoadedJob:
    """In C1; a symmetry that is known is laid on the map at its end."""
    return _asked(order, INITIAL_MODEL, {"fn_img": particles, "sym_name": symmetry or NO_SYMMETRY})


def updated_map(order: LiveOrder, particles: str, reference: str, symmetry: str) -> LoadedJob:
    """The refinement that is updated while particles come."""
    low_pass = f"{START_SHARE * diameter_angst(order):.0f}"
    texts = {"fn_img": particles, "fn_ref": reference, "sym_name": symmetry, "ini_high": low_pass}
    return _asked(order, REFINEMENT, texts | {"do_streaming": "Yes"})


def last_map(order: LiveOrder, job: str, symmetry: str) -> LoadedJob:
    """A batch refinement of what the updates of `job` leave: its map, its poses and its half-sets.

    Raises OSError, StarError where the files of the last update are missing or damaged.
    """
    return _asked(order, REFINEMENT, {"sym_name": symmetry}, warm_options(job))


def mask_of(order: LiveOrder, refinement: str) -> LoadedJob:
    """An automatic mask, which checks itself by the half maps."""
    return _asked(order, MASK, {"do_auto": "Yes", "fn_half": refinement + HALF, "fn_in": refinement + MAP})


def sharpened(order: LiveOrder, refinement: str, mask: str) -> LoadedJob:
    return _asked(order, SHARPENING, {"fn_in": refinement + HALF, "fn_mask": f"{mask}mask.mrc"})


def _asked(
    order: LiveOrder, folder: str, texts: Mapping[str, str], last: Mapping[str, str] | None = None
) -> LoadedJob:
    """A job that is not entered yet: what the session's user set goes before `texts`, what follows before both."""
    kind, users = job_class(folder), order.map_options.get(folder, {})
    sets = [texts, users, last or {}]
    known = {key: text for each in sets for key, text in each.items()}
    if folder in (INITIAL_MODEL, REFINEMENT):
        known = {"nr_threads": str(min(available_cores(), MOST_THREADS)), **known}
    if flags := " ".join(each["other_args"] for each in sets if each.get("other_args")):
        known["other_args"] = flags
    options, warnings = kind.Options.parse(known)
    return LoadedJob("", kind, options, False, tuple(warnings))


def last_files(final_jobs: Mapping[str, str]) -> list[str]:
    """The files of a finished session's map that somebody would take away; [] where there is none."""
    refinement, mask, sharp = (final_jobs.get(each, "") for each in (REFINEMENT, MASK, SHARPENING))
    if not (refinement and mask and sharp):
        return []
    halves = [refinement + HALF.replace("half1", half) for half in ("half1", "half2")]
    made = [f"{sharp}postprocess{ending}" for ending in (".mrc", "_masked.mrc", ".star")]
    return [refinement + MAP, *halves, f"{mask}mask.mrc", *made]
