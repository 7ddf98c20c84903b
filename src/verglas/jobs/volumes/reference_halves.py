"""The half maps that particles are compared with, with their mask and FSC: what `postprocess.star` names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarError, StarTable, read_star
from verglas.jobs.contract.base import JobFailed, NothingToDo
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.reading import Volume, read_mask

Floats = npt.NDArray[np.float64]
LEAST_FSC = 0.143  # below it a shell holds nothing
_FSC = "rlnFourierShellCorrelationCorrected"


@dataclass(frozen=True, eq=False)
class ReferenceHalves:
    """Two unfiltered half maps, masked, and how far they can be trusted (refinement.md §10.10)."""

    halves: tuple[Volume, Volume]  # masked
    fsc: Floats  # by shell; 0 where below 0.143
    last_shell: int  # the first shell of weight 0: predictions end before it

    @property
    def size(self) -> int:
        return self.halves[0].size

    @property
    def pixel_size_angst(self) -> float:
        return self.halves[0].pixel_size_angst

    @property
    def extent_angst(self) -> float:
        return self.size * self.pixel_size_angst

    @property
    def resolution_angst(self) -> float:
        return self.extent_angst / max(self.last_shell, 1)


def read_reference_halves(
    post: str, first: str = "", second: str = "", mask: str = "", pixel_size_angst: float = -1.0
) -> ReferenceHalves:
    """What a post-processing job names; maps and mask given here take the place of its own.

    Raises NothingToDo while a file is missing, JobFailed where one cannot be what it should be.
    """
    general, fsc = _tables(post)
    one = first or _text(general, "rlnUnfilteredMapHalf1")
    other = second or _text(general, "rlnUnfilteredMapHalf2")
    if not one:
        raise JobFailed(f"{post} names no half maps: give them as --m1 and --m2")
    halves = read_half_maps(one, other, pixel_size_angst)
    name = mask or _text(general, "rlnMaskName")
    if name:
        inside = read_mask(name, halves[0]).data
        halves = (_times(halves[0], inside), _times(halves[1], inside))
    curve = np.array(fsc.floats(_FSC), np.float64)
    shells = halves[0].size // 2 + 1
    if len(curve) != shells:
        raise JobFailed(
            f"the FSC of {post} has {len(curve)} shells, the half maps {one} of {halves[0].size} px have {shells}"
        )
    curve = np.where(curve < LEAST_FSC, 0.0, curve)
    empty = np.flatnonzero(curve[1:] == 0)
    last = int(empty[0]) + 1 if len(empty) else shells - 1
    if last < 3:
        raise JobFailed(f"the FSC of {post} falls below {LEAST_FSC} in shell {last}: nothing can be compared")
    return ReferenceHalves(halves, curve, last)


def _tables(post: str) -> tuple[StarTable, StarTable]:
    if not post:
        raise JobFailed("a post-processing STAR file (--f) is needed for the FSC of the half maps")
    if not Path(post).exists():
        raise NothingToDo(f"{post} does not exist yet")
    try:
        star = read_star(post)
    except StarError as error:
        raise JobFailed(str(error)) from error
    fsc = star.get("fsc")
    if fsc is None or _FSC not in fsc:
        raise JobFailed(f"{post} is not of a post-processing job: it has no {_FSC} in a table fsc")
    general = star.get("general")
    return StarTable("general", {}) if general is None else general, fsc


def _text(table: StarTable, label: str) -> str:
    found = table.string(label) if label in table else ""
    return "" if found == "None" else found


def _times(volume: Volume, mask: npt.NDArray[np.float32]) -> Volume:
    return Volume(volume.path, volume.data * mask, volume.pixel_size_angst, volume.header_pixel_angst)
