"""A live session with a map, made up: its movies on a grid, particles with poses, updates that got better."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from verglas.formats.star import StarTable, write_star
from verglas.jobs.chain import STAGES
from verglas.project.project import Project
from verglas.scheduler.live.record.ledger import Ledger
from verglas.scheduler.live.record.map_state import MapState
from verglas.scheduler.live.record.order import LiveFolder, LiveOrder
from verglas.scheduler.live.record.status import LiveStatus, write_status

JOB, PIXEL_ANGST, BOX = "Refine3D/job008/", 1.0, 256
PER_SQUARE, SQUARES, BAD = 24, 6, 2  # movies of a square; the square whose particles have no signal
HOUR_S = 3600.0


def make_session(root: Path, name: str = "live1", updates: int = 12, seed: int = 1) -> LiveFolder:
    """Movies of six grid squares in six hours, the third one of bad ice; 12 updates from 3,000 particles."""
    rng = np.random.default_rng(seed)
    Project.create(root)
    folder = LiveFolder(root, name)
    folder.path.mkdir(parents=True)
    (folder.path / "order.json").write_text(json.dumps(asdict(LiveOrder(name, "Movies/*.tiff"))))
    folder.set_phase("running")
    counts = _movies(folder, rng)
    (root / JOB).mkdir(parents=True)
    _particles(root / JOB, counts, rng)
    _history(root / JOB, updates, int(counts.sum()) * 40, rng)
    state = MapState(
        "up to date",
        initial_job="InitialModel/job007/",
        job=JOB,
        updates=updates,
        particles=int(counts.sum()),
        believable="good",
        map=f"{JOB}run_class001.mrc",
        resolution_angst=3.0,
    )
    state.write(folder)
    status = LiveStatus(name, "running", done_per_hour=120.0, found=len(counts), particles=int(counts.sum()))
    write_status(folder, replace(status, map=asdict(state)))
    return folder


def _movies(folder: LiveFolder, rng: np.random.Generator) -> np.ndarray:
    """The ledger; the number of particles of each movie."""
    ledger = Ledger(folder.journal)
    counts = rng.poisson(40, SQUARES * PER_SQUARE)
    start_s = time.time() - SQUARES * HOUR_S
    for number, count in enumerate(counts.tolist()):
        square, written_s = number // PER_SQUARE, start_s + number * HOUR_S / PER_SQUARE
        place = f"Images-Disc1/GridSquare_{1000 + square}/Data/FoilHole_{number}_Data_1_2_fractions.tiff"
        stamp = f"1000:{int(written_s * 1e9)}"
        movie = ledger.take(f"Movies/m{number:04d}.tiff", f"/microscope/{place}", stamp)
        for stage in STAGES:
            known = (
                {"micrograph": f"MotionCorr/job002/Movies/m{number:04d}.mrc"} if stage == STAGES[0] else {}
            )
            figures = {"particles": float(count)} if stage == STAGES[-1] else {}
            ledger.done(movie, stage, 1, 1.0, figures=figures, **known)
    ledger.close()
    return counts


def _particles(job: Path, counts: np.ndarray, rng: np.random.Generator) -> None:
    """`run_data.star`: most particles seen from the top; those of the bad square have no signal."""
    movie = np.repeat(np.arange(len(counts)), counts)
    bad = movie // PER_SQUARE == BAD
    junk = rng.random(len(movie)) < np.where(bad, 0.6, 0.05)
    signal = ~(bad | junk)
    tilt = np.where(
        rng.random(len(movie)) < 0.9, np.abs(rng.normal(0, 12, len(movie))), rng.uniform(0, 90, len(movie))
    )
    columns = {
        "rlnMicrographName": [f"MotionCorr/job002/Movies/m{each:04d}.mrc" for each in movie],
        "rlnAngleRot": rng.uniform(-180, 180, len(movie)),
        "rlnAngleTilt": tilt,
        "rlnAnglePsi": rng.uniform(-180, 180, len(movie)),
        "verglasSearchedInUpdate": rng.integers(1, 12, len(movie)),
        "rlnClassNumber": np.where(junk, 2, 1),
        "rlnMaxValueProbDistribution": np.where(signal, 0.18, 0.06) * rng.gamma(4, 0.25, len(movie)),
    }
    write_star(job / "run_data.star", [StarTable.from_columns("particles", columns)])


def _history(job: Path, updates: int, particles: int, rng: np.random.Generator) -> None:
    """`map_history.jsonl`: a map of B = 90 Å²."""
    k = np.arange(BOX // 2 + 1) / (BOX * PIXEL_ANGST)
    now, lines = time.time(), []
    for number, count in enumerate(np.geomspace(3000, particles, updates)):
        ssnr = count * np.exp(-45 * k**2) * np.exp(45 / 7.0**2) / 6 / 3000
        curve = np.clip(
            ssnr / (1 + ssnr) + 0.15 * rng.standard_normal(len(k)) / np.sqrt(1 + 6 * k * BOX), -1, 1
        )
        curve[0] = 1
        shell = int(np.flatnonzero(curve < 0.143)[0]) - 1
        lines.append(
            {
                "update": number + 1,
                "time": now - (updates - 1 - number) * 1800,
                "particles": int(count),
                "added": 500,
                "removed": 0,
                "researched": 100,
                "resolution_angst": BOX * PIXEL_ANGST / shell,
                "fsc": [[round(x, 5), round(float(y), 4)] for x, y in zip(k.tolist(), curve)],
                "pmax": 0.3,
                "seconds": 5.0,
                "symmetry": "C1",
                "pixel_size_angst": PIXEL_ANGST,
                "box": BOX,
                "classes": [0.93, 0.07],
                "masked_resolution_angst": None,
            }
        )
    (job / "map_history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
