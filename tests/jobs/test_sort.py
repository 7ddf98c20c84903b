"""Particle sorting: particles that look like their reference score low, junk scores high."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, read_star, write_star
from verglas.fourier import Projector, centre_signs, forward, inverse, shift_in_fourier
from verglas.geometry import euler_matrices
from verglas.jobs.contract.base import JobFailed, RunContext
from verglas.jobs.refine.files.particles import read_particles
from verglas.jobs.sort.job import Z_SCORE, ParticleSorting
from verglas.jobs.sort.options import SortOptions
from verglas.jobs.sort.references import read_references
from verglas.particles.residuals import residual_features, sorting_scores

N, COUNT, JUNK = 32, 60, 10
DIRECTORY = "Sort/job003/"


def references() -> np.ndarray:
    y, x = np.indices((N, N)) - N // 2
    bar = np.exp(-((y / 3.0) ** 2) - ((x - 2) / 8.0) ** 2)
    ring = np.exp(-((np.hypot(y, x - 1) - 8) ** 2) / 4) * (1 + 0.5 * (y > 0))
    return np.stack([bar, ring]).astype(np.float32)


def classification(folder: Path) -> list[int]:
    """Rotated, shifted copies of two references in noise; the last ones hold something else."""
    (folder / "Class2D/job002").mkdir(parents=True)
    root = "Class2D/job002/run_it025"
    rng = np.random.default_rng(3)
    psi = rng.uniform(0, 360, COUNT)
    shift_px = rng.uniform(-3, 3, (COUNT, 2))  # y, x
    classes = rng.integers(0, 2, COUNT)
    angles = torch.from_numpy(np.stack([0 * psi, 0 * psi, psi], 1))
    slices = Projector.of(torch.from_numpy(references()), dims=2).slices(
        euler_matrices(angles), N, torch.from_numpy(classes)
    )
    spectra = slices * centre_signs(N)
    images = inverse(shift_in_fourier(spectra, torch.from_numpy(-shift_px)), N).numpy()
    images += 0.5 * rng.normal(size=images.shape)
    junk = list(range(COUNT - JUNK, COUNT))
    y, x = np.indices((N, N)) - N // 2
    for row in junk:  # an edge of carbon, or a bright contamination
        images[row] += 2.0 * (x + y > 4) if row % 2 else 6.0 * np.exp(-(y**2 + (x - 6) ** 2) / 6)
    write_mrc("stack.mrcs", images.astype(np.float32), 3.0)
    write_mrc(f"{root}_classes.mrcs", references(), 3.0)
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["o"],
        "rlnImagePixelSize": [3.0],
        "rlnImageSize": [N],
        "rlnImageDimensionality": [2],
        "rlnVoltage": [300.0],
    }
    columns = {
        "rlnImageName": [f"{n + 1:06d}@stack.mrcs" for n in range(COUNT)],
        "rlnOpticsGroup": [1] * COUNT,
        "rlnAnglePsi": psi,
        "rlnOriginXAngst": 3 * shift_px[:, 1],
        "rlnOriginYAngst": 3 * shift_px[:, 0],
        "rlnClassNumber": classes + 1,
    }
    tables = [StarTable.from_columns("optics", optics), StarTable.from_columns("particles", columns)]
    write_star(f"{root}_data.star", tables)
    names = [f"{n:06d}@{root}_classes.mrcs" for n in (1, 2)]
    model = [
        StarTable.from_columns("model_general", {"rlnPixelSize": 3.0}, is_list=True),
        StarTable.from_columns("model_classes", {"rlnReferenceImage": names}),
    ]
    write_star(f"{root}_model.star", model)
    return junk


@pytest.fixture
def junk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir(parents=True)
    return classification(tmp_path)


def run(**options: object) -> np.ndarray:
    made = SortOptions(input_star="Class2D/job002/run_it025_data.star", do_ctf=False, **options)
    assert not ParticleSorting.check(made)
    words = ParticleSorting.command_line(made, DIRECTORY, False)
    context = RunContext(Path(DIRECTORY), say=lambda line: None)
    ParticleSorting(ParticleSorting.program.parse(words), context).run()
    for node in ParticleSorting.expected_outputs(made, DIRECTORY):
        assert Path(node.name).exists()
    return read_star(f"{DIRECTORY}particles_sort.star")["particles"].floats(Z_SCORE)


def test_junk_scores_highest(junk: list[int]) -> None:
    scores = run()
    assert set(np.argsort(scores)[-JUNK:].tolist()) == set(junk)
    assert abs(np.median(scores)) < 0.5


def test_poses_matter(junk: list[int]) -> None:
    """With every class and angle wrong the particles are explained less."""
    right = run()
    path = "Class2D/job002/run_it025_data.star"
    star = read_star(path)
    table = star["particles"]
    rows = list(range(0, 20))
    classes = table.ints("rlnClassNumber").copy()
    classes[rows] = 3 - classes[rows]
    write_star(path, [star["optics"], table.with_columns({"rlnClassNumber": classes})])
    wrong = run()
    assert (wrong[rows] > right[rows] + 0.3).mean() > 0.8


def test_templates_of_another_pixel_size(junk: list[int]) -> None:
    fine = np.repeat(np.repeat(references(), 2, axis=1), 2, axis=2)
    write_mrc("fine.mrcs", fine, 1.5)
    names = {"rlnReferenceImage": ["000001@fine.mrcs", "000002@fine.mrcs"]}
    write_star("refs.star", [StarTable.from_columns("", names)])
    scores = run(is_autopick=True, autopick_refs="refs.star", angpix_ref=1.5)
    assert len(set(np.argsort(scores)[-JUNK:].tolist()) & set(junk)) >= JUNK - 1


def test_without_references_it_says_so(junk: list[int]) -> None:
    Path("Class2D/job002/run_it025_model.star").unlink()
    with pytest.raises(JobFailed, match="--ref"):
        run()
    assert ParticleSorting.check(SortOptions(input_star="a", is_autopick=True))


def test_a_particle_that_cannot_be_read_scores_worst() -> None:
    images = torch.randn(20, 16, 16, generator=torch.Generator().manual_seed(0))
    images[3] = torch.nan
    scores = sorting_scores(residual_features(images, images.roll(1, 0), 7.0))
    assert int(scores.argmax()) == 3 and bool(scores.isfinite().all())


def test_a_scaled_copy_leaves_nothing() -> None:
    image = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    features = residual_features(3 * image + 5, image, 7.0)[0]
    assert features[0] == pytest.approx(0, abs=1e-9) and features[1] < 1e-9
    assert forward(image).shape == (1, 16, 9)


@pytest.mark.real
def test_poses_of_relion_explain_its_particles(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes, angles, origins and CTFs as RELION wrote them; mirrored angles or origins fit less."""
    monkeypatch.chdir(real_data / "empiar10204_betagal/project")
    star = read_star("Class2D/job010/run_it025_data.star")
    table = star["particles"]
    there = [Path(name.split("@")[1]).exists() for name in table.strings("rlnImageName")]
    table = table.take(np.flatnonzero(there)[:200])
    medians = {}
    for label in ("", "rlnAnglePsi", "rlnOriginXAngst"):
        changed = table.with_columns({label: -table.floats(label)}) if label else table
        write_star(tmp_path / "p.star", [star["optics"], changed])
        words = ["--i", str(tmp_path / "p.star"), "--o", f"{tmp_path}/", "--ctf"]
        job = ParticleSorting(ParticleSorting.program.parse(words), RunContext(tmp_path))
        listed = read_particles(str(tmp_path / "p.star"), with_ctf=True)
        found = read_references("Class2D/job010/run_it025_model.star")
        medians[label] = float(np.median(1 - job._features(listed, found)[:, 0].numpy()))
    assert medians[""] > 0.15
    assert medians[""] > 1.5 * medians["rlnAnglePsi"]
    assert medians[""] > 1.2 * medians["rlnOriginXAngst"]
