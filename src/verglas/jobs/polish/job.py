"""Bayesian polishing: tracks, frame weights and particles anew (pipeline.md §4.20, refinement.md §10.12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from verglas.formats.mrc_header import UnreadableImage
from verglas.formats.star import StarTable, concatenate, read_star, write_star
from verglas.jobs.contract.base import JobFailed, JobType
from verglas.jobs.contract.micrograph_job import Item, MicrographJob
from verglas.jobs.contract.nodes import LOGFILE, PARTICLES, POLISH_PARAMETERS, Node
from verglas.jobs.contract.program import Program
from verglas.jobs.contract.set_aside import SetAside, SetAsideList
from verglas.jobs.contract.tables import output_root
from verglas.jobs.polish.files import PolishFiles
from verglas.jobs.polish.flags import DEFAULTS, EXTRA_FLAGS
from verglas.jobs.polish.inputs import MicrographItem, PolishInputs, read_polish_inputs
from verglas.jobs.polish.options import PARAMETERS_FILE, PolishOptions
from verglas.jobs.polish.settings import boxes_of, check_flags

if TYPE_CHECKING:
    from verglas.jobs.polish.weights import AllWeights

MOST_NAMED = 20  # particles, in warnings
TRACKS, PARTICLES_ANEW = "tracks", "particles"  # the two things that are done with a micrograph


class BayesianPolishing(MicrographJob[PolishInputs]):
    """Every micrograph twice: for its tracks, and, once frames can be weighted, for its particles."""

    type: ClassVar[JobType] = JobType(
        "Polish",
        "relion.polish",
        20,
        "Bayesian polishing",
        settings_name="bayespolish",
        cleaned=("*/*_FCC_cc.mrc", "*/*_FCC_w0.mrc", "*/*_FCC_w1.mrc"),
        cleaned_harshly=("*/*_shiny.mrcs", "*/*_shiny.star"),
    )
    Options = PolishOptions
    program: ClassVar[Program] = Program.of(
        "motion_refine",
        PolishOptions,
        EXTRA_FLAGS,
        relion_name="relion_motion_refine",
        defaults=DEFAULTS,
        summary="follow particles through their movies and polish them",
    )
    stage = TRACKS
    weights: AllWeights | None = None

    @classmethod
    def expected_outputs(cls, options: PolishOptions, directory: str) -> list[Node]:
        if options.do_param_optim:
            return [Node(f"{directory}{PARAMETERS_FILE}", POLISH_PARAMETERS)]
        return [
            Node(f"{directory}shiny.star", PARTICLES, f"{PARTICLES.label}.polish"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.polish"),
        ]

    @classmethod
    def check(cls, options: PolishOptions) -> list[str]:
        names = (
            ("Micrographs (from MotionCorr)", options.fn_mic),
            ("Particles (from Refine3D or CtfRefine)", options.fn_data),
            ("Postprocess STAR file", options.fn_post),
        )
        complaints = [f"{label}: is empty" for label, name in names if not name]
        if options.do_param_optim == options.do_polish:
            complaints.append("Train parameters, or polish: exactly one of the two")
        if options.do_param_optim and not 0.1 < options.eval_frac <= 0.9:
            complaints.append(
                f"the fraction for testing must lie above 0.1 and up to 0.9, got {options.eval_frac:g}"
            )
        if options.do_polish and not (options.do_own_params or options.opt_params):
            complaints.append("Optimised parameter file: is empty; or use your own parameters")
        window, scale = options.extract_size, options.rescale
        if (window > 0) != (scale > 0):
            complaints.append(f"Extraction and re-scaled size go together, got {window} and {scale}")
        if window > 0 and scale > 0 and (window % 2 or scale % 2 or scale > window):
            complaints.append(
                f"sizes must be even, the re-scaled one not the larger, got {window} and {scale}"
            )
        return complaints

    @property
    def title(self) -> str:
        return {TRACKS: "Following particles ...", PARTICLES_ANEW: "Adding up frames ..."}[self.stage]

    def run(self) -> None:
        check_flags(self.arguments)
        if not self.context.executor:
            self.context.workers = max(1, self.context.workers) * max(1, self.arguments["--j"])
        if self.arguments["--params2"] or self.arguments["--params3"]:
            from verglas.jobs.polish.training_run import run_training

            run_training(self._items(), self.arguments, self.context)
            return
        super().run()

    def read_inputs(self) -> PolishInputs:
        from verglas.jobs.polish.references import references_of

        flags = self.arguments
        found = read_polish_inputs(flags["--i"], flags["--corr_mic"])
        references_of(flags)  # what is wrong with them is told at once
        return found.only(flags["--min_MG"], flags["--max_MG"], flags["--only_group"], flags["--par_group"])

    def is_done(self, item: Item) -> bool:
        return self._is_tracked(item) and (not self._recombines or self._is_recombined(item))

    def _is_due(self, item: Item, finished: frozenset[str], aside: SetAsideList) -> bool:
        """What was set aside is tried again each time: its movie may be back."""
        return item.name not in finished

    def _process_all(self, todo: Sequence[Item], aside: SetAsideList) -> None:
        """Tracks of all, weights of the frames, particles of all."""
        goes_on = self.only_unfinished
        self.stage = TRACKS
        untracked = [item for item in todo if not (goes_on and self._is_tracked(item))]
        if untracked:
            super()._process_all(untracked, aside)
        tracked = [item for item in self.inputs.items if item.name not in aside and self._is_tracked(item)]
        if not (self._recombines and tracked):
            return
        self._weigh(tracked)
        self.stage = PARTICLES_ANEW
        waiting = {item.name for item in tracked}
        super()._process_all([item for item in todo if item.name in waiting], aside)

    def process(self, item: Item, device: str) -> None:
        import torch

        from verglas.jobs.polish.recombining import recombine
        from verglas.jobs.polish.tracking import track

        torch.set_num_threads(1)  # micrographs are dealt out to processes: the same bits however many
        micrograph, files = cast(MicrographItem, item), self._files(item)
        try:
            if self.stage == TRACKS:
                track(micrograph, files, self.arguments)
                return
            weights = None if self.weights is None else self.weights.of(micrograph)
            recombine(micrograph, files, weights, self._optics(), self.arguments)
        except ValueError as reason:
            raise SetAside(str(reason)) from reason

    def _weigh(self, tracked: Sequence[Item]) -> None:
        from verglas.jobs.polish.references import references_of
        from verglas.jobs.polish.weights import weights_of, write_weights

        pairs = [(cast(MicrographItem, item), self._files(item)) for item in tracked]
        resolution = references_of(self.arguments).halves.resolution_angst
        self.weights, pools = weights_of(pairs, self.arguments, resolution)
        write_weights(self.context.directory, self.weights)
        for pool in pools:
            self.context.say(f" Frame weights of {pool.name}: {len(pool.sums.product)} frames")

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        from verglas.jobs.polish.report import write_report

        directory = self.context.directory
        left_out = self.inputs.left_out
        for name, reason in list(left_out.items())[:MOST_NAMED]:
            self.context.warn(f" WARNING: {name} is left out: {reason}")
        if len(left_out) > MOST_NAMED:
            self.context.warn(f" WARNING: {len(left_out)} particles in all are left out")
        plain = [item.name for item in done if not cast(MicrographItem, item).metadata]
        if plain:
            self.context.warn(
                f" WARNING: {len(plain)} micrographs have no motion metadata, first {plain[0]}: their particles "
                "are cut from the sums as they are, without tracks and without weights of frames"
            )
        if self._recombines:
            tables = [read_star(self._files(item).list)["particles"] for item in done]
            rows = concatenate(tables).named("particles") if tables else None
            output = [self._optics(), rows] if rows is not None else [self._optics()]
            write_star(directory / "shiny.star", output)
            count = 0 if rows is None else len(rows)
            self.context.say(f" {count} polished particles in {directory / 'shiny.star'}")
        micrographs = [cast(MicrographItem, item) for item in done]
        write_report(directory, [(item, self._files(item)) for item in micrographs])

    @property
    def _recombines(self) -> bool:
        return bool(self.arguments["--combine_frames"])

    def _is_tracked(self, item: Item) -> bool:
        return not cast(MicrographItem, item).metadata or self._files(item).is_tracked

    def _is_recombined(self, item: Item) -> bool:
        """Whether the stack is there, of as many particles as the list has now."""
        from verglas.formats.mrc import read_mrc_header

        files = self._files(item)
        if not files.is_recombined:
            return False
        try:
            header = read_mrc_header(files.stack)
        except (OSError, UnreadableImage):
            return False
        return header.n_images == len(cast(MicrographItem, item).table)

    def _files(self, item: Item) -> PolishFiles:
        return PolishFiles(output_root(item.name, self.context.directory), self.arguments["--suffix"])

    def _items(self) -> list[MicrographItem]:
        return list(self.inputs.items)

    def _optics(self) -> StarTable:
        """The particles' optics, with the boxes of the polished ones."""
        flags, table = self.arguments, self.inputs.optics_table
        sizes, pixels = [], []
        for row in range(len(table)):
            size, pixel = table.integer("rlnImageSize", row), table.number("rlnImagePixelSize", row)
            label = "rlnMicrographOriginalPixelSize"
            recorded = table.number(label, row) if label in table else pixel
            boxes = boxes_of(flags, size, pixel, flags["--mps"] if flags["--mps"] > 0 else recorded)
            sizes.append(boxes.output_px)
            pixels.append(boxes.pixel_size_angst if flags["--scale"] > 0 else pixel)
        columns: dict[str, Any] = {"rlnImageSize": sizes, "rlnImagePixelSize": pixels}
        premultiplied = 1 if flags["--ctf_multiply"] else 0
        columns["rlnCtfDataAreCtfPremultiplied"] = [premultiplied] * len(table)
        return table.with_columns(columns)


__all__ = ["BayesianPolishing", "JobFailed"]
