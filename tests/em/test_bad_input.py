"""Particles, references and requests that are not right: set aside or refused, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_runs import BOX, FLAGS, PIXEL, N, noisy, refine, write_particles
from verglas.em.start.initialise import OUTLIER
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, read_star, write_star


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_unusable_particles_are_set_aside_with_the_reason():
    images = noisy()
    images[3] = 5.0
    images[7, 2, 2] = np.nan
    images[9, 1, 1] = np.inf
    images[11, 3, 3] = 1e25  # a number, but its square is none in single precision
    names = [f"{i + 1:06d}@particles.mrcs" for i in range(N + 2)]  # the stack is two images short
    write_particles(images, names)
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "2", "--iter", "2", *FLAGS) == 0
    aside = read_star("job/set_aside.star")["set_aside"]
    reasons = dict(zip(aside.strings("rlnImageName"), aside.strings("verglasReason")))
    assert "same value" in reasons["000004@particles.mrcs"]
    assert "not finite" in reasons["000008@particles.mrcs"]
    assert "not finite" in reasons["000010@particles.mrcs"]
    assert "holds only 40" in reasons["000042@particles.mrcs"]
    assert "it was not normalised" in reasons["000012@particles.mrcs"]
    assert len(read_star("job/run_it002_data.star")["particles"]) == N - 4
    model = read_star("job/run_it002_model.star")
    assert np.isfinite(model["model_group_1"].floats("rlnSigma2Noise")).all()
    assert np.isfinite(read_mrc("job/run_it002_classes.mrcs").data).all()


def test_a_run_that_is_started_in_another_directory_says_so_at_once(capsys):
    write_particles(noisy())
    Path("particles.mrcs").rename("elsewhere.mrcs")
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) != 0
    told = capsys.readouterr().err
    assert "no image is there" in told and "particles.mrcs" in told and str(Path.cwd()) in told
    assert not list(Path("job").glob("run_it*"))


def test_strong_views_stay_and_images_of_another_scale_go():
    """A thin rod seen along its axis varies three times more than most views; 25 times more is damage."""
    images = noisy()
    images[5] *= 4
    images[8] *= 25
    write_particles(images)
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) == 0
    aside = read_star("job/set_aside.star")["set_aside"]
    assert aside.strings("rlnImageName") == ["000009@particles.mrcs"]


@pytest.mark.real
def test_no_real_pick_is_set_aside(real_data):
    """Junk and edges included, batch by batch."""
    stacks = sorted((real_data / "empiar10204_betagal/project/Extract/job009/Movies").glob("*.mrcs"))
    spread = [np.asarray(read_mrc(str(stack)).data, np.float32).std((1, 2)) for stack in stacks]
    assert sum(map(len, spread)) == 1655
    parts = [part for each in spread for part in np.array_split(each, len(each) // 4)]
    assert max(part.max() / np.median(part) for part in parts) < OUTLIER / 10


@pytest.mark.parametrize(
    "words, told",
    [
        (["--K", "60"], "60 classes were asked for, but there are only 40 particles"),
        (["--K", "2", "--sigma_tilt", "3"], "--sigma_tilt: not supported"),
        (["--K", "2", "--helix"], "no rlnAnglePsiPrior"),
        (["--K", "2", "--adaptive_fraction", "2"], "adaptive fraction"),
        (["--K", "2", "--offset_step", "0"], "offset step"),
    ],
)
def test_impossible_requests_are_refused(words, told, capsys):
    write_particles(noisy())
    assert refine("--i", "particles.star", "--o", "job/run", "--iter", "2", *FLAGS, *words) == 1
    assert told in capsys.readouterr().err


def test_odd_boxes_and_missing_pixel_sizes_are_refused(capsys):
    write_particles(noisy(6, 31))
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) == 1
    assert "31 px" in capsys.readouterr().err
    write_particles(noisy(6), rlnImagePixelSize=0.0)
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) == 1
    assert "pixel size" in capsys.readouterr().err


def test_a_run_without_a_single_usable_particle_fails_and_says_why(capsys):
    """Nothing but empty images: no averages of nothing."""
    write_particles(np.zeros_like(noisy()))
    words = ["--i", "particles.star", "--K", "2", "--iter", "2", *FLAGS]
    assert refine(*words, "--o", "empty/run") == 1
    assert f"none of the {N} particles can be used" in capsys.readouterr().err
    assert not list(Path("empty").glob("run_it001*"))


def reference(side: int = BOX, pixel: float = PIXEL) -> np.ndarray:
    y, x = (np.mgrid[:side, :side] - side // 2) * pixel / PIXEL
    return (np.exp(-((y - 4) ** 2 + x**2) / 8) + np.exp(-((x - 5) ** 2 + y**2) / 12)).astype(np.float32)


WITH_REFERENCE = ["--i", "particles.star", "--o", "job/run", "--K", "2", "--iter", "1", "--ref", "ref.mrc"]


def test_hollow_references_are_not_taken_for_inverted_ones():
    """A ring, and a mask that lies in its hollow."""
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    ring = np.abs(np.hypot(y, x) - 13) < 1
    write_particles(noisy(12))
    write_mrc("ref.mrc", ring.astype(np.float32), PIXEL)
    assert refine(*WITH_REFERENCE, *FLAGS) == 0


@pytest.mark.parametrize(
    "image, pixel, told",
    [
        (-reference(), PIXEL, "darker inside the particle's mask than outside"),
        (0 * reference(), PIXEL, "the same value everywhere"),
        (np.where(reference() > 0.9, np.nan, reference()), PIXEL, "not finite"),
        (reference()[:, :-2], PIXEL, "sides must be equal"),
        (reference(31), PIXEL, "31 x 31 px"),
        (np.stack([reference()] * 3), PIXEL, "holds 3 references, but --K asks for 2"),
    ],
    ids=["contrast", "constant", "nan", "not square", "odd", "count"],
)
def test_references_that_cannot_be_meant_are_refused(image, pixel, told, capsys):
    write_particles(noisy(12))
    name = "ref.mrcs" if image.ndim == 3 else "ref.mrc"
    write_mrc(name, image.astype(np.float32), pixel)
    assert refine(*WITH_REFERENCE[:-1], name, *FLAGS) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("side, pixel", [(24, PIXEL), (48, PIXEL), (64, PIXEL / 2)])
def test_references_of_another_box_or_pixel_size_are_brought_to_the_particles(side, pixel, capsys):
    write_particles(noisy())
    results = []
    for each, its_pixel in ((reference(), PIXEL), (reference(side, pixel), pixel)):
        write_mrc("ref.mrc", each, its_pixel)
        assert refine(*WITH_REFERENCE, *FLAGS, "--firstiter_cc") == 0
        results.append(read_mrc("job/run_it001_classes.mrcs").data[0])
    assert "is brought to the particles' 32 px of 4 A" in capsys.readouterr().out
    assert np.corrcoef(results[0].ravel(), results[1].ravel())[0, 1] > 0.99


def test_a_microscope_that_is_not_known_is_refused(capsys):
    write_particles(noisy(6))
    star = read_star("particles.star")
    left = [name for name in star["optics"].labels if name != "rlnVoltage"]
    optics = StarTable.from_columns("optics", {name: star["optics"].strings(name) for name in left})
    write_star("particles.star", [optics, star["particles"]])
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) == 1
    assert "no rlnVoltage, which the CTF needs" in capsys.readouterr().err


def test_a_defocus_that_is_not_a_number_sets_its_particle_aside():
    write_particles(noisy(12))
    star = read_star("particles.star")
    defocus = star["particles"].floats("rlnDefocusU").copy()
    defocus[3] = np.nan
    write_star("particles.star", [star["optics"], star["particles"].with_columns({"rlnDefocusU": defocus})])
    assert refine("--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS) == 0
    aside = read_star("job/set_aside.star")["set_aside"]
    assert aside.strings("rlnImageName") == ["000004@particles.mrcs"]
    assert "defocus" in aside.strings("verglasReason")[0]


def test_a_pixel_size_or_scale_that_cannot_be_right_is_told(capsys):
    write_particles(100 + 7 * noisy(12), rlnImagePixelSize=1.0)  # the stack's header says 4 Å
    words = ["--i", "particles.star", "--o", "job/run", "--K", "1", "--iter", "1", *FLAGS]
    words[words.index("--particle_diameter") + 1] = "50"
    assert refine(*words) == 0
    told = capsys.readouterr().err
    assert "the mask of 50 A is larger than the box of 32 A" in told
    assert "a pixel size of 4 A in its header, its optics group says 1 A" in told
    write_particles(100 + 7 * noisy(12))
    words[words.index("--particle_diameter") + 1] = "9"  # nanometres
    assert refine(*words) == 0
    told = capsys.readouterr().err
    assert "the mask of 9 A is less than 8 pixels of 4 A across" in told
    assert "12 of 12 particles looked at are not normalised: 000001@particles.mrcs" in told
    assert refine(*words, "--dont_check_norm") == 0
    assert "not normalised" not in capsys.readouterr().err
