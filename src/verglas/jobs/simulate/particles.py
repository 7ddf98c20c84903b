"""Particle stacks with truth: `particles.mrcs`, `particles.star`, `truth.star` (RELION 3.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.compute.progress import Progress, SilentProgress
from verglas.formats.atomic import write_text
from verglas.formats.star import StarTable, write_star
from verglas.formats.star.tokens import format_vector
from verglas.jobs.simulate.model import PACKAGED_SYMMETRY, load_model
from verglas.jobs.simulate.movie import chosen_views
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.jobs.simulate.truth import optics_table

if TYPE_CHECKING:
    from verglas.simulate.model import AtomicModel
    from verglas.simulate.particles import ParticleMaker, ParticleTruth

STACK = "particles.mrcs"
PREFERRED_VIEW_DEG, PREFERRED_SPREAD_DEG = (50.0, 40.0), 7.0  # rot and tilt of `one_view`, and deviation
MATRIX = ("00", "01", "10", "11")
DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")


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
    matrix: Any = settings.magnification or None
    tilt: Any = settings.beam_tilt_mrad or (0.0, 0.0)
    sampling = ProjectionSettings(settings.box, settings.pixel_size_angst, magnification=matrix)
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
        phase_shift_deg=settings.phase_shift_deg,
        beam_tilt_mrad=tilt,
        odd_zernike=settings.odd_zernike,
        even_zernike=settings.even_zernike,
        magnification=matrix,
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
    shifts = rng.uniform(-settings.shift_angst, settings.shift_angst, (n, 2))
    angle = rng.uniform(-90, 90, n)
    if settings.one_view > 0:
        near = np.flatnonzero(rng.random(n) < settings.one_view)
        preferred = np.array([PREFERRED_VIEW_DEG])
        eulers[near] = random_poses(len(near), rng, preferred, PREFERRED_SPREAD_DEG)[0]
    offset = np.zeros(n)
    if settings.defocus_spread_angst > 0:  # the first particles' values are their micrographs'
        of_micrograph = np.arange(n) % settings.micrographs
        offset = settings.defocus_spread_angst * rng.standard_normal(n)
        mean, half, angle = mean[of_micrograph] + offset, half[of_micrograph], angle[of_micrograph]
    return ParticleTruth(
        eulers_deg=eulers,
        shifts_yx_angst=shifts,
        classes=view if len(views) else model,
        models=model,
        defocus_u_angst=mean + half,
        defocus_v_angst=mean - half,
        defocus_angle_deg=angle,
        defocus_offset_angst=offset,
    )


def _write_stars(directory: Path, settings: ParticleSettings, truth: ParticleTruth) -> Path:
    """`truth.star` with everything, `particles.star` with what a microscopist would know.

    Where that is not all that a refinement needs, `refined.star` is what it would find: true poses, halves.
    """
    count = len(truth)
    seen = _defocus_seen(truth, settings)
    known: dict[str, Any] = {
        "rlnImageName": [f"{index + 1:06d}@{STACK}" for index in range(count)],
        "rlnMicrographName": [f"mic{i % settings.micrographs:04d}.mrc" for i in range(count)],
        "rlnOpticsGroup": [1] * count,
        **dict(zip(DEFOCUS, seen)),
        "rlnPhaseShift": [settings.phase_shift_deg] * count,
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
    true = dict(zip(DEFOCUS, (truth.defocus_u_angst, truth.defocus_v_angst, truth.defocus_angle_deg)))
    everything = StarTable.from_columns("particles", {**known, **true, **hidden})
    write_star(directory / "truth.star", [optics.with_columns(_secrets(settings)), everything])
    if settings.has_secrets:
        halves = {"rlnRandomSubset": [i // settings.micrographs % 2 + 1 for i in range(count)]}
        refined = StarTable.from_columns("particles", {**known, **hidden, **halves})
        write_star(directory / "refined.star", [optics, refined])
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


def _defocus_seen(truth: ParticleTruth, settings: ParticleSettings) -> tuple[Any, Any, Any]:
    """U, V and angle that a fit to the micrographs would give: each micrograph's, as distorted."""
    u, v = (each - truth.defocus_offset_angst for each in (truth.defocus_u_angst, truth.defocus_v_angst))
    if not settings.magnification:
        return u, v, truth.defocus_angle_deg
    import torch

    from verglas.optics.astigmatism import defocus_matrices, defocus_seen_through, defocus_values

    true = defocus_matrices(*(torch.as_tensor(each) for each in (u, v, truth.defocus_angle_deg)))
    matrix = torch.tensor(settings.magnification, dtype=torch.float64).reshape(2, 2)
    found = defocus_values(defocus_seen_through(true, matrix))
    return found[0].numpy(), found[1].numpy(), found[2].numpy()


def _secrets(settings: ParticleSettings) -> dict[str, Any]:
    """Optics columns of what the images suffered."""
    found: dict[str, Any] = {}
    if settings.beam_tilt_mrad:
        found |= dict(zip(("rlnBeamTiltX", "rlnBeamTiltY"), ([each] for each in settings.beam_tilt_mrad)))
    for label, values in (("rlnOddZernike", settings.odd_zernike), ("rlnEvenZernike", settings.even_zernike)):
        if values:
            found[label] = [format_vector(values)]
    if settings.magnification:
        found |= {f"rlnMagMat{place}": [each] for place, each in zip(MATRIX, settings.magnification)}
    return found


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
