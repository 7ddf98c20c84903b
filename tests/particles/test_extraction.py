"""Extraction: geometry of windows, normalisation, edges; against RELION in every option."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.optics import CtfParameters
from verglas.particles.background import background_of
from verglas.particles.extraction import (
    ExtractionSettings,
    extract_particles,
    overlaps,
    rewindow,
    window_corners,
)

PIXEL = 1.7
COORDINATES = np.array(
    [[250.9, 180.2], [3.2, 120.0], [318.7, 5.5], [-12.0, 60.0], [319.0, 255.9], [160.0, 128.0]]
)
CTF = CtfParameters.of(15000.0, 14200.0, 35.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


@pytest.fixture(scope="module")
def micrograph() -> np.ndarray:
    random = np.random.default_rng(5)
    y, x = np.mgrid[:256, :320]
    image = 90 + 0.05 * x - 0.03 * y + 9 * random.standard_normal((256, 320))
    return image.astype(np.float32)


def background_values(images: np.ndarray, radius: int) -> np.ndarray:
    return images[:, background_of(images.shape[-1], radius).mask()]


def test_window_starts_half_a_box_before_the_truncated_coordinate(micrograph: np.ndarray) -> None:
    plain = ExtractionSettings(32, normalise=False, invert=False)
    image = extract_particles(micrograph, np.array([[100.9, 60.9]]), plain)[0]
    np.testing.assert_array_equal(image, micrograph[60 - 16 : 60 + 16, 100 - 16 : 100 + 16])


def test_negative_coordinates_are_truncated_towards_zero() -> None:
    x0, y0 = window_corners(np.array([[-3.7, -0.2]]), ExtractionSettings(16))
    assert (x0[0], y0[0]) == (-3 - 8, 0 - 8)


def test_background_has_mean_zero_deviation_one_and_no_slope(micrograph: np.ndarray) -> None:
    images = extract_particles(micrograph, COORDINATES, ExtractionSettings(64, background_radius_px=24))
    values = background_values(images, 24)
    np.testing.assert_allclose(values.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(1), 1, atol=1e-5)
    y, x = np.nonzero(background_of(64, 24).mask())
    design = np.stack([x - 32, y - 32, np.ones(len(x))])
    slopes = values @ design.T @ np.linalg.inv(design @ design.T)
    np.testing.assert_allclose(slopes, 0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    gain=st.floats(0.01, 1e4), offset=st.floats(-1e4, 1e4), slope=st.floats(-2, 2), radius=st.integers(4, 14)
)
def test_normalisation_forgets_scale_offset_and_slope(
    gain: float, offset: float, slope: float, radius: int
) -> None:
    base = np.random.default_rng(1).standard_normal((40, 40)).astype(np.float32)
    ramp = slope * np.arange(40, dtype=np.float32)
    chosen = ExtractionSettings(32, background_radius_px=radius, invert=False)
    at = np.array([[20.0, 20.0]])
    first = extract_particles(base, at, chosen)
    second = extract_particles(gain * (base + ramp) + offset, at, chosen)
    precision = 1e-6 * (abs(offset) / gain + 80) * 8
    np.testing.assert_allclose(first, second, atol=max(1e-4, precision))


def test_outside_the_micrograph_the_nearest_edge_pixel_repeats(micrograph: np.ndarray) -> None:
    plain = ExtractionSettings(32, normalise=False, invert=False)
    image = extract_particles(micrograph, np.array([[4.0, 250.0]]), plain)[0]
    np.testing.assert_array_equal(image[:, 0], image[:, 12])  # columns -12 .. 0
    np.testing.assert_array_equal(image[31], image[21])  # rows 255 ... 265
    np.testing.assert_array_equal(image[:22, 12:], micrograph[234:256, 0:20])


def test_a_particle_wholly_outside_is_an_error_that_names_it(micrograph: np.ndarray) -> None:
    chosen = ExtractionSettings(32, background_radius_px=12)
    far = np.array([[100.0, 100.0], [400.0, 10.0]])
    assert overlaps(far, (256, 320), chosen).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"\(400, 10\) lies wholly outside"):
        extract_particles(micrograph, far, chosen)


def test_dead_area_and_not_a_number_are_refused() -> None:
    chosen = ExtractionSettings(32, background_radius_px=12)
    at = np.array([[32.0, 32.0]])
    with pytest.raises(ValueError, match="no variance in its background"):
        extract_particles(np.full((64, 64), 7.0), at, chosen)
    broken = np.random.default_rng(0).standard_normal((64, 64))
    broken[20, 20] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        extract_particles(broken, at, chosen)


def test_sizes_and_radius_are_checked() -> None:
    with pytest.raises(ValueError, match="even number of pixels, got 33"):
        ExtractionSettings(33)
    with pytest.raises(ValueError, match="leaves no background"):
        background_of(32, 30)


def test_dust_goes_and_nothing_else_changes(micrograph: np.ndarray) -> None:
    dirty = micrograph.copy()
    dirty[100, 100] += 500
    dirty[101, 103] -= 500
    chosen = ExtractionSettings(
        64, background_radius_px=24, white_dust=6, black_dust=6, normalise=True, invert=False
    )
    at = np.array([[100.0, 100.0]])
    cleaned = extract_particles(dirty, at, chosen)[0]
    assert np.abs(cleaned).max() < 6
    clean = extract_particles(micrograph, at, chosen)[0]
    same = np.ones((64, 64), bool)
    same[32, 32] = same[33, 35] = False
    np.testing.assert_allclose(cleaned[same], clean[same], atol=1e-4)


def test_phase_flip_twice_restores_the_window(micrograph: np.ndarray) -> None:
    """Without astigmatism, whose sign is ambiguous in the Nyquist row."""
    flip = ExtractionSettings(64, normalise=False, invert=False, ctf="flip")
    plain = ExtractionSettings(64, normalise=False, invert=False)
    round_ctf = CtfParameters.of(15000.0, 15000.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    middle = np.array([[32.0, 32.0]])
    same = extract_particles(micrograph, np.array([[160.0, 128.0]]), plain)
    once = extract_particles(same[0], middle, flip, pixel_size_angst=PIXEL, ctf=round_ctf)
    assert np.abs(once - same).max() > 1
    twice = extract_particles(once[0], middle, flip, pixel_size_angst=PIXEL, ctf=round_ctf)
    np.testing.assert_allclose(twice, same, atol=1e-3)


def test_ctf_without_a_ctf_is_refused(micrograph: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the micrograph has none"):
        extract_particles(micrograph, COORDINATES[:1], ExtractionSettings(64, ctf="multiply"))


def test_rewindow_keeps_the_centre() -> None:
    image = np.zeros((1, 8, 8), np.float32)
    image[0, 4, 4] = 1
    assert rewindow(image, 4)[0, 2, 2] == 1
    assert rewindow(image, 12)[0, 6, 6] == 1


OPTIONS = {
    "plain": ([], {}),
    "not inverted": (["--no_invert"], {"invert": False}),
    "without ramp": (["--no_ramp"], {"ramp": False}),
    "rescaled": (["--scale", "40", "--bg_radius", "15"], {"scale_px": 40, "background_radius_px": 15}),
    "enlarged": (["--scale", "96", "--bg_radius", "36"], {"scale_px": 96, "background_radius_px": 36}),
    "rewindowed": (["--window", "48", "--bg_radius", "18"], {"window_px": 48, "background_radius_px": 18}),
    "biased": (["--extract_bias_x", "3", "--extract_bias_y", "-5"], {"bias_x_px": 3, "bias_y_px": -5}),
    "premultiplied": (["--premultiply_ctf"], {"ctf": "multiply"}),
    "premultiplied in a larger box": (
        ["--premultiply_ctf", "--premultiply_extract_size", "96"],
        {"ctf": "multiply", "ctf_box_px": 96},
    ),
    "phases flipped": (["--phase_flip"], {"ctf": "flip"}),
    "first peak intact": (
        ["--premultiply_ctf", "--ctf_intact_first_peak"],
        {"ctf": "multiply", "ctf_intact_first_peak": True},
    ),
}


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_preprocess") is None, reason="RELION is not installed")
@pytest.mark.parametrize("name", OPTIONS)
def test_same_pixels_as_relion(
    name: str, micrograph: np.ndarray, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, changed = OPTIONS[name]
    monkeypatch.chdir(str(tmp_path))
    run_relion(micrograph, [flag for flag in flags if flag != "--no_invert"], "--no_invert" in flags)
    theirs = read_mrc("out/mic.mrcs").data
    chosen = ExtractionSettings(64, **{"background_radius_px": 24, **changed})
    ours = extract_particles(micrograph, COORDINATES, chosen, pixel_size_angst=PIXEL, ctf=CTF)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def run_relion(micrograph: np.ndarray, flags: list[str], keep_contrast: bool) -> None:
    write_mrc("mic.mrc", micrograph, PIXEL)
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [PIXEL],
        "rlnMicrographOriginalPixelSize": [PIXEL],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    row = {
        "rlnMicrographName": ["mic.mrc"],
        "rlnOpticsGroup": [1],
        "rlnDefocusU": [15000.0],
        "rlnDefocusV": [14200.0],
        "rlnDefocusAngle": [35.0],
        "rlnCtfMaxResolution": [4.0],
        "rlnCtfFigureOfMerit": [0.1],
    }
    table = StarTable.from_columns
    write_star("mics.star", [table("optics", optics), table("micrographs", row)])
    xy = {"rlnCoordinateX": COORDINATES[:, 0], "rlnCoordinateY": COORDINATES[:, 1]}
    write_star("mic_pick.star", [table("", xy)])
    command = [
        "relion_preprocess",
        "--i",
        "mics.star",
        "--coord_dir",
        "./",
        "--coord_suffix",
        "_pick.star",
        "--part_star",
        "out/particles.star",
        "--part_dir",
        "out/",
        "--extract",
        "--extract_size",
        "64",
        "--norm",
        "--white_dust",
        "-1",
        "--black_dust",
        "-1",
        *([] if keep_contrast else ["--invert_contrast"]),
        *([] if "--bg_radius" in flags else ["--bg_radius", "24"]),
        *flags,
    ]
    subprocess.run(command, check=True, capture_output=True)
