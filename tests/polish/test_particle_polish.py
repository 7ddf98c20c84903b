"""Particle polishing of RELION 2 on the output of movie refinement."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from polish_project import EXTRACT, REFINE
from scenes import run_job, write_refinement

from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.fourier import forward, inverse, shift_in_fourier
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.movierefine.job import MovieRefinement
from verglas.jobs.particlepolish.job import ParticlePolishing
from verglas.polish.linear_motion import straight_tracks

HALVES = [f"{REFINE}run_half{half}_class001_unfil.mrc" for half in (1, 2)]
MOVIES = (
    "--i movies.star --continue Refine3D/job030/run_optimiser.star --movie_frames_running_avg 3 --sigma_off 1 "
    "--invert_contrast --norm --skip_rotate"
)


def test_neighbours_make_straight_tracks():
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 500, (30, 2))
    truth = np.linspace(-1, 1, 9)[None, :, None] * np.array([1.5, -0.5])
    noisy = truth + 0.5 * rng.standard_normal((30, 9, 2))
    error = [float(np.sqrt(((straight_tracks(noisy, places, s) - truth) ** 2).mean())) for s in (0, 300)]
    assert error[1] < 0.5 * error[0] < 0.5 * 0.5
    assert (straight_tracks(noisy[:, :1], places, 100) == noisy[:, :1]).all()


def test_movie_particles_become_shiny_ones(in_scene):
    write_refinement("Refine3D/job030/run", f"{EXTRACT}particles.star", HALVES)
    run_job(MovieRefinement, "MovieRefine/job031/", MOVIES)
    words = (
        "--i MovieRefine/job031/run_ravg3_off1_data.star --mask mask.mrc --sigma_nb 100 --perframe_highres 9 "
        "--autob_lowres 40 --sym D7"
    )
    told = run_job(ParticlePolishing, "ParticlePolish/job032/", words)
    star = read_star("ParticlePolish/job032/shiny.star")
    before = read_star(f"{EXTRACT}particles.star")["particles"]
    assert len(star["particles"]) == len(before)
    assert "rlnMovieFrameNumber" not in star["particles"]
    polished = read_mrc("ParticlePolish/job032/Movies/mov_0001_shiny.mrcs").data
    old = read_mrc(f"{EXTRACT}Movies/mov_0001.mrcs").data
    rows = len(old)
    off = np.stack(
        [
            star["particles"].floats(f"rlnOrigin{axis}Angst")[:rows]
            - before.floats(f"rlnOrigin{axis}Angst")[:rows]
            for axis in "YX"
        ],
        1,
    )
    spectra = shift_in_fourier(forward(torch.from_numpy(polished)), torch.from_numpy(off / 3.0))
    polished = inverse(spectra, 72).numpy()
    alike = [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(polished, old)]
    assert np.mean(alike) > 0.5
    assert read_mrc("ParticlePolish/job032/shiny_post.mrc").data.shape == (72, 72, 72)
    assert len(read_star("ParticlePolish/job032/bfactors.star")["perframe_bfactors"]) == 8
    assert any("Resolution of the polished halves" in line for line in told)
    with pytest.raises(JobFailed, match="not of movie refinement"):
        run_job(ParticlePolishing, "ParticlePolish/job033/", f"--i {EXTRACT}particles.star --mask mask.mrc")
