"""Which images of a batch can be used, before and after they are scored; the others get a reason.

One particle that is set aside never ends a run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from verglas.em.accumulate.outcome import Outcome
from verglas.em.start.initialise import OUTLIER
from verglas.em.state.particles import Ints

Chosen = npt.NDArray[np.bool_]


def usable(images: Tensor, rows: Ints, problems: dict[int, str], set_aside: dict[int, str]) -> Chosen:
    """Which of the images (b, N, N) of particles `rows` can be scored; reasons go to `set_aside`.

    `problems`: what is known already of images that could not be read.
    """
    flat = images.flatten(1)
    high, low = flat.amax(1), flat.amin(1)
    ends = torch.stack([high, low]).cpu().numpy()
    finite, varied = np.isfinite(ends[0] - ends[1]), ends[0] > ends[1]
    for row in rows[~finite]:
        unknown = "pixel values that are not finite (NaN or infinite)"
        set_aside[int(row)] = problems.get(int(row), unknown)
    for row in rows[finite & ~varied]:
        set_aside[int(row)] = "all pixels have the same value"
    good: Chosen = finite & varied
    return good & _alike(flat, rows, good, set_aside)


def _alike(flat: Tensor, rows: Ints, good: Chosen, set_aside: dict[int, str]) -> Chosen:
    """Which images vary about as much as most of the batch: one of another scale drowns a class."""
    spread = flat.std(1).cpu().numpy()
    usual = float(np.median(spread[good])) if good.any() else 0.0
    alike: Chosen = spread < OUTLIER * usual
    for place in (good & ~alike).nonzero()[0]:
        set_aside[int(rows[place])] = (
            f"its pixels vary by {spread[place]:.3g}, those of most particles by {usual:.3g}: "
            "it was not normalised, or an image is damaged"
        )
    return alike


def scored(images: Tensor, rows: Ints, outcome: Outcome, set_aside: dict[int, str]) -> Chosen:
    """Which particles have a pose; numbers beyond all bounds set a particle aside, not the run."""
    power = outcome.spectra.sum(1)
    found: Chosen = ((outcome.p_max > 0) & torch.isfinite(power)).numpy()
    for place in (~found).nonzero()[0]:
        largest = float(images[int(place)].abs().max())
        set_aside[int(rows[place])] = (
            f"no pose has a probability that is a number; its pixels reach {largest:.3g}"
        )
    return found
