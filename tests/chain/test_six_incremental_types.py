"""The manual's list of job types that process only what was not finished before, all six in one schedule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.formats.star import read_star
from verglas.jobs.simulate.session import write_session
from verglas.jobs.simulate.settings import SessionSettings

PER_MOVIE = (
    "MotionCorr/job002/Micrographs/*.mrc",
    "CtfFind/job003/Micrographs/*_ctf.star",
    "AutoPick/job004/Micrographs/*_autopick.star",
    "Extract/job005/Micrographs/*.mrcs",
    "MovieRefine/job007/Micrographs/*",
)
DATA = "MovieRefine/job007/run_ravg3_off1_data.star"


def stamps(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for glob in PER_MOVIE for path in root.glob(glob)}


@pytest.mark.slow
def test_six_types_do_the_new_movie_only_and_the_others_start_again(
    tmp_path: Path, new_chain: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("VERGLAS_JOB_TYPES", "Refine3D=true_refinement:TrueRefinement")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    settings = SessionSettings(
        movies=3, size=512, frames=6, format="mrc", particles=14, views=2, local_pixels=0.3
    )
    movies = write_session(tmp_path / "session", settings, workers=2)
    chain = new_chain()
    incoming = chain.root / "Micrographs"
    incoming.mkdir()
    (chain.root / "gain.mrc").write_bytes((tmp_path / "session" / "gain.mrc").read_bytes())
    schedule_six(chain, settings)  # before a single file is there: movie refinement names an expected refine
    for movie in movies[:2]:
        (incoming / f"{movie.stem}.mrcs").write_bytes(movie.read_bytes())
    assert chain.run(repeat=2, min_wait_min=0.01) == 0, chain.errors()
    before = stamps(chain.root)
    assert len(before) == 4 * 2 + 2 * 2  # two files for each movie of the last type
    refined = (chain.root / "Refine3D/job006/run_data.star").stat().st_mtime_ns
    (incoming / f"{movies[2].stem}.mrcs").write_bytes(movies[2].read_bytes())
    assert chain.run(repeat=1) == 0, chain.errors()
    after = stamps(chain.root)
    assert len(after) == 18
    assert {name: after[name] for name in before} == before
    assert (chain.root / "Refine3D/job006/run_data.star").stat().st_mtime_ns > refined
    rows = read_star(chain.root / DATA)["particles"]
    particles = read_star(chain.root / "Extract/job005/particles.star")["particles"]
    assert len(rows) == settings.frames * len(particles)
    assert len(np.unique([name.partition("@")[2] for name in rows.strings("rlnMicrographName")])) == 3


def schedule_six(chain: Any, settings: SessionSettings) -> None:
    chain.schedule("Import", fn_in_raw="Micrographs/*.mrcs", angpix=settings.pixel_size_angst)
    chain.schedule(
        "MotionCorr", input_star_mics="Import/job001/movies.star", fn_gain_ref="gain.mrc",
        dose_per_frame=settings.dose_per_frame_e_a2,
    )  # fmt: skip
    chain.schedule("CtfFind", input_star_mics="MotionCorr/job002/corrected_micrographs.star", box=256)
    chain.schedule(
        "AutoPick", fn_input_autopick="CtfFind/job003/micrographs_ctf.star", do_log=True, log_diam_min=140,
        log_diam_max=190,
    )  # fmt: skip
    chain.schedule(
        "Extract", star_mics="CtfFind/job003/micrographs_ctf.star",
        coords_suffix="AutoPick/job004/coords_suffix_autopick.star", extract_size=160, do_rescale=True,
        rescale=32,
    )  # fmt: skip
    chain.schedule("Refine3D", fn_img="Extract/job005/particles.star")
    chain.schedule(
        "MovieRefine", fn_movie_star="Import/job001/movies.star",
        fn_cont="Refine3D/job006/run_optimiser.star", movie_runavg_window=3, extract_size=160,
        do_rescale=True, rescale=32,
    )  # fmt: skip
