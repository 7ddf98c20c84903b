"""Does this gain reference belong to these movies, turned the right way and used the right way round?

Pixels that count too little have a factor above one: in raw frames the fine structure of the gain shows up
negatively. The orientation with the most negative correlation is the right one; a positive correlation means
that the file holds sensitivities and ought to be divided by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from verglas.formats.gain import Gain, orient

_WINDOW = 9  # pixels; structure coarser than this is specimen and illumination, not gain
_CLIP = 5.0  # deviations, so that hot pixels do not decide


@dataclass(frozen=True, slots=True)
class GainMatch:
    """How well one orientation explains the fine structure of raw frames."""

    rotation: int  # as for Gain.oriented
    flip: int
    correlation: float  # negative if the gain is right in this orientation
    significance: float  # |correlation| in units of what chance would give

    @property
    def is_reciprocal(self) -> bool:
        """Whether the file should be divided by where it was multiplied, or the reverse."""
        return self.correlation > 0


def match_gain(gain: Gain, frame_sum: npt.ArrayLike) -> list[GainMatch]:
    """The eight orientations (those whose shape fits), best first.

    `frame_sum` (y, x) is a sum of raw frames, of several movies if possible. A significance above about 6 is
    proof; if none reaches it, the frames are too few or the gain is another camera's.
    """
    frames = _fine(np.asarray(frame_sum, dtype=np.float32))
    factors, good = _fine(gain.factors), ~gain.bad
    matches = []
    for rotation in range(4):
        for flip in (0, 1):
            turned = orient(factors, rotation, flip)
            if turned.shape != frames.shape:
                continue
            used = orient(good, rotation, flip)
            correlation = float(np.corrcoef(turned[used], frames[used])[0, 1])
            significance = abs(correlation) * float(np.sqrt(used.sum()))
            matches.append(GainMatch(rotation, flip, correlation, significance))
    return sorted(matches, key=lambda match: -match.significance)


def _fine(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The image less its local mean, clipped."""
    fine: npt.NDArray[np.float32] = image - uniform_filter(image, _WINDOW, mode="nearest")
    limit = _CLIP * float(fine.std())
    return np.clip(fine, -limit, limit)
