"""Post-processing: RELION's own files digit by digit, known B-factors, and what it distrusts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from half_maps import ball_of_atoms, damped, noisy_pair

from verglas.formats.star import read_star
from verglas.fourier import forward, index_grid
from verglas.maps import create_mask
from verglas.maps.postprocessing.guinier import fit_line
from verglas.maps.postprocessing.half_map_curves import (
    HalfMapCurves,
    half_map_curves,
    particle_fsc,
    weight_factor,
)
from verglas.maps.postprocessing.random_phases import CLibraryRandom, randomise_as_relion
from verglas.maps.postprocessing.sharpening import DetectorMtf, SharpeningSettings, sharpening_of
from verglas.maps.postprocessing.trust import complaints
from verglas.maps.shell_correlation import first_shell_below, randomise_phases, resolution_shell, true_fsc

PIXEL = 1.2


@pytest.mark.real
def test_the_eighteen_real_files(real_data: Path) -> None:
    """Corrected FSC, first random shell, resolution, share curve and Guinier line as RELION 5 wrote them."""
    paths = sorted((real_data / "formats/relion5_tomo_skeleton/PostProcess").glob("*/postprocess.star"))
    assert len(paths) == 18
    for path in paths:
        star = read_star(path)
        general, table = star["general"], star["fsc"]

        def curve(label: str, table=table) -> torch.Tensor:
            return torch.tensor(table.floats(f"rln{label}"))

        unmasked = curve("FourierShellCorrelationUnmaskedMaps")
        start = first_shell_below(unmasked, 0.8)
        extent = float(table.floats("rlnAngstromResolution")[1])
        assert extent / start == pytest.approx(general.number("rlnRandomiseFrom"), abs=1e-5)
        true = true_fsc(
            curve("FourierShellCorrelationMaskedMaps"),
            curve("CorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"),
            start,
        )
        theirs = curve("FourierShellCorrelationCorrected")
        assert float((true - theirs).abs().max()) < 1.2e-5
        shell = resolution_shell(theirs)
        assert extent / shell == pytest.approx(general.number("rlnFinalResolution"), abs=1e-5)
        share = particle_fsc(unmasked, general.number("rlnParticleBoxFractionSolventMask"))
        wanted = curve("FourierShellCorrelationParticleMaskFraction")
        assert float((share - wanted).abs().max()) < 1e-4  # the rounding of a small negative FSC, magnified
        if "rlnFittedSlopeGuinierPlot" in general:
            plot = star["guinier"]
            fit = fit_line(
                torch.tensor(plot.floats("rlnResolutionSquared")),
                torch.tensor(plot.floats("rlnLogAmplitudesWeighted")),
                10.0,
                0.0,
            )
            assert fit.b_factor_a2 == pytest.approx(general.number("rlnBfactorUsedForSharpening"), abs=5e-3)
            assert fit.intercept == pytest.approx(general.number("rlnFittedInterceptGuinierPlot"), abs=1e-4)
            assert fit.determination == pytest.approx(
                general.number("rlnCorrelationFitGuinierPlot"), abs=1e-5
            )


@pytest.mark.parametrize(("b_factor", "noise"), [(40.0, 0.3), (90.0, 0.1)])
def test_a_known_b_factor_is_found(b_factor: float, noise: float) -> None:
    signal = damped(ball_of_atoms(64, 20, 3000), PIXEL, b_factor)
    first, second = noisy_pair(signal, noise * float(signal.std()))
    mask = create_mask(
        signal,
        0.05 * float(signal.max()),
        pixel_size_angst=PIXEL,
        low_pass_angst=10,
        extend_px=3,
        soft_edge_px=5,
    )
    curves, mean = half_map_curves(first, second, mask)
    settings = SharpeningSettings(PIXEL, b_factor_a2=None, fit_from_angst=8)
    found = sharpening_of(mean, curves.true, settings)
    assert found.b_factor_a2 == pytest.approx(-b_factor, rel=0.1)
    assert found.guinier.sharpened.shape == (33,)


def test_random_phases_keep_amplitudes_and_a_real_map() -> None:
    volume = torch.randn(17, 17, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for size in (16, 17):
        part = volume[:size, :size, :size].contiguous()
        random = randomise_phases(part, 3, torch.Generator().manual_seed(0))
        torch.testing.assert_close(forward(random, 3).abs(), forward(part, 3).abs())


def test_the_mtf_is_divided_by_and_the_filter_cuts() -> None:
    signal = ball_of_atoms(32, 10, 500)
    spectrum = forward(signal, 3)
    mtf = DetectorMtf(torch.tensor([0.0, 0.5]), torch.tensor([1.0, 0.5]), PIXEL)
    settings = SharpeningSettings(PIXEL, mtf=mtf, weight_by_fsc=False, low_pass_angst=4 * PIXEL)
    found = sharpening_of(spectrum, torch.ones(17), settings)
    assert float(found.factors[4**2]) == pytest.approx(1 / (1 - 4 / 32))
    assert float(found.factors[10**2]) == 0
    assert float(found.factors[8**2]) == pytest.approx(0.5 / 0.75)  # the middle of the edge
    with pytest.raises(ValueError, match="not positive"):
        bad = DetectorMtf(torch.tensor([0.0, 0.5]), torch.tensor([1.0, -0.5]), PIXEL)
        sharpening_of(spectrum, torch.ones(17), SharpeningSettings(PIXEL, mtf=bad))


def test_the_curve_for_a_molecular_weight() -> None:
    # 1.21 Å^3/Da is 1/0.81 in rlnMolecularWeight's terms: a share of 0.476/f of the box
    factor = weight_factor(100.0, 100, 1.0)
    assert factor == pytest.approx(0.476 * 1e6 * 0.81 / 1e5)
    np.testing.assert_allclose(particle_fsc(torch.tensor([0.5, 1.0]), 3.0), [0.75, 1.0])


def test_identical_maps_are_no_half_maps() -> None:
    one = ball_of_atoms(16, 5, 50)
    with pytest.raises(ValueError, match="never falls below"):
        half_map_curves(one, one.clone(), torch.ones(16, 16, 16))


def curves_of(true: list[float], random: float = 0.0, unmasked: list[float] | None = None) -> HalfMapCurves:
    curve = torch.tensor(true, dtype=torch.float64)
    other = curve if unmasked is None else torch.tensor(unmasked, dtype=torch.float64)
    return HalfMapCurves(other, curve, torch.full_like(curve, random), curve, 3, True)


FALLING = [1.0] * 10 + [0.5] + [0.0] * 10


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        (curves_of(FALLING, random=0.3), "too tight"),
        (curves_of(FALLING, unmasked=[1.0] * 5 + [0.0] * 16), "far from the unmasked"),
        (curves_of([1.0] * 21), "before Nyquist"),
        (curves_of([1.0] * 6 + [0.1] * 5 + [0.5] * 5 + [0.0] * 5), "rises above"),
        (curves_of([1.0] * 6 + [0.1] * 3 + [0.2] * 12), "not independent"),
        (curves_of([1.0] * 4 + [0.3] + [0.95] * 6 + [0.0] * 10), "dips below"),
    ],
)
def test_what_is_not_to_be_trusted_is_said(curves: HalfMapCurves, words: str) -> None:
    assert any(words in text for text in complaints(curves, 40, 1.0))


def test_a_good_curve_gives_no_complaint() -> None:
    assert complaints(curves_of(FALLING), 40, 1.0) == []


def test_random_numbers_are_those_of_the_c_library() -> None:
    """The first numbers of rand() after srand(1), as every glibc gives them; seed 0 is seed 1."""
    wanted = np.array([1804289383, 846930886, 1681692777, 1714636915]) / 2147483647
    for seed in (0, 1):
        random = CLibraryRandom(seed)
        found = np.concatenate([random.uniform(1), random.uniform(3)])
        np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert abs(float(CLibraryRandom(5).uniform(100_000).mean()) - 0.5) < 0.01


def test_random_phases_begin_at_the_radius_and_keep_amplitudes() -> None:
    spectrum = forward(ball_of_atoms(16, 5, 50), 3)
    random = randomise_as_relion(spectrum, 4, CLibraryRandom(0))
    torch.testing.assert_close(random.abs(), spectrum.abs())
    radius = index_grid(16, 3).square().sum(-1)
    same = (random - spectrum).abs() < 1e-12
    assert bool(same[radius < 16].all()) and float(same[radius >= 16].double().mean()) < 0.05
