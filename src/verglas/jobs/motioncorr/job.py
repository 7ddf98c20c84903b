"""Motion correction: aligned sums of every movie, `corrected_micrographs.star` with RELION's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from verglas.formats.star import StarTable, write_star
from verglas.jobs.contract.base import JobType
from verglas.jobs.contract.micrograph_job import Inputs, Item, MicrographJob, micrograph_items
from verglas.jobs.contract.nodes import LOGFILE, MICROGRAPHS, MOVIES, Node
from verglas.jobs.contract.optics_table import optics_table
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.set_aside import SetAside, SetAsideList
from verglas.jobs.contract.tables import Row, optics_by_group, output_root, read_list, reuse_rows, table_of
from verglas.jobs.motioncorr.files import MovieFiles
from verglas.jobs.motioncorr.gain_in_use import GainInUse, settled_gain
from verglas.jobs.motioncorr.metadata import MovieFacts, read_statistics
from verglas.jobs.motioncorr.options import MotionCorrOptions

MEMORY_SHARE = 0.5  # of the memory that is free, divided among the workers
_NATIVE = "verglas corrects motion itself and calls no other program"
_BINS_EARLY = "frames are always binned before they are aligned"
EXTRA_FLAGS = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--only_do_unfinished", False, "Keep movies whose sum is there already"),
    Flag("--do_at_most", -1, "Process at most this many movies in this call"),
    Flag("--grouping_for_ps", -1, "Frames added up before each spectrum; not positive: no spectra"),
    Flag("--ps_size", 512, "Size of the power spectrum"),
    Flag("--eer_upsampling", 1, "Grid of EER movies: 1 (4K), 2 (8K) or 4"),
    Flag("--angpix", -1.0, "Pixel size of the movies; not positive: from the input's optics table"),
    Flag("--voltage", -1.0, "Voltage in kV; not positive: from the input's optics table"),
    Flag("--skip_defect", False, "Do not look for hot pixels"),
    Flag("--max_iter", 5, "Rounds of alignment at most"),
    Flag("--dose_motionstats_cutoff", 4.0, "Dose up to which motion counts as early, e/A2"),
    Flag("--use_motioncor2", False, unneeded=_NATIVE),
    Flag("--motioncor2_exe", "", unneeded=_NATIVE),
    Flag("--other_motioncor2_args", "", unneeded=_NATIVE),
    Flag("--archive", "", unneeded=_NATIVE),
    Flag("--max_io_threads", -1, unneeded="frames are read one after the other"),
    Flag("--interpolate_shifts", False, unneeded="tracks of groups are always spread over frames"),
    Flag("--ccf_downsample", 0.0, unneeded="correlations are evaluated on the grid they need"),
    Flag("--early_binning", False, unneeded=_BINS_EARLY),
    Flag("--no_early_binning", False, unneeded=_BINS_EARLY),
)


@dataclass(frozen=True, kw_only=True)
class MotionInputs(Inputs):
    """Movies, their optics, and how the gain lies over them."""

    gain: GainInUse


class MotionCorrection(MicrographJob[MotionInputs]):
    """Aligns the frames of every movie and adds them up; unusable movies are set aside."""

    type: ClassVar[JobType] = JobType(
        "MotionCorr",
        "relion.motioncorr",
        1,
        "Motion correction",
        incremental=True,
        list_rank=1,
        cleaned=("*/*.com", "*/*.err", "*/*.out", "*/*.log"),
        cleaned_harshly=("*/*",),
    )
    Options = MotionCorrOptions
    program: ClassVar[Program] = Program.of(
        "motioncorr",
        MotionCorrOptions,
        EXTRA_FLAGS,
        relion_name="relion_run_motioncorr",
        summary="align the frames of movies and add them up",
    )

    @classmethod
    def expected_outputs(cls, options: MotionCorrOptions, directory: str) -> list[Node]:
        suffix = "motioncorr"
        nodes = [
            Node(f"{directory}corrected_micrographs.star", MICROGRAPHS, f"{MICROGRAPHS.label}.{suffix}"),
            Node(f"{directory}logfile.pdf", LOGFILE, f"{LOGFILE.label}.{suffix}"),
        ]
        if options.do_save_movies:
            nodes.insert(1, Node(f"{directory}corrected_micrograph_movies.star", MOVIES))
        return nodes

    @classmethod
    def check(cls, options: MotionCorrOptions) -> list[str]:
        complaints = []
        if not options.input_star_mics:
            complaints.append("Input movies STAR file is empty")
        if not options.do_own_motioncor:
            complaints.append(_NATIVE + ": answer Yes to 'Use RELION's own implementation?'")
        if options.bin_factor < 1:
            complaints.append(f"the binning factor must be at least 1, got {options.bin_factor:g}")
        if options.do_dose_weighting and options.dose_per_frame <= 0:
            complaints.append(f"dose weighting needs the dose per frame, got {options.dose_per_frame:g} e/A2")
        return complaints

    @property
    def title(self) -> str:
        return "Correcting beam-induced motions using verglas ..."

    def read_inputs(self) -> MotionInputs:
        star, table = read_list(self.arguments["--i"], "movies", "")
        items = micrograph_items(table, "rlnMicrographMovieName")
        optics = optics_by_group(star)
        gain = settled_gain(self.arguments, self.context, [item.name for item in items])
        return MotionInputs(items=items, optics=optics, gain=gain)

    def _due(self, finished: frozenset[str], aside: SetAsideList) -> list[Item]:
        due, most = super()._due(finished, aside), self.arguments["--do_at_most"]
        return due if most < 0 else due[:most]

    def is_done(self, item: Item) -> bool:
        files = self._files(item)
        wanted = [files.image, files.metadata]
        if self.arguments["--grouping_for_ps"] > 0:
            wanted.append(files.spectrum)
        if self.arguments["--save_movies"]:
            wanted.append(files.stack)
        return all(path.exists() for path in wanted)

    def process(self, item: Item, device: str) -> None:
        facts = self._facts(item)
        try:
            self._correct(item, facts, device)
        except (ValueError, OSError) as reason:  # what the movie, its gain or its defects are guilty of
            raise SetAside(str(reason)) from reason

    def _correct(self, item: Item, facts: MovieFacts, device: str) -> None:
        from verglas.formats.movies import open_movie
        from verglas.jobs.motioncorr.work import correct

        flags = self.arguments
        movie = open_movie(
            item.source, eer_grouping=flags["--eer_grouping"], eer_upsampling=flags["--eer_upsampling"]
        )
        if movie.kind == "eer":
            facts = replace(
                facts, eer_upsampling=flags["--eer_upsampling"], eer_grouping=flags["--eer_grouping"]
            )
        files = self._files(item)
        files.image.parent.mkdir(parents=True, exist_ok=True)
        correct(movie, facts, files, flags, self.inputs.gain.turn, device, self._memory_bytes())

    def listed(self, item: Item) -> Sequence[StarTable]:
        return [self._optics_table(), table_of("micrographs", [self._row(item)])]

    def alone(self, item: Item) -> Mapping[str, Sequence[StarTable]]:
        lists: dict[str, Sequence[StarTable]] = {"corrected_micrographs.star": self.listed(item)}
        if self.arguments["--save_movies"]:
            lists["corrected_micrograph_movies.star"] = self._stack_list([item])
        return lists

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        from verglas.jobs.motioncorr.pictures import drift_pictures
        from verglas.jobs.summary.micrograph_log import Summary, write_log

        output = self.context.directory / "corrected_micrographs.star"
        made_anew = [self._root_of(name).with_suffix(".mrc") for name in anew]
        kept = reuse_rows(output, "micrographs", "rlnMicrographName", map(str, made_anew))
        rows = [kept.get(str(self._files(item).image)) or self._row(item) for item in done]
        write_star(output, [self._optics_table(), table_of("micrographs", rows)])
        if self.arguments["--save_movies"]:
            path = self.context.directory / "corrected_micrograph_movies.star"
            write_star(path, self._stack_list(done))
        titles = {"Total": "Total motion (Å)", "Early": "Early motion (Å)", "Late": "Late motion (Å)"}
        columns = {f"rlnAccumMotion{when}": title for when, title in titles.items()}
        summary = Summary("Motion correction", columns, drift_pictures, "rlnAccumMotionTotal")
        write_log(self.context.directory / "logfile.pdf", summary, rows)

    def _facts(self, item: Item) -> MovieFacts:
        flags = self.arguments
        optics = self.inputs.optics_of(item)
        given_pixel, given_voltage = flags["--angpix"], flags["--voltage"]
        pixel = given_pixel if given_pixel > 0 else float(optics["rlnMicrographOriginalPixelSize"])
        return MovieFacts(
            movie_name=item.name,
            pixel_size_angst=pixel,
            voltage_kv=given_voltage if given_voltage > 0 else float(optics["rlnVoltage"]),
            dose_per_frame_e_a2=flags["--dose_per_frame"],
            pre_exposure_e_a2=flags["--preexposure"],
            bin_factor=flags["--bin_factor"],
            gain_name=self.inputs.gain.name,
            defect_name=flags["--defect_file"],
        )

    def _row(self, item: Item) -> Row:
        """Columns of pipeline.md §5.3 in their order, from the files that are there."""
        files, flags = self._files(item), self.arguments
        row: Row = {}
        if flags["--save_noDW"] and flags["--dose_weighting"]:
            row["rlnMicrographNameNoDW"] = str(files.unweighted)
        if flags["--even_odd_split"]:
            row["rlnMicrographNameEven"] = str(files.even)
            row["rlnMicrographNameOdd"] = str(files.odd)
        if flags["--grouping_for_ps"] > 0:
            row["rlnCtfPowerSpectrum"] = str(files.spectrum)
        cutoff = flags["--dose_motionstats_cutoff"]
        total, early, late = read_statistics(files.metadata, cutoff)
        return row | {
            "rlnMicrographName": str(files.image),
            "rlnMicrographMetadata": str(files.metadata),
            "rlnOpticsGroup": int(item.row.get("rlnOpticsGroup", 1)),
            "rlnAccumMotionTotal": total,
            "rlnAccumMotionEarly": early,
            "rlnAccumMotionLate": late,
        }

    def _optics_table(self) -> StarTable:
        """The movies' optics with the pixel size of the sums."""
        rows = [dict(row) for row in self.inputs.optics.values()]
        for row in rows:
            given = self.arguments["--angpix"]
            recorded = given if given > 0 else float(row["rlnMicrographOriginalPixelSize"])
            row["rlnMicrographPixelSize"] = recorded * self.arguments["--bin_factor"]
        return optics_table(rows)

    def _stack_list(self, done: Sequence[Item]) -> list[StarTable]:
        rows = [
            {
                "rlnMicrographMovieName": str(self._files(item).stack),
                "rlnMicrographName": str(self._files(item).image),
                "rlnOpticsGroup": int(item.row.get("rlnOpticsGroup", 1)),
            }
            for item in done
        ]
        return [self._optics_table(), table_of("movies", rows)]

    def _files(self, item: Item) -> MovieFiles:
        return MovieFiles(self._root_of(item.name))

    def _root_of(self, movie_name: str) -> Path:
        return output_root(movie_name, self.context.directory, without_dots=True)

    def _memory_bytes(self) -> int:
        """What one worker may keep between passes; what it holds from the last movie is free again."""
        import psutil

        given, workers = self.context.memory_bytes, max(1, self.context.workers)
        if given:
            return int(MEMORY_SHARE * given / workers)
        held = psutil.Process().memory_info().rss
        return int(MEMORY_SHARE * (psutil.virtual_memory().available / workers + held))
