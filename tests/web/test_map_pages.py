"""What the pages of maps ask: where a map is contoured, what a post-processing found and why."""

from __future__ import annotations

import numpy as np
import pytest

from verglas.formats.mrc import write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.web.pictures.volumes import contour_level

N = 48


def _ball(radius: float) -> np.ndarray:
    z, y, x = np.ogrid[:N, :N, :N]
    square = (z - N // 2) ** 2 + (y - N // 2) ** 2 + (x - N // 2) ** 2
    return (square < radius * radius).astype(np.float32)


def test_a_map_is_contoured_between_its_density_and_its_noise():
    rng = np.random.default_rng(3)
    volume = 2 * _ball(12) + rng.normal(0, 0.2, (N, N, N)).astype(np.float32)
    assert 0.5 < contour_level(volume) < 1.6
    assert 5 < contour_level(10 * volume) < 16


def test_a_mask_is_contoured_at_a_half_and_noise_somewhere():
    assert contour_level(_ball(12)) == 0.5
    rng = np.random.default_rng(3)
    assert np.isfinite(contour_level(rng.normal(0, 1, (N, N, N)).astype(np.float32)))
    assert np.isfinite(contour_level(np.zeros((N, N, N), np.float32)))


def test_a_volume_tells_where_to_contour_it(served):
    write_mrc(served.project.root / "ball.mrc", _ball(12) * 3, 2.0)
    answer = served.get("maps/volume", path="ball.mrc", side=48)
    assert answer.status_code == 200
    assert 0 < float(answer.headers["x-level"]) < 3


@pytest.fixture
def processed(served):
    """A post-processing as RELION writes it, whose run.err has a warning."""
    root = served.project.root / "PostProcess/job009"
    root.mkdir(parents=True)
    shells = np.arange(10) / 40.0
    corrected = np.array([1, 1, 0.98, 0.9, 0.7, 0.4, 0.1, 0.02, 0.0, 0.0])
    general = StarTable.from_columns(
        "general",
        {
            "rlnFinalResolution": [8.0],
            "rlnBfactorUsedForSharpening": [-120.0],
            "rlnFittedSlopeGuinierPlot": [-30.0],
            "rlnMaskName": ["mask.mrc"],
        },
    )
    fsc = StarTable.from_columns(
        "fsc",
        {
            "rlnResolution": shells.tolist(),
            "rlnFourierShellCorrelationCorrected": corrected.tolist(),
            "rlnFourierShellCorrelationUnmaskedMaps": (corrected * 0.9).tolist(),
        },
    )
    guinier = StarTable.from_columns(
        "guinier",
        {
            "rlnResolutionSquared": (shells**2).tolist(),
            "rlnLogAmplitudesOriginal": [-4.0, *[-5.0] * 8, -99.0],
        },
    )
    write_star(root / "postprocess.star", [general, fsc, guinier])
    (root / "run.err").write_text(" WARNING: the mask is too tight\n WARNING: the mask is too tight\n")
    return served


def test_a_post_processing_says_its_number_why_and_what_to_distrust(processed):
    found = processed.get("maps/postprocess", path="PostProcess/job009/postprocess.star").json()
    assert found["resolution_angst"] == 8.0 and found["b_factor_angst2"] == -120.0
    assert "masked halves" in found["reason"] and "8.00 Å" in found["reason"]
    assert found["distrust"] == ["the mask is too tight"]
    (curve,) = found["guinier"]
    assert curve["name"] == "half maps" and curve["y"][0] == -4.0 and curve["y"][-1] is None
    assert found["intercept"] is None and found["half1"] == ""


def test_another_star_file_is_no_post_processing(processed):
    answer = processed.get("maps/postprocess", path="Extract/job005/particles.star")
    assert answer.status_code in (404, 422) and "general" in answer.json()["error"]
