"""Gain references: what every frame is multiplied with, in the orientation of the movie.

| movie | gain file | used as |
|---|---|---|
| MRC, TIFF | `.mrc`, `.tif`, `.dm4` | multiplied |
| EER | `.gain` (a TIFF) | multiplied; its rows lie as the events do, unlike those of other TIFFs |
| EER | `.mrc`, `.tif`, ... | divided by: mean / gain |

Zero, negative and non-finite pixels are defects: bad, factor 0. Rotation and flip are those of
RELION's `--gain_rot` (clockwise quarter turns as its display shows them) and `--gain_flip`
(1 upside down, 2 left to right, after the rotation). All this was measured with RELION 3.1.3; refinement.md
§10.1.1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from verglas.formats.dm import read_dm
from verglas.formats.mrc import read_mrc
from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.tiff_directory import is_tiff
from verglas.formats.tiff_pixels import read_tiff

Array = npt.NDArray[Any]


class UnfitGain(ValueError):
    """A gain reference that does not belong to the movie: names both shapes, and the rotation if one fits."""


@dataclass(frozen=True, slots=True, eq=False)
class Gain:
    """Factors for every pixel of a movie, and the pixels that have none."""

    path: str
    factors: npt.NDArray[np.float32]  # (y, x), 0 where bad
    bad: npt.NDArray[np.bool_]  # (y, x)
    divides: bool  # the file holds sensitivities: factors = mean / file

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.factors.shape[0], self.factors.shape[1]

    def oriented(self, rotation: int = 0, flip: int = 0) -> Gain:
        """Turned and flipped as RELION's `--gain_rot` 0-3 and `--gain_flip` 0-2 do."""
        if rotation not in range(4) or flip not in range(3):
            raise ValueError(f"gain rotation must be 0 to 3 and flip 0 to 2, got {rotation} and {flip}")
        return replace(
            self, factors=orient(self.factors, rotation, flip), bad=orient(self.bad, rotation, flip)
        )

    def fitted(self, shape_yx: tuple[int, int], *, is_eer: bool = False) -> Gain:
        """The gain for frames of this shape; for EER movies on a 2 or 4 times finer or coarser grid too.

        A finer grid repeats the factors; a coarser one adds the electrons that its pixels would have counted.
        Raises UnfitGain naming both shapes, and saying whether a rotation would fit.
        """
        if self.shape_yx == shape_yx:
            return self
        for times in (2, 4) if is_eer else ():
            if (self.shape_yx[0] * times, self.shape_yx[1] * times) == shape_yx:
                return replace(self, factors=_replicate(self.factors, times), bad=_replicate(self.bad, times))
            if self.shape_yx == (shape_yx[0] * times, shape_yx[1] * times):
                return self._coarser(times)
        raise UnfitGain(_misfit(self, shape_yx))

    def _coarser(self, times: int) -> Gain:
        """Sums of `times` x `times` pixels: the harmonic mean of their factors; bad if one is bad."""
        height, width = (side // times for side in self.shape_yx)
        tiles = (height, times, width, times)
        bad: npt.NDArray[np.bool_] = np.max(self.bad.reshape(tiles), axis=(1, 3))
        sensitivities = np.divide(1, self.factors, out=np.ones_like(self.factors), where=~self.bad)
        factors = np.where(bad, 0, times**2 / sensitivities.reshape(tiles).sum(axis=(1, 3)))
        return replace(self, factors=factors.astype(np.float32), bad=bad)


def read_gain(
    path: str | os.PathLike[str],
    *,
    movie_kind: str = "mrc",  # of the movies: "mrc", "tiff" or "eer"
    divides: bool | None = None,
) -> Gain:
    """Read a gain reference from MRC, TIFF, DM3/DM4 or EER's `.gain`, recognised by content.

    `divides` overrides the convention of the table above. Raises UnreadableImage if it cannot be read, has
    more than one image, or no good pixel.
    """
    name = os.fspath(path)
    is_eer_gain = name.lower().endswith(".gain")
    if divides is None:
        divides = movie_kind == "eer" and not is_eer_gain
    image = _read_image(name)
    if image.ndim != 2:
        raise UnreadableImage(name, f"a gain reference is one image, found shape {image.shape}")
    if is_eer_gain:
        image = image[::-1]  # the TIFF reader turned the rows over
    with np.errstate(invalid="ignore"):
        bad = ~((image > 0) & np.isfinite(image))
    if bad.all():
        raise UnreadableImage(name, "every pixel is zero or not a number")
    factors = np.where(bad, 0, image).astype(np.float32)
    if divides:
        mean = float(factors.mean(dtype=np.float64))
        np.divide(np.float32(mean), factors, out=factors, where=~bad)
    return Gain(name, np.ascontiguousarray(factors), np.ascontiguousarray(bad), divides)


def orient(image: Array, rotation: int, flip: int) -> Array:  # (y, x) -> (y, x) or (x, y)
    """Turn by `rotation` quarter turns, then flip: 1 rows, 2 columns."""
    turned = np.rot90(image, -rotation)
    if flip == 1:
        turned = turned[::-1]
    elif flip == 2:
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _read_image(name: str) -> Array:
    with open(name, "rb") as handle:
        head = handle.read(8)
    if not head:
        raise UnreadableImage(name, "empty file (0 bytes)")
    if is_tiff(head):
        return read_tiff(name)
    if head[:4] in (b"\0\0\0\3", b"\0\0\0\4") and name.lower().endswith((".dm3", ".dm4")):
        return read_dm(name)
    return read_mrc(name, None).data


def _replicate(image: Array, times: int) -> Array:
    return image.repeat(times, axis=0).repeat(times, axis=1)


def _misfit(gain: Gain, shape_yx: tuple[int, int]) -> str:
    if gain.shape_yx[::-1] == shape_yx:
        advice = "a rotation by 90 or 270 degrees (gain_rot 1 or 3) would fit"
    elif all(a == 2 * b for a, b in zip(shape_yx, gain.shape_yx)):
        advice = "the movie seems to be super-resolution and the gain not; no rotation would fit"
    elif all(2 * a == b for a, b in zip(shape_yx, gain.shape_yx)):
        advice = "the gain seems to be super-resolution and the movie not; no rotation would fit"
    else:
        advice = "no rotation would fit"
    return (
        f"gain reference {gain.path} is {gain.shape_yx[1]} x {gain.shape_yx[0]} pixels (x, y),"
        f" the movie frames are {shape_yx[1]} x {shape_yx[0]}: {advice}"
    )
