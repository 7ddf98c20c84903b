"""Grey scaling, contact sheets, bars and circles."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from verglas.formats.png import png_bytes
from verglas.maps.pictures import (
    binned,
    contact_sheet,
    scale_bar_angst,
    to_grey,
    with_circles,
    with_scale_bar,
)


def test_one_hot_pixel_does_not_darken_the_rest() -> None:
    image = np.random.default_rng(0).normal(size=(200, 200))
    clean = to_grey(image)
    image[3, 3] = 1e6
    assert np.abs(to_grey(image).astype(int) - clean)[10:].max() <= 3
    assert to_grey(np.full((4, 4), np.nan)).max() == 0


def test_binning_is_the_mean() -> None:
    image = np.arange(30.0).reshape(5, 6)
    assert np.allclose(binned(image, 2)[0, 0], image[:2, :2].mean())
    assert binned(image, 2).shape == (2, 3)


def test_a_sheet_holds_every_image_on_its_own_scale() -> None:
    images = np.stack([np.eye(8) * k for k in (1.0, 100.0, 0.0)])
    sheet = contact_sheet(images, columns=2, gap=1)
    assert sheet.shape == (17, 17)
    assert np.array_equal(sheet[:8, :8], sheet[:8, 9:])
    assert sheet[9:, :8].max() == 0


@pytest.mark.parametrize(("width", "bar"), [(256, 50), (1000, 200), (4000, 1000), (90, 20)])
def test_scale_bars_are_round(width: float, bar: float) -> None:
    assert scale_bar_angst(width) == bar


def test_bars_circles_and_png() -> None:
    image = np.full((64, 64), 100, np.uint8)
    marked = with_scale_bar(image, 2.0)
    assert (marked == 255).any()
    circles = with_circles(image, np.array([[32.0, 32.0], [0.0, 0.0]]), 10)
    assert tuple(circles[32, 42]) == (60, 220, 120)
    assert np.asarray(Image.open(io.BytesIO(png_bytes(circles)))).shape == (64, 64, 3)
