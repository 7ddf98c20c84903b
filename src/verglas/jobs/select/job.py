"""Subset selection: classes, values, image statistics, subsets, duplicates (pipeline.md §4.8)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from verglas.formats.star import StarFile, StarTable, write_star
from verglas.jobs.contract.base import Job, JobFailed, JobType, NothingToDo
from verglas.jobs.contract.nodes import MICROGRAPHS, PARTICLES, REFERENCES_2D, Node, NodeType
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.tables import read_list
from verglas.jobs.select.classes import select_classes
from verglas.jobs.select.options import SelectOptions
from verglas.jobs.select.rows import remove_duplicates, select_by_axis, select_values, split, without_outliers
from verglas.jobs.select.thresholds import select_by_thresholds

_EXTRA = (
    Flag("--o", "", "Output directory", required=True),
    Flag("--random_seed", 1, "Seed of --random_order"),
)


class SubsetSelection(Job):
    """Keeps a part of what an earlier job made. The kind of input is seen from its content."""

    type: ClassVar[JobType] = JobType(
        "Select", "relion.select", 7, "Subset selection", selects=True, list_rank=3
    )
    Options = SelectOptions
    program: ClassVar[Program] = Program.of(
        "select",
        SelectOptions,
        _EXTRA,
        relion_name="relion_star_handler",
        summary="keep a part of classes, micrographs or particles",
    )

    @classmethod
    def expected_outputs(cls, options: SelectOptions, directory: str) -> list[Node]:
        if options.do_split:
            return []  # how many files there will be is known only afterwards
        if options.fn_mic and not options.fn_model:
            return [Node(f"{directory}micrographs.star", MICROGRAPHS)]
        nodes = [Node(f"{directory}particles.star", PARTICLES)]
        if options.fn_model and "Class2D/" in options.fn_model:
            nodes.append(Node(f"{directory}class_averages.star", REFERENCES_2D))
        return nodes

    @classmethod
    def actual_outputs(cls, options: SelectOptions, directory: str) -> list[Node]:
        if not options.do_split:
            return []
        kind: NodeType = MICROGRAPHS if options.fn_mic else PARTICLES
        name = "micrographs" if options.fn_mic else "particles"
        files = sorted(Path(directory).glob(f"{name}_split*.star"), key=lambda p: (len(p.name), p))
        return [Node(f"{directory}{path.name}", kind) for path in files]

    @classmethod
    def is_interactive(cls, options: SelectOptions) -> bool:
        """Whether a person chooses: classes, without a list and without the rank."""
        return bool(options.fn_model and not options.select_classes and not options.do_class_ranker)

    @classmethod
    def check(cls, options: SelectOptions) -> list[str]:
        inputs = [options.fn_model, options.fn_mic, options.fn_data]
        ways = [
            options.do_select_values,
            options.do_discard,
            options.do_split,
            options.do_remove_duplicates,
            options.do_thresholds,
            options.do_select_axis,
        ]
        complaints = []
        if sum(map(bool, inputs)) != 1:
            complaints.append("fill exactly one of the model, micrographs and particles fields")
        if sum(ways) > 1:
            complaints.append("choose one of thresholds, values, an axis, statistics, subsets and duplicates")
        if not options.fn_model and not any(ways):
            complaints.append(
                "say how to select: thresholds, values, an axis, statistics, subsets or duplicates"
            )
        if options.do_split and options.split_size <= 0 and options.nr_split <= 0:
            complaints.append("give the size or the number of the subsets")
        return complaints

    def run(self) -> None:
        if self.arguments["--accept_by_thresholds"]:
            select_by_thresholds(self.arguments, self.context)
            return
        star, table = read_list(
            self.arguments["--i"], "model_classes", "particles", "micrographs", "optimiser_general"
        )
        if table.name in ("model_classes", "optimiser_general"):
            select_classes(self.arguments, self.context)
            return
        name = "micrographs" if table.name == "micrographs" else "particles"
        if self.arguments["--split"]:
            self._split(star, table, name)
            return
        kept = self._select(star, table)
        self.context.say(f" {len(kept)} of {len(table)} {name} are kept")
        if not len(kept):
            raise NothingToDo(f"no {name} fulfil the condition yet")
        self._write(star, kept, f"{name}.star")

    def _select(self, star: StarFile, table: StarTable) -> StarTable:
        flags = self.arguments
        if "--select" in flags.given:
            limits = float(flags["--minval"]), float(flags["--maxval"])
            return select_values(table, flags["--select"], *limits)
        if "--select_axis" in flags.given:
            return select_by_axis(table, flags["--select_axis"], flags["--axis_min"], flags["--axis_max"])
        if flags["--discard_on_stats"]:
            return without_outliers(table, flags["--discard_label"], flags["--discard_sigma"])
        if "--remove_duplicates" in flags.given:
            return remove_duplicates(star, table, flags["--remove_duplicates"], flags["--image_angpix"])
        raise JobFailed(
            "say how to select: --select, --select_axis, --discard_on_stats or --remove_duplicates"
        )

    def _split(self, star: StarFile, table: StarTable, name: str) -> None:
        flags = self.arguments
        number = flags["--nr_split"] if "--nr_split" in flags.given else None
        seed = flags["--random_seed"] if flags["--random_order"] else None
        for old in self.context.directory.glob(f"{name}_split*.star"):
            old.unlink()
        for index, part in enumerate(split(table, flags["--size_split"], number, seed), start=1):
            self._write(star, part, f"{name}_split{index}.star")
            self.context.say(f" {name}_split{index}.star: {len(part)}")

    def _write(self, star: StarFile, kept: StarTable, name: str) -> None:
        tables = [kept if table.name == kept.name else table for table in star.values()]
        write_star(self.context.directory / name, tables)
