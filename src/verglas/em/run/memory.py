"""How much memory an iteration needs, known before the first one for the last (refinement.md §8.3).

Sums, slices and transforms grow with the image size, which grows with the resolution; a run that begins
comfortably may end with twenty times as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from verglas.em.maximise.descent import full_lattice
from verglas.em.maximise.references import AT_ONCE_BYTES
from verglas.em.operands.batches import BATCH_BYTES, SUMMED_BYTES, TILE_BYTES
from verglas.em.operands.operands import FINE_SLICES_BYTES, coarse_image_size
from verglas.em.state.model import Model
from verglas.em.state.sampling import Sampling
from verglas.em.state.settings import EmSettings
from verglas.fourier.lattice import Lattice, padded_size

SLICE_BYTES = 12  # a pixel of a slice: real, imaginary, power
TOTAL_BYTES = 32  # the same while they are added and inserted
GPU_WORK_BYTES = 1 << 30  # a GPU's batches fill what room there is; with less they become slow


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of one process at one image size."""

    sums: int  # back-projections of all classes, and their total where ranks are combined
    references: int  # maps and their transforms
    slices: int  # slices of the references, and images collected in them
    momentum: int
    work: int  # a batch of particles, and the maximisation of some classes

    @property
    def total(self) -> int:
        return sum(getattr(self, entry.name) for entry in fields(self))


def memory_need(
    settings: EmSettings,
    sampling: Sampling,
    model: Model,
    size: int,
    *,
    lanes: int = 1,
    cores: int = 1,
    gpu: bool = False,
    over_ranks: bool = False,
) -> MemoryNeed:
    """What an iteration with images of `size` px needs; `lanes` of the expectation step and their cores."""
    k, dims = model.n_classes, model.dims
    padding = padded_size(model.box_size, settings.padding) / model.box_size
    points = math.prod(Lattice(dims, max(1, size // 2), padding).shape)
    halves = 2 if settings.gradient is not None else 1
    copies = lanes + (1 if over_ranks else 0)
    maps = model.box_size**dims
    chunk = max(1, min(k, AT_ONCE_BYTES // (16 * points)))
    maximising = chunk * (6 * 16 * points + 24 * round(padding**dims) * maps)
    batch = GPU_WORK_BYTES if gpu else 2 * (BATCH_BYTES + TILE_BYTES)
    momentum = math.prod(full_lattice(model, padding).shape) * 20 * k
    return MemoryNeed(
        sums=k * halves * points * 24 * copies,
        references=k * (points * 8 + maps * 8),
        slices=_slices(settings, sampling, model, size, halves * max(lanes, cores)),
        momentum=momentum if settings.gradient is not None else 0,
        work=max(batch * lanes, maximising),
    )


def _slices(settings: EmSettings, sampling: Sampling, model: Model, size: int, collections: int) -> int:
    """Coarse slices, and fine ones with what is collected in them where they are kept."""
    coarse_size = coarse_image_size(settings, sampling, model, 1.0, model.box_size)
    turns = model.n_classes * model.direction_weights.shape[1] * sampling.n_psi
    coarse = turns * _pixels(min(coarse_size, size)) * SLICE_BYTES
    fine = turns * 2 ** (sampling.oversampling * (1 if model.dims == 2 else 3)) * _pixels(size)
    if fine * SLICE_BYTES > FINE_SLICES_BYTES:
        return coarse
    return coarse + fine * (SLICE_BYTES + SUMMED_BYTES * collections + TOTAL_BYTES)


def _pixels(size: int) -> int:
    """Half-plane pixels of a disc."""
    return round(math.pi / 2 * (size / 2) ** 2) + 1


def largest_size_that_fits(
    settings: EmSettings,
    sampling: Sampling,
    model: Model,
    free_bytes: int,
    *,
    lanes: int = 1,
    cores: int = 1,
    gpu: bool = False,
    over_ranks: bool = False,
) -> int:
    """The largest image size (px) whose iteration fits into `free_bytes`; 0 if none does."""
    for size in range(model.box_size, 0, -2):
        need = memory_need(
            settings, sampling, model, size, lanes=lanes, cores=cores, gpu=gpu, over_ranks=over_ranks
        )
        if need.total <= free_bytes:
            return size
    return 0
