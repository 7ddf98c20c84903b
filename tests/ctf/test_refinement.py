"""CTF refinement in numbers: terms, fits of particles, of aberrations, of magnification, of B-factors."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "maps"))
from conftest import make_blobs
from verglas.ctf.refinement.band import Band, band_of
from verglas.ctf.refinement.damping import DampingRange, DampingSums, fit_damping
from verglas.ctf.refinement.even import EvenSums, fit_even
from verglas.ctf.refinement.magnification import MagnificationSums, fit_magnification
from verglas.ctf.refinement.micrograph import FitMode, FitSettings, Seen, fit_micrograph
from verglas.ctf.refinement.odd import OddSums, fit_odd
from verglas.ctf.refinement.parametric import FreeTerms, Weighted, fit_terms
from verglas.ctf.refinement.scan import scan_defocus
from verglas.ctf.refinement.terms import TermBasis, fitted_ctf, terms_of
from verglas.maps.comparison import Comparison, Reference
from verglas.maps.prediction import ImageGeometry, Poses
from verglas.optics import CtfParameters, ctf, ctf_phase, odd_phase
from verglas.optics.astigmatism import defocus_matrices, defocus_seen_through, defocus_values

BOX, PIXEL, N = 64, 1.5, 40
OPTICS = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.1}
UNIT = math.pi * 0.019687  # of the term of defocus by Å


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def band() -> Band:
    return band_of(BOX, PIXEL, torch.ones(BOX // 2 + 1), BOX * PIXEL, 20.0)


def parameters(n: int = N, **changed) -> CtfParameters:
    generator = torch.Generator().manual_seed(5)
    u = 9000 + 8000 * torch.rand(n, generator=generator, dtype=torch.float64)
    return CtfParameters.of(u, u - 400, 25.0, **OPTICS, **changed)


def predicted(band: Band, n: int = N) -> torch.Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.randn(n, len(band.pixels), dtype=torch.complex64, generator=generator)


def noise_like(values: torch.Tensor, strength: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return values + strength * torch.randn(values.shape, dtype=torch.complex64, generator=generator)


def test_a_band_lies_between_the_lowest_resolution_and_the_end_of_the_fsc():
    fsc = torch.ones(33)
    fsc[20:] = 0.1
    found = band_of(BOX, PIXEL, fsc, BOX * PIXEL, 20.0)
    assert float(found.radius.min()) >= BOX * PIXEL / 20 and float(found.radius.max()) < 19.5
    ring = found.weights_from(15.0, (9.0, 8.0))
    resolution = 1 / found.frequencies_yx.norm(dim=-1)
    assert bool((ring[(resolution > 15) | ((resolution < 9) & (resolution > 8))] == 0).all())
    with pytest.raises(ValueError, match="no frequency is left between 4 Å and 5"):
        band_of(BOX, PIXEL, fsc, BOX * PIXEL, 4.0)


def test_shells_of_a_map_of_other_extent_are_taken_by_resolution():
    fsc = torch.ones(65)
    fsc[40:] = 0
    found = band_of(BOX, PIXEL, fsc, 2 * BOX * PIXEL, 20.0)  # the map's shell 40 is shell 20 here
    assert 19 < float(found.radius.max()) < 20


def test_terms_are_the_phase_of_the_ctf_and_come_back(band):
    even = (0.2, 1.0, 3.0, -1.0, 8.0, 3.0, 20.0, -2.0, 4.0)
    p = parameters(phase_shift_deg=30.0, even_zernike=[even], b_factor_a2=50.0, scale_factor=0.8)
    basis = TermBasis.at(band.frequencies_yx, even)
    theta = terms_of(p)
    scaled = theta * basis.scales
    assert torch.allclose(basis.phase(scaled).double(), ctf_phase(p, band.frequencies_yx), atol=1e-3)
    c = -basis.phase(scaled).sin() * basis.amplitude(scaled)
    assert torch.allclose(c.double(), ctf(p, band.frequencies_yx), atol=1e-3)
    back = fitted_ctf(theta, 300.0, 0.1)
    for name in ("defocus_u_angst", "defocus_v_angst", "defocus_angle_deg", "phase_shift_deg", "cs_mm"):
        assert torch.allclose(getattr(back, name), getattr(p, name)), name
    assert torch.allclose(back.scale_factor, p.scale_factor) and torch.allclose(
        back.b_factor_a2, p.b_factor_a2
    )


def test_astigmatism_seen_through_a_magnification_has_the_same_phase(band):
    u, v, angle = (torch.tensor([each], dtype=torch.float64) for each in (15000.0, 14000.0, 70.0))
    assert torch.allclose(
        torch.stack(defocus_values(defocus_matrices(u, v, angle))), torch.stack([u, v, angle])
    )
    m = torch.tensor([[1.02, 0.01], [0.003, 0.98]], dtype=torch.float64)
    seen = defocus_values(defocus_seen_through(defocus_matrices(u, v, angle), m))
    true = CtfParameters.of(
        u, v, angle, voltage_kv=300, cs_mm=0, amplitude_contrast=0.1, magnification=m[None]
    )
    measured = CtfParameters.of(*seen, voltage_kv=300, cs_mm=0, amplitude_contrast=0.1)
    assert torch.allclose(ctf_phase(true, band.frequencies_yx), ctf_phase(measured, band.frequencies_yx))


@pytest.mark.parametrize("letters", ["fpmff", "fppff", "pmmff", "fpmfp", "mpmfm"])
def test_particles_and_what_they_share_are_found(band, letters):
    """From 150 Å, 200 Å of astigmatism, some degrees of phase and 20 Å² off, in every sharing."""
    truth = parameters(b_factor_a2=20.0, scale_factor=0.9, phase_shift_deg=4.0)
    basis, p = TermBasis.at(band.frequencies_yx), predicted(band)
    theta = terms_of(truth)
    offset = 150 * UNIT * torch.randn(N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if letters[1] == "m":
        theta[:, 1] = theta[:1, 1]
    else:
        theta[:, 1] += offset
    scaled = theta * basis.scales
    c = -basis.phase(scaled).sin() * basis.amplitude(scaled)
    seen = noise_like(p * c, 0.05)
    start = theta.clone()
    start[:, 1] += 100 * UNIT if letters[1] == "m" else -offset
    start[:, 2] += 60 * UNIT
    if letters[0] != "f":
        start[:, 0] += 0.1
    if letters[4] != "f":
        start[:, 5:] = 0
    data = Weighted.of(seen, p, band.weights)
    fit = fit_terms(data, basis, start, FitMode(letters).free(N), band)
    assert bool(fit.converged.all())
    error = (fit.theta - theta).abs().amax(0)
    assert float(error[1]) / UNIT < 12 and float(error[2:4].max()) / UNIT < 25
    assert float(error[0]) < 0.03 and float(error[5]) < 0.03 and float(error[6]) < 3


def test_a_scan_finds_a_defocus_that_is_far_off(band):
    basis, p = TermBasis.at(band.frequencies_yx), predicted(band)
    theta = terms_of(parameters())
    c = -basis.phase(theta * basis.scales).sin()
    start = theta.clone()
    start[:, 1] -= torch.linspace(-1700, 1700, N, dtype=torch.float64) * UNIT
    data = Weighted.of(noise_like(p * c, 0.5), p, band.weights)
    squared = band.frequencies_yx.square().sum(-1)
    found = scan_defocus(data, basis, start, squared, 2000 * UNIT)
    assert float((found - theta)[:, 1].abs().max()) / UNIT < 15
    fitted = fit_terms(data, basis, start, FreeTerms((1,)), band)
    assert float((fitted.theta - theta)[:, 1].abs().max()) / UNIT < 15  # inner frequencies come first


def test_odd_phases_of_more_than_a_turn_need_no_unwrapping(band):
    """Beam tilt of 4 mrad is 8 radians at the edge here."""
    tilt, zernike = (4.0, -2.5), (0.0, 0.0, 30.0, 0.0, 0.0, -20.0)
    phase = odd_phase(band.frequencies_yx, zernike, beam_tilt_mrad_xy=tilt)
    assert float(phase.abs().max()) > 2 * math.pi
    p, c = predicted(band), ctf(parameters(), band.frequencies_yx).float()
    seen = noise_like(p * c * torch.polar(torch.ones_like(phase), phase).to(torch.complex64), 0.5)
    first, second = (OddSums.of(seen[rows], p[rows], c[rows]) for rows in (slice(0, 10), slice(10, N)))
    found = fit_odd(first + second, band, band.frequencies_yx, band.weights, 3, 300.0, 2.7)
    error = math.hypot(*(a - b for a, b in zip(found.beam_tilt_mrad, tilt)))
    assert error < 4 * math.hypot(*found.tilt_error_mrad) and error < 0.05
    for index in (2, 5):
        assert abs(found.coefficients[index] - zernike[index]) < 4 * found.errors[index]
    with pytest.raises(ValueError, match="without spherical aberration"):
        fit_odd(first, band, band.frequencies_yx, band.weights, 0, 300.0, 0.0)


def test_errors_of_the_tilt_are_what_repeats_scatter_by(band):
    p, c = predicted(band, 10), ctf(parameters(10), band.frequencies_yx).float()
    generator = torch.Generator().manual_seed(3)
    found = []
    for _ in range(24):
        seen = p * c + torch.randn(p.shape, dtype=torch.complex64, generator=generator)
        sums = OddSums.of(seen, p, c)
        found.append(fit_odd(sums, band, band.frequencies_yx, band.weights, 0, 300.0, 2.7))
    tilts = torch.tensor([each.beam_tilt_mrad for each in found])
    expected = sum(each.tilt_error_mrad[0] for each in found) / len(found)
    assert 0.7 < float(tilts.std()) / expected < 1.4


def test_even_aberrations_are_found_whatever_the_strength_of_the_signal(band):
    """The signal falls to a half at the edge, which must not look like a phase."""
    coefficients = (0.3, -6.0, 12.0, 4.0, 15.0, -8.0, 25.0, 6.0, -15.0)
    p = predicted(band)
    truth = parameters(even_zernike=[coefficients])
    fall = (1 - 0.5 * band.radius / band.radius.max()).float()
    seen = noise_like(p * ctf(truth, band.frequencies_yx).float() * fall, 0.3)
    gamma = ctf_phase(parameters(), band.frequencies_yx).float()
    sums = EvenSums.of(seen, p, gamma, torch.ones(1, 1))
    found = fit_even(sums, band, band.frequencies_yx, band.weights, 4)
    true = ctf_phase(truth, band.frequencies_yx)[0] - ctf_phase(parameters(1), band.frequencies_yx)[0]
    assert float(true.abs().max()) > math.pi  # wraps
    apart = torch.polar(torch.ones_like(true), found.phase - true).angle()
    assert float(apart.square().mean().sqrt()) < 0.02
    off = (found.coefficients - torch.tensor(coefficients)).abs()
    assert bool((off < 4.5 * found.errors)[1:].all())
    assert abs(float(found.phase.mean())) <= math.pi


def test_gradients_are_the_differences_of_predictions_and_give_the_magnification():
    volume = make_blobs(BOX).float()
    reference = Reference.of(volume, PIXEL, gradient=True)
    wide = band_of(BOX, PIXEL, torch.ones(BOX // 2 + 1), BOX * PIXEL, 40.0)
    geometry = ImageGeometry(BOX, PIXEL)
    angles = torch.tensor([[10.0, 50.0, 30.0], [100.0, 80.0, -60.0], [-30.0, 120.0, 5.0]]).double()
    poses = Poses(angles, torch.zeros(3, 2))
    plain = Comparison(geometry, wide.pixels, reference.extent_angst)
    p, gradients = plain.predicted(reference, poses), plain.gradients(reference, poses)
    small = 1e-4
    moved = Comparison(
        ImageGeometry(BOX, PIXEL, magnification=(1 + small, 0, 0, 1)), wide.pixels, reference.extent_angst
    )
    difference = moved.predicted(reference, poses) - p
    expected = gradients[0] * wide.pixels.indices_yx[:, 1] * small
    inner = wide.radius < 12
    error = (difference - expected)[:, inner].norm() / difference[:, inner].norm()
    assert float(error) < 0.2  # of trilinear slopes
    truth = (1.004, 0.002, -0.001, 0.997)
    aside = Comparison(ImageGeometry(BOX, PIXEL, magnification=truth), wide.pixels, reference.extent_angst)
    seen = 0.7 * aside.predicted(reference, poses)
    sums = MagnificationSums.of(seen, p, gradients, torch.ones(3, len(wide.pixels)))
    step = fit_magnification(sums, wide, wide.weights).matrix + torch.eye(2)
    assert torch.allclose(step.flatten(), torch.tensor(truth).double(), atol=6e-4)


def test_b_factors_and_scales_are_read_off_shells(band):
    p, c = predicted(band), ctf(parameters(), band.frequencies_yx).float()
    b_factor = torch.linspace(0, 120, N)
    squared = band.frequencies_yx.square().sum(-1).float()
    decay = torch.exp(-b_factor[:, None] / 4 * squared)
    data = Weighted.of(noise_like(0.6 * p * c * decay, 0.02), p, band.weights)
    sums = DampingSums.of(data.a, data.b, c, band)
    found, scale = fit_damping(sums, band.extent_angst, DampingRange(-30, 300, 0.2))
    assert float((found - 30 - b_factor).abs().max()) < 2 and float((scale - 0.6).abs().max()) < 0.02
    one, _ = fit_damping(sums.joined(), band.extent_angst, DampingRange())
    assert len(one) == 1 and 30 < float(one[0]) < 100


def test_a_single_particle_keeps_what_would_be_common(band):
    p, theta = predicted(band, 1), terms_of(parameters(1))
    basis = TermBasis.at(band.frequencies_yx)
    seen = p * -basis.phase(theta * basis.scales).sin()
    start = theta.clone()
    start[:, 1] += 80 * UNIT
    zero = torch.zeros(len(band.pixels))
    settings = FitSettings(mode=FitMode("fmmff"))
    fit = fit_micrograph(Seen(seen, p, zero, zero), start, basis, band, 300.0, settings)
    assert fit.alone and not fit.kept
    assert float((fit.theta - theta).abs()[0, 1]) / UNIT < 2 and torch.equal(fit.theta[:, 2], start[:, 2])


def test_a_fit_mode_is_five_letters():
    for letters, message in (("pm", "five letters"), ("fpmfx", "five letters"), ("fpmmf", "Cs belongs")):
        with pytest.raises(ValueError, match=message):
            FitMode(letters)
    assert FitMode("fpmfm").free(9) == FreeTerms((1,), (2, 3, 5, 6))
