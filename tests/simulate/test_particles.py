"""Particle stacks: signs, signal-to-noise, noise statistics, independence of batches, files."""

import json

import numpy as np
import pytest
import torch

from verglas.formats.mrc import read_mrc
from verglas.formats.star import read_star
from verglas.geometry.euler import euler_matrices
from verglas.jobs.simulate.particles import particle_truth, write_particles
from verglas.jobs.simulate.settings import ParticleSettings
from verglas.optics.aberrations import odd_phase
from verglas.optics.contrast_transfer import CtfParameters, ctf
from verglas.simulate.optics import frame_frequencies
from verglas.simulate.particles import ParticleImaging, ParticleMaker
from verglas.simulate.projection import AtomProjector, ProjectionSettings
from verglas.simulate.views import random_poses, spread_views, unit_vectors

SMALL = ParticleSettings(count=300, box=32, pixel_size_angst=2.0, shift_angst=5.0)


def maker(blob, batch=0, settings=SMALL, **imaging):
    projector = AtomProjector(blob, ProjectionSettings(settings.box, settings.pixel_size_angst))
    return ParticleMaker(
        [projector], particle_truth(settings), ParticleImaging(**imaging), settings.seed, batch
    )


def stack(made):
    return torch.cat(list(made.blocks()))


def test_signal_to_noise_is_what_was_asked(blob):
    made = maker(blob, snr=0.2)
    images = stack(made)
    signal = torch.cat([made.signal(np.arange(0, 256)), made.signal(np.arange(256, 300))])
    y, x = np.mgrid[:32, :32] - 16
    inside = torch.from_numpy(np.hypot(y, x) <= blob.diameter_angst() / 2 / 2.0)
    noise = images - signal
    ratio = float(signal[:, inside].var(dim=1).mean() / noise.var())
    assert ratio == pytest.approx(0.2, rel=0.05)
    assert float(noise.std()) == pytest.approx(1, rel=0.01)
    assert abs(float(noise.mean())) < 0.01
    power = torch.fft.rfft2(noise, norm="forward").abs().square().mean(dim=0)
    assert float(power[5:12, 4:12].mean() * 32**2) == pytest.approx(1, rel=0.02)  # white


def test_images_do_not_depend_on_the_batch(blob):
    assert torch.allclose(stack(maker(blob, 7)), stack(maker(blob, 64)), atol=1e-5)


def test_the_same_seed_gives_the_same_images_and_another_does_not(blob):
    assert torch.equal(stack(maker(blob)), stack(maker(blob)))
    other = ParticleSettings(count=300, box=32, pixel_size_angst=2.0, shift_angst=5.0, seed=2)
    assert not torch.allclose(stack(maker(blob)), stack(maker(blob, settings=other)))


def test_images_are_shifted_projections_times_the_ctf(blob):
    """An independent path: project, shift by the negative origin in Fourier space, multiply."""
    made = maker(blob, b_factor_a2=0.0)
    rows = np.arange(5)
    truth = made.truth
    projector = made.projectors[0]
    plain = projector.spectra(euler_matrices(truth.eulers_deg[rows]))
    grid = frame_frequencies((32, 32), 2.0)
    origin = -torch.from_numpy(truth.shifts_yx_angst[rows]).float()  # as in rlnOrigin
    phase = torch.einsum("hwc,nc->nhw", grid, -origin) * (-2j * torch.pi)
    parameters = CtfParameters.of(
        truth.defocus_u_angst[rows],
        truth.defocus_v_angst[rows],
        truth.defocus_angle_deg[rows],
        voltage_kv=300.0,
        cs_mm=2.7,
        amplitude_contrast=0.1,
    )
    expected = torch.fft.irfft2(plain * torch.exp(phase) * ctf(parameters, grid), norm="forward")
    got = made.signal(rows) / made.scale
    assert float((got - expected).abs().max()) < 0.02 * float(expected.abs().max())


def test_particles_are_white(blob):
    made = maker(blob)
    signal = made.signal(np.arange(50))
    assert float(signal[:, 12:20, 12:20].mean()) > 0
    assert float((signal.sum(dim=(1, 2)) > 0).float().mean()) == 1  # C(0) = Q0 > 0


def test_a_dose_sets_the_noise_of_counting(blob):
    weak, strong = (maker(blob, dose_e_a2=dose) for dose in (10.0, 40.0))
    assert strong.scale == pytest.approx(2 * weak.scale)
    assert float(stack(weak).std()) == pytest.approx(1, rel=0.3)


def test_ice_adds_noise_with_thon_rings_and_unit_variance(blob):
    made = maker(blob, dose_e_a2=30.0, ice_thickness_angst=600.0, ice_noise=1.5)
    noise = stack(made) - torch.cat([made.signal(np.arange(0, 256)), made.signal(np.arange(256, 300))])
    assert float(noise.std()) == pytest.approx(1, rel=0.1)
    power = torch.fft.rfft2(noise).abs().square().mean(dim=0)
    assert float(power[3:13, 3:13].std() / power[3:13, 3:13].mean()) > 0.1  # not white
    with pytest.raises(ValueError, match="give the dose too"):
        ParticleImaging(ice_thickness_angst=100.0)


def test_views_and_jitter():
    views = spread_views(6, [np.eye(3)])
    closest = (unit_vectors(views) @ unit_vectors(views).T - 2 * np.eye(6)).max()
    assert closest < np.cos(np.deg2rad(60))
    rng = np.random.default_rng(1)
    eulers, view = random_poses(3000, rng, views, jitter_deg=2.0)
    angle = np.arccos(np.clip((unit_vectors(eulers[:, :2]) * unit_vectors(views)[view]).sum(1), -1, 1))
    assert np.sqrt((np.rad2deg(angle) ** 2).mean() / 2) == pytest.approx(2.0, rel=0.1)
    assert len(np.unique(view)) == 6


def test_uniform_poses_are_uniform():
    eulers, _ = random_poses(20000, np.random.default_rng(2))
    vectors = unit_vectors(eulers[:, :2])
    assert np.abs(vectors.mean(axis=0)).max() < 0.02
    assert np.abs(vectors.T @ vectors / len(vectors) - np.eye(3) / 3).max() < 0.01


def test_files_agree_with_each_other(tmp_path):
    settings = ParticleSettings(
        count=40, box=72, pixel_size_angst=3.0, views=4, truth_maps=True, half_precision=True
    )
    path = write_particles(tmp_path, settings)
    known, truth = read_star(path), read_star(tmp_path / "truth.star")
    assert known["particles"].strings("rlnImageName")[39] == "000040@particles.mrcs"
    assert "rlnAngleRot" not in known["particles"]
    assert known["optics"].integer("rlnImageSize") == 72
    image = read_mrc(tmp_path / "particles.mrcs")
    assert image.data.shape == (40, 72, 72)
    assert image.pixel_size_angst == pytest.approx(3.0)
    assert set(truth["particles"].ints("rlnClassNumber")) <= {1, 2, 3, 4}
    assert json.loads((tmp_path / "meta.json").read_text())["classes"] <= 4
    # the true map, projected, is the noise-free particle before its CTF
    volume = read_mrc(tmp_path / "truth_map.mrc").data
    assert volume.shape == (72, 72, 72)
    assert volume.max() > 0


def test_several_models_are_classes(tmp_path):
    for name, x in (("one", 0.0), ("two", 9.0)):
        atoms = [
            f"ATOM  {i:5d}  CA  GLY A{i:4d}    {x * i:8.3f}{3.0 * i:8.3f}{0.0:8.3f}  1.00  0.00           C\n"
            for i in range(1, 6)
        ]
        (tmp_path / f"{name}.pdb").write_text("".join(atoms))
    settings = ParticleSettings(
        count=50, box=48, models=(str(tmp_path / "one.pdb"), str(tmp_path / "two.pdb"))
    )
    write_particles(tmp_path / "out", settings)
    classes = read_star(tmp_path / "out" / "truth.star")["particles"].ints("rlnClassNumber")
    assert set(classes) == {1, 2}


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="at least one particle"):
        ParticleSettings(count=0)
    with pytest.raises(ValueError, match="is no range"):
        ParticleSettings(defocus_min_angst=3e4)
    with pytest.raises(ValueError, match="either views or models"):
        ParticleSettings(views=3, models=("a.pdb", "b.pdb"))
    with pytest.raises(ValueError, match="SNR or a dose"):
        ParticleSettings(snr=0)


def test_what_only_the_truth_knows_is_in_the_images_and_in_its_own_list(blob, tmp_path):
    """Aberrations multiply the transform, magnification moves atoms; `refined.star` knows neither."""
    secrets = {
        "beam_tilt_mrad": (0.5, -0.3),
        "odd_zernike": (0.0, 0.0, 9.0, 0.0, 0.0, -4.0),
        "even_zernike": (0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 20.0),
    }
    rows = np.arange(4)
    plain, seen = maker(blob, b_factor_a2=0.0), maker(blob, b_factor_a2=0.0, **secrets)
    truth, grid = plain.truth, frame_frequencies((32, 32), 2.0)
    microscope = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.1}
    defocus = (truth.defocus_u_angst[rows], truth.defocus_v_angst[rows], truth.defocus_angle_deg[rows])
    even = [secrets["even_zernike"]]
    ratio = ctf(CtfParameters.of(*defocus, **microscope, even_zernike=even), grid)
    ratio = ratio / ctf(CtfParameters.of(*defocus, **microscope), grid)
    phase = odd_phase(grid, secrets["odd_zernike"], beam_tilt_mrad_xy=secrets["beam_tilt_mrad"])
    expected = plain._spectra(rows) * ratio * torch.polar(torch.ones_like(phase), phase)
    assert torch.allclose(seen._spectra(rows), expected, atol=1e-4 * float(expected.abs().max()))

    settings = ParticleSettings(
        count=12, box=72, pixel_size_angst=3.0, micrographs=3, defocus_spread_angst=100.0,
        magnification=(1.01, 0.0, 0.0, 0.99), **secrets,
    )  # fmt: skip
    write_particles(tmp_path, settings)
    truth, refined = (read_star(tmp_path / f"{name}.star") for name in ("truth", "refined"))
    assert truth["optics"].vectors("rlnOddZernike")[0][2] == 9 and "rlnOddZernike" not in refined["optics"]
    assert truth["optics"].number("rlnMagMat11", 0) == 0.99
    u = np.array(refined["particles"].floats("rlnDefocusU"))
    assert len(np.unique(u)) == 3 and len(np.unique(truth["particles"].floats("rlnDefocusU"))) == 12
    assert list(refined["particles"].ints("rlnRandomSubset")) == [1, 1, 1, 2, 2, 2] * 2
    with pytest.raises(ValueError, match="magnification has 4 values, got 2"):
        ParticleSettings(magnification=(1.0, 1.0))


def test_a_magnified_image_is_the_transform_at_other_frequencies(blob):
    """F(k) = P(Mk): a stretch by 4 % along x moves the transform's half maximum by as much."""
    settings = ParticleSettings(count=2, box=64, pixel_size_angst=1.5, magnification=(1.04, 0.0, 0.0, 1.0))
    made = []
    for matrix in (None, settings.magnification):
        projector = AtomProjector(blob, ProjectionSettings(64, 1.5, magnification=matrix))
        imaging = ParticleImaging(ctf=False, b_factor_a2=0.0, magnification=matrix)
        truth = particle_truth(ParticleSettings(count=2, box=64, pixel_size_angst=1.5, shift_angst=0.0))
        made.append(ParticleMaker([projector], truth, imaging, 1)._spectra(np.arange(2)))
    plain, stretched = (each[:, 0, :].abs().numpy() for each in made)
    k = np.arange(33)
    expected = np.stack([np.interp(1.04 * k[:12], k, row) for row in plain])
    assert np.abs(stretched[:, :12] - expected).max() < 0.03 * plain.max()
