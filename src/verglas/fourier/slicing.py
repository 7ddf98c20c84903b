"""Reading slices from lattices and adding slices to them: one interface, a kernel per kind of device.

Image frequency (x, y) of a slice with matrix A lies at padding · A⁻¹ (x, y, 0) (refinement.md §1.13).
Points with negative x are read at their mate and conjugated. Reading and adding use the same weights, so
each is the exact adjoint of the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from verglas.fourier import kernels_cpu
from verglas.fourier.lattice import Lattice
from verglas.fourier.threads import run_ranges


def slice_steps(matrices: Tensor, lattice: Lattice, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Steps in the lattice (x, y, z) of one image pixel along x and y: padding · columns of A⁻¹; (n, 2, 3).

    `matrices` (n, 3, 3) need not be orthogonal. In 2D only their upper left 2 x 2 block counts, z is 0.
    """
    a = matrices.double()
    if a.ndim != 3 or a.shape[1:] != (3, 3):
        raise ValueError(f"slice matrices must have shape (n, 3, 3), got {tuple(a.shape)}")
    if lattice.dims == 2:
        determinant = a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0]
        zero = torch.zeros_like(determinant)
        along_x = torch.stack([a[:, 1, 1], -a[:, 1, 0], zero], dim=-1)
        along_y = torch.stack([-a[:, 0, 1], a[:, 0, 0], zero], dim=-1)
    else:
        along_x = torch.linalg.cross(a[:, 1], a[:, 2])
        along_y = torch.linalg.cross(a[:, 2], a[:, 0])
        determinant = (a[:, 0] * along_x).sum(-1)
    steps = torch.stack([along_x, along_y], dim=1) * (lattice.padding / determinant[:, None, None])
    return steps.to(dtype=dtype, device=device).contiguous()


def read_slices(
    values: Tensor, lattice: Lattice, matrices: Tensor, indices_yx: Tensor, classes: Tensor | None = None
) -> Tensor:
    """Slices (n, P) at pixels (P, 2) of lattices (K, *shape); `classes` (n,) picks which (default 0)."""
    _check(values, lattice)
    n, device = len(matrices), values.device
    real = values.real.dtype
    steps = slice_steps(matrices, lattice, real, device)
    which = _classes(classes, n, len(values), device)
    out = torch.empty((n, len(indices_yx)), dtype=values.dtype, device=device)
    if device.type == "cuda" and real == torch.float32:
        from verglas.fourier import kernels_triton

        kernels_triton.read_slices(values, lattice, which, steps, indices_yx, out)
    elif device.type == "cpu":
        _read_cpu(values, lattice, which, steps, indices_yx, out)
    else:
        from verglas.fourier import kernels_torch

        kernels_torch.read_slices(values, lattice, which, steps, indices_yx, out)
    return out


def add_slices(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    slices: Tensor,
    weights: Tensor,
    matrices: Tensor,
    indices_yx: Tensor,
    classes: Tensor | None = None,
) -> None:
    """Add slices (n, P), already weighted, and their weights (n, P) in place to data and weight (K, *shape).

    Pixels with weight <= 0 are skipped. Data may be of higher precision than the slices.
    """
    _check(data, lattice)
    n, device = len(matrices), data.device
    if slices.shape != (n, len(indices_yx)) or weights.shape != slices.shape:
        raise ValueError(
            f"{n} matrices and {len(indices_yx)} pixels, but slices {tuple(slices.shape)} "
            f"and weights {tuple(weights.shape)}"
        )
    steps = slice_steps(matrices, lattice, slices.real.dtype, device)
    which = _classes(classes, n, len(data), device)
    slices, weights = slices.to(device), weights.to(device)
    if device.type == "cuda" and slices.dtype == torch.complex64:
        from verglas.fourier import kernels_triton

        kernels_triton.add_slices(data, weight, lattice, which, steps, indices_yx, slices, weights)
    elif device.type == "cpu":
        _add_cpu(data, weight, lattice, which, steps, indices_yx, slices, weights)
    else:
        from verglas.fourier import kernels_torch

        kernels_torch.add_slices(data, weight, lattice, which, steps, indices_yx, slices, weights)


def add_points(
    data: Tensor, weight: Tensor, lattice: Lattice, points_xyz: Tensor, values: Tensor, weights: Tensor
) -> None:
    """Add values (n, P), already weighted, and weights (n, P) at lattice points (n, P, 3) to (1, *shape), in place.

    For what does not lie in a plane, such as the Ewald sphere. Points beyond padding · r_max and weights <= 0 are
    skipped; each point counts for itself and for its Friedel mate.
    """
    _check(data, lattice)
    from verglas.fourier.kernels_torch import corners

    inside = (points_xyz.square().sum(-1) <= lattice.squared_limit) & (weights > 0)
    mirrored = points_xyz[..., :1] < 0
    points = torch.where(inside[..., None], torch.where(mirrored, -points_xyz, points_xyz), 0.0)
    part = torch.where(mirrored[..., 0], values.conj(), values) * inside
    amount = weights * inside
    flat, flat_weight = data.view(-1), weight.view(-1)
    zeros = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for position, share in corners(lattice, points, zeros):
        flat.index_add_(0, position.flatten(), (part * share).flatten().to(data.dtype))
        flat_weight.index_add_(0, position.flatten(), (amount * share).flatten().to(weight.dtype))


def _read_cpu(
    values: Tensor, lattice: Lattice, which: Tensor, steps: Tensor, indices_yx: Tensor, out: Tensor
) -> None:
    flat = torch.view_as_real(values.contiguous()).reshape(-1).numpy()
    geometry = _geometry(lattice, flat.dtype.type)
    ys, xs = _coordinates(indices_yx, steps)
    target = torch.view_as_real(out).flatten(1).numpy()
    classes, basis = which.numpy(), steps.numpy()

    def kernel(first: int, last: int) -> None:
        kernels_cpu.read_slices(flat, *geometry, classes, basis, ys, xs, target, first, last)

    run_ranges(kernel, len(out), least=max(1, 20_000 // max(1, len(indices_yx))))


def _add_cpu(
    data: Tensor,
    weight: Tensor,
    lattice: Lattice,
    which: Tensor,
    steps: Tensor,
    indices_yx: Tensor,
    slices: Tensor,
    weights: Tensor,
) -> None:
    flat = torch.view_as_real(data).view(-1).numpy()
    flat_weight = weight.view(-1).numpy()
    geometry = _geometry(lattice, steps.numpy().dtype.type)
    ys, xs = _coordinates(indices_yx, steps)
    source = torch.view_as_real(slices.resolve_conj().contiguous()).flatten(1).numpy()
    amounts, classes, basis = weights.contiguous().numpy(), which.numpy(), steps.numpy()
    axis = 0 if lattice.dims == 3 else 1

    def kernel(low: int, high: int) -> None:
        band = (low, high, axis)
        kernels_cpu.add_slices(flat, flat_weight, *geometry, classes, basis, ys, xs, source, amounts, band)

    run_ranges(kernel, lattice.side, least=8)


def _geometry(lattice: Lattice, number: type) -> tuple[tuple[int, int, int], float, float, float]:
    """(strides, centre, centre along z, limit) of a lattice for the kernels, in their precision."""
    width = lattice.half + 1
    strides = (lattice.points, lattice.side * width if lattice.dims == 3 else 0, width)
    centre_z = lattice.half if lattice.dims == 3 else 0
    return strides, number(lattice.half), number(centre_z), number(lattice.squared_limit)


def _coordinates(indices_yx: Tensor, steps: Tensor) -> tuple[object, object]:
    ys, xs = indices_yx.to(device="cpu", dtype=steps.dtype).unbind(-1)
    return ys.contiguous().numpy(), xs.contiguous().numpy()


def _classes(classes: Tensor | None, n: int, n_lattices: int, device: torch.device) -> Tensor:
    if classes is None:
        return torch.zeros(n, dtype=torch.int64, device=device)
    if classes.shape != (n,):
        raise ValueError(f"one class per slice: {n} slices but classes of shape {tuple(classes.shape)}")
    if n and not 0 <= int(classes.min()) <= int(classes.max()) < n_lattices:
        raise ValueError(f"classes must lie in 0..{n_lattices - 1}")
    return classes.to(device=device, dtype=torch.int64)


def _check(values: Tensor, lattice: Lattice) -> None:
    if tuple(values.shape[1:]) != lattice.shape:
        raise ValueError(f"expected lattices (K, {lattice.shape}), got {tuple(values.shape)}")
