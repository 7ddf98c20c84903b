"""From the results of all micrographs to the output list: optics groups, particles, a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.micrograph_job import Item
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.ctfrefine.distortion import seen_anew
from verglas.jobs.ctfrefine.inputs import MICROGRAPH, ROWS, values_before
from verglas.jobs.ctfrefine.optics_fits import (
    MATRIX,
    GroupFit,
    fit_group,
    magnification_fit,
    magnification_step,
)
from verglas.jobs.ctfrefine.plots import write_plots
from verglas.jobs.ctfrefine.results import COLUMNS, MicrographResult, add_sums

if TYPE_CHECKING:
    from verglas.ctf.refinement.magnification import MagnificationStep
    from verglas.jobs.ctfrefine.job import CtfRefinement
    from verglas.jobs.ctfrefine.views import Matrix

Floats = npt.NDArray[np.float64]
LIST = "particles_ctf_refine.star"
SMALL_STEP_PX = 0.02  # of a displacement at the edge of the band: no further pass over the magnification
_OPTICS_DEFAULTS = dict(zip(MATRIX, (1.0, 0.0, 0.0, 1.0))) | {"rlnBeamTiltX": 0.0, "rlnBeamTiltY": 0.0}


@dataclass(eq=False)
class Gathering:
    """All results: values (n, 6) by place in the input list (NaN: none), sums by optics group."""

    job: CtfRefinement
    items: Sequence[Item]
    values: Floats
    kept: dict[str, str]
    aside: dict[str, str]
    alone: int
    sums: dict[int, dict[str, Any]]

    @classmethod
    def of(cls, job: CtfRefinement, done: Sequence[Item]) -> Gathering:
        """Read the files of finished micrographs."""
        names = job.inputs.listed.particles.names
        found = cls(job, done, np.full((len(names), len(COLUMNS)), np.nan), {}, {}, 0, {})
        total: dict[str, Any] = {}
        for item in done:
            result = MicrographResult.read(job.result_path(item))
            stored = zip(result.names, result.rows, result.values)
            for name, row, values in stored:  # what the list no longer has at this place is left out
                if row < len(names) and names[row] == name:
                    found.values[row] = values
            found.kept |= result.kept
            found.aside |= result.aside
            found.alone += result.alone
            add_sums(total, result.sums)
        found._keep_unseen()
        for key, value in total.items():
            number, _, rest = key.partition("/")
            found.sums.setdefault(int(number), {})[rest] = value
        return found

    def _keep_unseen(self) -> None:
        """Particles that came to a micrograph's list after it was finished keep their values."""
        particles = self.job.inputs.listed.particles
        for item in self.items:
            rows = item.row[ROWS]
            for row in rows[~np.isfinite(self.values[rows]).all(axis=1)].tolist():
                name = particles.names[row]
                if name not in self.aside:
                    self.values[row] = values_before(particles, np.array([row]))[0]
                    self.kept[name] = "not in the list when its micrograph was refined"

    def magnification_steps(self) -> dict[int, MagnificationStep]:
        """What each optics group's magnification must be changed by."""
        return {
            number: magnification_step(sums, self.job.work.view(number), self.job.settings)
            for number, sums in self.sums.items()
        }

    def next_magnifications(self, steps: dict[int, MagnificationStep]) -> dict[int, Matrix]:
        """The matrices after the steps: images' frequencies go through the step first."""
        found: dict[int, Matrix] = {}
        for number, step in steps.items():
            matrix = self._matrix(number) @ (np.eye(2) + step.matrix.numpy())
            a, b, c, d = (float(value) for value in matrix.ravel())
            found[number] = (a, b, c, d)
        return found

    def is_small(self, steps: dict[int, MagnificationStep]) -> bool:
        """Whether another pass would change next to nothing."""
        return all(float(step.fitted.norm(dim=-1).max()) < SMALL_STEP_PX for step in steps.values())

    def write(self) -> None:
        """The list, the plots, and what run.out says."""
        fits = self._fits()
        magnified = self.job.settings.magnification
        if magnified:
            self._follow_magnification(fits)
        self._set_aside()
        listed = self.job.inputs.listed
        used = np.asarray(np.isfinite(self.values).all(axis=1))
        rows = np.flatnonzero(used)
        table = listed.table.take(rows)
        columns = self._columns(rows)
        write_star(self.job.context.directory / LIST, [self._optics(fits), table.with_columns(columns)])
        lines = [*self._particle_lines(used), *self._group_lines(fits)]
        for line in lines:
            self.job.context.say(f" {line}")
        change = self._defocus()[rows] - self._defocus_before()[rows]
        write_plots(self.job.context.directory, lines, fits, None if magnified else change)
        self.job.context.say(f" {len(rows)} particles in {self.job.context.directory / LIST}")

    def _fits(self) -> dict[int, GroupFit]:
        job, optics = self.job, self.job.inputs.listed.particles.optics
        if job.settings.magnification:
            steps = self.magnification_steps()
            after = self.next_magnifications(steps)
            return {
                number: magnification_fit(np.array(after[number]).reshape(2, 2), step, job.work.view(number))
                for number, step in steps.items()
            }
        fits = {}
        for number, sums in self.sums.items():
            try:
                fits[number] = fit_group(sums, optics[number], job.work.view(number), job.settings)
            except ValueError as error:
                raise JobFailed(f"optics group {optics[number].name}: {error}") from error
        return fits

    def _matrix(self, number: int) -> Floats:
        """The magnification that images of a group were predicted with."""
        own = self.job.inputs.listed.particles.optics[number].magnification
        given = (self.job.magnifications or {}).get(number, own)
        return np.eye(2) if given is None else np.array(given).reshape(2, 2)

    def _follow_magnification(self, fits: dict[int, GroupFit]) -> None:
        """Astigmatism is a property of the true coordinates: it changes with the magnification."""
        if self.job.arguments["--keep_astig"]:
            return
        particles, table = self.job.inputs.listed.particles, self.job.inputs.listed.table
        names = None if self.job.arguments["--part_astig"] else np.array(table.strings(MICROGRAPH))
        for number, fit in fits.items():
            own = particles.optics[number].magnification
            before = np.eye(2) if own is None else np.array(own).reshape(2, 2)
            after = np.array([fit.columns[label] for label in MATRIX]).reshape(2, 2)
            rows = np.flatnonzero((particles.optics_group == number) & np.isfinite(self.values[:, 0]))
            shared = None if names is None else names[rows]
            self.values[rows, :3] = seen_anew(self.values[rows, :3], before, after, shared)

    def _columns(self, rows: npt.NDArray[np.int64]) -> dict[str, Floats]:
        """Refined columns; of those that were not fitted only what the list has already."""
        table, values = self.job.inputs.listed.table, self.values[rows]
        settings = self.job.settings
        letters = settings.mode.letters if settings.mode is not None else "fffff"
        fitted = set(COLUMNS[:3])
        if letters[0] != "f":
            fitted.add("rlnPhaseShift")
        if letters[4] != "f" or settings.damping is not None:
            fitted |= {"rlnCtfBfactor", "rlnCtfScalefactor"}
        if letters[1:3] == "ff" and not (
            settings.scan_before or settings.scan_after or settings.magnification
        ):
            fitted -= set(COLUMNS[:3])
        return {
            label: values[:, place]
            for place, label in enumerate(COLUMNS)
            if label in fitted or (label in table and label not in COLUMNS[:3])
        }

    def _optics(self, fits: dict[int, GroupFit]) -> StarTable:
        table = self.job.inputs.listed.optics_table
        labels = list(dict.fromkeys(label for fit in fits.values() for label in fit.columns))
        columns: dict[str, list[Any]] = {}
        column: list[Any]
        for label in labels:
            if label in table:
                column = list(table.strings(label))
            else:
                some = next(fit.columns[label] for fit in fits.values() if label in fit.columns)
                column = [_OPTICS_DEFAULTS.get(label, _zeros(some))] * len(table)
            for number, fit in fits.items():
                column[number] = fit.columns.get(label, column[number])
            columns[label] = column if label.endswith("Zernike") else [float(value) for value in column]
        return table.with_columns(columns)

    def _set_aside(self) -> None:
        """Single particles that could not be used, beside the micrographs."""
        listed = SetAsideList.read(self.job.context.directory)
        for name, reason in self.aside.items():
            listed.add(name, None, reason)
        listed.write()
        for reason, count in Counter(self.aside.values()).items():
            self.job.context.warn(f" WARNING: {count} particles are set aside: {reason}")

    def _particle_lines(self, used: npt.NDArray[np.bool_]) -> list[str]:
        settings, n = self.job.settings, int(used.sum())
        if settings.mode is None and settings.damping is None and not settings.scan_before:
            return [f"{n} particles of {len(self.items)} micrographs were compared with the map"]
        lines = [f"{n - len(self.kept)} particles of {len(self.items)} micrographs were refined"]
        change = (self._defocus() - self._defocus_before())[used]
        lines.append(
            f"defocus changed by {change.mean():+.0f} Å on average, {change.std():.0f} Å RMS about it"
        )
        lines += [f"{count} kept theirs: {why}" for why, count in Counter(self.kept.values()).items()]
        if self.alone:
            lines.append(f"{self.alone} are alone on their micrograph: what is common to several was kept")
        return lines

    def _group_lines(self, fits: dict[int, GroupFit]) -> list[str]:
        optics, lines = self.job.inputs.listed.particles.optics, []
        for number, fit in fits.items():
            name = optics[number].name
            lines += [f"optics group {name}: {line}" for line in fit.lines]
            for warning in fit.warnings:
                self.job.context.warn(f" WARNING: optics group {name}: {warning}")
        return lines

    def _defocus(self) -> Floats:
        return self.values[:, :2].mean(axis=1)

    def _defocus_before(self) -> Floats:
        particles = self.job.inputs.listed.particles
        return (particles.defocus_u_angst + particles.defocus_v_angst) / 2


def _zeros(vector: Any) -> str:
    """A vector of as many zeros."""
    return "[" + ",".join(["0"] * (str(vector).count(",") + 1)) + "]"
