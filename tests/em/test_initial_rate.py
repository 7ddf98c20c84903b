"""How often competing starts find the map: the small form of benchmarks/abinitio.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maps_runs import simulate
from verglas.em.run.contest import compete
from verglas.em.state.particles import ArraySource
from verglas.em.state.settings import EmSettings, GradientSettings
from verglas.formats.mrc import read_mrc
from verglas.jobs.refine.files.particles import read_particles
from verglas.maps.fitting import fit

RIGHT, MIRRORED = 0.95, 0.92  # correlations; the mirror image of these specimens comes to 0.84 to 0.88


def correlations(found: np.ndarray) -> list[float]:
    """With the true map, as it is and as its mirror image; the better one first."""
    truth = torch.from_numpy(read_mrc("map.mrc").data.copy())
    hands = [torch.from_numpy(np.ascontiguousarray(found[::hand], np.float32)) for hand in (1, -1)]
    return sorted((fit(each, truth).correlation for each in hands), reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("specimen", [3, 8])
def test_starts_find_a_particle_without_symmetry(tmp_path, monkeypatch, specimen, seed):
    monkeypatch.chdir(tmp_path)
    simulate(300, noise=0.7, specimen=specimen)
    particles = read_particles("particles.star", with_ctf=False).particles
    settings = EmSettings(
        dims=3,
        denovo=True,
        n_iterations=40,
        tau2_fudge=4.0,
        particle_diameter_angst=120.0,
        flatten_solvent=True,
        zero_mask=True,
        healpix_order=1,
        offset_range_px=1.0,
        padding=1.0,
        random_seed=seed,
        gradient=GradientSettings(ini_resolution_angst=15.0, fin_resolution_angst=12.0),
    )
    contest = compete(settings, particles, ArraySource(read_mrc("particles.mrcs").data), 3)
    mine, mirrored = correlations(contest.winner[0].numpy())
    assert mine > RIGHT and mirrored < MIRRORED
