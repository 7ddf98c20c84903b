"""Images at the poses that are known of them, into the sums of their half and out of them again.

Nothing is searched. What an image adds depends on its pose, norm, scale and the noise spectrum alone, not on any
reference: so it can be taken out later to the last bit of single precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.em.operands.batches import batches
from verglas.em.operands.operands import EStep, Operands, operands_of
from verglas.em.operands.weighting import SMALLEST_SCALE, Weighted
from verglas.em.poses.grid import OrientationGrid, PoseSet
from verglas.em.run.reading import Read, Reader
from verglas.em.run.refinement import Refinement
from verglas.em.scoring.fixed_poses import FixedPoses, add_at, residuals_at
from verglas.em.state.particles import Ints
from verglas.em.state.sampling import Sampling
from verglas.em.streaming.ledger import Ledger, Spectra
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.projector import Projector

BATCH_BYTES = {"cpu": 64 << 20, "cuda": 4 << 30}
ROUNDED = 1e-12  # of the largest weight
PIXEL_BYTES = 160  # of a pixel of an image while it is added


class ImagesGone(Exception):
    """Images that are in the sums cannot be read any more: they cannot be taken out by themselves."""


@dataclass
class Insertion:
    """Adds the images of one half-set, whole: up to the edge of the transform."""

    run: Refinement
    half: int
    ledger: Ledger
    spectra: Spectra
    estep: EStep

    @classmethod
    def of(cls, run: Refinement, half: int, ledger: Ledger, spectra: Spectra) -> Insertion:
        settings = replace(run.settings, skip_align=True, max_significants=-1)
        device, n = run.devices[0], len(run.particles)
        model = run.state.models[half]
        model = replace(model, current_size=model.box_size, scale=ledger.scale)
        sampling = replace(Sampling.of(settings, model.pixel_size_angst), local_sigma_deg=(1.0, 1.0, 1.0))
        models = (model, model)
        state = replace(run.state, models=models, sampling=sampling, assignments=ledger.found)
        projector = Projector.of(
            model.references.to(device), model.box_size, padding=settings.padding, dims=settings.dims
        )
        poses = PoseSet.of(OrientationGrid.of(sampling))
        return cls(run, half, ledger, spectra, EStep(settings, state, poses, projector, device, half, n))

    def empty(self) -> BackProjector:
        """Sums without images."""
        lattice, device = self.estep.projector.lattice, self.estep.device
        data = torch.zeros((1, *lattice.shape), dtype=torch.complex128, device=device)
        weight = torch.zeros((1, *lattice.shape), dtype=torch.float64, device=device)
        return BackProjector(self.estep.model.box_size, lattice, data, weight)

    def add(self, sums: BackProjector, rows: Ints) -> None:
        """Add images; what the reference leaves of them is noted. Those that cannot be read are set aside."""
        for operands, read, weighted, poses in self._prepared(rows):
            add_at(operands, poses, weighted, sums.data, sums.weight)
            self._note(operands, read, weighted, poses)
            self.ledger.added[read.rows] = True

    def take_out(self, sums: BackProjector, rows: Ints) -> None:
        """Take images out again. Raises ImagesGone; the sums are then of no use."""
        for part in (sums.data, sums.weight):
            part.neg_()  # weights that are added are positive
        for operands, read, weighted, poses in self._prepared(rows):
            add_at(operands, poses, weighted, sums.data, sums.weight)
            self.ledger.added[read.rows] = False
        for part in (sums.data, sums.weight):
            part.neg_()
        if self.ledger.added[rows].any():
            raise ImagesGone
        # where nothing is left but what double precision rounds off, a division would make values of it
        empty = sums.weight <= ROUNDED * sums.weight.max()
        sums.data.masked_fill_(empty, 0)
        sums.weight.masked_fill_(empty, 0)

    def _prepared(self, rows: Ints) -> Iterator[tuple[Operands, Read, Weighted, FixedPoses]]:
        """Batches of one optics group and one set of spectra."""
        particles = self.run.particles
        for group, optics in enumerate(particles.optics):
            members = rows[particles.optics_group[rows] == group]
            if not len(members):
                continue
            operands = operands_of(self.estep, optics)
            size = max(1, BATCH_BYTES[self.estep.device.type] // (PIXEL_BYTES * optics.box_size**2))
            for number in np.unique(self.ledger.spectra[members]):
                here = self._with_spectra(operands, int(number))
                for batch in batches(members[self.ledger.spectra[members] == number], size):
                    read = self._reader(here).read(here, batch)
                    if len(read.rows):
                        yield here, read, self._reader(here).weighted(here, read), self._poses(here, read)

    def _with_spectra(self, operands: Operands, number: int) -> Operands:
        """The operands with the noise and norm of an entry; every particle has a scale of its own."""
        model = replace(
            self.estep.model,
            sigma2_noise=self.spectra.noise[number, self.half],
            norm_average=float(self.spectra.norm_average[number, self.half]),
        )
        state = replace(self.estep.state, models=(model, model))
        return replace(operands, estep=replace(self.estep, state=state))

    def _reader(self, operands: Operands) -> Reader:
        run = self.run
        alone = replace(run.particles, scale_group=np.arange(len(run.particles)))
        return Reader(operands.estep, alone, run.sources[operands.estep.device], self.ledger.found)

    def _poses(self, operands: Operands, read: Read) -> FixedPoses:
        found, rows = self.ledger.found, read.rows
        angles = np.stack([found.rot_deg[rows], found.tilt_deg[rows], found.psi_deg[rows]], 1)
        rest = found.origin_yx_angst[rows] - read.old_px * operands.optics.pixel_size_angst
        none = torch.zeros((len(rows), 1, 1), dtype=self.estep.dtype, device=self.estep.device)
        return FixedPoses(torch.from_numpy(angles), torch.from_numpy(rest)[:, None], none)

    def _note(self, operands: Operands, read: Read, weighted: Weighted, poses: FixedPoses) -> None:
        batch = self._reader(operands).fine_batch(operands, read)
        spectra, scale = residuals_at(operands, poses, weighted, batch)
        spectra = spectra.double().cpu() + weighted.prepared.power_outside.double().cpu()
        self.ledger.residual[read.rows] = spectra.numpy()
        s = np.maximum(self.ledger.scale[read.rows], SMALLEST_SCALE)[:, None]
        self.ledger.fit[read.rows] = _doubles(scale) / np.concatenate([s, s**2], 1)


def _doubles(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.double().cpu().numpy()
    return found
