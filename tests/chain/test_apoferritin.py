"""Real micrographs of apoferritin, from Import to class averages, against people and published fits.

The contact sheet is written to the folder named by VERGLAS_TEST_PICTURES, for looking at.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.formats.mrc import read_mrc
from verglas.formats.png import write_png
from verglas.formats.star import read_star
from verglas.maps.pictures import contact_sheet, enlarged, with_scale_bar
from verglas.simulate.score import PickScore, score_picks

BAD = "May08_06.09.02_sum"
ITERATIONS = 20


def scout_fits(folder: Path) -> dict[str, tuple[float, float]]:
    lines = (folder / "ctf_scout_fit.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {row[0].removesuffix(".mrc"): (float(row[1]), float(row[2])) for row in rows}


def coordinates(path: Path) -> np.ndarray:
    table = read_star(path).first
    return np.stack([table.floats(f"rlnCoordinate{axis}") for axis in "XY"], axis=1)


@pytest.mark.real
@pytest.mark.slow
def test_apoferritin_from_micrographs_to_classes(real_data: Path, new_chain: Callable[[], Any]) -> None:
    folder = real_data / "empiar10146_apoferritin"
    chain = new_chain()
    chain.schedule(
        "Import",
        fn_in_raw=f"{folder}/micrographs/*.mrc",
        is_multiframe=False,
        angpix=1.5,
        kV=300,
        Cs=0.001,
        Q0=0.07,
    )
    chain.schedule("CtfFind", input_star_mics="Import/job001/micrographs.star", nr_mpi=2)
    chain.schedule(
        "AutoPick",
        fn_input_autopick="CtfFind/job002/micrographs_ctf.star",
        do_log=True,
        log_diam_min=110,
        log_diam_max=140,
        nr_mpi=2,
    )
    chain.schedule(
        "Extract",
        star_mics="CtfFind/job002/micrographs_ctf.star",
        coords_suffix="AutoPick/job003/coords_suffix_autopick.star",
        extract_size=128,
        do_rescale=True,
        rescale=48,
        nr_mpi=2,
    )
    chain.schedule(
        "Class2D",
        fn_img="Extract/job004/particles.star",
        nr_classes=10,
        nr_iter=ITERATIONS,
        particle_diameter=150,
        nr_threads=2,
    )
    assert chain.run() == 0, chain.errors()
    check_ctf(chain.root, scout_fits(folder))
    check_picks(chain.root, folder)
    check_classes(chain.root)


def check_ctf(root: Path, scout: dict[str, tuple[float, float]]) -> None:
    table = read_star(root / "CtfFind/job002/micrographs_ctf.star")["micrographs"]
    assert len(table) == 13
    columns = [
        table.strings("rlnMicrographName"),
        table.floats("rlnDefocusU"),
        table.floats("rlnDefocusV"),
        table.floats("verglasCtfReliability"),
    ]
    for name, defocus_u, defocus_v, reliability in zip(*columns):
        stem = Path(name).stem
        if stem == BAD:
            assert reliability < 0.3
            continue
        expected_u, expected_v = scout[stem]
        assert reliability > 0.7, stem
        assert (defocus_u + defocus_v) / 2 == pytest.approx((expected_u + expected_v) / 2, abs=200)
        assert defocus_u == pytest.approx(expected_u, abs=300)
        assert defocus_v == pytest.approx(expected_v, abs=300)


def check_picks(root: Path, folder: Path) -> None:
    total = PickScore(0, 0, 0)
    for human in sorted((folder / "human_picks").glob("*_human.star")):
        stem = human.name.removesuffix("_human.star")
        (found,) = (root / "AutoPick/job003").rglob(f"{stem}_autopick.star")
        total = total + score_picks(
            coordinates(found), coordinates(human), 25, border=45, shape_yx=(1200, 1240)
        )
    assert total.f1 >= 0.95, total


def check_classes(root: Path) -> None:
    """The populated averages show apoferritin: a dark middle inside a bright ring."""
    prefix = root / f"Class2D/job005/run_it{ITERATIONS:03d}"
    averages = read_mrc(f"{prefix}_classes.mrcs")
    shares = read_star(f"{prefix}_model.star")["model_classes"].floats("rlnClassDistribution")
    order = np.argsort(-shares)
    pictures = os.environ.get("VERGLAS_TEST_PICTURES")
    if pictures:
        sheet = enlarged(contact_sheet(averages.data[order], columns=5), 4)
        bar = with_scale_bar(sheet, averages.pixel_size_angst / 4, 4 * averages.data.shape[-1])
        write_png(Path(pictures) / "apoferritin_classes.png", bar)
    n = averages.data.shape[-1]
    y, x = np.indices((n, n)) - n // 2
    radius = np.hypot(y, x) * averages.pixel_size_angst
    ring_share = 0.0
    for index in order:
        image = averages.data[index]
        middle, ring = image[radius < 20].mean(), image[(radius > 40) & (radius < 55)].mean()
        outside = image[(radius > 70) & (radius < 85)].mean()
        if ring > middle and ring > outside:
            ring_share += shares[index]
    assert ring_share > 0.7
