"""What curves say about themselves, in words: when mask or resolution are not to be trusted."""

from __future__ import annotations

from torch import Tensor

from verglas.maps.postprocessing.half_map_curves import HalfMapCurves
from verglas.maps.shell_correlation import first_shell_below, resolution_shell

RESOLVED = 0.143
_RANDOM_LIMIT = 0.1  # of the randomised curve at the resolution: the mask correlates by itself
_RISE = 0.3  # a curve that comes back so high after it fell below the threshold
_RISE_SHELLS = 3
_DIP_FROM, _DIP_TO = 0.9, 0.5  # a dip below the second before the curve is above the first again
_GAIN = 1.6  # resolution with the mask over that without
_TAIL = 0.1  # mean of the last shells, of a map that is not resolved to Nyquist


def complaints(curves: HalfMapCurves, size: int, pixel_size_angst: float) -> list[str]:
    """Sentences for the user; none if there is nothing to say."""
    shell = curves.final_shell
    found = [*_mask_complaints(curves, size, pixel_size_angst), *_shape_complaints(curves.true)]
    if shell >= len(curves.true) - 2:
        found.append(
            f"The FSC does not fall below {RESOLVED} before Nyquist ({2 * pixel_size_angst:.2f} Å): the "
            "resolution is limited by the pixel size. Use smaller pixels to see more."
        )
    return found


def _mask_complaints(curves: HalfMapCurves, size: int, pixel_size_angst: float) -> list[str]:
    if not curves.random_from:
        return []
    found = []
    extent = size * pixel_size_angst
    shell, unmasked = curves.final_shell, resolution_shell(curves.unmasked)
    if not curves.mask_used:
        found.append(
            "The unmasked FSC reaches further than the corrected one: the mask's result is discarded. The "
            "mask cuts into the particle or misses it."
        )
        return found
    random = float(curves.randomised[shell])
    if random > _RANDOM_LIMIT:
        found.append(
            f"Even with random phases the masked maps correlate by {random:.2f} at the resolution: the mask "
            "is too tight or its edge too sharp. Extend it or give it a softer edge."
        )
    if unmasked and shell / unmasked > _GAIN:
        found.append(
            f"The corrected resolution ({extent / shell:.2f} Å) is far from the unmasked one "
            f"({extent / unmasked:.2f} Å): the particle fills little of the box, or the mask is too tight."
        )
    return found


def _shape_complaints(curve: Tensor) -> list[str]:
    found = []
    below = first_shell_below(curve, RESOLVED)
    if below is not None:
        high = (curve[below:] > _RISE).nonzero().flatten()
        if len(high) >= _RISE_SHELLS:
            found.append(
                f"The FSC falls below {RESOLVED} at shell {below} and rises above {_RISE} again at shell "
                f"{below + int(high[0])}: something besides the particle is in both halves (duplicates, "
                "interpolation, a reference that was not filtered)."
            )
        tail = curve[-max(3, len(curve) // 10) :]
        if below < len(curve) - 2 * len(tail) and float(tail.mean()) > _TAIL:
            found.append(
                f"At the last shells the FSC is {float(tail.mean()):.2f} and not 0: the halves are not "
                "independent, or the mask correlates them."
            )
    head = curve[1 : below or len(curve)]
    low = first_shell_below(head, _DIP_TO, start=0)
    if low is not None and bool((head[low:] > _DIP_FROM).any()):
        found.append(
            f"The FSC dips below {_DIP_TO} at shell {low + 1} and comes back above {_DIP_FROM}: a frequency "
            "band is missing or badly corrected (all particles at one defocus, or a wrong pixel size)."
        )
    return found
