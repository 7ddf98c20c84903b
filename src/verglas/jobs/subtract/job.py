"""Particle subtraction: a part of the signal taken off every particle (pipeline.md §4.16)."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from verglas.formats.stack_writer import StackWriter
from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import PARTICLES, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.set_aside import SetAsideList
from verglas.jobs.contract.tables import read_list
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.files.refined_maps import Refinement
from verglas.jobs.refine.images.geometry import angles_of, image_geometry, poses_of
from verglas.jobs.refine.images.stacks import StackSource
from verglas.jobs.subtract.options import SubtractOptions
from verglas.jobs.volumes.reading import Volume, read_mask

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.prediction import Predictor

Ints = np.ndarray[Any, np.dtype[np.int64]]
BATCH = 128
IMAGE, ORIGINAL = "rlnImageName", "rlnImageOriginalName"
NO_CENTRE = 9999.0
_EXTRA = (
    Flag("--o", "Subtract/", "Output directory name"),
    Flag("--ignore_class", False, "Take the first map for all particles"),
)


class ParticleSubtraction(Job):
    """Predictions of the unwanted part at each particle's pose are taken off its image."""

    type: ClassVar[JobType] = JobType(
        "Subtract",
        "relion.subtract",
        14,
        "Particle subtraction",
        cleaned_harshly=("subtracted.*", "Particles/subtracted*.mrcs"),
    )
    Options = SubtractOptions
    program: ClassVar[Program] = Program.of(
        "subtract",
        SubtractOptions,
        _EXTRA,
        relion_name="relion_particle_subtract",
        defaults={f"--center_{axis}": NO_CENTRE for axis in "xyz"},
        summary="take a part of the signal off particles",
    )

    @classmethod
    def expected_outputs(cls, options: SubtractOptions, directory: str) -> list[Node]:
        name = "original.star" if options.do_fliplabel else "particles_subtracted.star"
        return [Node(f"{directory}{name}", PARTICLES)]

    @classmethod
    def check(cls, options: SubtractOptions) -> list[str]:
        if options.do_fliplabel:
            return [] if options.fn_fliplabel else ["revert this particle star file: is empty"]
        complaints = [] if options.fn_opt else ["Input optimiser.star: is empty"]
        if not options.fn_mask:
            complaints.append("Mask of the signal to keep: is empty")
        if options.do_data and not options.fn_data:
            complaints.append("Input particle star file: is empty")
        return complaints

    def run(self) -> None:
        flags = self.arguments
        if flags["--revert"]:
            self._revert(flags["--revert"])
            return
        if not flags["--i"]:
            raise JobFailed("--i says which refinement's maps and poses are used")
        refinement = Refinement.read(flags["--i"])
        listed = read_particles(
            flags["--data"] or refinement.data, with_ctf=refinement.says("rlnDoCorrectCtf")
        )
        first = refinement.models[0].maps[0]
        keep = read_mask(flags["--mask"], first) if flags["--mask"] else None
        work = _Subtraction(self, refinement, listed, keep)
        work.check()
        work.write()

    def _revert(self, path: str) -> None:
        """Exchange image names: the poses stay, and with them the new centre that they were refined about."""
        star, table = read_list(path, "particles")
        if ORIGINAL not in table:
            raise JobFailed(f"{path} has no {ORIGINAL}: its particles were not subtracted")
        names = {IMAGE: table.strings(ORIGINAL), ORIGINAL: table.strings(IMAGE)}
        tables = [table.with_columns(names) if t is table else t for t in star.values()]
        target = self.context.directory / "original.star"
        write_star(target, tables)
        self.context.say(f" {len(table)} particles with their original images: {target}")


class _NothingReadable(Exception):
    """An optics group without a single image: it gets no stack."""


class _Subtraction:
    """One run of the job: groups of particles that share optics and a half-set."""

    def __init__(
        self, job: ParticleSubtraction, refinement: Refinement, listed: ParticleList, keep: Volume | None
    ) -> None:
        self.flags, self.context = job.arguments, job.context
        self.refinement, self.listed, self.keep = refinement, listed, keep
        self.half = _halves(listed, len(refinement.models))
        self.pixel = refinement.models[0].maps[0].pixel_size_angst
        self.centre_angst = self._centre()
        particles = listed.particles
        boxes = np.array([group.box_size for group in particles.optics])[particles.optics_group]
        self.source = StackSource(particles.names, boxes)
        self.names: dict[int, str] = {}
        self.shifts = np.zeros((len(particles), 2), np.int64)
        self.origins = listed.assignments.origin_yx_angst.copy()

    def check(self) -> None:
        """Raise JobFailed for classes without a map and boxes that cannot be."""
        highest = int(self.listed.assignments.class_index.max(initial=0)) + 1
        known = len(self.refinement.models[0].maps)
        if highest > known and not self.flags["--ignore_class"]:
            raise JobFailed(f"particles are of class {highest}, the refinement has {known} maps")
        box = self.flags["--new_box"]
        if box > 0 and (box % 2 or box < 8):
            raise JobFailed(f"the new box must be even and at least 8 pixels, got {box}")

    def _centre(self) -> tuple[float, ...] | None:
        """The point (x, y, z) of the map that the images are centred on, in Å; None: they stay."""
        from verglas.particles.subtraction import centre_of_mass_px

        given = tuple(self.flags[f"--center_{axis}"] for axis in "xyz")
        if any(value != NO_CENTRE for value in given):
            centre = tuple(0.0 if value == NO_CENTRE else value for value in given)
        elif self.flags["--recenter_on_mask"]:
            if self.keep is None:
                raise JobFailed("--recenter_on_mask needs --mask")
            centre = centre_of_mass_px(self.keep.data)
        else:
            return None
        self.context.say(f" Centred on {', '.join(f'{value:.2f}' for value in centre)} px of the map")
        return tuple(value * self.pixel for value in centre)

    def write(self) -> None:
        """All stacks, then the list; particles whose image cannot be read are set aside."""
        folder = self.context.directory / "Particles"
        folder.mkdir(parents=True, exist_ok=True)
        self.context.progress.start("Subtracting ...", len(self.listed.particles))
        for number, group in enumerate(self.listed.particles.optics):
            path = os.path.join(folder, f"subtracted_opticsgroup{number + 1}.mrcs")
            dtype = np.float16 if self.flags["--float16"] else None
            stack = StackWriter(path, group.pixel_size_angst, dtype=dtype)
            with contextlib.suppress(_NothingReadable), stack:
                self._group(number, stack)
                if not stack.n_images:
                    raise _NothingReadable
        self._write_list()

    def _group(self, number: int, stack: StackWriter) -> None:
        """All particles of an optics group, one half-set after the other."""
        rows = np.flatnonzero(self.listed.particles.optics_group == number)
        for half in np.unique(self.half[rows]):
            chosen = rows[self.half[rows] == half]
            predictor = self._predictor(number, int(half))
            for start in range(0, len(chosen), BATCH):
                self._batch(chosen[start : start + BATCH], number, int(half), predictor, stack)
                self.context.progress.update(len(self.names))
                self.context.check_abort()

    def _predictor(self, number: int, half: int) -> Predictor:
        """Of the part of the maps that is taken off, for an optics group."""
        import torch

        from verglas.fourier import Projector
        from verglas.maps.prediction import Predictor

        model = self.refinement.models[half]
        maps = model.maps
        unwanted = torch.stack([one.tensor for one in maps])
        if self.keep is not None:
            unwanted = unwanted * (1 - self.keep.tensor)
        geometry = image_geometry(self.listed.particles.optics[number])
        extent = maps[0].size * self.pixel
        projector = Projector.of(unwanted, model.current_size)
        return Predictor(projector, extent, geometry, self.refinement.ctf_use)

    def _batch(self, rows: Ints, number: int, half: int, predictor: Predictor, stack: StackWriter) -> None:
        import torch

        from verglas.particles.subtraction import moved_and_cut, new_centre, subtracted

        images = self.source.read(rows)
        rows, images = self._readable(rows, images)
        if not len(rows):
            return
        group, found = self.listed.particles.optics[number], self.listed.assignments
        model = self.refinement.models[half]
        factor = torch.from_numpy(model.norm_average / found.norm[rows]).float()
        pixel = group.pixel_size_angst
        left = subtracted(
            torch.from_numpy(images) * factor[:, None, None], self._predictions(rows, predictor, half)
        )
        box = self.flags["--new_box"] if self.flags["--new_box"] > 0 else group.box_size
        if self.centre_angst is not None:
            moved = new_centre(angles_of(found, rows), self.origins[rows], self.centre_angst, pixel)
            self.shifts[rows], self.origins[rows] = moved.shift_yx_px, moved.origins_yx_angst
        for place, row in enumerate(rows, stack.n_images + 1):
            self.names[int(row)] = f"{place:06d}@{stack.path}"
        stack.add(moved_and_cut(left, self.shifts[rows], box).numpy())

    def _readable(self, rows: Ints, images: Any) -> tuple[Ints, Any]:
        good = np.isfinite(images).all(axis=(1, 2))
        for row in rows[~good]:
            self.source.problems.setdefault(int(row), "its image holds values that are no finite numbers")
        return rows[good], images[good]

    def _predictions(self, rows: Ints, predictor: Predictor, half: int) -> Tensor:
        import torch

        from verglas.em.images.transfer import ctf_parameters

        particles, found = self.listed.particles, self.listed.assignments
        pixel = predictor.geometry.pixel_size_angst
        poses = poses_of(found, rows, pixel, one_class=self.flags["--ignore_class"])
        scales = self.refinement.models[half].scale_by_group
        names = particles.group_names
        scale = [scales.get(names[group], 1.0) for group in particles.scale_group[rows]]
        group = particles.optics[int(particles.optics_group[rows[0]])]
        return predictor.transforms(poses, ctf_parameters(particles, rows, group), torch.tensor(scale))

    def _write_list(self) -> None:
        directory = self.context.directory
        aside = SetAsideList(directory, {})
        for row, reason in self.source.problems.items():
            name = self.listed.particles.names[row]
            aside.add(name, None, reason)
            self.context.warn(f" WARNING: {name} is set aside: {reason}")
        aside.write()
        rows = np.array(sorted(self.names), np.int64)
        if not len(rows):
            raise JobFailed(f"not one particle could be read: {next(iter(self.source.problems.values()))}")
        table = self.listed.table.take(rows)
        names: dict[str, Any] = {
            IMAGE: [self.names[int(row)] for row in rows],
            ORIGINAL: table.strings(IMAGE),
        }
        origins = self.origins[rows]
        if self.centre_angst is not None:
            names |= {"rlnOriginXAngst": origins[:, 1], "rlnOriginYAngst": origins[:, 0]}
        write_star(directory / "particles_subtracted.star", [self._optics(), table.with_columns(names)])
        self.source.close()
        self.context.say(f" {len(rows)} subtracted particles in {directory / 'particles_subtracted.star'}")

    def _optics(self) -> StarTable:
        table, box = self.listed.optics_table, self.flags["--new_box"]
        return table.with_columns({"rlnImageSize": [box] * len(table)}) if box > 0 else table


def _halves(listed: ParticleList, models: int) -> Ints:
    """Which model each particle has; JobFailed where two models need halves that nobody wrote down."""
    if models == 1:
        return np.zeros(len(listed.table), np.int64)
    label = "rlnRandomSubset"
    if label not in listed.table:
        raise JobFailed(f"the particles have no {label}: which of the two half maps are they of?")
    return np.asarray(listed.table.ints(label), np.int64) - 1
