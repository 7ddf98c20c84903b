"""The manual's own example: Import of Micrographs/*.mrcs, the chain repeated while movies arrive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.formats.star import read_star
from verglas.jobs.simulate.session import write_session
from verglas.jobs.simulate.settings import SessionSettings

DONE_FILES = (
    "MotionCorr/job002/Micrographs/*.mrc",
    "CtfFind/job003/Micrographs/*_ctf.star",
    "AutoPick/job004/Micrographs/*_autopick.star",
    "Extract/job005/Micrographs/*.mrcs",
)


def stamps(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for glob in DONE_FILES for path in root.glob(glob)}


@pytest.mark.slow
def test_a_movie_renamed_into_place_between_rounds_is_all_that_is_processed(
    tmp_path: Path, new_chain: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SessionSettings(
        movies=3, size=512, frames=6, format="mrc", particles=14, views=2, local_pixels=0.3
    )
    movies = write_session(tmp_path / "session", settings, workers=2)
    chain = new_chain()
    incoming = chain.root / "Micrographs"
    incoming.mkdir()
    (chain.root / "gain.mrc").write_bytes((tmp_path / "session" / "gain.mrc").read_bytes())
    schedule_chain(chain, settings)
    for movie in movies[:2]:
        rename_into_place(movie, incoming)
    assert chain.run(repeat=2, min_wait_min=0.01) == 0, chain.errors()
    before = stamps(chain.root)
    assert len(before) == 8
    rename_into_place(movies[2], incoming)
    assert chain.run(repeat=1) == 0, chain.errors()
    after = stamps(chain.root)
    assert len(after) == 12
    assert {name: after[name] for name in before} == before
    particles = read_star(chain.root / "Extract/job005/particles.star")["particles"]
    assert len(np.unique(particles.strings("rlnMicrographName"))) == 3
    data = read_star(chain.root / "Class2D/job006/run_it003_data.star")["particles"]
    assert len(data) == len(particles)


def rename_into_place(movie: Path, incoming: Path) -> None:
    """As the manual tells people to do: another name while copying, then a rename."""
    temporary = incoming / f"{movie.stem}.mrcs.tmp"
    temporary.write_bytes(movie.read_bytes())
    temporary.rename(incoming / f"{movie.stem}.mrcs")


def schedule_chain(chain: Any, settings: SessionSettings) -> None:
    chain.schedule("Import", fn_in_raw="Micrographs/*.mrcs", angpix=settings.pixel_size_angst)
    chain.schedule(
        "MotionCorr",
        input_star_mics="Import/job001/movies.star",
        fn_gain_ref="gain.mrc",
        dose_per_frame=settings.dose_per_frame_e_a2,
    )
    chain.schedule("CtfFind", input_star_mics="MotionCorr/job002/corrected_micrographs.star", box=256)
    chain.schedule(
        "AutoPick",
        fn_input_autopick="CtfFind/job003/micrographs_ctf.star",
        do_log=True,
        log_diam_min=140,
        log_diam_max=190,
    )
    chain.schedule(
        "Extract",
        star_mics="CtfFind/job003/micrographs_ctf.star",
        coords_suffix="AutoPick/job004/coords_suffix_autopick.star",
        extract_size=160,
        do_rescale=True,
        rescale=32,
    )
    chain.schedule(
        "Class2D", fn_img="Extract/job005/particles.star", nr_classes=2, nr_iter=3, particle_diameter=200
    )
