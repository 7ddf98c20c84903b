"""The work on one micrograph: images beside predictions, its fits, its sums."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.em.images.transfer import ctf_parameters
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.ctfrefine.inputs import Ints, RefinementInputs, values_before
from verglas.jobs.ctfrefine.results import MicrographResult
from verglas.jobs.ctfrefine.views import GroupView, Matrix, view_of
from verglas.jobs.refine.images.geometry import poses_of
from verglas.jobs.refine.images.stacks import StackSource

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.ctf.refinement.micrograph import FitSettings, MicrographFit
    from verglas.maps.comparison import Reference
    from verglas.maps.prediction import Poses

_SPARE_SHELLS = 3  # of the map beyond the last that is compared: magnification moves frequencies outwards


class MicrographWork:
    """What one process needs to work on any micrograph; made when first used.

    `magnifications`: of optics groups whose images are to be predicted with another one than their own.
    """

    def __init__(
        self,
        inputs: RefinementInputs,
        settings: FitSettings,
        *,
        padding: float,
        opposite: bool,
        magnifications: dict[int, Matrix] | None = None,
    ) -> None:
        self.inputs, self.settings, self.opposite, self.padding = inputs, settings, opposite, padding
        self.magnifications = magnifications or {}
        self._views: dict[int, GroupView] = {}

    def predict_with(self, magnifications: dict[int, Matrix]) -> None:
        """From now on with these matrices."""
        self.magnifications = magnifications
        self._views.clear()

    @cached_property
    def references(self) -> tuple[Reference, Reference]:
        """Both half maps, with their gradients where the magnification is fitted."""
        from verglas.maps.comparison import Reference

        maps = self.inputs.reference
        one, two = (
            Reference.of(
                each.tensor,
                each.pixel_size_angst,
                padding=self.padding,
                current_size=min(2 * (maps.last_shell + _SPARE_SHELLS), each.size),
                gradient=self.settings.magnification,
            )
            for each in maps.halves
        )
        return one, two

    def result(self, rows: Ints) -> MicrographResult:
        """Of the particles of one micrograph. Raises SetAside where not one can be used."""
        found = MicrographResult()
        groups = self.inputs.listed.particles.optics_group
        for number in np.unique(groups[rows]):
            self._group(rows[groups[rows] == number], int(number), found)
        if not found.names:
            reason = next(iter(found.aside.values()), "it has no particles")
            raise SetAside(f"none of its {len(rows)} particles can be used: {reason}")
        return found

    def view(self, number: int) -> GroupView:
        """How an optics group is compared."""
        if number not in self._views:
            given = self.magnifications.get(number)
            self._views[number] = view_of(self.inputs, self.settings, number, given)
        return self._views[number]

    def _group(self, rows: Ints, number: int, found: MicrographResult) -> None:
        """The particles of one optics group."""
        import torch

        from verglas.ctf.refinement.micrograph import Seen, fit_micrograph
        from verglas.ctf.refinement.terms import terms_of

        rows, images = self._readable(rows, found)
        if not len(rows):
            return
        particles = self.inputs.listed.particles
        group, view = particles.optics[number], self.view(number)
        poses = poses_of(self.inputs.listed.assignments, rows, group.pixel_size_angst, one_class=True)
        observed = view.comparison.observed(torch.from_numpy(images), poses.origins_yx_px)
        predicted = self._predicted(view, rows, poses)
        theta = terms_of(ctf_parameters(particles, rows, group))
        if self.settings.magnification:
            self._sum_magnification(observed, predicted, rows, poses, number, theta, found)
            fit = None
        else:
            seen = Seen(observed, predicted, view.odd_phase, view.kept_odd_phase)
            fit = fit_micrograph(seen, theta, view.basis, view.band, group.voltage_kv, self.settings)
        self._note(fit, rows, number, found)

    def _readable(self, rows: Ints, found: MicrographResult) -> tuple[Ints, Any]:
        """Particles with a half, a defocus and an image; the others are noted with their reason."""
        names, aside = self.inputs.listed.particles.names, self.inputs.listed.assignments.set_aside
        good = []
        for row in rows.tolist():
            if self.inputs.half[row] < 0:
                found.aside[names[row]] = "it belongs to neither half of the data"
            elif row in aside:
                found.aside[names[row]] = aside[row]
            else:
                good.append(row)
        kept = np.array(good, np.int64)
        if not len(kept):
            return kept, None
        box = self.inputs.listed.particles.optics[
            int(self.inputs.listed.particles.optics_group[kept[0]])
        ].box_size
        with closing(StackSource([names[row] for row in good], np.full(len(good), box))) as source:
            images = source.read(np.arange(len(good)))
        fine = np.isfinite(images).all(axis=(1, 2))
        for place in np.flatnonzero(~fine).tolist():
            reason = source.problems.get(place, "its image holds values that are no finite numbers")
            found.aside[names[good[place]]] = reason
        return kept[fine], images[fine]

    def _predicted(self, view: GroupView, rows: Ints, poses: Poses) -> Tensor:
        """P (n, P) of each particle, of its own half's map or of the other's."""
        import torch

        total = torch.zeros(len(rows), len(view.band.pixels), dtype=torch.complex64)
        for half, chosen in self._halves(rows, self.opposite):
            total[chosen] = view.comparison.predicted(self.references[half], _some(poses, chosen))
        return total

    def _halves(self, rows: Ints, opposite: bool) -> list[tuple[int, Tensor]]:
        """(which map, which of the particles)."""
        import torch

        of = torch.from_numpy(self.inputs.half[rows])
        pairs = ((half, (of == (1 - half if opposite else half)).nonzero().flatten()) for half in (0, 1))
        return [(half, chosen) for half, chosen in pairs if len(chosen)]

    def _sum_magnification(
        self,
        observed: Tensor,
        predicted: Tensor,
        rows: Ints,
        poses: Poses,
        number: int,
        theta: Tensor,
        found: MicrographResult,
    ) -> None:
        """Gradients are of the opposite half (refinement.md §10.11.4): noise correlates with its own slope."""
        import torch

        from verglas.ctf.refinement.magnification import MagnificationSums

        view = self.view(number)
        gradients = torch.zeros(2, *predicted.shape, dtype=torch.complex64)
        for half, chosen in self._halves(rows, opposite=True):
            part = view.comparison.gradients(self.references[half], _some(poses, chosen))
            gradients[:, chosen] = part
        scaled = theta * view.basis.scales
        transfer = view.basis.phase(scaled).sin().mul_(view.basis.amplitude(scaled)).neg_()
        if bool(view.odd_phase.any()):
            observed = observed * torch.polar(torch.ones_like(view.odd_phase), -view.odd_phase)
        sums = MagnificationSums.of(observed, predicted, gradients, transfer)
        found.sums[f"{number}/magnification/values"] = sums.values.numpy()

    def _note(self, fit: MicrographFit | None, rows: Ints, number: int, found: MicrographResult) -> None:
        from verglas.ctf.refinement.terms import fitted_ctf

        particles = self.inputs.listed.particles
        names = [particles.names[row] for row in rows]
        values = values_before(particles, rows)
        if fit is not None:
            group = particles.optics[number]
            ctf = fitted_ctf(fit.theta, group.voltage_kv, group.amplitude_contrast)
            after = (
                ctf.defocus_u_angst,
                ctf.defocus_v_angst,
                ctf.defocus_angle_deg,
                ctf.phase_shift_deg,
                ctf.b_factor_a2,
                ctf.scale_factor,
            )
            fitted = np.stack([column.numpy() for column in after], 1)
            same = np.array([row in fit.kept for row in range(len(rows))])
            values = np.where(same[:, None], values, fitted)
            found.kept |= {names[row]: reason for row, reason in fit.kept.items()}
            found.alone += int(fit.alone)
            for kind, sums in (("odd", fit.odd), ("even", fit.even)):
                if sums is not None:
                    found.sums |= {f"{number}/{kind}/{k}": np.asarray(v) for k, v in vars(sums).items()}
        found.names += names
        found.rows += rows.tolist()
        found.values += list(values)


def _some(poses: Poses, chosen: Tensor) -> Poses:
    return replace(
        poses, angles_deg=poses.angles_deg[chosen], origins_yx_px=poses.origins_yx_px[chosen], classes=None
    )
