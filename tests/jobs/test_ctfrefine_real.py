"""Published optics and refined CTFs of RELION: they load, act as the formulae say, and are found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.ctf.refinement.band import band_of
from verglas.ctf.refinement.even import EvenSums, fit_even
from verglas.ctf.refinement.odd import OddSums, fit_odd
from verglas.ctf.refinement.terms import TermBasis, fitted_ctf, terms_of
from verglas.em.images.transfer import ctf_parameters
from verglas.formats.star import read_star
from verglas.jobs.contract.options import OptionError
from verglas.jobs.ctfrefine.options import CtfRefineOptions
from verglas.jobs.refine.files.particles import read_particles
from verglas.jobs.refine.images.geometry import image_geometry
from verglas.optics import CtfParameters, ctf, ctf_phase, odd_phase
from verglas.project.dialect import process_code
from verglas.project.job_star import read_settings

pytestmark = pytest.mark.real
PUBLISHED = "empiar10204_betagal/truth/C_relion31_refine3d_it016_data_12mics.star"
TOMOGRAPHY = "refine3d_truth/relion5_sta_skeleton/CtfRefine"


@pytest.fixture(scope="module")
def listed(real_data: Path):
    return read_particles(str(real_data / PUBLISHED), with_ctf=True)


def test_published_optics_act_as_the_formulae_say(listed):
    """Phases written out in polar coordinates, frequencies by the matrix of the file."""
    group, rows = listed.particles.optics[0], np.arange(5)
    optics = listed.optics_table
    (m00, m01), (m10, m11) = (
        [optics.number(f"rlnMagMat{i}{j}", 0) for j in range(2)] for i in range(2)
    )  # fmt: skip
    rng = np.random.default_rng(1)
    kx, ky = rng.uniform(0, 0.3, 200), rng.uniform(-0.3, 0.3, 200)
    measured = torch.from_numpy(np.stack([ky, kx], 1))
    x, y = m00 * kx + m01 * ky, m10 * kx + m11 * ky
    geometry = image_geometry(group)
    np.testing.assert_allclose(geometry.true_frequencies(measured), np.stack([y, x], 1), atol=1e-7)
    r, t = np.hypot(x, y), np.arctan2(y, x)
    wavelength = 12.2643247 / np.sqrt(2e5 * (1 + 0.978466e-6 * 2e5))

    o = optics.vectors("rlnOddZernike")[0]
    tilt = optics.number("rlnBeamTiltX", 0), optics.number("rlnBeamTiltY", 0)
    expected = o[0] * r * np.sin(t) + o[1] * r * np.cos(t) + o[2] * r**3 * np.sin(3 * t)
    expected += o[5] * r**3 * np.cos(3 * t)
    expected -= 2e4 * np.pi * 1.4 * wavelength**2 * r**2 * (tilt[0] * x + tilt[1] * y)
    found = odd_phase(
        geometry.true_frequencies(measured), o, beam_tilt_mrad_xy=tilt, voltage_kv=200, cs_mm=1.4
    )
    np.testing.assert_allclose(found, expected, atol=1e-9)

    e = optics.vectors("rlnEvenZernike")[0]
    even = e[0] + e[1] * r**2 * np.sin(2 * t) + e[2] * (2 * r**2 - 1) + e[3] * r**2 * np.cos(2 * t)
    even += e[4] * r**4 * np.sin(4 * t) + e[5] * (4 * r**4 - 3 * r**2) * np.sin(2 * t)
    even += e[6] * (6 * r**4 - 6 * r**2 + 1) + e[7] * (4 * r**4 - 3 * r**2) * np.cos(2 * t)
    even += e[8] * r**4 * np.cos(4 * t)
    u, v, angle = (listed.table.floats(f"rlnDefocus{each}")[0] for each in ("U", "V", "Angle"))
    along = t - np.deg2rad(angle)
    gamma = -np.pi * wavelength * r**2 * (u * np.cos(along) ** 2 + v * np.sin(along) ** 2)
    gamma += np.pi / 2 * 1.4e7 * wavelength**3 * r**4 - np.arcsin(0.1) + even
    parameters = ctf_parameters(listed.particles, rows, group)
    np.testing.assert_allclose(ctf_phase(parameters, measured)[0], gamma, atol=1e-6)


def test_published_aberrations_are_found_again(listed):
    """Images with the published optics, noise-free: the fits return what the file says."""
    group, rows = listed.particles.optics[0], np.arange(30)
    geometry = image_geometry(group)
    band = band_of(96, group.pixel_size_angst, torch.ones(49), 96 * group.pixel_size_angst, 20.0)
    true = geometry.true_frequencies(band.frequencies_yx)
    parameters = ctf_parameters(listed.particles, rows, group)
    predicted = torch.randn(30, len(band.pixels), dtype=torch.complex64)
    seen = predicted * ctf(parameters, band.frequencies_yx).float()
    phase = odd_phase(
        true, group.odd_zernike, beam_tilt_mrad_xy=group.beam_tilt_mrad, voltage_kv=200, cs_mm=1.4
    ).float()
    recorded = seen * torch.polar(torch.ones_like(phase), phase)
    basis = TermBasis.at(true, group.even_zernike)
    scaled = terms_of(parameters) * basis.scales
    gamma = basis.phase(scaled)
    odd = fit_odd(OddSums.of(recorded, predicted, -gamma.sin()), band, true, band.weights, 3, 200.0, 1.4)
    np.testing.assert_allclose(odd.beam_tilt_mrad, group.beam_tilt_mrad, atol=2e-3)
    np.testing.assert_allclose(odd.coefficients, group.odd_zernike, atol=0.02)
    sums = EvenSums.of(seen, predicted, gamma - basis.even_phase, torch.ones(1, 1))
    even = fit_even(sums, band, true, band.weights, 4)
    away = torch.polar(torch.ones_like(even.phase), even.phase - basis.even_phase).angle()
    assert float(away.abs().max()) < 0.01


def test_refinements_of_tomography_are_told_apart_and_their_ctfs_keep_their_phase(real_data):
    """Five CtfRefine jobs of RELION 5 are of tilt series: other options, the same CTF; U and V in any order."""
    jobs = sorted((real_data / TOMOGRAPHY).glob("job*"))
    assert len(jobs) == 5
    grid = torch.stack([torch.linspace(-0.2, 0.2, 41), torch.linspace(0, 0.25, 41)], -1).double()
    microscope = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.1}
    for job in jobs:
        settings = read_settings(job)
        assert process_code(settings.type_text) == 52 and settings.options["do_defocus"] in ("Yes", "No")
        with pytest.raises(OptionError, match=r"do_defocus.*none of 'No', 'Per-micrograph'"):
            CtfRefineOptions.parse(settings.options)
        table = read_star(job / "tilt_series/TS_01.star").first
        u, v, angle, scale = (
            np.array(table.floats(f"rln{each}"))
            for each in ("DefocusU", "DefocusV", "DefocusAngle", "CtfScalefactor")
        )
        before = CtfParameters.of(u, v, angle, scale_factor=np.maximum(scale, 0.1), **microscope)
        back = fitted_ctf(terms_of(before), 300.0, 0.1)
        assert bool((back.defocus_u_angst >= back.defocus_v_angst).all()) and (u < v).any()
        after = CtfParameters.of(
            back.defocus_u_angst,
            back.defocus_v_angst,
            back.defocus_angle_deg,
            scale_factor=back.scale_factor,
            **microscope,
        )
        torch.testing.assert_close(ctf(after, grid), ctf(before, grid), atol=1e-9, rtol=0)
