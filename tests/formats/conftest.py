"""RELION's motion correction as an oracle for movies, gains and defects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import read_mrc

sys.path.insert(0, str(Path(__file__).parents[1]))  # for dm_file
_MOVIES_STAR = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
opticsGroup1 1 1.0 300.0 2.7 0.1


# version 30001

data_movies

loop_
_rlnMicrographMovieName #1
_rlnOpticsGroup #2
{movie} 1

"""


@pytest.fixture
def relion_sum(tmp_path: Path) -> Callable[..., np.ndarray]:
    """`relion_sum("m.tif", "--gainref", "g.mrc")`: RELION's sum of a still movie lying in tmp_path."""

    def run(movie: str, *flags: str) -> np.ndarray:
        (tmp_path / "movies.star").write_text(_MOVIES_STAR.format(movie=movie))
        (tmp_path / "out").mkdir(exist_ok=True)
        command = "relion_run_motioncorr --i movies.star --o out/ --use_own --j 1 --bin_factor 1"
        options = "--bfactor 150 --dose_per_frame 1 --patch_x 1 --patch_y 1"
        subprocess.run(
            [*command.split(), *options.split(), *flags], cwd=tmp_path, check=True, capture_output=True
        )
        return read_mrc(tmp_path / "out" / (Path(movie).stem + ".mrc")).data

    return run
