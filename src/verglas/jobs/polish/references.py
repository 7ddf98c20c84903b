"""The two half maps of a job, ready to predict particles; read once in every process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from verglas.em.images.transfer import ctf_parameters
from verglas.fourier import Projector
from verglas.jobs.contract.set_aside import file_stamp
from verglas.jobs.polish.inputs import MicrographItem
from verglas.jobs.refine.images.geometry import image_geometry, poses_of
from verglas.jobs.volumes.reference_halves import ReferenceHalves, read_reference_halves
from verglas.maps.prediction import Predictor
from verglas.polish.bands import FrequencyBand

if TYPE_CHECKING:
    from verglas.em.state.particles import OpticsGroup

Flags = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class References:
    """Slices of both half maps up to their resolution."""

    halves: ReferenceHalves
    projectors: tuple[Projector, Projector]

    def band(self, group: OpticsGroup, finest_angst: float = 0.0) -> FrequencyBand:
        """Frequencies that particles of a group are compared at: up to the maps' resolution, or further."""
        extent = group.box_size * group.pixel_size_angst
        radius = self.halves.last_shell * extent / self.halves.extent_angst
        if finest_angst > 0:
            radius = max(radius, extent / finest_angst)
        return FrequencyBand(int(min(radius, group.box_size // 2 - 1)))

    def predictions(self, item: MicrographItem, band: FrequencyBand, *, other: bool) -> Tensor:
        """(P, 2r+1, r+1) of each particle's own half, or of the other; CTF included."""
        assert item.particles is not None and item.assignments is not None
        found = torch.zeros((len(item.table), *band.shape), dtype=torch.complex64)
        halves = 1 - item.halves if other else item.halves
        for number in np.unique(item.particles.optics_group):
            group = item.particles.optics[number]
            for half, projector in enumerate(self.projectors):
                rows = np.flatnonzero((item.particles.optics_group == number) & (halves == half))
                if not len(rows):
                    continue
                predictor = Predictor(
                    projector, self.halves.extent_angst, image_geometry(group), indices_yx=band.indices_yx
                )
                poses = poses_of(item.assignments, rows, group.pixel_size_angst, one_class=True)
                parameters = ctf_parameters(item.particles, rows, group)
                found[rows] = band.laid(predictor.transforms(poses, parameters))
        return found


def references_of(flags: Flags) -> References:
    """The half maps that the flags name. Raises NothingToDo, JobFailed."""
    names = tuple(flags[each] for each in ("--f", "--m1", "--m2", "--mask"))
    stamps = tuple(file_stamp(Path(name)) for name in names if name)
    return _references(names, stamps, flags["--angpix_ref"], flags["--pad"])


@lru_cache(maxsize=1)
def _references(names: tuple[str, ...], _stamps: tuple[str, ...], pixel: float, padding: float) -> References:
    post, first, second, mask = names
    halves = read_reference_halves(post, first, second, mask, pixel)
    size = 2 * min(halves.last_shell + 2, halves.size // 2)
    one, other = (Projector.of(half.tensor, size, padding=padding) for half in halves.halves)
    return References(halves, (one, other))
