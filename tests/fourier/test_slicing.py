"""Projector and back-projector: against analytic transforms, adjointness, and one kernel against another."""

import math

import numpy as np
import pytest
import torch

from verglas.fourier import centre_signs, forward, inverse, kernels_torch, slicing
from verglas.fourier.backprojector import BackProjector
from verglas.fourier.gridding import real_radius
from verglas.fourier.lattice import Lattice, from_lattice, to_lattice
from verglas.fourier.pixels import disc, half_disc
from verglas.fourier.projector import Projector
from verglas.geometry import euler_matrices


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_matrices(n: int) -> torch.Tensor:
    return euler_matrices(torch.rand(n, 3, generator=generator(), dtype=torch.float64) * 360)


def in_plane(n: int) -> torch.Tensor:
    angles = torch.zeros(n, 3, dtype=torch.float64)
    angles[:, 2] = torch.rand(n, generator=generator(), dtype=torch.float64) * 360
    return euler_matrices(angles)


def gaussian(size: int, dims: int, sigma: float) -> torch.Tensor:
    return torch.exp(-real_radius(size, dims).square() / (2 * sigma**2))


@pytest.mark.parametrize("padding", [1, 2])
@pytest.mark.parametrize(("dims", "size"), [(2, 256), (3, 72)])
def test_projection_of_a_gaussian_is_its_analytic_transform(padding: float, dims: int, size: int) -> None:
    sigma = 1.2
    projector = Projector.of(gaussian(size, dims, sigma), padding=padding, dims=dims)
    slices = projector.slices(random_matrices(7) if dims == 3 else in_plane(7), 2 * size // 3)
    pixels = disc(2 * size // 3)
    k2 = pixels.indices_yx.square().sum(-1).double() / size**2
    total = (2 * math.pi * sigma**2) ** (dims / 2) / size**2
    expected = pixels.scatter(total * torch.exp(-2 * math.pi**2 * sigma**2 * k2))
    error = float((slices - expected).abs().max()) / total
    # Linear interpolation errs by (π r / (N·padding))²/3 at most, with <r²> = d σ².
    assert error < 1.1 * dims / 3 * (math.pi * sigma / (size * padding)) ** 2
    if dims == 2:
        assert error < (1e-4 if padding == 2 else 2e-3)


@pytest.mark.parametrize("padding", [1, 2])
def test_unrotated_slice_is_the_transform_of_the_projection(padding: float) -> None:
    size = 32
    volume = torch.randn(size, size, size, dtype=torch.float64, generator=generator())
    projector = Projector.of(volume, padding=padding, correct_gridding=False)
    slice_ = projector.slices(torch.eye(3, dtype=torch.float64)[None])[0]
    pixels = disc(size)
    expected = forward(volume.sum(0)) * centre_signs(size, dtype=torch.float64)
    inner = pixels.indices_yx[:, 0] < size // 2  # the Nyquist row of a real image is its own mate
    torch.testing.assert_close(pixels.gather(slice_)[inner], pixels.gather(expected)[inner])


def test_rotated_point_lands_where_the_matrix_says() -> None:
    size = 48
    volume = torch.roll(gaussian(size, 3, 1.5), (3, 5, -7), (0, 1, 2))
    matrices = random_matrices(12)
    images = inverse(Projector.of(volume).slices(matrices) * centre_signs(size, dtype=torch.float64))
    expected = (matrices @ torch.tensor([-7.0, 5.0, 3.0], dtype=torch.float64))[:, :2]
    weights = images.clamp_min(0) ** 2
    axis = torch.arange(size, dtype=torch.float64) - size // 2
    x = (weights.sum(1) * axis).sum(1) / weights.sum((1, 2))
    y = (weights.sum(2) * axis).sum(1) / weights.sum((1, 2))
    np.testing.assert_allclose(torch.stack([x, y], 1), expected, atol=0.05)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padding", [1, 2])
def test_insertion_is_the_adjoint_of_reading(dims: int, dtype: torch.dtype, padding: float) -> None:
    size, n, k = 24, 9, 3
    lattice = Lattice(dims, size // 2, padding)
    values = torch.randn(k, *lattice.shape, dtype=dtype.to_complex(), generator=generator())
    matrices = random_matrices(n) if dims == 3 else in_plane(n)
    matrices[0, 0] *= 1.03  # not orthogonal, as with anisotropic magnification
    classes = torch.arange(n) % k
    pixels = half_disc(size)
    read = slicing.read_slices(values, lattice, matrices, pixels.indices_yx, classes)
    probe = torch.randn(read.shape, dtype=read.dtype, generator=generator(2))
    sums = BackProjector.empty(size, padding=padding, dims=dims, classes=k, dtype=torch.float64)
    ones = torch.ones(read.shape, dtype=dtype)
    sums.insert_at(probe, ones, matrices, pixels.indices_yx, classes)
    left = (read.to(torch.complex128) * probe.conj()).real.sum()
    right = (values.to(torch.complex128) * sums.data.conj()).real.sum()
    assert float(left) == pytest.approx(float(right), rel=1e-6 if dtype == torch.float32 else 1e-12)
    inside = read != 0
    assert float(sums.weight.sum()) == pytest.approx(float(inside.sum()), rel=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_kernels_equal_plain_torch(dims: int, threads: int) -> None:
    size, n, k = 30, 6, 2
    lattice = Lattice(dims, 13, 1.6)
    values = torch.randn(k, *lattice.shape, dtype=torch.complex128, generator=generator())
    matrices = random_matrices(n) if dims == 3 else in_plane(n)
    classes, indices = torch.tensor([0, 1, 1, 0, 1, 0]), disc(size).indices_yx
    steps = slicing.slice_steps(matrices, lattice, torch.float64, torch.device("cpu"))
    common = (lattice, classes, steps, indices)
    expected = torch.empty(n, len(indices), dtype=values.dtype)
    kernels_torch.read_slices(values, *common, expected)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.testing.assert_close(slicing.read_slices(values, lattice, matrices, indices, classes), expected)
        weights = torch.rand(expected.shape, generator=generator(), dtype=torch.float64) - 0.2
        plain = BackProjector(size, lattice, torch.zeros_like(values), torch.zeros_like(values.real))
        fast = BackProjector(size, lattice, torch.zeros_like(values), torch.zeros_like(values.real))
        kernels_torch.add_slices(plain.data, plain.weight, *common, expected, weights)
        fast.insert_at(expected, weights, matrices, indices, classes)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(fast.data, plain.data)
    torch.testing.assert_close(fast.weight, plain.weight)


@pytest.mark.parametrize(("dims", "side", "r_max"), [(3, 20, 10), (2, 20, 10), (3, 20, 6), (2, 15, 7)])
def test_lattice_round_trip(dims: int, side: int, r_max: int) -> None:
    lattice = Lattice(dims, r_max, 1.0)
    spectrum = forward(torch.randn([side] * dims, dtype=torch.float64, generator=generator()), dims)
    values = to_lattice(spectrum[None], lattice) * lattice.inside()
    again = from_lattice(values, lattice, side)[0]
    torch.testing.assert_close(to_lattice(again[None], lattice) * lattice.inside(), values)


def test_hermitian_sums_pairs() -> None:
    sums = BackProjector.empty(12, padding=1)
    sums.data.copy_(torch.randn(sums.data.shape, dtype=torch.complex64, generator=generator()))
    before = sums.data.clone()
    sums.make_hermitian()
    plane, known = sums.data[0, ..., 0].clone(), before[0, ..., 0]
    middle = (plane.shape[0] // 2, plane.shape[1] // 2)
    assert plane[middle] == known[middle]  # the origin is its own mate
    plane[middle] = (known + known.flip(0, 1).conj())[middle]
    torch.testing.assert_close(plane, plane.flip(0, 1).conj())
    torch.testing.assert_close(plane, known + known.flip(0, 1).conj())
    assert torch.equal(sums.data[..., 1:], before[..., 1:])


def test_power_is_the_shell_average_of_half_the_square() -> None:
    size = 16
    projector = Projector.of(torch.randn(2, size, size, generator=generator()), 12, padding=1, dims=2)
    expected = 0.5 * projector.values[1].abs().double().square()
    shells = projector.lattice.shells()
    pick = (shells == 4) & projector.lattice.inside()
    assert float(projector.power[1, 4]) == pytest.approx(float(expected[pick].mean()), rel=1e-6)
    assert float(projector.power[1, 7:].sum()) == 0


def test_wrong_shapes_say_what_was_expected() -> None:
    projector = Projector.of(torch.zeros(8, 8, 8))
    with pytest.raises(ValueError, match="classes must lie"):
        projector.slices(torch.eye(3)[None], classes=torch.tensor([1]))
    with pytest.raises(ValueError, match=r"\(n, 3, 3\)"):
        projector.slices(torch.eye(3))
    with pytest.raises(ValueError, match="equal sides"):
        Projector.of(torch.zeros(8, 8, 6))
    with pytest.raises(ValueError, match="matrices"):
        BackProjector.empty(8).insert(torch.zeros(2, 8, 5), torch.zeros(2, 8, 5), torch.eye(3)[None])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cuda_equals_cpu(dims: int, dtype: torch.dtype) -> None:
    size, n = 40, 30
    projector = Projector.of(torch.randn(3, *[size] * dims, generator=generator()), dims=dims)
    matrices, classes = random_matrices(n) if dims == 3 else in_plane(n), torch.arange(n) % 3
    here = projector.slices(matrices, classes=classes)
    on_gpu = Projector(projector.lattice, projector.values.cuda(), projector.power)
    there = on_gpu.slices(matrices.cuda(), classes=classes.cuda())
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=float(here.abs().max()) * 1e-5)
    weights = torch.rand(here.shape, generator=generator())
    sums = [
        BackProjector.empty(size, dims=dims, classes=3, dtype=dtype, device=device)
        for device in ("cpu", "cuda")
    ]
    for s in sums:
        s.insert(here.to(s.data.device), weights.to(s.data.device), matrices, classes)
    scale = float(sums[0].data.abs().max())
    torch.testing.assert_close(sums[1].data.cpu(), sums[0].data, rtol=1e-4, atol=scale * 1e-5)
    torch.testing.assert_close(sums[1].weight.cpu(), sums[0].weight, rtol=1e-4, atol=1e-4)


def test_no_slices_are_read_and_added_like_any_number() -> None:
    """A mini-batch may have nothing to add to one of its halves."""
    volume = torch.randn(8, 8, 8)
    projector = Projector.of(volume, padding=1)
    assert projector.slices(random_matrices(0), 8).shape == (0, 8, 5)
    lattice = Lattice(3, 3, 1)
    data, weight = (torch.zeros(1, *lattice.shape, dtype=kind) for kind in (torch.complex64, torch.float32))
    slices, weights = torch.zeros(0, 2, dtype=torch.complex64), torch.zeros(0, 2)
    pixels = torch.tensor([[0, 1], [1, 1]])
    slicing.add_slices(data, weight, lattice, slices, weights, random_matrices(0), pixels)
    assert not data.any() and not weight.any()
