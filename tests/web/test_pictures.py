"""Tiles, sprites, logs, tables: the parts behind the routes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from verglas.compute.progress import MouseProgress
from verglas.formats.mrc import read_mrc, write_mrc
from verglas.formats.star import StarTable, write_star
from verglas.project.project import Project
from verglas.web.logs import log_line, log_tail
from verglas.web.pictures import pyramid as pyramid_module
from verglas.web.pictures.images import sprite
from verglas.web.pictures.pyramid import TILE, Pyramid, PyramidCache, low_pass
from verglas.web.pictures.volumes import map_bytes, slice_png, small_map
from verglas.web.tables import BadFilter, TableCache, page, parse_filter, plot


@pytest.mark.parametrize("kept_from", [1, 2])
def test_tiles_of_all_levels_cover_the_micrograph(tmp_path, monkeypatch, kept_from):
    monkeypatch.setattr(pyramid_module, "_LARGE_SIDE", 4096 if kept_from == 1 else 1024)
    image = np.add.outer(np.arange(1300), np.arange(900)).astype(np.float32)
    write_mrc(tmp_path / "m.mrc", image, 1.0)
    pyramid = Pyramid(tmp_path / "m.mrc")
    assert min(pyramid.levels) == kept_from
    for level in range(pyramid.n_levels):
        height, width = 1300 >> level, 900 >> level
        rows = [
            np.concatenate([pyramid.tile(level, column, row) for column in range(-(-width // TILE))], axis=1)
            for row in range(-(-height // TILE))
        ]
        whole = np.concatenate(rows)
        assert whole.shape == (height, width)
        assert whole[0, 0] < whole[-1, -1]
        expected = pyramid.grey.bytes_of(
            image[: height << level, : width << level]
            .reshape(height, 1 << level, width, 1 << level)
            .mean((1, 3))
        )
        assert np.abs(whole.astype(int) - expected).max() <= 1
    with pytest.raises(IndexError):
        pyramid.tile(0, 9, 9)


def test_a_micrograph_of_half_floats_and_of_one_value(tmp_path):
    write_mrc(tmp_path / "h.mrc", np.ones((600, 600), np.float32), 1.0, dtype=np.float16)
    assert Pyramid(tmp_path / "h.mrc").tile(0, 0, 0).shape == (TILE, TILE)


def test_low_pass_keeps_slow_waves_and_takes_fast_ones():
    x = np.arange(256)
    slow, fast = np.cos(2 * np.pi * x / 64), np.cos(2 * np.pi * x / 4)
    image = np.tile((slow + fast).astype(np.float32), (256, 1))
    filtered = low_pass(image, 1.0, 20.0)
    spectrum = np.abs(np.fft.rfft(filtered[0]))
    assert spectrum[4] > 100 and spectrum[64] < 1e-3


def test_the_cache_forgets_and_notices_changed_files(tmp_path):
    cache = PyramidCache(max_bytes=1)
    for name in ("a", "b"):
        write_mrc(tmp_path / f"{name}.mrc", np.zeros((300, 300), np.float32), 1.0)
    first = cache.pyramid(tmp_path / "a.mrc")
    assert cache.pyramid(tmp_path / "a.mrc") is first
    cache.pyramid(tmp_path / "b.mrc")
    assert cache.pyramid(tmp_path / "a.mrc") is not first
    write_mrc(tmp_path / "b.mrc", np.zeros((200, 300), np.float32), 1.0)
    assert cache.pyramid(tmp_path / "b.mrc").shape_yx == (200, 300)


def test_a_sprite_holds_every_average_in_its_place():
    images = np.zeros((45, 8, 8), np.float32)
    images[:, 0, 0] = np.arange(45) > 0
    data, side = sprite(images)
    sheet = np.asarray(Image.open(io.BytesIO(data)))
    assert side == 8 and sheet.shape == (3 * 8, 20 * 8)
    assert sheet[0, 0] == 0 and sheet[16, 4 * 8] == 255 and sheet[0, 8] == 255


def test_a_map_is_made_smaller_by_its_spectrum(tmp_path):
    n = 32
    _, y, x = np.indices((n, n, n))
    wave = np.cos(2 * np.pi * (x + 2 * y) / n).astype(np.float32)
    write_mrc(tmp_path / "m.mrc", wave, 1.5)
    small, voxel = small_map(tmp_path / "m.mrc", 16)
    _, y, x = np.indices((16, 16, 16))
    np.testing.assert_allclose(small, np.cos(2 * np.pi * (x + 2 * y) / 16), atol=1e-5)
    assert voxel == 3.0
    (tmp_path / "again.mrc").write_bytes(map_bytes(small, voxel))
    again = read_mrc(tmp_path / "again.mrc")
    assert again.pixel_size_angst == 3.0
    np.testing.assert_array_equal(again.data, small)


def test_a_large_map_is_averaged_before_and_keeps_its_slow_waves(tmp_path):
    n = 96
    _, y, x = np.indices((n, n, n))
    write_mrc(tmp_path / "m.mrc", np.cos(2 * np.pi * (x - y) / n).astype(np.float32), 1.0)
    small, voxel = small_map(tmp_path / "m.mrc", 16)
    assert small.shape == (16, 16, 16) and voxel == 6.0
    _, y, x = np.indices((16, 16, 16))
    expected = np.cos(2 * np.pi * (x - y) / 16)  # the middles of blocks lie alike along x and y
    np.testing.assert_allclose(small, expected, atol=0.02)


def test_a_map_that_is_no_cube_is_made_smaller_too(tmp_path):
    data = np.arange(20 * 50 * 90, dtype=np.float32).reshape(20, 50, 90)
    write_mrc(tmp_path / "t.mrc", data, 2.0)
    small, voxel = small_map(tmp_path / "t.mrc", 32)
    assert small.shape == (6, 16, 30) and voxel == 6.0
    assert small[1, 2, 3] == pytest.approx(data[3:6, 6:9, 9:12].mean())


@pytest.mark.parametrize("axis, at", [("z", (7, 3)), ("y", (7, 5)), ("x", (3, 5))])
def test_sections_stand_as_the_isosurface_does(tmp_path, axis, at):
    """One bright voxel at x 7, y 3, z 5: second axis up, so that a hand can be told from a section."""
    data = np.zeros((16, 16, 16), np.float32)
    data[5, 3, 7] = 1
    write_mrc(tmp_path / "m.mrc", data, 1.0)
    position = {"z": 5, "y": 3, "x": 7}[axis] / 16 + 0.01
    shown = np.asarray(Image.open(io.BytesIO(slice_png(tmp_path / "m.mrc", axis, position, 16))))
    across, up = at
    assert np.argwhere(shown > 200).tolist() == [[15 - up, across]]


def test_bars_of_every_stage_are_numbers(tmp_path, capsys):
    log = tmp_path / "run.out"
    with log.open("w") as out:
        progress = MouseProgress(out)
        progress.start(" Expectation iteration 3 of 25", 10)
        assert log_line(log.read_text().splitlines()[-1])["bar"]["fraction"] == 0
        for done in range(1, 11):
            progress.update(done)
        out.flush()
    lines = log_tail(Project(tmp_path), "run.out")["lines"]
    assert [line.get("bar", {}).get("fraction") for line in lines if "bar" in line] == [1.0]


@given(st.text(max_size=200))
def test_any_line_of_a_log_can_be_shown(text):
    line = log_line(text.replace("\n", ""))
    assert ("text" in line) != ("bar" in line)
    json.dumps(line)


def test_only_the_end_of_a_long_log_is_read(tmp_path):
    (tmp_path / "run.out").write_text("x" * 99 + "\n" + "line\n" * 50_000)
    tail = log_tail(Project(tmp_path), "run.out", 1000)
    assert tail["cut"] and len(tail["lines"]) < 210 and tail["lines"][-1] == {"text": "line"}
    assert log_tail(Project(tmp_path), "nothing")["lines"] == []


@pytest.fixture
def table(tmp_path: Path):
    rng = np.random.default_rng(3)
    columns = {
        "rlnMicrographName": [f"m{n // 10:04d}.mrc" for n in range(1000)],
        "rlnDefocusU": rng.uniform(5000, 30000, 1000),
        "rlnClassNumber": rng.integers(1, 9, 1000),
    }
    write_star(tmp_path / "t.star", [StarTable.from_columns("particles", columns)])
    return TableCache().get(Project(tmp_path), "t.star"), columns


def test_pages_are_sorted_and_filtered(table):
    opened, columns = table
    written = opened.star["particles"].floats("rlnDefocusU")
    found = page(opened, "particles", offset=5, count=10, sort="rlnDefocusU", descending=True, filters=[])
    assert found["rows"] == np.argsort(written, kind="stable")[::-1][5:15].tolist()
    filters = ["rlnClassNumber = 3", "DefocusU > 20000", "rlnMicrographName ~ M00"]
    found = page(opened, "particles", offset=0, count=500, sort="", descending=False, filters=filters)
    wanted = np.flatnonzero((np.asarray(columns["rlnClassNumber"]) == 3) & (written > 20000))
    assert found["rows"] == wanted.tolist() and found["total"] == 1000
    assert found["cells"][0][2] == str(columns["rlnClassNumber"][wanted[0]])


def test_a_wrong_filter_says_how_it_is_written():
    labels = ("rlnDefocusU",)
    for text in ("", "rlnDefocusU", "nothing > 3", "rlnDefocusU > x"):
        with pytest.raises(BadFilter):
            parse_filter(text, labels)


def test_a_plot_is_thinned(table):
    found = plot(table[0], "particles", "", "rlnDefocusU", [], points=100)
    assert found["step"] == 10 and len(found["y"]) == 100


def test_the_server_never_loads_torch_and_stays_small():
    code = (
        "import sys; import verglas.web.app, uvicorn;"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print('torch' in sys.modules, int(status['VmHWM'].split()[0]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    has_torch, megabytes = done.stdout.split()
    assert has_torch == "False" and int(megabytes) < 300
