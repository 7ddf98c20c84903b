"""An auto-refine that takes no time: every particle as it came, a ball as both half maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.contract.base import Job, JobType, NothingToDo
from verglas.jobs.contract.nodes import OPTIMISER, PARTICLES, Node
from verglas.jobs.contract.options import option
from verglas.jobs.contract.program import Flag, Program
from verglas.jobs.contract.running import QueueOptions


class RefineOptions(QueueOptions):
    fn_img: str = option("", label="Input images STAR file:", tab="I/O", flag="--i", node=PARTICLES)


class TrueRefinement(Job):
    """Stands in the place of 3D auto-refine; starts from scratch in every round, as that does."""

    type: ClassVar[JobType] = JobType("Refine3D", "relion.refine3d", 10, "3D auto-refine")
    Options = RefineOptions
    program: ClassVar[Program] = Program.of("refine", RefineOptions, [Flag("--o", "", "Root", required=True)])

    @classmethod
    def expected_outputs(cls, options: Any, directory: str) -> list[Node]:
        return [
            Node(f"{directory}run_data.star", PARTICLES),
            Node(f"{directory}run_optimiser.star", OPTIMISER),
        ]

    def run(self) -> None:
        root = f"{self.context.directory}/run"
        if not Path(self.arguments["--i"]).exists():
            raise NothingToDo("no particles yet")
        star = read_star(self.arguments["--i"])
        table = star["particles"].with_columns(
            {"rlnRandomSubset": [1 + row % 2 for row in range(len(star["particles"]))]}
        )
        write_star(f"{root}_data.star", [star["optics"], table])
        size, pixel = star["optics"].integer("rlnImageSize", 0), star["optics"].number("rlnImagePixelSize", 0)
        place = np.indices((size,) * 3) - size // 2
        ball = np.exp(-((place**2).sum(axis=0)) / (2 * (size / 8) ** 2))
        models: dict[str, Any] = {"rlnExperimentalDataStarFile": f"{root}_data.star", "rlnDoCorrectCtf": 1}
        for half, label in ((1, "rlnModelStarFile"), (2, "rlnModelStarFile2")):
            write_mrc(f"{root}_half{half}_class001.mrc", ball.astype(np.float32), pixel)
            general = {"rlnPixelSize": pixel, "rlnCurrentImageSize": size}
            groups = {"rlnGroupName": ["all"], "rlnGroupScaleCorrection": [1.0]}
            classes = {"rlnReferenceImage": [f"{root}_half{half}_class001.mrc"]}
            model = [
                StarTable.from_columns("model_general", general, is_list=True),
                StarTable.from_columns("model_classes", classes),
                StarTable.from_columns("model_groups", groups),
            ]
            write_star(f"{root}_half{half}_model.star", model)
            models[label] = f"{root}_half{half}_model.star"
        write_star(
            f"{root}_optimiser.star", [StarTable.from_columns("optimiser_general", models, is_list=True)]
        )
