"""Normalisation, grids, cropping and shifts (refinement.md §1.2-1.5)."""

import numpy as np
import pytest
import torch

from verglas import fourier


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_white_noise_has_half_over_n_squared_per_component() -> None:
    size = 64
    power = fourier.forward(noise(200, size, size)).abs().square() / 2
    shells = fourier.used_shells(size)
    counts = fourier.shell_counts(shells, size // 2 + 1)
    spectrum = fourier.shell_sums(power, shells, size // 2 + 1).mean(0) / counts
    np.testing.assert_allclose(spectrum[10:32].mean() * 2 * size**2, 1, rtol=0.01)


@pytest.mark.parametrize("size", [16, 15])
@pytest.mark.parametrize("dims", [2, 3])
def test_round_trip_mean_and_frames(size: int, dims: int) -> None:
    image = noise(*[size] * dims)
    spectrum = fourier.forward(image, dims)
    torch.testing.assert_close(fourier.inverse(spectrum, dims=dims), image)
    torch.testing.assert_close(spectrum.flatten()[0].real, image.mean())
    if dims == 2:
        np.testing.assert_allclose(fourier.forward_frame(image.numpy()), spectrum, atol=1e-14)
        np.testing.assert_allclose(fourier.inverse_frame(spectrum.numpy(), (size, size)), image, atol=1e-12)


def test_half_plane_counts_every_pair_once() -> None:
    for dims in (2, 3):
        size = 12
        keep = fourier.half_plane(size, dims)
        grid = fourier.index_grid(size, dims)[keep]
        inside = grid[(grid.abs() < size // 2).all(-1)]
        both = {tuple(k) for k in inside.tolist()} | {tuple(-np.array(k)) for k in inside.tolist()}
        assert len(both) == 2 * len(inside) - 1 == (size - 1) ** dims


def test_nyquist_row_is_positive() -> None:
    assert fourier.row_indices(8).tolist() == [0, 1, 2, 3, 4, -3, -2, -1]
    assert fourier.row_indices(7).tolist() == [0, 1, 2, 3, -3, -2, -1]


def test_centre_signs_move_the_origin_to_the_centre() -> None:
    image = torch.zeros(16, 16)
    image[8, 8] = 1
    centred = fourier.forward(image) * fourier.centre_signs(16)
    torch.testing.assert_close(centred.real, torch.full_like(centred.real, 1 / 256))


@pytest.mark.parametrize("dims", [2, 3])
def test_crop_and_grow_keep_grey_values(dims: int) -> None:
    smooth = fourier.pad_spectrum(fourier.forward(noise(2, *[10] * dims), dims), 24, dims)
    image = fourier.inverse(smooth, dims=dims)
    small = fourier.rescale(image, 16, dims)
    torch.testing.assert_close(small.flatten(1).mean(1), image.flatten(1).mean(1))
    torch.testing.assert_close(fourier.rescale(small, 24, dims), image)
    assert fourier.crop_spectrum(smooth, 16, dims).shape == (2, *[16] * (dims - 1), 9)


def test_growing_leaves_the_corners_out() -> None:
    grown = fourier.pad_spectrum(torch.ones(8, 5, dtype=torch.complex64), 16)
    shells = fourier.squared_radius(16)
    assert float(grown.abs()[shells > 16].max()) == 0
    assert float(grown[0, 4].real) == float(grown[4, 0].real) == 1


def test_shifts_move_right_and_down() -> None:
    image = torch.zeros(1, 16, 16, dtype=torch.float64)
    image[0, 5, 6] = 1
    shift = torch.tensor([[3.0, -2.0]])
    moved = fourier.inverse(fourier.shift_in_fourier(fourier.forward(image), shift))
    assert float(moved[0, 8, 4]) == pytest.approx(1)
    torch.testing.assert_close(fourier.shift_whole_pixels(image, shift), torch.round(moved))


def test_whole_pixel_shift_does_not_wrap() -> None:
    image = torch.ones(1, 4, 4)
    moved = fourier.shift_whole_pixels(image, torch.tensor([[1, -2]]))
    assert moved[0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="crop"):
        fourier.crop_spectrum(torch.zeros(8, 5), 10)
    with pytest.raises(ValueError, match="grow"):
        fourier.pad_spectrum(torch.zeros(8, 5), 6)
    with pytest.raises(ValueError, match="half transform"):
        fourier.crop_spectrum(torch.zeros(8, 8), 4)
    with pytest.raises(ValueError, match="dimensions"):
        fourier.forward(torch.zeros(8, 8), 4)
