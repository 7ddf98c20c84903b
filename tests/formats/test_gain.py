"""Gain references: conventions, orientation, defects, fit; DM files; against RELION."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from dm_file import dm_file
from verglas.formats.dm import read_dm
from verglas.formats.eer import events_of_counts
from verglas.formats.gain import Gain, UnfitGain, read_gain
from verglas.formats.gain_check import match_gain
from verglas.formats.movies import open_movie
from verglas.formats.movies_write import write_movie_eer, write_movie_mrc
from verglas.formats.mrc import UnreadableImage, read_mrc, write_mrc

SHAPE = (24, 32)


def reference(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    gain = np.random.default_rng(4).uniform(0.5, 2.0, shape).astype(np.float32)
    gain[3, 5] = 0
    return gain


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8", "uint16"])
def test_dm_files_give_their_largest_image_rows_turned_over(
    tmp_path: Path, version: int, order: str, dtype: str
) -> None:
    image = (reference() * 50).astype(dtype)
    (tmp_path / "g.dm4").write_bytes(dm_file([image[:4, :4], image], version, order))
    read = read_dm(tmp_path / "g.dm4")
    assert np.array_equal(read, image[::-1]) and read.dtype == image.dtype


def test_damaged_dm_files_are_refused(tmp_path: Path) -> None:
    raw = dm_file([reference()])
    path = tmp_path / "g.dm4"
    generator = np.random.default_rng(0)
    for cut in generator.integers(0, len(raw), 60):
        path.write_bytes(raw[:cut])
        with pytest.raises(UnreadableImage):
            read_gain(path)
    tags = [at for at in range(len(raw)) if at < 500 or at > len(raw) - 120]
    for at in tags:
        for value in (0, 20, 255):
            path.write_bytes(raw[:at] + bytes([value]) + raw[at + 1 :])
            try:
                read_gain(path)
            except UnreadableImage as error:
                assert str(path) in str(error)


@pytest.mark.parametrize("name", ["g.mrc", "g.tif", "g.dm4"])
def test_gains_of_other_cameras_multiply_as_stored(tmp_path: Path, name: str) -> None:
    gain = reference()
    writers: dict[str, Callable[[Path], object]] = {
        "g.mrc": lambda path: write_mrc(path, gain, 1.0),
        "g.tif": lambda path: tifffile.imwrite(path, gain[::-1]),
        "g.dm4": lambda path: path.write_bytes(dm_file([gain[::-1]])),
    }
    writers[name](tmp_path / name)
    read = read_gain(tmp_path / name)
    assert np.array_equal(read.factors, gain) and not read.divides
    assert np.argwhere(read.bad).tolist() == [[3, 5]]


def test_eer_gains_multiply_or_divide_by_their_kind(tmp_path: Path) -> None:
    gain = reference()
    tifffile.imwrite(tmp_path / "g.gain", gain)
    tifffile.imwrite(tmp_path / "g.tif", gain[::-1])
    write_mrc(tmp_path / "g.mrc", gain, 1.0)
    thermo = read_gain(tmp_path / "g.gain", movie_kind="eer")
    assert np.array_equal(thermo.factors, gain) and not thermo.divides
    with np.errstate(divide="ignore"):
        expected = np.where(gain > 0, gain.mean() / gain, 0)
    for name in ("g.mrc", "g.tif"):
        read = read_gain(tmp_path / name, movie_kind="eer")
        assert read.divides and read.bad.sum() == 1
        assert np.allclose(read.factors, expected, rtol=1e-5)
    assert not read_gain(tmp_path / "g.mrc", movie_kind="eer", divides=False).divides


def test_pixels_without_a_factor_are_bad(tmp_path: Path) -> None:
    gain = reference()
    gain[0, :4] = [np.nan, np.inf, -1, 0]
    write_mrc(tmp_path / "g.mrc", gain, 1.0)
    for divides in (False, True):
        read = read_gain(tmp_path / "g.mrc", divides=divides)
        assert read.bad[0, :4].all() and read.bad.sum() == 5
        assert np.isfinite(read.factors).all() and not read.factors[read.bad].any()


def test_useless_files_are_refused(tmp_path: Path) -> None:
    write_mrc(tmp_path / "zero.mrc", np.zeros(SHAPE), 1.0)
    write_mrc(tmp_path / "stack.mrcs", np.ones((3, 4, 4)), 1.0)
    (tmp_path / "empty.mrc").write_bytes(b"")
    for name, why in (("zero", "every pixel"), ("stack", "one image"), ("empty", "empty file")):
        with pytest.raises(UnreadableImage, match=why):
            read_gain(next(tmp_path.glob(name + ".*")))


def gain_of(array: np.ndarray) -> Gain:
    return Gain("g.mrc", array.astype(np.float32), array <= 0, False)


@pytest.mark.parametrize(
    ("rotation", "flip", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6]]),
        (0, 1, [[4, 5, 6], [1, 2, 3]]),
        (0, 2, [[3, 2, 1], [6, 5, 4]]),
        (1, 0, [[4, 1], [5, 2], [6, 3]]),
        (2, 0, [[6, 5, 4], [3, 2, 1]]),
        (3, 0, [[3, 6], [2, 5], [1, 4]]),
        (1, 2, [[1, 4], [2, 5], [3, 6]]),
    ],
)
def test_rotation_then_flip(rotation: int, flip: int, expected: list) -> None:
    turned = gain_of(np.array([[1, 2, 3], [4, 5, 6]])).oriented(rotation, flip)
    assert turned.factors.tolist() == expected
    with pytest.raises(ValueError, match="0 to 3"):
        turned.oriented(4, 0)


def test_misfit_names_both_shapes_and_says_whether_a_rotation_would_fit() -> None:
    gain = gain_of(reference())
    assert gain.fitted(SHAPE) is gain
    with pytest.raises(UnfitGain, match=r"g.mrc is 32 x 24 pixels .* 24 x 32: a rotation by 90 or 270"):
        gain.fitted((32, 24))
    with pytest.raises(UnfitGain, match="movie seems to be super-resolution"):
        gain.fitted((48, 64))
    with pytest.raises(UnfitGain, match="gain seems to be super-resolution"):
        gain.fitted((12, 16))
    with pytest.raises(UnfitGain, match="no rotation would fit"):
        gain.fitted((100, 100))


def test_gain_of_an_eer_movie_follows_a_finer_or_coarser_grid() -> None:
    gain = gain_of(reference())
    for times in (2, 4):
        fine = gain.fitted((24 * times, 32 * times), is_eer=True)
        assert np.array_equal(fine.factors[::times, 1::times], gain.factors)
        assert fine.bad.sum() == times**2
        assert np.allclose(fine.fitted(SHAPE, is_eer=True).factors, gain.factors)
    counts = np.where(gain.bad, 0, 600 / np.where(gain.bad, 1, gain.factors))  # of an even beam
    coarse = gain.fitted((12, 16), is_eer=True)
    seen = counts.reshape(12, 2, 16, 2).sum(axis=(1, 3)) * coarse.factors
    assert np.allclose(seen[~coarse.bad], 2400) and coarse.bad.sum() == 1


@pytest.mark.parametrize(("rotation", "flip"), [(0, 0), (0, 1), (1, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("reciprocal", [False, True])
def test_raw_frames_tell_how_the_gain_lies(rotation: int, flip: int, reciprocal: bool) -> None:
    generator = np.random.default_rng(6)
    factors = generator.normal(1, 0.05, (200, 200)).astype(np.float32)
    stored = gain_of(factors)
    sensitivity = 1 / stored.oriented(rotation, flip).factors
    specimen = 40 + 10 * np.sin(np.linspace(0, 9, 200))
    frames = generator.poisson(specimen * (1 / sensitivity if reciprocal else sensitivity))
    best, second = match_gain(stored, frames)[:2]
    assert (best.rotation, best.flip, best.is_reciprocal) == (rotation, flip, reciprocal)
    assert best.significance > 12 and second.significance < 6


@pytest.mark.relion
@pytest.mark.parametrize(("rotation", "flip"), [(1, 0), (3, 1), (2, 2), (0, 1)])
def test_relion_turns_the_gain_as_we_do(
    tmp_path: Path, relion_sum: Callable[..., np.ndarray], rotation: int, flip: int
) -> None:
    generator = np.random.default_rng(1)
    factors = generator.uniform(0.7, 1.4, (256, 320)).astype(np.float32)
    write_mrc(tmp_path / "g.mrc", factors, 1.0)
    turned = read_gain(tmp_path / "g.mrc").oriented(rotation, flip)
    frames = [generator.poisson(30, turned.shape_yx).astype(np.uint16) for _ in range(3)]
    write_movie_mrc(tmp_path / "m.mrcs", frames, 1.0, dtype=np.uint16)
    flags = ("--gainref", "g.mrc", "--gain_rot", str(rotation), "--gain_flip", str(flip))
    theirs = relion_sum("m.mrcs", *flags)
    assert np.allclose(read_mrc(tmp_path / "out" / "gain.mrc").data, turned.factors)
    ours = sum(frame * turned.factors for frame in open_movie(tmp_path / "m.mrcs").frames())
    assert theirs.mean() == pytest.approx(ours.mean(), rel=1e-3)


@pytest.mark.relion
@pytest.mark.slow
@pytest.mark.parametrize("name", ["g.gain", "g.mrc"])
def test_relion_reads_our_eer_and_its_gain_as_we_do(
    tmp_path: Path, relion_sum: Callable[..., np.ndarray], name: str
) -> None:
    generator = np.random.default_rng(2)
    density = np.full((4096, 4096), 0.04)
    density[400:800, 600:2000] = 0.08
    frames = (events_of_counts(generator.random(density.shape) < density, generator) for _ in range(6))
    write_movie_eer(tmp_path / "m.eer", frames, density.shape)
    gain = np.ones(density.shape, np.float32)
    gain[300:600, 2500:3500] = 1.3
    if name == "g.gain":
        tifffile.imwrite(tmp_path / name, gain)
    else:
        write_mrc(tmp_path / name, gain, 1.0)
    theirs = relion_sum("m.eer", "--gainref", name, "--eer_grouping", "2")
    factors = read_gain(tmp_path / name, movie_kind="eer").fitted(density.shape).factors
    movie = open_movie(tmp_path / "m.eer", eer_grouping=2)
    ours = sum(movie.frames()) * factors
    for part in (np.s_[320:580, 2520:3480], np.s_[420:780, 620:1980], np.s_[2000:3000, 100:900]):
        assert theirs[part].mean() == pytest.approx(ours[part].mean(), rel=0.02)
