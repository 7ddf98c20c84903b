"""How well particles agree with their references, frame by frame and shell by shell (refinement.md §10.12.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from verglas.polish.loops import add_agreement
from verglas.polish.movie_spectra import MovieSpectra

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FrameSums:
    """Sums (F, shells) over particles of Re(X conj(P)), |X|² and |P|²; they add up over micrographs."""

    product: Array
    image: Array
    reference: Array

    @classmethod
    def empty(cls, frames: int, shells: int) -> FrameSums:
        return cls(*(np.zeros((frames, shells)) for _ in range(3)))

    def __add__(self, other: FrameSums) -> FrameSums:
        """Movies of fewer frames count in those that they have."""
        shape = np.maximum(self.product.shape, other.product.shape)
        return FrameSums(
            *(
                _grown(a, shape) + _grown(b, shape)
                for a, b in zip(
                    (self.product, self.image, self.reference), (other.product, other.image, other.reference)
                )
            )
        )

    @property
    def correlation(self) -> Array:
        """FCC (F, shells)."""
        norm = np.sqrt(self.image * self.reference)
        return np.divide(self.product, norm, out=np.zeros_like(norm), where=norm > 0)


def frame_sums(spectra: MovieSpectra, predictions: Tensor, displacements_px: Array) -> FrameSums:
    """Sums of one micrograph.

    `displacements_px` (P, F, 2): from the first tracks to the final ones, in pixels of the particle images.
    """
    band, frames = spectra.band, spectra.n_frames
    product = torch.zeros((frames, *band.shape), dtype=torch.float64)
    reference = torch.zeros(band.shape, dtype=torch.float64)
    shifts = torch.from_numpy(-np.asarray(displacements_px) / spectra.box_px)
    for particle, (prediction, shift) in enumerate(zip(predictions, shifts)):
        values = spectra.of(particle)
        along_y, along_x = band.waves(shift)
        add_agreement(
            values.numpy(),
            along_y.numpy(),
            along_x.numpy(),
            prediction.resolve_conj().numpy(),
            product.numpy(),
        )
        reference += prediction.real.square() + prediction.imag.square()
    return FrameSums(
        band.shell_sums(product).numpy(),
        spectra.power.numpy(),
        band.shell_sums(reference).expand(frames, -1).numpy().copy(),
    )


def _grown(values: Array, shape: NDArray[np.int64]) -> Array:
    grown = np.zeros(tuple(shape))
    grown[: values.shape[0], : values.shape[1]] = values
    return grown
