"""Movie refinement: where particles are in running averages of their frames (pipeline.md §4.21)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from verglas.formats.star import StarTable, concatenate, read_star, write_star
from verglas.jobs.contract.base import JobFailed, JobType
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.jobs.contract.nodes import MOVIE_PARTICLES, Node
from verglas.jobs.contract.options import to_text
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import output_root
from verglas.jobs.movierefine.inputs import MovieInputs, read_movie_inputs
from verglas.jobs.movierefine.options import MovieRefineOptions
from verglas.jobs.polish.inputs import MicrographItem

_EXTRA = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--only_do_unfinished", False, "Keep movies whose particles are there already"),
)


class MovieRefinement(MicrographJob[MovieInputs]):
    """Cuts movie particles and finds their offsets; a movie that was finished before is left alone."""

    type: ClassVar[JobType] = JobType(
        "MovieRefine",
        "relion.movierefine",
        17,
        "Movie refinement",
        incremental=True,
        cleaned_harshly=("*/*.mrcs",),
    )
    Options = MovieRefineOptions
    program: ClassVar[Program] = Program.of(
        "movie_refine",
        MovieRefineOptions,
        _EXTRA,
        relion_name="relion_refine",
        defaults={"--extract_size": -1, "--scale": -1, "--sigma_ang": 1.0, "--movie_name": ""},
        summary="follow particles through running averages of their movies",
    )

    @classmethod
    def expected_outputs(cls, options: MovieRefineOptions, directory: str) -> list[Node]:
        name = data_name(
            options.movie_runavg_window,
            options.movie_sigma_offset,
            options.movie_sigma_angles if options.do_alsorot_movies else None,
        )
        return [Node(f"{directory}{name}", MOVIE_PARTICLES)]

    @classmethod
    def check(cls, options: MovieRefineOptions) -> list[str]:
        complaints = [] if options.fn_movie_star else ["Input movies STAR file: is empty"]
        if not options.fn_cont:
            complaints.append("Continue 3D auto-refine from: is empty")
        if options.do_alsorot_movies and options.join_nr_mics > 0:
            complaints.append("Rotational searches need all micrographs at once: batches of 0")
        sizes = (options.extract_size, options.rescale if options.do_rescale else 2)
        complaints += [f"Box sizes must be even numbers of pixels, got {n}" for n in sizes if n <= 0 or n % 2]
        if options.movie_sigma_offset <= 0 or options.movie_runavg_window < 1:
            complaints.append(
                "the deviation of translations and the window must be positive, got "
                f"{options.movie_sigma_offset:g} and {options.movie_runavg_window}"
            )
        return complaints

    @property
    def title(self) -> str:
        return "Refining movies ..."

    def run(self) -> None:
        if not self.context.executor:
            workers = max(1, self.context.workers) * max(1, self.arguments["--j"])
            self.context.workers = min(workers, max(1, self.arguments["--max_mpi_nodes"]))
        super().run()

    def read_inputs(self) -> MovieInputs:
        from verglas.jobs.refine.files.refined_maps import Refinement

        flags = self.arguments
        if not flags["--continue"]:
            raise JobFailed(
                "--continue names the _optimiser.star of the auto-refine whose particles are followed"
            )
        refinement = Refinement.read(flags["--continue"])
        return read_movie_inputs(flags["--i"], flags["--movie_name"], refinement.data)

    def is_done(self, item: Item) -> bool:
        return self._list(item).exists() and self._stack(item).exists()

    def process(self, item: Item, device: str) -> None:
        import torch

        from verglas.jobs.movierefine.work import refine_movie

        torch.set_num_threads(1)  # movies are dealt out to processes
        refine_movie(cast(MicrographItem, item), self._stack(item), self._list(item), self._flags())

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        directory, flags = self.context.directory, self._flags()
        if self.inputs.without_particles:
            self.context.say(f" {self.inputs.without_particles} movies have no particles in the refinement")
        tables = [read_star(self._list(item))["particles"] for item in done]
        optics = self._optics()
        rows = concatenate(tables).named("particles") if tables else None
        output = [optics, rows] if rows is not None else [optics]
        sigma = None if flags["--skip_rotate"] else flags["--sigma_ang"]
        name = data_name(flags["--movie_frames_running_avg"], flags["--sigma_off"], sigma)
        write_star(directory / name, output)
        movie = flags["--movie_name"] or "movie"
        write_star(directory / f"particles_{movie}.star", output)
        lists = {"rlnStarFileMovieParticles": [str(self._list(item)) for item in done]}
        write_star(
            directory / f"micrographs_{movie}_list.star", [StarTable.from_columns("micrographs", lists)]
        )
        count = 0 if rows is None else len(rows)
        self.context.say(f" {count} movie particles of {len(done)} movies in {directory / name}")

    def _flags(self) -> dict[str, Any]:
        """With the box of the particles where none is given."""
        flags = dict(self.arguments.items())
        if flags["--extract_size"] <= 0:
            flags["--extract_size"] = self.inputs.optics_table.integer("rlnImageSize", 0)
        return flags

    def _optics(self) -> StarTable:
        flags, table = self._flags(), self.inputs.optics_table
        size = flags["--scale"] if flags["--scale"] > 0 else flags["--extract_size"]
        label = "rlnMicrographPixelSize"
        recorded = label if label in table else "rlnMicrographOriginalPixelSize"
        columns: dict[str, Any] = {"rlnImageSize": [size] * len(table)}
        if recorded in table:
            pixels = table.floats(recorded) * (flags["--extract_size"] / size)
            columns["rlnImagePixelSize"] = pixels
        return table.with_columns(columns)

    def _root(self, item: Item) -> Path:
        return output_root(item.name, self.context.directory, without_dots=True)

    def _stack(self, item: Item) -> Path:
        return Path(f"{self._root(item)}_{self.arguments['--movie_name'] or 'movie'}.mrcs")

    def _list(self, item: Item) -> Path:
        return Path(f"{self._root(item)}_{self.arguments['--movie_name'] or 'movie'}_data.star")


def data_name(window: int, sigma_offset: float, sigma_angles: float | None) -> str:
    """The data file: `run_ravg5_off1_data.star`, with `_ang1` for rotations."""
    turned = "" if sigma_angles is None else f"_ang{to_text(sigma_angles)}"
    return f"run_ravg{window}_off{to_text(sigma_offset)}{turned}_data.star"
