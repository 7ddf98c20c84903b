"""Auto-refine of images that hold nothing: the halves must not agree beyond what they share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maps_runs import AUTO, refine, simulate
from verglas.formats.mrc import write_mrc
from verglas.formats.star import read_star

N, BOX, PIXEL, JOIN_ANGST = 80, 32, 6.0, 40.0
JOINED = math.ceil(BOX * PIXEL / JOIN_ANGST)  # the last shell that is; partly, where shells are collected
CHANGED = {
    "--ini_high": "40",
    "--low_resol_join_halves": "40",
    "--particle_diameter": "150",
    "--healpix_order": "1",
    "--auto_local_healpix_order": "3",
    "--maximum_angular_sampling": "7.5",
}
SEEDS = [pytest.param(1, marks=pytest.mark.slow)]
SEEDS += [pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 11)]


@pytest.mark.parametrize("seed", SEEDS)
def test_halves_of_pure_noise_do_not_agree_beyond_the_joined_shells(seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate(N, BOX, PIXEL)
    noise = np.random.default_rng(seed).normal(0, 1, (N, BOX, BOX)).astype(np.float32)
    write_mrc("particles.mrcs", noise, PIXEL)
    words = list(AUTO)
    for flag, value in {**CHANGED, "--random_seed": str(seed)}.items():
        words[words.index(flag) + 1] = value
    assert refine(*words, "--o", "run/run") == 0
    final = read_star("run/run_model.star")
    curve = final["model_class_1"].floats("rlnGoldStandardFsc")
    shells = np.arange(JOINED + 1, BOX // 2)
    points = 2 * np.pi * shells**2  # of half a shell: chance alone gives 1 / sqrt(points)
    assert (curve[shells] < 0.143 + 1 / np.sqrt(points)).all()
    assert abs(np.average(curve[shells], weights=points)) < 0.05
    resolutions = [
        read_star(path)["model_general"].number("rlnCurrentResolution")
        for path in (tmp_path / "run").glob("run_it*_half1_model.star")
    ]
    assert min(resolutions) > BOX * PIXEL / (JOINED + 1)
