"""Lists and maps of bad pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from verglas.formats.defects import UnreadableDefects, read_defects
from verglas.formats.movies_write import write_movie_mrc
from verglas.formats.mrc import write_mrc

SHAPE = (20, 30)


def test_rectangles(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("# x y w h\n3 4 2 5\r\n\n29 0 1 20\n")
    expected = np.zeros(SHAPE, bool)
    expected[4:9, 3:5] = True
    expected[:, 29] = True
    assert np.array_equal(read_defects(path, SHAPE), expected)
    path.write_text("")
    assert not read_defects(path, SHAPE).any()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1 2 3", "expected a rectangle"),
        ("1 2 3 x", "whole numbers"),
        ("1.5 2 3 4", "whole numbers"),
        ("28 0 3 1", "leaves the frame of 30 x 20"),
        ("-1 0 1 1", "leaves the frame"),
        ("0 0 0 1", "leaves the frame"),
    ],
)
def test_lines_that_make_no_sense_are_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "d.txt").write_text("0 0 1 1\n" + line + "\n")
    with pytest.raises(UnreadableDefects, match=rf"d.txt: line 2: .*{why}.*{line}"):
        read_defects(tmp_path / "d.txt", SHAPE)


def test_maps(tmp_path: Path) -> None:
    bad = np.random.default_rng(0).random(SHAPE) < 0.1
    write_mrc(tmp_path / "d.mrc", bad, 1.0)
    tifffile.imwrite(tmp_path / "d.tif", bad[::-1].astype(np.uint8))
    assert np.array_equal(read_defects(tmp_path / "d.mrc", SHAPE), bad)
    assert np.array_equal(read_defects(tmp_path / "d.tif", SHAPE), bad)
    with pytest.raises(UnreadableDefects, match=r"shape \(20, 30\).*\(30, 20\).*turned by 90"):
        read_defects(tmp_path / "d.mrc", (30, 20))


SERIALEM = """CameraSizeX 15
CameraSizeY 10
RotationAndFlip 0
WasScaled 0
K2Type 2
UsableArea 0 0 0 0
PartialBadColumn 4 2 1 3
PartialBadRow 8 1 10 12
BadColumns 7
BadRows 9
BadPixels 0 0 14 2
"""


@pytest.mark.parametrize("times", [1, 2])
def test_serialem_text_counts_rows_from_the_top(tmp_path: Path, times: int) -> None:
    (tmp_path / "defects.txt").write_text(SERIALEM)
    top_down = np.zeros((10, 15), bool)
    top_down[1:4, 4:6] = True
    top_down[8, 10:13] = True
    top_down[:, 7] = top_down[9] = True
    top_down[0, 0] = top_down[2, 14] = True
    mask = read_defects(tmp_path / "defects.txt", (10 * times, 15 * times))
    assert np.array_equal(mask[::-1][::times, ::times], top_down)
    assert mask.sum() == top_down.sum() * times**2
    with pytest.raises(UnreadableDefects, match="camera of 15 x 10 pixels, the movie frames are"):
        read_defects(tmp_path / "defects.txt", (15, 10))


@pytest.mark.parametrize("line", ["BadPixels 1 2 3", "BadColumns 15", "BadRows x", "UsableArea 1"])
def test_serialem_lines_that_make_no_sense(tmp_path: Path, line: str) -> None:
    (tmp_path / "d.txt").write_text(SERIALEM + line + "\n")
    with pytest.raises(UnreadableDefects, match="line 12"):
        read_defects(tmp_path / "d.txt", (10, 15))


def test_outside_the_usable_area_is_bad(tmp_path: Path) -> None:
    text = "CameraSizeX 15\nCameraSizeY 10\nUsableArea 1 2 8 12\n"
    (tmp_path / "d.txt").write_text(text)
    mask = read_defects(tmp_path / "d.txt", (10, 15))
    assert np.argwhere(~mask).min(axis=0).tolist() == [1, 2]
    assert np.argwhere(~mask).max(axis=0).tolist() == [8, 12]


@pytest.mark.relion
def test_relion_repairs_the_rectangles_that_we_mask(
    tmp_path: Path, relion_sum: Callable[..., np.ndarray]
) -> None:
    generator = np.random.default_rng(7)
    mean = 5 + 20 * (gaussian_filter(generator.normal(size=(256, 320)), 3) > 0.05)  # holds it still
    frames = [generator.poisson(mean).astype(np.uint8) for _ in range(4)]
    for frame in frames:
        frame[10:13, 40:45] = 0  # dead, so that the sum itself does not give it away
    write_movie_mrc(tmp_path / "m.mrcs", frames, 1.0)
    (tmp_path / "d.txt").write_text("40 10 5 3\n")
    mask = read_defects(tmp_path / "d.txt", (256, 320))
    repaired = relion_sum("m.mrcs", "--defect_file", "d.txt")
    left = relion_sum("m.mrcs")
    changed = np.abs(repaired - left) > 5
    assert changed[mask].mean() > 0.8 and not changed[~mask].any()
