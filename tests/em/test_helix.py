"""Helical segments in 2D: simulated filaments through the program, and its files through RELION's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.program import run_program
from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star

N, BOX, PIXEL, RISE = 60, 40, 4.0, 24.0
FLAGS = [
    "--i",
    "segments.star",
    "--o",
    "Class2D/run",
    "--K",
    "1",
    "--iter",
    "3",
    "--tau2_fudge",
    "2",
    "--particle_diameter",
    "140",
    "--zero_mask",
    "--flatten_solvent",
    "--norm",
    "--scale",
    "--oversampling",
    "1",
    "--psi_step",
    "12",
    "--offset_range",
    "5",
    "--offset_step",
    "2",
    "--random_seed",
    "2",
    "--pad",
    "2",
    "--helical_outer_diameter",
    "90",
    "--bimodal_psi",
    "--sigma_psi",
    "2",
    "--helix",
    "--helical_rise_initial",
    str(RISE),
]


@pytest.fixture
def filaments(tmp_path, monkeypatch):
    """Segments of a filament with beads on one side; their true psi and position across the axis (px)."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    psi, across = rng.uniform(-180, 180, N), rng.uniform(-3, 3, N)
    along = rng.uniform(-2, 2, N)
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    images = np.zeros((N, BOX, BOX), np.float32)
    for i in range(N):
        c, s = np.cos(np.deg2rad(psi[i])), np.sin(np.deg2rad(psi[i]))
        u, v = x * c - y * s - along[i], x * s + y * c - across[i]  # along and across the axis
        rod = np.exp(-(v**2) / (2 * 2.5**2))
        beads = np.exp(-((v - 4) ** 2) / 6) * np.cos(2 * np.pi * u * PIXEL / RISE)
        images[i] = 1.5 * rod + 1.2 * beads + rng.normal(0, 1, (BOX, BOX))
    write_mrc("segments.mrcs", images, PIXEL)
    flipped = rng.integers(0, 2, N) * 180
    optics = {
        "rlnOpticsGroupName": ["one"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL],
        "rlnImageSize": [BOX],
        "rlnImageDimensionality": [2],
    }
    particles = {
        "rlnImageName": [f"{i + 1:06d}@segments.mrcs" for i in range(N)],
        "rlnMicrographName": [f"mic{i % 3}.mrc" for i in range(N)],
        "rlnOpticsGroup": [1] * N,
        "rlnCoordinateX": 100.0 + np.arange(N),
        "rlnCoordinateY": 100.0 + np.arange(N),
        "rlnHelicalTubeID": np.arange(N) // 5 + 1,
        "rlnAngleTiltPrior": [90.0] * N,
        "rlnAnglePsiPrior": psi + flipped + rng.normal(0, 2, N),
        "rlnHelicalTrackLengthAngst": 10.0 * (np.arange(N) % 5),
        "rlnAnglePsiFlipRatio": [0.5] * N,
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", particles)]
    write_star("segments.star", tables)
    return psi, across


def folded(degrees):
    """Angles with the polarity left out."""
    return np.remainder(degrees + 90, 180) - 90


def test_filaments_find_their_axis_and_stay_in_place_along_it(filaments):
    psi, across = filaments
    assert run_program("refine", FLAGS) == 0
    table = read_star("Class2D/run_it003_data.star")["particles"]
    found, prior = table.floats("rlnAnglePsi"), table.floats("rlnAnglePsiPrior")
    assert (np.abs(folded(found - prior)) <= 6 + 6 + 6).all()  # window, a child, the perturbation
    assert np.median(np.abs(folded(found - psi))) < 4
    turn = np.deg2rad(psi)
    x, y = (-table.floats(f"rlnOrigin{axis}Angst") / PIXEL for axis in "XY")  # where it sits
    u, v = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    offset = v - across
    flips = np.where(np.abs(np.remainder(found - psi + 180, 360) - 180) < 90, 1, -1)
    centre = np.median(offset * flips)  # the class itself may sit beside its axis
    assert np.median(np.abs(offset - centre * flips)) < 0.8
    assert (np.abs(u) * PIXEL <= RISE / 2 + 3 * 2 * PIXEL).all()
    model = read_star("Class2D/run_it003_model.star")
    assert model["model_general"].integer("rlnIsHelix") == 1
    assert model["model_classes"].floats("rlnHelicalRise").tolist() == [RISE]
    assert table.ints("rlnHelicalTubeID").max() == 12


def test_segments_without_a_prior_are_refused(filaments, capsys):
    star = read_star("segments.star")
    left = [name for name in star["particles"].labels if name != "rlnAnglePsiPrior"]
    columns = {name: star["particles"].strings(name) for name in left}
    write_star("segments.star", [star["optics"], StarTable.from_columns("particles", columns)])
    assert run_program("refine", FLAGS) == 1
    assert "no rlnAnglePsiPrior" in capsys.readouterr().err


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_refine") is None, reason="relion_refine is not installed")
def test_relion_goes_on_from_our_helical_files_and_we_from_theirs(filaments):
    assert run_program("refine", FLAGS) == 0
    words = ["--continue", "Class2D/run_it003_optimiser.star", "--o", "Class2D/run_ct3", "--iter", "4"]
    done = subprocess.run(["relion_refine", *words, "--j", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    words = ["--continue", "Class2D/run_ct3_it004_optimiser.star", "--o", "Class2D/run_ct4"]
    assert run_program("refine", [*words, "--iter", "5"]) == 0
    ours = read_star("Class2D/run_it003_data.star")["particles"]
    after = read_star("Class2D/run_ct4_it005_data.star")["particles"]
    position = {name: i for i, name in enumerate(after.strings("rlnImageName"))}
    order = [position[name] for name in ours.strings("rlnImageName")]
    moved = folded(after.floats("rlnAnglePsi")[order] - ours.floats("rlnAnglePsi"))
    assert np.median(np.abs(moved)) < 7
    assert Path("Class2D/run_ct4_it005_classes.mrcs").exists()
