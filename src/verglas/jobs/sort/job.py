"""Particle sorting [2.x, 3.0]: how far a particle is from looking like its reference (pipeline.md §4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from verglas.formats.star import write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import LOGFILE, PARTICLES, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.refine.files.particles import ParticleList, read_particles
from verglas.jobs.refine.images.stacks import StackSource
from verglas.jobs.sort.options import SortOptions
from verglas.jobs.sort.references import References, model_of, read_references

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.em.state.particles import OpticsGroup
    from verglas.fourier import Projector

Z_SCORE = "rlnParticleSelectZScore"
BATCH = 256
_EXTRA = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--particle_diameter", -1.0, "Compare within this circle (Å); by default 90 % of the box"),
)


class ParticleSorting(Job):
    """Adds the mean z-score of what a particle's reference does not explain; low is good."""

    type: ClassVar[JobType] = JobType("Sort", "relion.sort", 6, "Particle sorting")
    Options = SortOptions
    program: ClassVar[Program] = Program.of(
        "sort",
        SortOptions,
        _EXTRA,
        relion_name="relion_particle_sort",
        summary="rank particles by what their references do not explain",
    )

    @classmethod
    def expected_outputs(cls, options: SortOptions, directory: str) -> list[Node]:
        return [Node(f"{directory}particles_sort.star", PARTICLES), Node(f"{directory}logfile.pdf", LOGFILE)]

    @classmethod
    def check(cls, options: SortOptions) -> list[str]:
        complaints = [] if options.input_star else ["Input particles to be sorted: is empty"]
        if options.is_autopick and not options.autopick_refs:
            complaints.append("Autopicking references: is empty")
        return complaints

    def run(self) -> None:
        from verglas.jobs.summary.micrograph_log import write_pdf
        from verglas.particles.residuals import sorting_scores

        flags = self.arguments
        listed = read_particles(flags["--i"], with_ctf=flags["--ctf"])
        path = flags["--ref"] or model_of(flags["--i"])
        if not path:
            raise JobFailed(f"there is no model beside {flags['--i']}: give references by --ref")
        scores = sorting_scores(self._features(listed, read_references(path, flags["--angpix_ref"])))
        directory = self.context.directory
        write_pdf(
            directory / "logfile.pdf",
            f"Particle sorting: {len(scores)} particles",
            {"z-score": scores.numpy()},
        )
        table = listed.table.with_columns({Z_SCORE: scores.numpy()})
        write_star(directory / "particles_sort.star", [listed.optics_table, table])
        self.context.say(f" {int((scores > 1).sum())} of {len(scores)} particles score above 1")

    def _features(self, listed: ParticleList, references: References) -> Tensor:
        """(n, F) float64, nan for particles that cannot be read."""
        import torch

        from verglas.fourier import Projector
        from verglas.particles.residuals import FEATURES

        particles = listed.particles
        self._check_classes(listed, references)
        boxes = np.array([group.box_size for group in particles.optics])[particles.optics_group]
        source = StackSource(particles.names, boxes)
        features = torch.full((len(particles.names), len(FEATURES)), torch.nan, dtype=torch.float64)
        progress, done = self.context.progress, 0
        progress.start("Sorting particles ...", len(features))
        for number, group in enumerate(particles.optics):
            rows = np.flatnonzero(particles.optics_group == number)
            if not len(rows):
                continue
            maps = references.on_grid(group.box_size, group.pixel_size_angst)
            projector = Projector.of(maps, dims=references.dims)
            for start in range(0, len(rows), BATCH):
                chosen = rows[start : start + BATCH]
                features[chosen] = self._of_batch(listed, chosen, group, projector, source)
                done += len(chosen)
                progress.update(done)
                self.context.check_abort()
        for row, reason in source.problems.items():
            self.context.warn(f" WARNING: {particles.names[row]}: {reason}")
        source.close()
        return features

    def _of_batch(
        self, listed: ParticleList, rows: Any, group: OpticsGroup, projector: Projector, source: StackSource
    ) -> Tensor:
        import torch

        from verglas.fourier import centre_signs, forward, inverse, shift_in_fourier
        from verglas.geometry import euler_matrices
        from verglas.particles.residuals import residual_features

        poses, box, pixel = listed.assignments, group.box_size, group.pixel_size_angst
        angles = np.stack([poses.rot_deg, poses.tilt_deg, poses.psi_deg], 1)[rows]
        if projector.lattice.dims == 2:
            angles[:, :2] = 0
        classes = torch.from_numpy(np.maximum(poses.class_index[rows], 0))
        slices = projector.slices(euler_matrices(torch.from_numpy(angles)), box, classes)
        if self.arguments["--ctf"]:
            slices = slices * self._ctf(listed, rows, group)
        predictions = inverse(slices * centre_signs(box), box)
        images = torch.from_numpy(source.read(rows))
        shifts = torch.from_numpy(poses.origin_yx_angst[rows] / pixel)
        centred = inverse(shift_in_fourier(forward(images), shifts), box)
        diameter = self.arguments["--particle_diameter"]
        radius = diameter / pixel / 2 if diameter > 0 else 0.45 * box
        return residual_features(centred, predictions, radius)

    def _ctf(self, listed: ParticleList, rows: Any, group: OpticsGroup) -> Tensor:
        from verglas.em.images.transfer import ctf_parameters
        from verglas.fourier import frequency_grid
        from verglas.optics import ctf

        parameters = ctf_parameters(listed.particles, rows, group)
        grid = frequency_grid(group.box_size, group.pixel_size_angst)
        intact = self.arguments["--ctf_intact_first_peak"]
        values = ctf(parameters, grid, intact_first_peak=intact)
        return values.square() if group.ctf_premultiplied else values

    @staticmethod
    def _check_classes(listed: ParticleList, references: References) -> None:
        highest = int(listed.assignments.class_index.max(initial=-1)) + 1
        if highest > len(references.data):
            raise JobFailed(f"particles are of class {highest}, {references.path} has {len(references.data)}")
