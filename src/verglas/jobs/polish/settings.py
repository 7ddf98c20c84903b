"""Flags of the program as settings of the numerics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.jobs.contract.base import JobFailed, NothingToDo

if TYPE_CHECKING:
    from verglas.polish.damage import DamageModel
    from verglas.polish.prior import MotionParameters
    from verglas.polish.tracks import Search

Flags = Mapping[str, Any]
_NOT_OFFERED = {
    "--unreg_glob": "the motion that particles share is always part of the prior",
    "--recenter": "re-extract with re-centring, refine, then polish",
    "--find_shortest": "movies of fewer frames count in the frames that they have",
}


@dataclass(frozen=True)
class Boxes:
    """Boxes of polished particles: in pixels of the movie, and of the images."""

    window_px: int
    scale_px: int
    crop_px: int
    pixel_size_angst: float

    @property
    def output_px(self) -> int:
        return self.crop_px or self.scale_px


def check_flags(flags: Flags) -> None:
    """Raise JobFailed for what is not offered, and for sizes that cannot be."""
    for flag, reason in _NOT_OFFERED.items():
        if flags[flag]:
            raise JobFailed(f"{flag} is not offered: {reason}")
    window, scale, crop = flags["--window"], flags["--scale"], flags["--crop"]
    if (window > 0) != (scale > 0):
        raise JobFailed(f"--window and --scale go together, got {window} and {scale}")
    for flag, size in (("--window", window), ("--scale", scale), ("--crop", crop)):
        if size > 0 and (size % 2 or size < 8):
            raise JobFailed(f"{flag} must be even and at least 8 pixels, got {size}")
    if window > 0 and scale > window:
        raise JobFailed(f"--scale ({scale}) cannot be larger than --window ({window})")
    if crop > 0 and not flags["--ctf_multiply"]:
        raise JobFailed("--crop goes with --ctf_multiply: the CTF spreads what would be cut off")
    if crop > 0 and scale > 0 and crop > scale:
        raise JobFailed(f"--crop ({crop}) cannot be larger than --scale ({scale})")
    if flags["--params_file"]:
        read_parameters(flags["--params_file"])


def boxes_of(flags: Flags, box_px: int, pixel_angst: float, movie_pixel_angst: float) -> Boxes:
    """Boxes of particles that were `box_px` of `pixel_angst`."""
    window = flags["--window"] if flags["--window"] > 0 else window_of(box_px, pixel_angst, movie_pixel_angst)
    scale = flags["--scale"] if flags["--scale"] > 0 else box_px
    crop = flags["--crop"] if 0 < flags["--crop"] < scale else 0
    return Boxes(window, scale, crop, window * movie_pixel_angst / scale)


def window_of(box_px: int, pixel_angst: float, movie_pixel_angst: float) -> int:
    """Even side in pixels of the movie of a box of particle images."""
    return 2 * round(box_px * pixel_angst / (2 * movie_pixel_angst))


def parameters_of(flags: Flags) -> MotionParameters:
    """The prior: from the parameter file if there is one, else from the flags."""
    from verglas.polish.prior import MotionParameters

    values = [flags["--s_vel"], flags["--s_div"], flags["--s_acc"]]
    if flags["--params_file"]:
        found = read_parameters(flags["--params_file"])
        values[: len(found)] = found
    return MotionParameters(*values)


def read_parameters(path: str) -> list[float]:
    """Two or three numbers of a training job. Raises NothingToDo while missing, JobFailed."""
    if not Path(path).exists():
        raise NothingToDo(f"the parameter file {path} does not exist yet")
    text = Path(path).read_text(errors="replace").split()
    try:
        values = [float(word) for word in text]
    except ValueError:
        values = []
    if len(values) not in (2, 3) or not all(value > 0 for value in values[:2]):
        raise JobFailed(
            f"{path} is no parameter file: sigma_vel, sigma_div and sigma_acc were expected, "
            f"got {' '.join(text[:4])!r}"
        )
    return values


def damage_of(flags: Flags) -> DamageModel:
    from verglas.polish.damage import DamageModel

    return DamageModel(flags["--dmg_a"], flags["--dmg_b"], flags["--dmg_c"])


def search_of(flags: Flags) -> Search:
    from verglas.polish.tracks import Search

    return Search(flags["--max_iters"], flags["--eps"])
