"""A small convolutional picker: weights, and the score map it gives.

Some 7,500 weights look at a disc one and a half particles wide. The image comes locally normalised on
pixels of a sixteenth of the particle, so one network serves any pixel size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from verglas.picking.dirty_areas import DirtyAreas
from verglas.picking.peaks import keep_apart, local_maxima
from verglas.picking.picks import Picks
from verglas.picking.working_image import WorkingImage, working_image

PIXELS_PER_DIAMETER = 16.0
LEAST_LOGIT = -6.0
DISTANCE = 0.6  # least distance of two picks, in diameters
_FORMAT = 1


class Layers(nn.Module):
    """Fully convolutional: (n, 1, y, x) -> (n, y - 24, x - 24) logits; dilation gives the field of view."""

    MARGIN = 12  # pixels on each side that a logit depends on

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, width, 5),
                nn.Conv2d(width, width, 3, dilation=2),
                nn.Conv2d(width, width, 3, dilation=4),
                nn.Conv2d(width, width, 3, dilation=4),
            ]
        )
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        values = images
        for layer in self.convolutions:
            values = nn.functional.leaky_relu(layer(values), 0.1)
        logits: Tensor = self.last(values)
        return logits[:, 0]


@dataclass(frozen=True, slots=True, eq=False)
class PickingNetwork:
    """A trained network and what it was trained for."""

    layers: Layers
    diameter_angst: float
    white_particles: bool

    def image_of(
        self, micrograph: Tensor, pixel_size_angst: float, dirty: DirtyAreas | None = None
    ) -> WorkingImage:
        """The micrograph as the network wants it. Raises ValueError (bad image)."""
        return network_image(micrograph, pixel_size_angst, self.diameter_angst, self.white_particles, dirty)

    def logits(self, image: WorkingImage) -> Tensor:  # (y, x)
        """Log odds of a particle's centre at each pixel."""
        layers = self.layers.to(image.pixels.device)
        with torch.inference_mode():
            margins = [Layers.MARGIN] * 4
            padded = nn.functional.pad(image.pixels[None, None], margins, mode="reflect")
            found: Tensor = layers(padded)[0]
        return found.clone()

    def state(self) -> dict[str, Any]:
        """Plain arrays, to be written by whoever owns files."""
        weights = {f"w.{k}": v.cpu().numpy() for k, v in self.layers.state_dict().items()}
        about = np.array([_FORMAT, self.diameter_angst, float(self.white_particles)])
        return {"about": about, **weights}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> PickingNetwork:
        """The inverse of `state`. Raises ValueError for anything else."""
        about = state.get("about")
        if about is None or len(about) != 3 or about[0] != _FORMAT:
            raise ValueError("not a picking network of this version of verglas")
        layers = Layers(state["w.last.weight"].shape[1])
        weights = {k[2:]: torch.from_numpy(v) for k, v in state.items() if k.startswith("w.")}
        try:
            layers.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the network's weights do not fit: {error}") from error
        return cls(layers.eval(), float(about[1]), bool(about[2]))


def network_image(
    micrograph: Tensor,
    pixel_size_angst: float,
    diameter_angst: float,
    white_particles: bool,
    dirty: DirtyAreas | None = None,
) -> WorkingImage:
    """Locally normalised, particles white, sixteen pixels to a particle."""
    pixel = max(pixel_size_angst, diameter_angst / PIXELS_PER_DIAMETER)
    window = 1.5 * diameter_angst
    return working_image(
        micrograph, pixel_size_angst, pixel, window, white_particles=white_particles, dirty=dirty
    )


def pick_with_network(
    micrograph: Tensor, pixel_size_angst: float, network: PickingNetwork, dirty: DirtyAreas | None = None
) -> Picks:
    """Candidates outside dirty areas; the figure of merit is a log odds, the threshold even odds."""
    image = network.image_of(micrograph, pixel_size_angst, dirty)
    across = network.diameter_angst / image.pixel_size_angst
    position, value = local_maxima(network.logits(image), LEAST_LOGIT, 0.5 * across)
    kept = keep_apart(position, DISTANCE * across)
    position, value = position[kept], value[kept]
    xy = image.to_micrograph(torch.as_tensor(position)).numpy()
    if dirty is not None:
        clean = ~dirty.holds(xy)
        xy, value = xy[clean], value[clean]
    count = len(value)
    return Picks(xy, value, np.ones(count, np.int64), np.zeros(count), 0.0)
