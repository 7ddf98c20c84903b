"""MRC images and stacks: against mrcfile, real files, RELION, generated and damaged input."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
from pathlib import Path

import hypothesis.extra.numpy as npst
import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verglas.formats.movies import check_movie
from verglas.formats.mrc import UnreadableImage, read_mrc, read_mrc_header, write_mrc
from verglas.formats.mrc_header import Statistics, build_header
from verglas.formats.stack import StackPool, image_name, open_stack, parse_image_name, read_images
from verglas.formats.stack_writer import StackWriter, write_stack

TYPES = ("float32", "float16", "int8", "int16", "uint16")
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def four_bit_file(path: Path, frames: np.ndarray) -> None:
    """Packed by the rule of the header: first pixel in the low half, rows padded."""
    n, height, width = frames.shape
    padded = np.zeros((n, height, (width + 1) // 2 * 2), np.uint8)
    padded[..., :width] = frames
    packed = padded[..., 0::2] | padded[..., 1::2] << 4
    header = build_header(
        frames.shape, np.dtype("u1"), 1.0, is_volume=False, statistics=Statistics(), mode=101
    )
    path.write_bytes(header + packed.tobytes())


@FEW
@given(
    data=st.sampled_from(TYPES).flatmap(
        lambda name: npst.arrays(
            name,
            npst.array_shapes(min_dims=2, max_dims=3, max_side=7),
            elements=st.floats(-6e4, 6e4, width=16) if "f" in name else None,
        )
    ),
    pixel=st.floats(0.01, 100),
)
def test_written_images_read_back_equal(tmp_path: Path, data: np.ndarray, pixel: float) -> None:
    path = tmp_path / "a.mrc"
    write_mrc(path, data, pixel, durable=False)
    image = read_mrc(path, None)
    expected = data[0] if data.ndim == 3 and len(data) == 1 else data
    assert image.data.dtype == data.dtype
    assert np.array_equal(image.data, expected)
    assert image.pixel_size_angst == pytest.approx(pixel, rel=1e-5, abs=1e-6)
    if data.dtype != np.float16:  # mrcfile's own statistics overflow on half floats
        report = io.StringIO()
        assert mrcfile.validate(path, print_file=report), report.getvalue()


@FEW
@given(data=st.data())
def test_stack_reads_any_images_in_any_order(tmp_path: Path, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    images = np.random.default_rng(n).normal(size=(n, 5, 4)).astype(np.float32)
    write_stack(tmp_path / "s.mrcs", images, 1.0, durable=False)
    indices = data.draw(st.lists(st.integers(0, n - 1), max_size=50))
    with open_stack(tmp_path / "s.mrcs") as stack:
        wanted = np.array(indices, np.int64)
        assert np.array_equal(stack.read(indices), images[wanted])
        double = np.empty((len(indices), 5, 4))
        assert np.array_equal(stack.read(indices, double), images[wanted])


@FEW
@given(at=st.integers(0, 1023), value=st.integers(0, 255), cut=st.integers(0, 1400))
def test_damaged_header_is_read_or_refused(tmp_path: Path, at: int, value: int, cut: int) -> None:
    path = tmp_path / "d.mrc"
    write_mrc(path, np.arange(90, dtype=np.float32).reshape(9, 10), 1.0, durable=False)
    raw = bytearray(path.read_bytes())
    raw[at] = value
    path.write_bytes(raw[:cut] if cut < len(raw) else raw)
    try:
        read_mrc(path)
    except UnreadableImage as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("name", TYPES)
def test_mrcfile_agrees_on_header_and_pixels(tmp_path: Path, name: str) -> None:
    data = (np.random.default_rng(1).normal(size=(4, 6, 5)) * 20).astype(name)
    write_mrc(tmp_path / "v.mrc", data, 1.25)
    write_stack(tmp_path / "s.mrcs", data, 1.25)
    with mrcfile.open(tmp_path / "v.mrc") as volume, mrcfile.open(tmp_path / "s.mrcs") as stack:
        assert np.array_equal(volume.data, data) and np.array_equal(stack.data, data)
        assert volume.is_volume() and stack.is_image_stack()
        assert volume.voxel_size.z == pytest.approx(1.25)
        wide = data.astype(np.float64)
        for field, value in zip(
            ("dmin", "dmax", "dmean", "rms"), (wide.min(), wide.max(), wide.mean(), wide.std())
        ):
            assert volume.header[field] == pytest.approx(value, rel=1e-4, abs=1e-4)
            assert stack.header[field] == volume.header[field]


@pytest.mark.parametrize("mode", [0, 1, 2, 6, 12])
def test_big_endian_and_junk_are_forgiven(tmp_path: Path, mode: int) -> None:
    code = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}[mode]
    data = np.arange(12).reshape(3, 4).astype(code)
    header = struct.pack(">10i6f", 4, 3, 1, mode, 0, 0, 0, 4, 3, 1, 8, 6, 2, 90, 90, 90)
    header = header.ljust(1024, b"\xff")  # no MAP, extended size -1, statistics of junk
    (tmp_path / "old.mrc").write_bytes(header + data.astype(">" + code).tobytes())
    image = read_mrc(tmp_path / "old.mrc")
    assert np.array_equal(image.data, data) and image.pixel_size_angst == 2.0


def test_nonsensical_extended_size_is_forgiven_when_the_rest_fits(tmp_path: Path) -> None:
    path = tmp_path / "x.mrc"
    write_mrc(path, np.ones((3, 4), np.float32), 1.0)
    raw = bytearray(path.read_bytes())
    raw[92:96] = struct.pack("<i", 131072)
    path.write_bytes(raw)
    assert np.array_equal(read_mrc(path).data, np.ones((3, 4)))
    raw[92:96] = struct.pack("<i", 80)
    path.write_bytes(raw[:1024] + bytes(80) + raw[1024:])
    assert np.array_equal(read_mrc(path).data, np.ones((3, 4)))


def test_bytes_are_unsigned_only_where_imod_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.mrc"
    write_mrc(path, np.array([[-1, 2]], np.int8), 1.0)
    raw = bytearray(path.read_bytes())
    assert read_mrc(path).data.tolist() == [[-1, 2]]
    raw[152:160] = struct.pack("<2i", 1146047817, 0)
    path.write_bytes(raw)
    assert read_mrc(path).data.tolist() == [[255, 2]]


@pytest.mark.parametrize("width", [6, 7])
def test_four_bit_counts(tmp_path: Path, width: int) -> None:
    frames = np.random.default_rng(0).integers(0, 16, (3, 5, width)).astype(np.uint8)
    four_bit_file(tmp_path / "f.mrc", frames)
    assert np.array_equal(read_mrc(tmp_path / "f.mrc", None).data, frames)
    with open_stack(tmp_path / "f.mrc") as stack:
        assert np.array_equal(stack.read([2, 0]), frames[[2, 0]])
        with pytest.raises(ValueError, match="four-bit"):
            stack.map()


def test_imods_flag_for_two_counts_in_every_byte(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 16, (2, 4, 6)).astype(np.uint8)
    path = tmp_path / "p.mrc"
    write_stack(path, (frames[..., 0::2] | frames[..., 1::2] << 4).view(np.int8), 1.5)
    raw = bytearray(path.read_bytes())
    raw[152:160] = struct.pack("<2i", 1146047817, 16)
    path.write_bytes(raw)
    image = read_mrc(path, None)
    assert np.array_equal(image.data, frames) and image.pixel_size_angst == 1.5
    info = check_movie(path)
    assert (info.shape_yx, info.packed) == ((4, 6), True)


def test_short_file_says_how_many_bytes_and_images(tmp_path: Path) -> None:
    path = tmp_path / "short.mrcs"
    write_stack(path, np.zeros((5, 10, 10), np.float32), 1.0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableImage, match=r"short.mrcs.*3024 bytes.*3023.*4 complete"):
        read_mrc_header(path)
    path.write_bytes(b"")
    with pytest.raises(UnreadableImage, match="1024 bytes, the file has 0"):
        read_mrc(path)
    path.write_bytes(b"hello" * 300)
    with pytest.raises(UnreadableImage, match="not an MRC file"):
        read_mrc(path)


def test_image_missing_from_a_stack_is_named_with_the_count(tmp_path: Path) -> None:
    path = str(tmp_path / "s.mrcs")
    write_stack(path, np.zeros((5, 4, 4), np.float32), 1.0)
    with pytest.raises(UnreadableImage, match=r"s.mrcs: no image 6: the stack has 5 images"):
        read_images([(path, 0), (path, 5)])
    with pytest.raises(UnreadableImage, match="no image 0"):
        read_images([(path, -1)])


def test_images_of_many_stacks_come_in_the_order_asked(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    stacks = {str(tmp_path / f"{k}.mrcs"): generator.normal(size=(k + 1, 3, 4)) for k in range(9)}
    for path, images in stacks.items():
        write_stack(path, images, 1.0, durable=False)
    names = [(path, k) for path, images in stacks.items() for k in range(len(images))]
    names = [names[k] for k in generator.permutation(len(names))]
    expected = np.array([stacks[path][k] for path, k in names], np.float32)
    with StackPool(max_open=2) as pool:
        assert np.array_equal(pool.read(names), expected)
        assert np.array_equal(pool.read(names[:7]), expected[:7])
    write_stack(tmp_path / "odd.mrcs", np.zeros((1, 4, 4)), 1.0)
    with pytest.raises(UnreadableImage, match=r"odd.mrcs: images are 4 x 4 pixels, expected 4 x 3"):
        read_images([names[0], (str(tmp_path / "odd.mrcs"), 0)])


def test_image_names() -> None:
    assert parse_image_name("000012@a b/c@d.mrcs") == ("a b/c@d.mrcs", 11)
    assert parse_image_name("x/y.ctf:mrc") == ("x/y.ctf", None)
    assert parse_image_name(image_name("s.mrcs", 3)) == ("s.mrcs", 3)
    for bad in ("0@a.mrcs", "x@a.mrcs", "-1@a.mrcs", "@a.mrcs"):
        with pytest.raises(ValueError, match=r"count from 1|is not of the form"):
            parse_image_name(bad)


def test_values_that_do_not_fit_are_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    write_mrc(path, np.ones((2, 2)), 1.0)
    for dtype, value in (("int8", 128), ("uint16", -1), ("float16", 7e4)):
        with pytest.raises(ValueError, match="do not fit"):
            write_mrc(path, np.full((2, 2), value, np.float32), 1.0, dtype=dtype)
    with pytest.raises(ValueError, match="complex64"):
        write_mrc(path, np.ones((2, 2)), 1.0, dtype="complex64")
    assert np.array_equal(read_mrc(path).data, np.ones((2, 2)))


def test_wild_values_are_stored_without_statistics(tmp_path: Path) -> None:
    wild = np.array([[np.nan, 1e38, -3e38, np.inf]], np.float32)
    write_mrc(tmp_path / "w.mrc", wild, 1.0)
    assert np.array_equal(read_mrc(tmp_path / "w.mrc").data, wild, equal_nan=True)
    with pytest.raises(ValueError, match="complex64"):
        write_mrc(tmp_path / "c.mrc", wild.astype(np.complex64), 1.0)


def test_writer_leaves_nothing_behind_on_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), StackWriter(tmp_path / "s.mrcs", 1.0) as stack:
        stack.add(np.zeros((3, 3)))
        raise RuntimeError
    with pytest.raises(ValueError, match="at least one"), StackWriter(tmp_path / "s.mrcs", 1.0):
        pass
    with pytest.raises(ValueError, match="images are"), StackWriter(tmp_path / "s.mrcs", 1.0) as s:
        s.add(np.zeros((3, 3)))
        s.add(np.zeros((3, 4)))
    assert list(tmp_path.iterdir()) == []


def test_writer_copies_what_the_caller_reuses(tmp_path: Path) -> None:
    buffer = np.zeros((2, 3), np.float32)
    with StackWriter(tmp_path / "s.mrcs", 1.0) as stack:
        for k in range(3):
            buffer[:] = k
            stack.add(buffer)
    with open_stack(tmp_path / "s.mrcs") as read:
        assert read.read([0, 1, 2])[:, 0, 0].tolist() == [0, 1, 2]
        assert np.array_equal(read.map(), read.read([0, 1, 2]))


def test_errors_cross_process_pools() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImage("a.mrc", "is odd")))
    assert (error.path, error.reason, str(error)) == ("a.mrc", "is odd", "a.mrc: is odd")


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # mrcfile's, of odd headers
def test_real_files_read_as_mrcfile_reads_them(real_data: Path) -> None:
    names = sorted(real_data.glob("**/*.mrc")) + sorted(real_data.glob("**/*.mrcs"))
    assert len(names) > 40
    for name in names:
        image = read_mrc(name, None)
        with mrcfile.open(name, permissive=True) as expected:
            assert np.array_equal(image.data, expected.data.reshape(image.data.shape)), name
            assert image.data.dtype == expected.data.dtype.newbyteorder("="), name
    half = read_mrc_header(next(real_data.glob("**/Extract/job009/**/*.mrcs")))
    assert (half.mode, half.shape_yx, half.is_volume) == (12, (64, 64), False)
    assert half.pixel_size_angst == pytest.approx(3.54)


@pytest.mark.relion
@pytest.mark.parametrize("kind", [*TYPES[:1], *TYPES[2:], "four bit"])
def test_relion_reads_what_we_write(tmp_path: Path, kind: str) -> None:
    data = np.random.default_rng(2).integers(0, 16, (12, 8))
    if kind == "four bit":
        four_bit_file(tmp_path / "i.mrc", data[None].astype(np.uint8))
    else:
        write_mrc(tmp_path / "i.mrc", data.astype(kind) - (kind[0] in "if"), 1.5)
    subprocess.run(
        ["relion_image_handler", "--i", "i.mrc", "--o", "o.mrc", "--multiply_constant", "1"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    ours, theirs = read_mrc(tmp_path / "i.mrc"), read_mrc(tmp_path / "o.mrc")
    assert np.array_equal(ours.data, theirs.data)
    assert theirs.pixel_size_angst == ours.pixel_size_angst
