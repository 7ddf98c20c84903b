"""Particle polishing: straight tracks, weights of frames, particles anew, a sharpened map (pipeline.md §4.22)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.formats.stack import image_name
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, concatenate, write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType
from verglas.jobs.contract.nodes import FINAL_MAP, LOGFILE, PARTICLES, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import output_root
from verglas.jobs.particlepolish.movies import FRAME, MovieParticles, read_movies
from verglas.jobs.particlepolish.options import ParticlePolishOptions
from verglas.jobs.volumes.reading import Volume, read_mask

if TYPE_CHECKING:
    from verglas.jobs.particlepolish.frames import FrameImages
    from verglas.polish.frame_weights import FrameWeights

_NO_HELIX = "helices are not offered in particle polishing"
_EXTRA = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--only_do_unfinished", False, "Do nothing if the polished particles are there"),
    Flag("--helix", False, "Not offered"),
    Flag("--helical_nr_asu", 1, unneeded=_NO_HELIX),
    Flag("--helical_twist", 0.0, unneeded=_NO_HELIX),
    Flag("--helical_rise", 0.0, unneeded=_NO_HELIX),
)
_OF_MOVIES = (FRAME, "rlnMovieFramesRunningAverage", "rlnParticleName", "rlnMaxValueProbDistribution")


class ParticlePolishing(Job):
    """Reads movie particles three times: for half maps, for what frames are worth, for the result."""

    type: ClassVar[JobType] = JobType(
        "ParticlePolish", "relion.particlepolish", 11, "Particle polishing", cleaned_harshly=("*/*.mrcs",)
    )
    Options = ParticlePolishOptions
    program: ClassVar[Program] = Program.of(
        "particle_polish",
        ParticlePolishOptions,
        _EXTRA,
        relion_name="relion_particle_polish",
        summary="polish particles from movie particles, as RELION 2 did",
    )

    @classmethod
    def expected_outputs(cls, options: ParticlePolishOptions, directory: str) -> list[Node]:
        return [
            Node(f"{directory}shiny.star", PARTICLES),
            Node(f"{directory}logfile.pdf", LOGFILE),
            Node(f"{directory}shiny_post.mrc", FINAL_MAP),
        ]

    @classmethod
    def output_flags(cls, options: Any, directory: str, is_continue: bool) -> list[str]:
        return ["--o", directory, *(["--only_do_unfinished"] if is_continue else [])]

    @classmethod
    def check(cls, options: ParticlePolishOptions) -> list[str]:
        complaints = [] if options.fn_in else ["Input STAR file with aligned movies: is empty"]
        return complaints if options.fn_mask else [*complaints, "Mask for the reconstructions: is empty"]

    def run(self) -> None:
        from verglas.jobs.particlepolish.frames import FrameImages, half_maps

        flags, directory = self.arguments, self.context.directory
        if flags["--helix"]:
            raise JobFailed(_NO_HELIX)
        if flags["--only_do_unfinished"] and (directory / "shiny.star").exists():
            self.context.say(" Nothing to do: shiny.star is there")
            return
        listed, movies = read_movies(flags["--i"])
        images = FrameImages(listed, [(movie, self._tracks(movie)) for movie in movies])
        maps = half_maps(images.summed(self._told("Adding up frames ...")), images, flags["--sym"])
        mask = read_mask(flags["--mask"], Volume("the half maps", maps[0].numpy(), images.pixel_angst, 0.0))
        weights = None if flags["--skip_bfactor_weighting"] else self._weights(images, maps, mask)
        self._write(images, weights)
        images.source.close()
        self._finish(images, mask)

    def _tracks(self, movie: MovieParticles) -> Any:
        from verglas.polish.linear_motion import straight_tracks

        if self.arguments["--no_fit"]:
            return movie.motion_angst
        return straight_tracks(movie.motion_angst, movie.places, self.arguments["--sigma_nb"])

    def _told(self, title: str) -> Any:
        """A callback for progress over movies."""
        progress = self.context.progress

        def told(done: int, count: int) -> None:
            if done == 0:
                progress.start(title, count)
            progress.update(done)
            self.context.check_abort()

        return told

    def _weights(self, images: FrameImages, maps: Any, mask: Volume) -> FrameWeights:
        from verglas.jobs.polish.weights import AllWeights, write_weights
        from verglas.polish.frame_weights import FrameWeights, fit_frame_weights

        flags = self.arguments
        sums = images.agreement(maps, mask.tensor, flags["--perframe_highres"], self._told("Comparing ..."))
        extent = images.box * images.pixel_angst
        last = min(int(extent / flags["--perframe_highres"]), sums.product.shape[1] - 1)
        first = max(1, int(np.ceil(extent / flags["--autob_lowres"])))
        try:
            found = fit_frame_weights(sums.correlation, extent, first, last)
        except ValueError as error:
            raise JobFailed(f"frame weights cannot be found: {error}") from error
        width = flags["--bfactor_running_avg"]
        if width > 1:
            padded = np.pad(found.b_factor_a2, (width // 2, (width - 1) // 2), mode="edge")
            found = FrameWeights(found.amplitude, np.convolve(padded, np.ones(width) / width, "valid"))
        write_weights(self.context.directory, AllWeights(found, {}))
        return found

    def _write(self, images: FrameImages, weights: FrameWeights | None) -> None:
        """Stacks of all movies and the list."""
        flags, directory = self.arguments, self.context.directory
        tables = []
        told = self._told("Polishing ...")
        told(0, len(images.movies))
        for number, (movie, _) in enumerate(images.movies, 1):
            particles, origins = images.polished(number - 1, weights, flags)
            stack = f"{output_root(movie.name, directory, without_dots=True)}_shiny.mrcs"
            Path(stack).parent.mkdir(parents=True, exist_ok=True)
            write_stack(stack, particles, images.pixel_angst)
            tables.append(_rows(images.listed.table.take(movie.rows[:, 0]), movie.name, stack, origins))
            told(number, len(images.movies))
        rows = concatenate(tables).named("particles")
        write_star(directory / "shiny.star", [images.listed.optics_table, rows])
        self.context.say(f" {len(rows)} polished particles in {directory / 'shiny.star'}")

    def _finish(self, images: FrameImages, mask: Volume) -> None:
        """Half maps of the polished particles, sharpened, and the log."""
        import torch

        from verglas.fourier import inverse
        from verglas.fourier.radial import weight_radially
        from verglas.jobs.particlepolish.frames import half_maps, polished_sums
        from verglas.jobs.polish.report import write_weights_figure
        from verglas.maps.postprocessing.half_map_curves import half_map_curves
        from verglas.maps.postprocessing.sharpening import SharpeningSettings, sharpening_of

        directory = self.context.directory
        one, other = half_maps(
            polished_sums(directory / "shiny.star", images), images, self.arguments["--sym"]
        )
        for half, volume in enumerate((one, other), 1):
            name = directory / f"shiny_half{half}_class001_unfil.mrc"
            write_mrc(name, volume.numpy(), images.pixel_angst)
        curves, mean = half_map_curves(one, other, mask.tensor)
        sharp = sharpening_of(mean, curves.true, SharpeningSettings(images.pixel_angst))
        volume = inverse(weight_radially(mean, sharp.factors), images.box, 3).to(torch.float32)
        write_mrc(directory / "shiny_post.mrc", volume.numpy(), images.pixel_angst)
        resolution = images.box * images.pixel_angst / max(curves.final_shell, 1)
        self.context.say(f" Resolution of the polished halves: {resolution:.2f} Å")
        write_weights_figure(directory)


def _rows(table: StarTable, movie: str, stack: str, origins_angst: Any) -> StarTable:
    """One row a particle, without what told of its frames."""
    kept = [
        label
        for label in table.labels
        if label not in _OF_MOVIES and not label.startswith("verglasMovieMotion")
    ]
    return table.select(kept).with_columns(
        {
            "rlnImageName": [image_name(stack, index) for index in range(len(table))],
            "rlnMicrographName": [movie] * len(table),
            "rlnOriginXAngst": origins_angst[:, 1],
            "rlnOriginYAngst": origins_angst[:, 0],
        }
    )
