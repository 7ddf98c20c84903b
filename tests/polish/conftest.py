"""A small simulated project up to polishing: two movies of particles that move by themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "benchmarks")]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """The folder of the project; tests work in copies or in job directories of their own."""
    from polish_project import EXTRACT, MOTION, POST, REFINE, write_movies, write_refined
    from scenes import run_job, smooth_mask

    from verglas.cli.handler import main as reconstruct
    from verglas.jobs.extract.job import ParticleExtraction
    from verglas.jobs.motioncorr.job import MotionCorrection
    from verglas.jobs.postprocess.job import PostProcessing
    from verglas.jobs.simulate.session import write_session
    from verglas.jobs.simulate.settings import SessionSettings

    folder, before = tmp_path_factory.mktemp("polishing"), os.getcwd()
    os.chdir(folder)
    torch.set_num_threads(1)
    settings = SessionSettings(
        movies=3, size=320, frames=8, pixel_size_angst=3.0, dose_per_frame_e_a2=4.0, particles=16,
        distance_angst=170.0, own_motion_pixels=1.2, local_pixels=0.0, drift_pixels=4.0, damage=False,
        first_b_a2=200.0, dose_b_a2=3.0, seed=3, hot_pixels=6, dead_pixels=4,
    )  # fmt: skip
    write_session(Path("session"), settings, movies_in=Path("Movies"), workers=1)
    write_movies(settings.pixel_size_angst, settings.voltage_kv)
    run_job(
        MotionCorrection, MOTION, "--i movies.star --use_own --gainref session/gain.mrc --dose_per_frame 4"
    )
    write_refined(f"{REFINE}run_data.star")
    run_job(
        ParticleExtraction, EXTRACT,
        f"--i {MOTION}corrected_micrographs.star --reextract_data_star {REFINE}run_data.star "
        f"--part_star {EXTRACT}particles.star --extract --extract_size 72 --norm --bg_radius 27 "
        "--invert_contrast",
        place="--part_dir",
    )  # fmt: skip
    for half in (1, 2):
        words = f"--i {EXTRACT}particles.star --o {REFINE}run_half{half}_class001_unfil.mrc --ctf --sym D7"
        assert reconstruct(["reconstruct", *words.split(), "--subset", str(half)]) == 0
    smooth_mask(f"{REFINE}run_half1_class001_unfil.mrc", "mask.mrc")
    Path(POST).mkdir(parents=True)
    run_job(
        PostProcessing, POST,
        f"--i {REFINE}run_half1_class001_unfil.mrc --mask mask.mrc --adhoc_bfac -50", out="postprocess",
    )  # fmt: skip
    os.chdir(before)
    return folder


@pytest.fixture
def in_scene(scene, monkeypatch):
    monkeypatch.chdir(scene)
    return scene


@pytest.fixture(scope="session")
def polished(scene):
    """A finished job; its directory."""
    from scenes import polish

    before = os.getcwd()
    os.chdir(scene)
    directory, _ = polish("Polish/job008/")
    os.chdir(before)
    return scene / directory
