"""Movies: every format reads back what was written, agrees with other codecs, and bad files are refused."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verglas.formats.eer import add_events, encode_events, events_of_counts
from verglas.formats.eer_code import EventCode
from verglas.formats.movies import UnreadableMovie, check_movie, open_movie
from verglas.formats.movies_write import write_movie_eer, write_movie_mrc, write_movie_tiff

SHAPE = (30, 41)
SENSOR = (64, 96)
CODES = {65000: (8, 2, 2), 65001: (7, 2, 2), 65002: (7, 1, 1)}


def counts(n: int = 6, shape: tuple[int, int] = SHAPE) -> list[np.ndarray]:
    generator = np.random.default_rng(n)
    return [generator.poisson(0.8, shape).astype(np.uint8) for _ in range(n)]


def events(n: int = 9, per_frame: int = 60) -> list[np.ndarray]:
    generator = np.random.default_rng(n)
    top = [4 * SENSOR[0], 4 * SENSOR[1]]
    return [generator.integers(0, top, (per_frame, 2)) for _ in range(n)]


def write_any(kind: str, path: Path) -> Path:
    """A small movie of one of the kinds that a session brings."""
    match kind:
        case "mrc":
            write_movie_mrc(path, counts(), 1.0, durable=False)
        case "eer":
            write_movie_eer(path, events(), SENSOR, durable=False)
        case _:
            write_movie_tiff(path, counts(), compression=kind, durable=False)
    return path


KINDS = ("mrc", "eer", "none", "lzw", "deflate", "zstd")


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float32"])
def test_tiff_movies_read_back_and_lie_as_relion_sees_them(
    tmp_path: Path, compression: str, dtype: str
) -> None:
    frames = [frame.astype(dtype) for frame in counts()]
    path = tmp_path / "m.tif"
    write_movie_tiff(path, frames, compression=compression)
    movie = open_movie(path)
    assert (movie.kind, movie.n_frames, movie.shape_yx) == ("tiff", 6, SHAPE)
    assert movie.dtype == np.dtype(dtype)
    for workers in (1, 3):
        assert all(np.array_equal(a, b) for a, b in zip(movie.frames(workers=workers), frames, strict=True))
    with tifffile.TiffFile(path) as other:
        assert np.array_equal(other.pages[2].asarray()[::-1], frames[2])


@pytest.mark.parametrize("turned", [False, True])
def test_counts_packed_in_super_resolution_tiffs_are_told_by_their_size(tmp_path: Path, turned: bool) -> None:
    """Sizes: K2, upright and turned; the mean RELION 3.1.3 finds for bytes of 0x21 is that of 1 and 2."""
    across, down = (3710, 7676) if turned else (3838, 7420)
    packed = np.zeros((down, across), np.uint8)
    packed[0, :2] = 0x21, 0xF0
    write_movie_tiff(tmp_path / "k2.tif", [packed], compression="lzw")
    movie = open_movie(tmp_path / "k2.tif")
    assert (movie.shape_yx, movie.info.packed) == ((down, 2 * across), True)
    frame = movie.read(0, None)
    assert frame[0, :4].tolist() == [1, 2, 0, 15] and frame.sum() == 18
    write_movie_tiff(tmp_path / "k2.tif", [packed[:-1]], compression="lzw")
    assert not open_movie(tmp_path / "k2.tif").info.packed


@pytest.mark.parametrize("compression", ["none", "lzw"])
def test_pixels_of_four_bits_are_read_as_tiff_has_them(tmp_path: Path, compression: str) -> None:
    """The left pixel in the upper half of its byte, an odd row filled up: as tifffile reads them."""
    packed = np.random.default_rng(3).integers(0, 256, (5, 4), np.uint8)
    path = tmp_path / "four.tif"
    write_movie_tiff(path, [packed, packed[::-1]], compression=compression)
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags[256].overwrite(7)
            page.tags[258].overwrite(4)
    movie = open_movie(path)
    assert (movie.shape_yx, movie.dtype, movie.info.packed) == ((5, 7), np.uint8, False)
    with tifffile.TiffFile(path) as other:
        for index in (0, 1):
            assert np.array_equal(movie.read(index, None), other.pages[index].asarray()[::-1])
    assert movie.read(0, None)[0, :2].tolist() == [packed[0, 0] >> 4, packed[0, 0] & 15]


@pytest.mark.parametrize(("tag", "value"), [(256, 1 << 19), (257, 1 << 19), (257, 16)])
def test_damaged_sizes_of_an_eer_movie_do_not_ask_for_terabytes(tmp_path: Path, tag: int, value: int) -> None:
    path = tmp_path / "d.eer"
    write_movie_eer(path, events(3, 9000), SENSOR)
    with tifffile.TiffFile(path) as file:
        places = [page.tags[tag].valueoffset for page in file.pages]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place : place + 4] = struct.pack("<I", value)
    path.write_bytes(data)
    with pytest.raises(UnreadableMovie, match=r"size is damaged|lie behind the last"):
        open_movie(path, eer_grouping=1).read(0)


@pytest.mark.parametrize(
    "options",
    [
        {"bigtiff": True},
        {"byteorder": ">"},
        {"tile": (16, 32), "compression": "lzw"},
        {"compression": "lzw", "predictor": True},
        {"compression": "packbits"},
        {"rowsperstrip": 7, "compression": "zlib", "byteorder": ">"},
    ],
)
def test_tiffs_of_other_writers(tmp_path: Path, options: dict) -> None:
    frames = [frame.astype(np.uint16) * 300 for frame in counts()]
    file_options = {key: options[key] for key in options if key in ("bigtiff", "byteorder")}
    page_options = {key: options[key] for key in options if key not in file_options}
    with tifffile.TiffWriter(tmp_path / "o.tif", **file_options) as tiff:
        for frame in frames:
            tiff.write(frame[::-1], photometric="minisblack", contiguous=False, **page_options)
    movie = open_movie(tmp_path / "o.tif")
    read = list(movie.frames(dtype=None))
    assert all(np.array_equal(a, b) and a.dtype.isnative for a, b in zip(read, frames, strict=True))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float32", "float16"])
def test_mrc_movies_read_back(tmp_path: Path, dtype: str) -> None:
    write_movie_mrc(tmp_path / "m.mrcs", counts(), 1.1, dtype=dtype)
    movie = open_movie(tmp_path / "m.mrcs")
    assert (movie.kind, movie.n_frames, movie.info.pixel_size_angst) == ("mrc", 6, 1.1)
    assert all(np.array_equal(a, b) for a, b in zip(movie.frames(), counts(), strict=True))
    assert [int(f.sum()) for f in movie.frames(2, 4)] == [int(f.sum()) for f in counts()[2:4]]


@pytest.mark.parametrize("compression", CODES)
@pytest.mark.parametrize("upsampling", [1, 2, 4])
def test_eer_agrees_with_imagecodecs(tmp_path: Path, compression: int, upsampling: int) -> None:
    path = tmp_path / "m.eer"
    write_movie_eer(path, events(11), SENSOR, compression=compression)
    if compression == 65002 and upsampling == 4:
        with pytest.raises(UnreadableMovie, match="1 sub-pixel bits allow upsampling 2"):
            open_movie(path, eer_grouping=2, eer_upsampling=4)
        return
    movie = open_movie(path, eer_grouping=4, eer_upsampling=upsampling)
    assert movie.n_frames == 2  # the last three of eleven are dropped
    shape = (SENSOR[0] * upsampling, SENSOR[1] * upsampling)
    with tifffile.TiffFile(path) as tiff:
        for group, frame in enumerate(movie.frames(dtype=None)):
            expected = np.zeros(shape, np.uint16)
            for page in tiff.pages[4 * group : 4 * group + 4]:
                tiff.filehandle.seek(page.dataoffsets[0])
                imagecodecs.eer_decode(
                    tiff.filehandle.read(page.databytecounts[0]),
                    shape,
                    *CODES[compression],
                    superres=upsampling.bit_length() - 1,
                    out=expected,
                )
            assert np.array_equal(frame, expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_eer_code_holds_every_electron(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 300)))
    code = EventCode(*data.draw(st.sampled_from(list(CODES.values()))))
    pixels = data.draw(st.sets(st.integers(0, shape[0] * shape[1] - 1), max_size=60))
    sub = data.draw(st.integers(0, 15))
    y, x = np.divmod(np.array(sorted(pixels), np.int64), shape[1])
    quarter = np.stack([4 * y + sub // 4, 4 * x + sub % 4], axis=1)
    for upsampling in (1, 2, 4)[: 1 + code.horizontal_bits]:
        seen = np.zeros((shape[0] * upsampling, shape[1] * upsampling), np.uint16)
        assert add_events(encode_events(quarter, code, shape), code, shape, upsampling, seen) is None
        hit = np.argwhere(seen)
        assert np.array_equal(hit, np.unique(quarter * upsampling // 4, axis=0).reshape(-1, 2))
        assert seen.sum() == len(pixels)


def test_full_pixels_of_fine_eer_frames_stay_full(tmp_path: Path) -> None:
    write_movie_eer(tmp_path / "m.eer", [np.array([[5, 6]])] * 300, SENSOR)
    movie = open_movie(tmp_path / "m.eer", eer_grouping=300, eer_upsampling=4)
    assert movie.read(0, None)[5, 6] == 255
    coarse = open_movie(tmp_path / "m.eer", eer_grouping=300)
    assert coarse.read(0)[1, 1] == 300


def test_old_eer_files_without_tiff_framing(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    frames = [generator.integers(0, 4 * 4096, (500, 2)) for _ in range(3)]
    footer = b"ThermoFisherECComprOK000"
    coded = [encode_events(frame, EventCode(8, 2, 2), (4096, 4096)) + footer for frame in frames]
    (tmp_path / "old.eer").write_bytes(b"".join(coded))
    movie = open_movie(tmp_path / "old.eer", eer_grouping=3)
    assert movie.shape_yx == (4096, 4096) and movie.read(0).sum() > 1490


def test_summed_image_in_an_eer_file_is_passed_over(tmp_path: Path) -> None:
    write_movie_eer(tmp_path / "m.eer", events(4), SENSOR)
    expected = open_movie(tmp_path / "m.eer", eer_grouping=4).read(0)
    with tifffile.TiffWriter(tmp_path / "m.eer", append=True, bigtiff=True) as tiff:
        tiff.write(np.zeros((8, 8), np.uint16), photometric="minisblack")
    assert np.array_equal(open_movie(tmp_path / "m.eer", eer_grouping=4).read(0), expected)


def test_events_of_counts_hit_the_pixels_once() -> None:
    frame = counts(1)[0]
    hit = events_of_counts(frame, np.random.default_rng(0))
    assert np.array_equal(hit // 4, np.argwhere(frame))


def test_eer_events_outside_the_sensor_are_an_error() -> None:
    with pytest.raises(ValueError, match="outside the sensor"):
        encode_events([[0, 4 * 5]], EventCode(), (5, 5))


# What is refused, and how it is said


def reason(path: Path, **options: object) -> str:
    with pytest.raises(UnreadableMovie) as caught:
        check_movie(path, **{"eer_grouping": 4, **options})  # type: ignore[arg-type]
    assert caught.value.path == str(path)
    return caught.value.reason


@pytest.mark.parametrize("name", ["m.mrc", "m.tif", "m.eer", "odd name's é"])
def test_empty_and_foreign_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    assert "empty file (0 bytes)" in reason(path)
    path.write_bytes(b"<html>404 not found</html>" * 60)
    assert reason(path).startswith("not a")


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert "No such file" in reason(tmp_path / "none.mrc")
    assert "directory" in reason(tmp_path).lower()
    (tmp_path / "link.tif").symlink_to("/raw/gone.tif")
    assert reason(tmp_path / "link.tif") == "dangling link to /raw/gone.tif"


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_noticed(tmp_path: Path, kind: str) -> None:
    path = write_any(kind, tmp_path / "m")
    raw = path.read_bytes()
    assert check_movie(path, eer_grouping=4).n_frames in (2, 6)
    for cut in np.linspace(0, len(raw) - 2, 60).astype(int):  # a last pad byte may go unnoticed
        path.write_bytes(raw[:cut])
        assert reason(path)


@pytest.mark.parametrize("kind", ["lzw", "deflate", "zstd", "eer"])
def test_space_reserved_but_not_yet_filled_is_noticed(tmp_path: Path, kind: str) -> None:
    """A copy in progress may have its full length already, with directories first."""
    path = tmp_path / "m"
    if kind == "eer":
        write_movie_eer(path, events(9, 400), SENSOR, durable=False)
    else:
        write_movie_tiff(path, counts(6, (300, 300)), compression=kind, durable=False)
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages[-1]
        at, length = last.dataoffsets[-1], last.databytecounts[-1]
    raw = bytearray(path.read_bytes())
    raw[at : at + length] = bytes(length)
    path.write_bytes(raw)
    assert "not complete" in reason(path)


def test_movie_with_a_frame_of_another_shape(tmp_path: Path) -> None:
    frames = [*counts(3), *counts(1, (20, 41))]
    write_movie_tiff(tmp_path / "m.tif", frames)
    assert "frame 4 is 41 x 20 pixels" in reason(tmp_path / "m.tif")


def test_session_may_say_what_it_expects(tmp_path: Path) -> None:
    path = write_any("lzw", tmp_path / "m.tif")
    assert check_movie(path, n_frames=6, shape_yx=SHAPE).kind == "tiff"
    assert "frames of 41 x 30 pixels, expected 41 x 31" in reason(path, shape_yx=(31, 41))
    assert "6 frames, expected 40" in reason(path, n_frames=40)


def test_fewer_hardware_frames_than_one_fraction(tmp_path: Path) -> None:
    write_movie_eer(tmp_path / "m.eer", events(3), SENSOR)
    assert check_movie(tmp_path / "m.eer").n_frames == 3
    assert "3 hardware frames, fewer than the EER fractionation of 4" in reason(tmp_path / "m.eer")
    for bad in ({"eer_grouping": 0}, {"eer_upsampling": 3}):
        with pytest.raises(ValueError, match="EER grouping"):
            open_movie(tmp_path / "m.eer", **bad)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    frames = [frame.astype(np.float32) for frame in counts()]
    frames[3][7, 5] = value
    write_movie_mrc(tmp_path / "m.mrc", frames, 1.0, dtype=np.float32)
    movie = open_movie(tmp_path / "m.mrc")
    with pytest.raises(UnreadableMovie, match=r"frame 4: 1 pixels are not finite.*x 5, y 7"):
        list(movie.frames())


def test_directories_that_run_in_a_circle(tmp_path: Path) -> None:
    path = write_any("none", tmp_path / "m.tif")
    with tifffile.TiffFile(path) as tiff:
        offsets = [page.offset for page in tiff.pages]
    raw = bytearray(path.read_bytes())
    n_tags = struct.unpack_from("<H", raw, offsets[-1])[0]
    struct.pack_into("<I", raw, offsets[-1] + 2 + 12 * n_tags, offsets[0])
    path.write_bytes(raw)
    assert "points back" in reason(path)


def _read_all(path: Path) -> None:
    """Read a movie; whatever is wrong must be an UnreadableMovie."""
    try:
        movie = open_movie(path, eer_grouping=4)
        for frame in movie.frames(dtype=None):
            assert frame.shape == movie.shape_yx and frame.dtype == movie.dtype
    except UnreadableMovie as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_frames_or_a_reason(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    raw = bytearray(write_any(kind, tmp_path / "m").read_bytes())
    heads = [slice(0, min(len(raw), 1024)), slice(max(0, len(raw) - 600), len(raw)), slice(0, len(raw))]
    where = data.draw(st.sampled_from(heads))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(where.start, where.stop - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(raw)
    _read_all(path)


@pytest.mark.parametrize("kind", ["lzw", "eer"])
def test_every_directory_byte_may_be_wrong(tmp_path: Path, kind: str) -> None:
    """All bytes of one directory, each set to values that hurt."""
    raw = write_any(kind, tmp_path / "m").read_bytes()
    with tifffile.TiffFile(tmp_path / "m") as tiff:
        start, stop = tiff.pages[1].offset, tiff.pages[1].offset + 220
    path = tmp_path / "damaged"
    for at in range(start, min(stop, len(raw))):
        for value in (0, 1, 127, 128, 255):
            path.write_bytes(raw[:at] + bytes([value]) + raw[at + 1 :])
            _read_all(path)


def test_growing_movie_becomes_readable_when_it_is_whole(tmp_path: Path) -> None:
    raw = write_any("lzw", tmp_path / "whole.tif").read_bytes()
    path = tmp_path / "growing.tif"
    states = []
    for length in range(0, len(raw) + 1, 97):
        path.write_bytes(raw[:length])
        try:
            states.append(check_movie(path).n_frames)
        except UnreadableMovie:
            states.append(0)
    path.write_bytes(raw)
    assert set(states[:-1]) <= {0} and check_movie(path).n_frames == 6


def test_thousands_of_movies_leave_no_open_file(tmp_path: Path) -> None:
    good, bad = write_any("eer", tmp_path / "m.eer"), tmp_path / "bad.eer"
    bad.write_bytes(good.read_bytes()[:-20])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(1100):
        movie = open_movie(good, eer_grouping=4)
        next(movie.frames())
        with pytest.raises(UnreadableMovie):
            open_movie(bad, eer_grouping=4)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("n", [1, 2, 7])
def test_movies_of_few_frames(tmp_path: Path, n: int) -> None:
    write_movie_tiff(tmp_path / "m.tif", counts(n))
    write_movie_mrc(tmp_path / "m.mrc", counts(n), 1.0)
    for name in ("m.tif", "m.mrc"):
        assert sum(1 for _ in open_movie(tmp_path / name).frames()) == n
    with pytest.raises(IndexError, match=f"no frame {n + 1}, the movie has {n}"):
        open_movie(tmp_path / "m.tif").read(n)


def test_checking_is_cheap(tmp_path: Path) -> None:
    for kind in KINDS:
        path = write_any(kind, tmp_path / kind)
        check_movie(path, eer_grouping=4)
        start = time.process_time()
        for _ in range(20):
            check_movie(path, eer_grouping=4)
        assert (time.process_time() - start) / 20 < 0.01  # about 0.3 ms; room for busy machines


def test_writers_refuse_nonsense(tmp_path: Path) -> None:
    calls: list[Callable[[], None]] = [
        lambda: write_movie_tiff(tmp_path / "a", counts(), compression="jpeg"),
        lambda: write_movie_eer(tmp_path / "a", [], SENSOR),
        lambda: write_movie_mrc(tmp_path / "a", [], 1.0),
        lambda: write_movie_mrc(tmp_path / "a", [np.full((2, 2), 200)], 1.0, dtype=np.uint8),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"jpeg|at least one|do not fit"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.relion
@pytest.mark.parametrize("name", ["m.tif", "m.mrcs"])
def test_relion_sees_the_rows_as_we_do(
    tmp_path: Path, relion_sum: Callable[..., np.ndarray], name: str
) -> None:
    generator = np.random.default_rng(3)
    mean = np.full((256, 320), 3.0)
    mean[20:80, 60:200] = 12
    frames = [generator.poisson(mean).astype(np.uint8) for _ in range(4)]
    write_movie_tiff(tmp_path / "m.tif", frames)
    write_movie_mrc(tmp_path / "m.mrcs", frames, 1.0)
    theirs = relion_sum(name)
    ours = sum(open_movie(tmp_path / name).frames())
    assert ours[20:80, 60:200].mean() == pytest.approx(theirs[20:80, 60:200].mean(), rel=0.02)
    assert ours[120:, :].mean() == pytest.approx(theirs[120:, :].mean(), rel=0.02)
