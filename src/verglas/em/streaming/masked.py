"""The resolution within a mask that nobody made: what the solvent's noise hides in the FSC of whole half maps."""

from __future__ import annotations

import math

from torch import Tensor

from verglas.em.maximise.halves import solvent_corrected_fsc
from verglas.fourier import rescale
from verglas.maps.auto_mask import automatic_mask
from verglas.maps.shell_correlation import resolution_angst

FROM_ANGST = 15.0  # a mask of a map without shape says nothing
MOST_PX = 128  # of the box in which a mask is made: its edges are soft


def masked_resolution(first: Tensor, second: Tensor, pixel_size_angst: float, seed: int) -> float | None:
    """Resolution (Å) of two half maps (N, N, N) within an automatic mask, freed of what the mask correlates.

    None where no mask can be made.
    """
    box = int(first.shape[-1])
    size = min(box, MOST_PX)
    mean = rescale(((first + second) / 2)[None], size, 3)[0]
    try:
        mask = automatic_mask(mean.cpu().float(), None, pixel_size_angst * box / size).mask
    except ValueError:
        return None
    mask = rescale(mask[None].double(), box, 3)[0].clamp(0, 1).to(first)
    if not bool((mask > 0).any()):
        return None
    curve = solvent_corrected_fsc(first, second, mask, seed)
    found = resolution_angst(curve.double().cpu(), box, pixel_size_angst)
    return found if math.isfinite(found) else None
