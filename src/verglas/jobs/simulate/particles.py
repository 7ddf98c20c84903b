"""Particle stacks with truth: `particles.mrcs`, `particles.star`, `truth.star` (RELION 3.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.compute.progress import Progress, SilentProgress
from verglas.formats.atomic import write_text
from verglas.formats.star import StarTable, write_star
from verglas.jobs.simulate.model import PACKAGED_SYMMETRY, load_model
from verglas.jobs.simulate.movie import chosen_views
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.jobs.simulate.truth import optics_table

if TYPE_CHECKING:
    from verglas.simulate.model import AtomicModel
    from verglas.simulate.particles import ParticleMaker, ParticleTruth

STACK = "particles.mrcs"


def write_particles(
    directory: Path, settings: ParticleSettings, *, device: str = "cpu", progress: Progress | None = None
) -> Path:
    """Simulate and write a stack and its STAR files; returns the path of `particles.star`.

    Image names are relative to `directory`. The STAR files come last: where they are, the stack is complete.
    """
    from verglas.formats.stack_writer import StackWriter

    directory.mkdir(parents=True, exist_ok=True)
    maker, models = particle_maker(settings, device)
    shown = progress or SilentProgress()
    shown.start(f"Simulating {settings.count} particles of {settings.box} pixels ...", settings.count)
    dtype = "float16" if settings.half_precision else "float32"
    done = 0
    with StackWriter(directory / STACK, settings.pixel_size_angst, dtype=dtype) as stack:
        for images in maker.blocks():
            stack.add((images.half() if settings.half_precision else images).cpu().numpy())
            done += len(images)
            shown.update(done)
    if settings.truth_maps:
        _write_maps(directory, settings, models, maker.scale)
    _write_record(directory, settings, maker, models)
    return _write_stars(directory, settings, maker.truth)


def particle_maker(settings: ParticleSettings, device: str) -> tuple[ParticleMaker, list[AtomicModel]]:
    """The images' maker and the atomic models of the classes."""
    from verglas.simulate.particles import ParticleImaging, ParticleMaker
    from verglas.simulate.projection import AtomProjector, ProjectionSettings

    names: tuple[str | None, ...] = settings.models or (None,)
    models = [load_model(name, assembly=settings.assembly) for name in names]
    sampling = ProjectionSettings(settings.box, settings.pixel_size_angst)
    imaging = ParticleImaging(
        voltage_kv=settings.voltage_kv,
        cs_mm=settings.cs_mm,
        amplitude_contrast=settings.amplitude_contrast,
        b_factor_a2=settings.b_factor_a2,
        ctf=settings.ctf,
        snr=settings.snr,
        dose_e_a2=settings.dose_e_a2,
        ice_thickness_angst=settings.ice_thickness_angst,
        ice_noise=settings.ice_noise,
    )
    projectors = [AtomProjector(model, sampling, device) for model in models]
    truth = particle_truth(settings)
    return ParticleMaker(projectors, truth, imaging, settings.seed, settings.batch), models


def particle_truth(settings: ParticleSettings) -> ParticleTruth:
    """Poses, classes, shifts and defocus of every particle, by the seed."""
    import numpy as np

    from verglas.simulate.particles import ParticleTruth
    from verglas.simulate.views import random_poses

    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(2**31,)))
    symmetry = settings.symmetry or ("C1" if settings.models else PACKAGED_SYMMETRY)
    views = np.array(chosen_views(settings.views, symmetry)).reshape(-1, 2)
    n = settings.count
    eulers, view = random_poses(n, rng, views if len(views) else None, settings.jitter_deg)
    model = rng.integers(0, max(len(settings.models), 1), n)
    mean = rng.uniform(settings.defocus_min_angst, settings.defocus_max_angst, n)
    half = rng.uniform(0, settings.astigmatism_angst, n) / 2
    return ParticleTruth(
        eulers_deg=eulers,
        shifts_yx_angst=rng.uniform(-settings.shift_angst, settings.shift_angst, (n, 2)),
        classes=view if len(views) else model,
        models=model,
        defocus_u_angst=mean + half,
        defocus_v_angst=mean - half,
        defocus_angle_deg=rng.uniform(-90, 90, n),
    )


def _write_stars(directory: Path, settings: ParticleSettings, truth: ParticleTruth) -> Path:
    """`truth.star` with everything, `particles.star` with what a microscopist would know."""
    count = len(truth)
    known: dict[str, Any] = {
        "rlnImageName": [f"{index + 1:06d}@{STACK}" for index in range(count)],
        "rlnMicrographName": [f"mic{i % settings.micrographs:04d}.mrc" for i in range(count)],
        "rlnOpticsGroup": [1] * count,
        "rlnDefocusU": truth.defocus_u_angst,
        "rlnDefocusV": truth.defocus_v_angst,
        "rlnDefocusAngle": truth.defocus_angle_deg,
        "rlnPhaseShift": [0.0] * count,
    }
    hidden = {
        "rlnAngleRot": truth.eulers_deg[:, 0],
        "rlnAngleTilt": truth.eulers_deg[:, 1],
        "rlnAnglePsi": truth.eulers_deg[:, 2],
        "rlnOriginXAngst": -truth.shifts_yx_angst[:, 1],
        "rlnOriginYAngst": -truth.shifts_yx_angst[:, 0],
        "rlnClassNumber": truth.classes + 1,
    }
    optics = _optics(settings)
    everything = StarTable.from_columns("particles", {**known, **hidden})
    write_star(directory / "truth.star", [optics, everything])
    path = directory / "particles.star"
    write_star(path, [optics, StarTable.from_columns("particles", known)])
    return path


def _optics(settings: ParticleSettings) -> StarTable:
    images = {
        "rlnImagePixelSize": settings.pixel_size_angst,
        "rlnImageSize": settings.box,
        "rlnImageDimensionality": 2,
    }
    return optics_table(settings, {}, images)


def _write_maps(directory: Path, settings: ParticleSettings, models: list[AtomicModel], scale: float) -> None:
    """`truth_map.mrc`, `truth_map2.mrc` ...: the maps whose slices the particles show (grey scale too)."""
    from verglas.formats.mrc import write_mrc
    from verglas.simulate.projection import ProjectionSettings
    from verglas.simulate.volume import model_map

    sampling = ProjectionSettings(settings.box, settings.pixel_size_angst)
    for index, model in enumerate(models):
        volume = model_map(model, sampling, settings.b_factor_a2)
        volume *= scale * settings.pixel_size_angst  # V Å per voxel: projections are plain sums
        name = f"truth_map{'' if index == 0 else index + 1}.mrc"
        write_mrc(directory / name, volume, settings.pixel_size_angst)


def _write_record(
    directory: Path, settings: ParticleSettings, maker: ParticleMaker, models: list[AtomicModel]
) -> None:
    """`meta.json`: the settings and what scorers need to know."""
    record = {
        "n": settings.count,
        "box": settings.box,
        "apix": settings.pixel_size_angst,
        "snr": settings.snr,
        "seed": settings.seed,
        "scale": maker.scale,
        "bfac": settings.b_factor_a2,
        "classes": int(maker.truth.classes.max()) + 1,
        "diameter": max(model.diameter_angst() for model in models),
        "models": [model.name for model in models],
        "views": settings.views,
    }
    write_text(directory / "meta.json", json.dumps(record, indent=1) + "\n")
