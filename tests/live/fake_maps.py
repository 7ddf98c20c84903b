"""Map jobs with the real forms, names and files, whose maps cost a millisecond.

`doubt.txt` in the project makes a first map doubtful, `wrong.txt` makes every job fail.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.autorefine.job import AutoRefine3D
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.initialmodel.job import InitialModel
from verglas.jobs.initialmodel.verdict_file import Verdict
from verglas.jobs.maskcreate.job import MaskCreation
from verglas.jobs.postprocess.job import PostProcessing

BOX, PIXEL = 16, 4.0
FAKES = {
    "InitialModel": "fake_maps:FakeInitialModel",
    "Refine3D": "fake_maps:FakeRefine",
    "MaskCreate": "fake_maps:FakeMask",
    "PostProcess": "fake_maps:FakePostProcess",
}


def density() -> np.ndarray:
    """Four blobs that half turns about x, y and z exchange: D2."""
    z, y, x = np.indices((BOX, BOX, BOX)) - BOX // 2
    places = [(4, 2, 1), (4, -2, -1), (-4, 2, -1), (-4, -2, 1)]
    blobs = [np.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 4) for a, b, c in places]
    return np.asarray(sum(blobs), np.float32)


def _begin() -> None:
    time.sleep(float(os.environ.get("FAKE_MAP_S", "0")))
    if Path("wrong.txt").exists():
        raise JobFailed("told to fail")


def _write(path: str, tables: dict[str, dict[str, list]]) -> None:
    write_star(path, [StarTable.from_columns(name, columns) for name, columns in tables.items()])


def _write_maps(root: str, names: list[str]) -> None:
    for name in names:
        write_mrc(f"{root}{name}", density(), PIXEL)


class FakeInitialModel(InitialModel):
    def run(self) -> None:
        _begin()
        root, star = self.arguments["--o"], read_star(self.arguments["--i"])
        last = f"{root}_it{self.arguments['--iter']:03d}"
        write_star(f"{last}_data.star", list(star.values()))
        write_star(f"{last}_model.star", [StarTable.from_columns("model_general", {"rlnNrClasses": [1]})])
        result = Path(self.arguments["--result"])
        _write_maps("", [f"{last}_class001.mrc", str(result)])
        doubts = ["told to doubt"] if Path("doubt.txt").exists() else []
        asked = self.arguments["--align_sym"]
        Verdict(f"aligned: {asked}", doubts, [("D2", 0.97, "proposed"), ("C2", 0.97, "part of D2")]).write(
            result.with_suffix(".json")
        )


class FakeRefine(AutoRefine3D):
    def run(self) -> None:
        _begin()
        root, star = self.arguments["--o"], read_star(self.arguments["--i"])
        table = star["particles"]
        if "rlnRandomSubset" not in table:
            table = table.with_columns({"rlnRandomSubset": [1 + row % 2 for row in range(len(table))]})
        others = [each for each in star.values() if each.name != "particles"]
        spectra = {"rlnGoldStandardFsc": [1.0] * 4 + [0.1], "rlnAngstromResolution": [999.0, 64, 32, 21, 16]}
        model = {"model_general": {"rlnNrClasses": [1], "rlnPixelSize": [PIXEL]}, "model_class_1": spectra}
        _write(f"{root}_model.star", model)
        _write(
            f"{root}_sampling.star", {"sampling_general": {"rlnHealpixOrder": [4], "rlnOffsetStep": [PIXEL]}}
        )
        _write(f"{root}_optimiser.star", {"optimiser": {"rlnOutputRootName": [root]}})
        write_star(f"{root}_data.star", [*others, table])
        names = ["_class001.mrc", "_half1_class001_unfil.mrc", "_half2_class001_unfil.mrc"]
        _write_maps(root, names)
        with open(Path(root).with_name("map_history.jsonl"), "a") as out:
            line = {"particles": len(table), "resolution_angst": 20.0, "symmetry": self.arguments["--sym"]}
            out.write(json.dumps(line) + "\n")


class FakeMask(MaskCreation):
    def run(self) -> None:
        _begin()
        _write_maps("", [self.arguments["--o"]])


class FakePostProcess(PostProcessing):
    def run(self) -> None:
        _begin()
        root = self.arguments["--o"]
        _write_maps(root, [".mrc", "_masked.mrc"])
        write_star(f"{root}.star", [StarTable.from_columns("general", {"rlnFinalResolution": [18.0]})])
        Path(f"{root}_logfile.pdf").touch()
        Path(root).with_name("logfile.pdf").touch()
