"""Stages with the real lists, names and options, whose work on a micrograph costs a millisecond.

What they write depends on the movie's bytes and on the options, so that results can be compared; a movie
called `*bad*` cannot be processed, `*poison*` kills its worker, `*slow*` takes a while.
"""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

from verglas.formats.atomic import write_text
from verglas.formats.star import StarTable, write_star
from verglas.jobs.autopick.job import AutoPicking
from verglas.jobs.contract.set_aside import SetAside
from verglas.jobs.contract.tables import output_root, table_of
from verglas.jobs.coordinates.reading import read_coordinates
from verglas.jobs.coordinates.source import CoordinateSource
from verglas.jobs.ctffind.job import CtfEstimation
from verglas.jobs.extract.columns import ctf_columns
from verglas.jobs.extract.job import ParticleExtraction
from verglas.jobs.motioncorr.job import MotionCorrection


def _value(item, *more: object) -> int:
    """A number that belongs to a micrograph and to settings."""
    name = Path(item.name).stem
    return zlib.crc32(f"{name}{more}".encode())


def _misbehave(item) -> None:
    if "bad" in item.name:
        raise SetAside("bad on purpose")
    if "poison" in item.name:
        os._exit(7)
    if "full" in item.name and Path("full").exists():
        raise OSError(28, "No space left on device", "somewhere")
    if "slow" in item.name:
        time.sleep(0.5)
    time.sleep(float(os.environ.get("FAKE_STAGE_S", "0")))


class FakeMotion(MotionCorrection):
    def process(self, item, device):
        if device.startswith("sick"):
            raise RuntimeError("CUDA error: device-side assert triggered")
        _misbehave(item)
        files = self._files(item)
        files.image.parent.mkdir(parents=True, exist_ok=True)
        write_text(files.image, str(_value(item, self.arguments["--patch_x"])), durable=False)
        write_text(files.metadata, "", durable=False)

    def _row(self, item):
        motion = int(self._files(item).image.read_text()) % 1000 / 10
        return {
            "rlnMicrographName": str(self._files(item).image),
            "rlnMicrographMetadata": str(self._files(item).metadata),
            "rlnOpticsGroup": int(item.row.get("rlnOpticsGroup", 1)),
            "rlnAccumMotionTotal": motion,
            "rlnAccumMotionEarly": motion / 4,
            "rlnAccumMotionLate": 3 * motion / 4,
        }


class FakeCtf(CtfEstimation):
    def process(self, item, device):
        value = _value(item, self.arguments["--dFMax"], Path(item.source).read_text())
        root = output_root(item.name, self.context.directory)
        root.parent.mkdir(parents=True, exist_ok=True)
        row = {
            "rlnMicrographName": item.name,
            "rlnOpticsGroup": int(item.row.get("rlnOpticsGroup", 1)),
            "rlnCtfImage": f"{root}.ctf:mrc",
            "rlnDefocusU": 5000.0 + value % 20000,
            "rlnDefocusV": 5000.0 + value % 19000,
            "rlnCtfAstigmatism": 100.0,
            "rlnDefocusAngle": 30.0,
            "rlnCtfFigureOfMerit": 0.1,
            "rlnCtfMaxResolution": 3.0 + value % 100 / 10,
            "verglasCtfReliability": 1.0,
        }
        write_star(self._result_path(item), [table_of("micrographs", [row])], durable=False)


class FakePicks(AutoPicking):
    def process(self, item, device):
        path = self._picks_path(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        count = 2 + _value(item, self.arguments["--LoG_diam_max"]) % 4
        columns = {
            "rlnCoordinateX": [10.0 * n for n in range(count)],
            "rlnCoordinateY": [5.0] * count,
            "rlnAutopickFigureOfMerit": [6.0] * count,
            "rlnClassNumber": [1] * count,
            "rlnAnglePsi": [0.0] * count,
        }
        write_star(path, [StarTable.from_columns("", columns)], durable=False)


class FakeExtract(ParticleExtraction):
    def process(self, item, device):
        flags = self.arguments
        source = CoordinateSource.of_suffix(flags["--coord_dir"], flags["--coord_suffix"])
        table = read_coordinates(source.path_of(item.name), item.name, (64, 64))
        root = output_root(item.name, self.context.directory)
        root.parent.mkdir(parents=True, exist_ok=True)
        stack = root.with_name(f"{root.name}.mrcs")
        write_text(stack, item.name, durable=False)
        columns = {
            "rlnImageName": [f"{n + 1:06d}@{stack}" for n in range(len(table))],
            "rlnMicrographName": [item.name] * len(table),
            "rlnOpticsGroup": [1] * len(table),
            **ctf_columns(item.row, len(table)),
        }
        images = table.named("images").with_columns(columns)
        write_star(root.with_name(f"{root.name}_extract.star"), [images], durable=False)
