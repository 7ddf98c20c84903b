"""Flags that correct what motion correction recorded about movies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from verglas.jobs.motioncorr.recorded import RecordedMotion


def adjusted(motion: RecordedMotion, flags: Mapping[str, Any]) -> RecordedMotion:
    """With the names, pixels and EER grouping that flags give."""
    changed: dict[str, Any] = {}
    if flags["--mov_toReplace"]:
        changed["movie_name"] = motion.movie_name.replace(flags["--mov_toReplace"], flags["--mov_replaceBy"])
    pixel = flags["--mps"] if flags["--mps"] > 0 else motion.pixel_size_angst
    if flags["--mps"] > 0:
        changed["pixel_size_angst"] = pixel
    if flags["--cps"] > 0:
        changed["binning"] = flags["--cps"] / pixel
    changed |= {key: flags[f"--{key}"] for key in ("eer_upsampling", "eer_grouping") if flags[f"--{key}"] > 0}
    return replace(motion, **changed) if changed else motion
