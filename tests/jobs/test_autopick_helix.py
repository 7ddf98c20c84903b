"""Helical segments through the jobs: picked along filaments, cut out by Particle extraction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verglas.formats.mrc import read_mrc_header, write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.jobs.autopick.job import AutoPicking
from verglas.jobs.autopick.options import AutoPickOptions
from verglas.jobs.contract.base import RunContext
from verglas.jobs.extract.job import ParticleExtraction
from verglas.jobs.extract.options import ExtractOptions

PICKS, EXTRACT, NAME = "AutoPick/job003/", "Extract/job004/", "Movies/m0.mrc"
PIXEL = 4.0
OPTIONS = AutoPickOptions(
    fn_input_autopick="mics.star",
    fn_refs_autopick="refs.mrcs",
    particle_diameter=200,
    do_ctf_autopick=False,
    maxstddevnoise_autopick=-1,
    do_pick_helical_segments=True,
    helical_tube_outer_diameter=100,
    helical_nr_asu=8,
    helical_rise=5,
    threshold_autopick=0.3,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A strong and a weak straight tube, dark on white noise, and a template."""
    monkeypatch.chdir(tmp_path)
    for folder in ("Movies", EXTRACT):
        Path(folder).mkdir(parents=True)
    y, x = np.mgrid[:512, :512]
    image = np.random.default_rng(0).standard_normal((512, 512))
    for centre, slope, contrast in ((150, 0.1, 1.0), (380, -0.2, 0.6)):
        away = PIXEL * (y - centre - slope * (x - 256)) / np.hypot(1, slope)
        chord = np.sqrt(np.clip(50**2 - away**2, 0, None)) / 50
        image -= contrast * chord * (np.abs(x - 256) < 180)
    write_mrc(NAME, image.astype(np.float32), PIXEL)
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographOriginalPixelSize": [PIXEL],
        "rlnMicrographPixelSize": [PIXEL],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = {"rlnMicrographName": [NAME], "rlnOpticsGroup": [1]}
    table = StarTable.from_columns
    write_star("mics.star", [table("optics", optics), table("micrographs", rows)])
    bar = np.sqrt(np.clip(50**2 - (PIXEL * (np.arange(64) - 32)) ** 2, 0, None)) / 50
    write_mrc("refs.mrcs", np.tile(bar[:, None], (2, 1, 64)).astype(np.float32), PIXEL)
    return tmp_path


def pick(options: AutoPickOptions = OPTIONS, *extra: str) -> StarTable:
    assert AutoPicking.check(options) == []
    words = [*AutoPicking.command_line(options, PICKS, False), *extra]
    AutoPicking(AutoPicking.program.parse(words), RunContext(Path(PICKS), say=str, warn=str)).run()
    return read_star(f"{PICKS}Movies/m0_autopick.star").first


def test_segments_lie_along_the_tubes_at_steps(project: Path) -> None:
    table = pick()
    assert set(table.ints("rlnHelicalTubeID").tolist()) == {1, 2}
    for tube, (centre, slope) in ((1, (150, 0.1)), (2, (380, -0.2))):
        mine = table.take(np.flatnonzero(table.ints("rlnHelicalTubeID") == tube))
        x, y = mine.floats("rlnCoordinateX"), mine.floats("rlnCoordinateY")
        inner = np.abs(x - 256) < 150  # the direction is least certain at the ends
        assert len(x) == pytest.approx(360 * np.hypot(1, slope) * PIXEL / 40, abs=3)
        assert np.abs(y - centre - slope * (x - 256))[inner].max() < 4
        psi = mine.floats("rlnAnglePsiPrior") + np.rad2deg(np.arctan(slope))
        assert np.abs((psi[inner] + 90) % 180 - 90).max() < 6
        assert np.allclose(np.diff(mine.floats("rlnHelicalTrackLengthAngst")), 40, rtol=0.02)
    assert set(table.floats("rlnAngleTiltPrior").tolist()) == {90.0}
    assert set(table.floats("rlnAnglePsiFlipRatio").tolist()) == {0.5}


def test_a_threshold_drops_whole_tubes_without_picking_again(project: Path) -> None:
    merits = sorted(set(pick().floats("rlnAutopickFigureOfMerit").tolist()))
    assert len(merits) == 2
    least = read_star(f"{PICKS}Movies/m0_candidates.star")["picking"].number("verglasPickingThreshold")
    adjust = f"{0.5 * sum(merits) - least:.3f}"
    table = pick(OPTIONS.changed(do_read_fom_maps=True), "--LoG_adjust_threshold", adjust)
    assert set(table.ints("rlnHelicalTubeID").tolist()) == {1}


def test_short_tubes_are_dropped_and_none_is_a_result(project: Path) -> None:
    options = OPTIONS.changed(helical_tube_length_min=5000)
    words = AutoPicking.command_line(options, PICKS, False)
    lines: list[str] = []
    context = RunContext(Path(PICKS), say=lines.append, warn=lines.append)
    AutoPicking(AutoPicking.program.parse(words), context).run()
    assert Path(f"{PICKS}Movies/m0_autopick.star").stat().st_size == 0
    assert not any("set aside" in line for line in lines)


def test_extraction_cuts_the_segments_out(project: Path) -> None:
    picked = pick()
    options = ExtractOptions(
        star_mics="mics.star",
        coords_suffix=f"{PICKS}coords_suffix_autopick.star",
        extract_size=64,
        do_extract_helix=True,
        helical_tube_outer_diameter=100,
        do_extract_helical_tubes=False,
    )
    words = ParticleExtraction.command_line(options, EXTRACT, False)
    context = RunContext(Path(EXTRACT), say=str, warn=str)
    ParticleExtraction(ParticleExtraction.program.parse(words), context).run()
    particles = read_star(f"{EXTRACT}particles.star")["particles"]
    assert len(particles) == len(picked)
    for label in ("rlnHelicalTubeID", "rlnAnglePsiPrior", "rlnHelicalTrackLengthAngst"):
        assert np.allclose(particles.floats(label), picked.floats(label), atol=1e-3)
    assert read_mrc_header(f"{EXTRACT}Movies/m0.mrcs").n_images == len(picked)
