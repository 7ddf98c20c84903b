"""Auto-picking: coordinates with a figure of merit for every micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from verglas.formats.atomic import write_text
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.jobs.autopick.options import AutoPickOptions, method_of
from verglas.jobs.autopick.pickers import Scene, picker_of
from verglas.jobs.autopick.results import read_candidates, summary_row, write_candidates, write_picks
from verglas.jobs.contract.base import JobFailed, JobType
from verglas.jobs.contract.micrograph_job import (
    Inputs,
    Item,
    MicrographJob,
    micrograph_items,
    read_micrograph,
)
from verglas.jobs.contract.nodes import COORDINATES, LOGFILE, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.contract.tables import optics_by_group, output_root, read_list, reuse_rows, table_of
from verglas.jobs.extract.columns import ctf_parameters

NO_HELICES = "Helical segments are picked with templates (2D references or a 3D reference) only"
_PADDED = "verglas pads and reduces as the filters need it"
_EXTRA = (
    Flag("--odir", "AutoPick/", "Output directory"),
    Flag("--pickname", "autopick", "Rootname of the coordinate files"),
    Flag("--only_do_unfinished", False, "Keep micrographs whose coordinates are there already"),
    Flag("--LoG_neighbour", 100.0, "Least distance of two picks, in percent of the default"),
    Flag("--outlier_removal_zscore", 8.0, unneeded="outliers beyond 8 sigma are always removed"),
    Flag("--no_fom_limit", False, unneeded="there is no limit to the number of maps written"),
    Flag("--skip_optimise_scale", False, unneeded=_PADDED),
    Flag("--shrink_particle_mask", 2, unneeded=_PADDED),
    Flag("--pad", 2.0, unneeded=_PADDED),
    Flag("--extra_pad", 0, unneeded=_PADDED),
    Flag("--Log_max_search", 5.0, unneeded="diameters outside the range are not searched"),
    Flag("--LoG_use_ctf", False, unneeded="the profile that is learnt holds the CTF"),
    Flag("--random_seed", 1, unneeded="picking draws no random numbers"),
    Flag("--verb", 1, unneeded="progress is always shown"),
)
_PROGRAM_DEFAULTS = {
    "--LoG_diam_min": -1.0,
    "--LoG_diam_max": -1.0,
    "--LoG_upper_threshold": 99999.0,
    "--ang": 10.0,
    "--threshold": 0.25,
    "--min_distance": -1.0,
    "--max_stddev_noise": -1.0,
    "--shrink": 1.0,
    "--healpix_order": 1,
    "--helical_tube_kappa_max": 0.25,
    "--helical_tube_outer_diameter": -1.0,
}


class AutoPicking(MicrographJob[Inputs]):
    """Picks every micrograph; one without particles gets an empty file and is finished."""

    type: ClassVar[JobType] = JobType(
        "AutoPick",
        "relion.autopick",
        4,
        "Auto-picking",
        incremental=True,
        counts_picks=True,
        cleaned=("*/*.spi",),
    )
    Options = AutoPickOptions
    program: ClassVar[Program] = Program.of(
        "autopick",
        AutoPickOptions,
        _EXTRA,
        defaults=_PROGRAM_DEFAULTS,
        relion_name="relion_autopick",
        summary="find particles in micrographs",
    )

    @classmethod
    def expected_outputs(cls, options: AutoPickOptions, directory: str) -> list[Node]:
        if options.do_topaz and options.do_topaz_train and not options.do_topaz_pick:
            return []
        return [
            Node(f"{directory}coords_suffix_autopick.star", COORDINATES, f"{COORDINATES.label}.autopick"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.autopick"),
        ]

    @classmethod
    def place_flags(cls, directory: str) -> list[str]:
        return ["--odir", directory, "--pickname", "autopick"]

    @classmethod
    def keeps_results(cls, options: AutoPickOptions) -> bool:
        return not (options.do_write_fom_maps or options.do_read_fom_maps)

    @classmethod
    def check(cls, options: AutoPickOptions) -> list[str]:
        complaints = []
        if not options.fn_input_autopick:
            complaints.append("Input micrographs for autopick: is empty")
        method = method_of(options)
        needed = {
            "refs": ("fn_refs_autopick", "2D references:"),
            "ref3d": ("fn_ref3d_autopick", "3D reference:"),
            "network": ("fn_network", "Trained network:"),
        }.get(method)
        if needed and not getattr(options, needed[0]):
            complaints.append(f"{needed[1]} is empty (or choose another method)")
        if method == "topaz" and not (options.do_topaz_train or options.do_topaz_pick):
            complaints.append("Topaz: choose training, picking, or both")
        if method == "topaz" and options.topaz_particle_diameter <= 0:
            complaints.append("Topaz: Particle diameter (A) must be positive")
        if options.do_pick_helical_segments and method in ("refs", "ref3d"):
            if options.helical_nr_asu * options.helical_rise <= 0:
                complaints.append("Helical rise (A) and number of asymmetrical units must be positive")
            if options.helical_tube_outer_diameter <= 0:
                complaints.append("Tube diameter (A) must be positive")
        if method == "log" and options.log_diam_min > options.log_diam_max:
            complaints.append("Min. diameter for LoG filter is larger than the maximum")
        if sum((options.do_log, options.do_topaz, options.do_network, options.do_refs)) > 1:
            complaints.append("Choose one picking method only")
        return complaints

    @property
    def title(self) -> str:
        return "Autopicking ..."

    def run(self) -> None:
        if self.arguments["--helix"] and (self.arguments["--LoG"] or self.arguments["--network"]):
            raise JobFailed(NO_HELICES)
        if self.arguments["--topaz"] and self.arguments["--topaz_train"]:
            self._train_topaz()
            if not self.arguments["--topaz_extract"]:
                return
        super().run()

    def _train_topaz(self) -> None:
        """Train the user's topaz on picks or particles; the model is left in the job's directory."""
        from verglas.jobs.autopick.network import training_examples
        from verglas.jobs.autopick.topaz import train_topaz

        flags = self.arguments
        picks = flags["--topaz_train_parts"] or flags["--topaz_train_picks"]
        if not picks:
            raise JobFailed("Topaz training needs picked coordinates or particles")
        examples = training_examples(flags["--i"], picks, self.context.warn)
        model = train_topaz(flags, examples, self.context.directory)
        self.context.say(f" Topaz was trained on {len(examples)} micrographs: {model}")

    def read_inputs(self) -> Inputs:
        star, table = read_list(self.arguments["--i"], "micrographs")
        return Inputs(micrograph_items(table), optics_by_group(star))

    def is_done(self, item: Item) -> bool:
        return self._picks_path(item).exists()

    def process(self, item: Item, device: str) -> None:
        candidates = self._candidates_path(item)
        candidates.parent.mkdir(parents=True, exist_ok=True)
        if self.arguments["--read_fom_maps"]:
            if not candidates.exists():
                raise SetAside(f"{candidates} does not exist: pick this micrograph first")
            picks = read_candidates(candidates)
        else:
            picks = self._pick(item, device)
            write_candidates(candidates, picks)
        adjust, upper = self.arguments["--LoG_adjust_threshold"], 99999.0
        if self.arguments["--LoG"]:
            upper = self.arguments["--LoG_upper_threshold"]
        write_picks(self._picks_path(item), picks.picked(adjust, upper))

    def alone(self, item: Item) -> Mapping[str, Sequence[StarTable]]:
        row = summary_row(item.name, self._picks_path(item))
        return {
            "summary.star": [table_of("", [row])],
            f"{self.arguments['--pickname']}.star": [self._file_list([item])],
        }

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        from verglas.jobs.summary.micrograph_log import Summary, write_log
        from verglas.jobs.summary.pictures import picks_picture

        directory, name = self.context.directory, self.arguments["--pickname"]
        directory.mkdir(parents=True, exist_ok=True)
        kept = reuse_rows(directory / "summary.star", "", "rlnMicrographName", anew)
        rows = [kept.get(item.name) or summary_row(item.name, self._picks_path(item)) for item in done]
        write_star(directory / "summary.star", [table_of("", rows)])
        write_star(directory / f"{name}.star", [self._file_list(done)])
        # not a STAR file: one line naming the micrographs (pipeline.md §5.5)
        write_text(directory / f"coords_suffix_{name}.star", f"{self.arguments['--i']}\n")
        total = sum(int(row["rlnGroupNrParticles"]) for row in rows)
        average = total / max(1, len(rows))
        self.context.say(
            f" Total number of particles from {len(rows)} micrographs is {total}\n"
            f" i.e. on average there were {round(average)} particles per micrograph"
        )
        columns = {
            "rlnGroupNrParticles": "Particles per micrograph",
            "rlnAutopickFigureOfMerit": "Mean figure of merit (σ)",
        }
        paths = {item.name: self._picks_path(item) for item in done}
        summary = Summary(
            "Auto-picking",
            columns,
            lambda row: picks_picture(row, paths[row["rlnMicrographName"]]),
            worst="rlnGroupNrParticles",
            worst_is_low=True,
        )
        write_log(directory / "logfile.pdf", summary, rows)

    def _file_list(self, done: Sequence[Item]) -> StarTable:
        """Which file holds the coordinates of which micrograph."""
        files = {
            "rlnMicrographName": [item.name for item in done],
            "rlnMicrographCoordinates": [str(self._picks_path(item)) for item in done],
        }
        return StarTable.from_columns("coordinate_files", files)

    def _pick(self, item: Item, device: str) -> Any:
        """All candidates of a micrograph by the chosen method, outside dirty areas."""
        import torch

        torch.set_num_threads(1)  # micrographs run side by side (Number of MPI procs)
        image = torch.from_numpy(read_micrograph(item)).to(device)
        pixel = self._pixel_size(item)
        picker = picker_of(self.arguments)
        dirty = None
        if self.arguments["--clean_areas"] and not self.arguments["--helix"]:
            dirty = self._dirty_areas(item, image, pixel, picker.diameter_angst)
        return picker.pick(Scene(image, pixel, self._ctf(item), dirty))

    def _dirty_areas(self, item: Item, image: Any, pixel: float, diameter: float) -> Any:
        """Find them, and write the mask beside the coordinates if there are any."""
        from verglas.picking.dirty_areas import find_dirty_areas

        dirty = find_dirty_areas(image, pixel, diameter)
        path = self._path(item, "_dirty.mrc")
        if dirty.fraction > 0:
            write_mrc(path, dirty.mask, dirty.pixel_size_angst)
        else:
            path.unlink(missing_ok=True)
        return dirty

    def _ctf(self, item: Item) -> Any:
        if not self.arguments["--ctf"]:
            return None
        return ctf_parameters(item.row, self.inputs.optics_of(item))

    def _pixel_size(self, item: Item) -> float:
        if self.arguments["--angpix"] > 0:
            return float(self.arguments["--angpix"])
        return float(self.inputs.optics_of(item)["rlnMicrographPixelSize"])

    def _picks_path(self, item: Item) -> Path:
        return self._path(item, f"_{self.arguments['--pickname']}.star")

    def _candidates_path(self, item: Item) -> Path:
        return self._path(item, "_candidates.star")

    def _path(self, item: Item, ending: str) -> Path:
        root = output_root(item.name, self.context.directory)
        return root.with_name(root.name + ending)
