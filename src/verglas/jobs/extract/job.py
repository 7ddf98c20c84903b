"""Particle extraction: stacks of particles and their list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verglas.formats.atomic import write_text
from verglas.formats.stack import image_name
from verglas.formats.stack_writer import write_stack
from verglas.formats.star import StarTable, concatenate, read_star, write_star
from verglas.jobs.contract.base import JobFailed, JobType, NothingToDo
from verglas.jobs.contract.micrograph_job import (
    Inputs,
    Item,
    MicrographJob,
    micrograph_items,
    read_micrograph,
)
from verglas.jobs.contract.nodes import COORDINATES, PARTICLES, Node
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.set_aside import FILE_NAME, SetAsideList
from verglas.jobs.contract.tables import optics_by_group, output_root, read_list, with_common_columns
from verglas.jobs.coordinates.helix import PSI_PRIOR
from verglas.jobs.coordinates.reading import X, Y
from verglas.jobs.extract.columns import ctf_columns, ctf_parameters, particle_optics
from verglas.jobs.extract.options import ExtractOptions
from verglas.jobs.extract.rows import ParticleRows
from verglas.jobs.extract.settings import settings_of

if TYPE_CHECKING:
    from verglas.particles.extraction import ExtractionSettings

_EXTRA = (
    Flag("--part_star", "", "List of particles that is written"),
    Flag("--part_dir", "Particles/", "Output directory for the stacks"),
    Flag("--extract", False, "Extract particles (what this program does)"),
    Flag("--only_do_unfinished", False, "Keep micrographs whose particles are there already"),
    Flag("--coord_dir", "ASINPUT", "Directory of the coordinate files"),
    Flag("--coord_suffix", "", "Ending of the coordinate files"),
    Flag("--coord_list", "", "List of coordinate files, or one file with all coordinates"),
    Flag("--bg_radius", -1, "Radius of the background circle in pixels"),
    Flag("--no_ramp", False, "Subtract the background's mean, not a plane"),
    Flag("--window", -1, "Re-window the particles to this size"),
    Flag("--extract_bias_x", 0, "Added to every X coordinate"),
    Flag("--extract_bias_y", 0, "Added to every Y coordinate"),
    Flag("--premultiply_ctf", False, "Multiply by the CTF before cutting out"),
    Flag("--premultiply_extract_size", -1, "Window in which the CTF is applied"),
    Flag("--phase_flip", False, "Flip phases before cutting out"),
    Flag("--ctf_intact_first_peak", False, "Leave the CTF alone up to its first peak"),
    Flag("--keep_ctfs_micrographs", False, "Re-extraction: take the CTF from the micrographs"),
    Flag("--ref_angpix", -1.0, "Re-extraction: pixel size of the reference"),
    Flag("--random_seed", 1, "Seed of the noise that replaces dust"),
)
_DEFAULTS = {
    "--extract_size": -1,
    "--scale": -1,
    "--minimum_pick_fom": -999.0,
    "--helical_rise": 0.0,
    "--helical_outer_diameter": -1.0,
    "--recenter_x": 0.0,
    "--recenter_y": 0.0,
    "--recenter_z": 0.0,
}
FEW_PARTICLES = 10


@dataclass(frozen=True, kw_only=True)
class ExtractionInputs(Inputs):
    """Micrographs that have particles, their optics, and where the particles are."""

    optics_table: StarTable
    rows: ParticleRows
    asides_time_s: float  # when the list of micrographs set aside was written


class ParticleExtraction(MicrographJob[ExtractionInputs]):
    """Cuts the particles of every micrograph; one without particles is finished at once."""

    type: ClassVar[JobType] = JobType(
        "Extract",
        "relion.extract",
        5,
        "Particle extraction",
        incremental=True,
        extracts=True,
        cleaned=("*/*_extract.star",),
        cleaned_harshly=("*/*",),
    )
    Options = ExtractOptions
    program: ClassVar[Program] = Program.of(
        "extract",
        ExtractOptions,
        _EXTRA,
        defaults=_DEFAULTS,
        relion_name="relion_preprocess",
        summary="cut particles out of micrographs",
    )

    @classmethod
    def expected_outputs(cls, options: ExtractOptions, directory: str) -> list[Node]:
        nodes = [Node(f"{directory}particles.star", PARTICLES, f"{PARTICLES.label}.extract")]
        helices = options.do_extract_helix and options.do_extract_helical_tubes
        if options.do_reextract or helices:
            name = f"{directory}coords_suffix_extract.star"
            nodes.append(Node(name, COORDINATES, f"{COORDINATES.label}.extract"))
        return nodes

    @classmethod
    def place_flags(cls, directory: str) -> list[str]:
        return ["--part_star", f"{directory}particles.star", "--part_dir", directory, "--extract"]

    @classmethod
    def check(cls, options: ExtractOptions) -> list[str]:
        complaints = [] if options.star_mics else ["micrograph STAR file: is empty"]
        if options.do_reextract and not options.fndata_reextract:
            complaints.append("Refined particles STAR file: is empty")
        if not options.do_reextract and not options.coords_suffix:
            complaints.append("Input coordinates: is empty")
        if options.do_reextract and options.do_reset_offsets and options.do_recenter:
            complaints.append("Reset the refined offsets, or re-center on them: not both")
        sizes = (options.extract_size, options.rescale if options.do_rescale else 2)
        odd = [size for size in sizes if size <= 0 or size % 2]
        return complaints + [f"Box sizes must be even numbers of pixels, got {n}" for n in odd]

    @property
    def title(self) -> str:
        return "Extracting particles from the micrographs ..."

    def read_inputs(self) -> ExtractionInputs:
        star, table = read_list(self.arguments["--i"], "micrographs")
        optics = optics_by_group(star)
        names = table.strings("rlnMicrographName")
        rows = ParticleRows(self.arguments, self.context.warn, names)
        asides_time_s = _time(self.context.directory / FILE_NAME)
        found: list[Item] = []
        missing: list[Item] = []
        for item in micrograph_items(table):
            (found if rows.has(item.name) else missing).append(item)
        if missing:
            self.context.warn(
                f" WARNING: no coordinates for {len(missing)} of {len(found) + len(missing)} "
                f"micrographs, first {missing[0].name}: skipped"
            )
        if not found:
            raise JobFailed(
                f"there are no coordinates for any of {len(missing)} micrographs: of the first, "
                f"{missing[0].name}, expected in {rows.file_of(missing[0].name) or 'the list'}"
            )
        return ExtractionInputs(
            items=tuple(found),
            optics=optics,
            optics_table=star["optics"],
            rows=rows,
            asides_time_s=asides_time_s,
        )

    def is_done(self, item: Item) -> bool:
        """A file of no bytes says that there was nothing to extract, until the coordinates change."""
        path = self._path(item, "_extract.star")
        try:
            status = path.stat()
        except OSError:
            return False
        return status.st_size > 0 or status.st_mtime >= self._coordinates_time(item)

    def _is_due(self, item: Item, finished: frozenset[str], aside: SetAsideList) -> bool:
        if super()._is_due(item, finished, aside):
            return True
        changed = self._coordinates_time(item) > self.inputs.asides_time_s
        return item.name in aside and changed and not self.is_done(item)

    def process(self, item: Item, device: str) -> None:
        pixel = self._pixel_size(item)
        settings = settings_of(self.arguments, pixel)
        stack, list_path = self._path(item, ".mrcs"), self._path(item, "_extract.star")
        list_path.parent.mkdir(parents=True, exist_ok=True)
        micrograph = read_micrograph(item)
        shape = (micrograph.shape[0], micrograph.shape[1])
        table = self.inputs.rows.of(item.name, shape, settings, pixel)
        if table is None:
            stack.unlink(missing_ok=True)
            write_star(list_path, [])
            return
        images = self._extract(item, micrograph, table, settings)
        write_stack(stack, images, pixel * settings.pixel_factor, dtype=self._dtype)
        names = [image_name(str(stack), index) for index in range(len(images))]
        columns = self._columns(item, names)
        write_star(list_path, [table.named("images").with_columns(columns)])

    def _columns(self, item: Item, names: list[str]) -> dict[str, Any]:
        """What extraction adds; a refinement's own columns stay, CTF included, unless asked."""
        columns: dict[str, Any] = {"rlnImageName": names}
        columns["rlnMicrographName"] = [item.name] * len(names)
        if self.inputs.rows.refined is None:
            columns["rlnOpticsGroup"] = [int(item.row.get("rlnOpticsGroup", 1))] * len(names)
        if self.inputs.rows.refined is None or self.arguments["--keep_ctfs_micrographs"]:
            columns |= ctf_columns(item.row, len(names))
        return columns

    common_columns = True

    def alone(self, item: Item) -> Mapping[str, Sequence[StarTable]]:
        images = self._images(item)
        if images is None:
            return {}
        return {self._list_path.name: [self._particle_optics(), images.named("particles")]}

    def gather(self, done: Sequence[Item], anew: frozenset[str]) -> None:
        tables, few = [], 0
        rows: list[dict[str, Any]] = []
        for item in done:
            images = self._images(item)
            count = 0 if images is None else len(images)
            rows.append({"rlnMicrographName": item.name, "rlnGroupNrParticles": count})
            if images is not None:
                tables.append(images)
                few += len(images) < FEW_PARTICLES
        if few:
            self.context.warn(
                f" WARNING: {few} micrographs have fewer than {FEW_PARTICLES} particles; consider "
                "grouping micrographs for the noise and scale estimates of refinement"
            )
        optics = self._particle_optics()
        particles = concatenate(with_common_columns(tables)).named("particles") if tables else None
        output = [optics, particles] if particles is not None else [optics]
        write_star(self._list_path, output)
        count = len(particles) if particles is not None else 0
        self.context.say(f" Joined metadata of {count} particles in {self._list_path}")
        self._summarise(done, rows)
        if done and not count:
            raise NothingToDo(f"the coordinates of {len(done)} micrographs hold no particle yet")
        if self.arguments["--reextract_data_star"] or self.arguments["--helical_tubes"]:
            suffix = self.context.directory / "coords_suffix_extract.star"
            write_text(suffix, f"{self.arguments['--i']}\n")

    def _images(self, item: Item) -> StarTable | None:
        """The particles of a finished micrograph."""
        return read_star(self._path(item, "_extract.star")).get("images")

    def _summarise(self, done: Sequence[Item], rows: list[dict[str, Any]]) -> None:
        from verglas.jobs.summary.micrograph_log import Summary, write_summary
        from verglas.jobs.summary.pictures import particles_picture

        stacks = {item.name: self._path(item, ".mrcs") for item in done}
        summary = Summary(
            "Particle extraction",
            {"rlnGroupNrParticles": "Particles per micrograph"},
            lambda row: particles_picture(stacks[row["rlnMicrographName"]]),
            worst="rlnGroupNrParticles",
            worst_is_low=True,
        )
        write_summary(self.context.directory, summary, rows)

    @property
    def _list_path(self) -> Path:
        given = self.arguments["--part_star"]
        return Path(given) if given else self.context.directory / "particles.star"

    @property
    def _dtype(self) -> str:
        return "float16" if self.arguments["--float16"] else "float32"

    def _particle_optics(self) -> StarTable:
        settings = settings_of(self.arguments, 1.0)
        if self.inputs.rows.refined is None:
            return particle_optics(self.inputs.optics_table, settings, self._angpix)
        return particle_optics(self.inputs.rows.refined.optics, settings, self._micrograph_pixel)

    def _micrograph_pixel(self, optics: dict[str, Any]) -> float:
        """Pixel size of the micrographs of a refinement's optics group, by its name or else its number."""
        by_name = {row["rlnOpticsGroupName"]: row for row in self.inputs.optics.values()}
        row = by_name.get(optics.get("rlnOpticsGroupName", "")) or self.inputs.optics.get(
            int(optics["rlnOpticsGroup"])
        )
        return self._angpix(row or next(iter(self.inputs.optics.values())))

    def _coordinates_time(self, item: Item) -> float:
        path = self.inputs.rows.file_of(item.name)
        return _time(path) if path is not None else 0.0

    def _extract(self, item: Item, micrograph: Any, table: StarTable, settings: ExtractionSettings) -> Any:
        import numpy as np

        from verglas.particles.extraction import extract_particles

        ctf = None
        if settings.ctf != "none":
            ctf = ctf_parameters(item.row, self.inputs.optics_of(item))
        return extract_particles(
            micrograph,
            np.stack([table.floats(X), table.floats(Y)], 1),
            settings,
            pixel_size_angst=self._pixel_size(item),
            ctf=ctf,
            tube_psi_deg=table.floats(PSI_PRIOR) if settings.tube_radius_px is not None else None,
            seed=self.arguments["--random_seed"],
        )

    def _pixel_size(self, item: Item) -> float:
        return self._angpix(self.inputs.optics_of(item))

    @staticmethod
    def _angpix(optics: dict[str, Any]) -> float:
        return float(optics["rlnMicrographPixelSize"])

    def _path(self, item: Item, ending: str) -> Path:
        root = output_root(item.name, self.context.directory)
        return root.with_name(root.name + ending)


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
