"""Likelihoods and sums of lists of poses, straight from the volumes: slices are never stored.

Every particle carries a list of orientations and a list of translations. A slice value is interpolated where
it is used and forgotten; what is back-projected goes into the lattice at once (refinement.md §11.2, §11.7,
§11.8). One interface, a kernel per kind of device: Triton on CUDA in single precision, plain operations
otherwise, which are the yardstick of the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.compute.gemm import Precision
from verglas.fourier.lattice import Lattice
from verglas.fourier.volume import Volume

PLANES = 64  # of a lattice that are moved to other memory at once


@dataclass(frozen=True, eq=False)
class SlicePixels:
    """P pixels of an image, the origin first."""

    indices_yx: Tensor  # (P, 2) frequencies
    seen: Tensor  # (P,) bool: where slices are not 0 by decision (circle, low-resolution limit)


@dataclass(frozen=True, eq=False)
class PoseLists:
    """Orientations of m of the b particles of a batch, the first `counts` of O each."""

    rows: Tensor  # (m,) int64: which particles
    klass: Tensor  # (m, O) int32: which reference
    steps: Tensor  # (m, O, 2, 3): lattice steps (x, y, z) of an image pixel along x and along y
    counts: Tensor  # (m,) int32


@dataclass(frozen=True, eq=False)
class ShiftLists:
    """Translations of m particles, the first `counts` of T each; without lists everyone has all."""

    phases: Tensor  # (T_all, 2, P-1): cos and sin of exp(-2πi k·t/N), the origin left out
    shifts: Tensor | None = None  # (m, T) int32
    counts: Tensor | None = None  # (m,) int32

    @property
    def longest(self) -> int:
        """T, the length of a row of scores."""
        return int((self.phases if self.shifts is None else self.shifts.mT).shape[0])


@dataclass(frozen=True, eq=False)
class AcceptedPoses:
    """E accepted (particle, orientation) pairs with their weighted translations.

    Particles are visited in the order of `rows`; the j-th has entries `first_entry[j]` to before
    `last_entry[j]`, entry e translations `first_shift[e]` to before `first_shift[e + 1]`.
    """

    rows: Tensor  # (m,) int64: which particles of the batch
    first_entry: Tensor  # (m,) int64
    last_entry: Tensor  # (m,) int64
    klass: Tensor  # (E,) int32: which reference
    target: Tensor  # (E,) int32: which accumulator
    steps: Tensor  # (E, 2, 3)
    first_shift: Tensor  # (E + 1,) int64
    shifts: Tensor  # (N,) int32
    weights: Tensor  # (N,)


@dataclass(frozen=True, eq=False)
class ListImages:
    """b particles at P pixels: Y, V and their like for the back-projection (see `Weighted`)."""

    score: Tensor  # (b, P) complex
    score_power: Tensor  # (b, P)
    back: Tensor  # (b, P) complex
    back_power: Tensor  # (b, P)
    noise_power: Tensor  # (b, P)
    image_power: Tensor  # (b, P)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the accepted poses of b particles predict; 0 for particles that were not visited."""

    cross: Tensor  # (b, P): Σ Γ Re(conj(Y_t) P)
    power: Tensor  # (b, P): Σ Γ |P|²
    scale_sums: Tensor  # (b, 2): Σ fσ² cross and Σ fσ² V power over marked pixels


@dataclass(frozen=True, eq=False)
class LatticeSums:
    """Back-projections on their way to the lattices: four numbers a point, so that one addition takes all.

    `buffer` (A, copies, side, side, width, 4): real part, imaginary part, weight, nothing; the width is
    even and the second copy, if there is one, has everything one place further in x. Sums may go into
    either.
    """

    lattice: Lattice
    buffer: Tensor

    @classmethod
    def empty(
        cls, lattice: Lattice, n: int, dtype: torch.dtype, device: torch.device, copies: int = 1
    ) -> LatticeSums:
        """Sums of n accumulators, nothing in them."""
        side, width = lattice.side, 2 * (lattice.half // 2 + 1) + 2 * (copies - 1)
        shape = (n, copies, side, side, width, 4)
        return cls(lattice, torch.zeros(shape, dtype=dtype, device=device))

    @property
    def strides(self) -> tuple[int, int, int, int]:
        """Numbers of an accumulator, then points of a copy, a plane and a row."""
        whole, copy, plane, row = self.buffer.stride()[:4]
        return whole, copy // 4, plane // 4, row // 4

    def flush(self, data: Tensor, weight: Tensor) -> None:
        """Move what was collected into data (A, L...) complex and weight (A, L...), of higher precision."""
        parts, last = torch.view_as_real(data), self.lattice.half + 1
        for copy in range(self.buffer.shape[1]):
            for start in range(0, self.lattice.side, PLANES):
                rows = slice(start, start + PLANES)
                found = self.buffer[:, copy, rows, :, copy : copy + last].to(weight.device)
                for number in (0, 1):
                    parts[:, rows, ..., number] += found[..., number]
                weight[:, rows] += found[..., 2]
        self.buffer.zero_()


def score_lists(
    volume: Volume,
    pixels: SlicePixels,
    poses: PoseLists,
    shifts: ShiftLists,
    score: Tensor,
    score_power: Tensor,
    precision: Precision = "tensor",
) -> Tensor:
    """Re Σ conj(Y_t) P - ½ Σ V |P|² of all pairs of the lists, (m, T, O); -inf beyond the counts.

    `score` (b, P) is Y, `score_power` (b, P) V. The origin takes no part.
    """
    if _on_gpu(score):
        from verglas.em.volumes import launch as volume_triton

        return volume_triton.score_lists(volume, pixels, poses, shifts, score, score_power, precision)
    from verglas.em.volumes import plain as volume_torch

    return volume_torch.score_lists(volume, pixels, poses, shifts, score, score_power)


def accumulate_lists(
    volume: Volume,
    pixels: SlicePixels,
    accepted: AcceptedPoses,
    phases: Tensor,
    images: ListImages,
    marks: Tensor,
    sums: LatticeSums,
    *,
    gradient: bool = False,
) -> Agreement:
    """Add Σ Γ Y°_t and Σ Γ V° to the accumulators; what the accepted poses predict.

    `phases` as of ShiftLists; `marks` (K, P) bool: pixels of the scale correction, by class, or (K, 0).
    With `gradient` residuals Y°_t - V° P are added instead of images (refinement.md §2.9).
    """
    if _on_gpu(images.score):
        from verglas.em.volumes import launch as volume_triton

        return volume_triton.accumulate_lists(
            volume, pixels, accepted, phases, images, marks, sums, gradient=gradient
        )
    from verglas.em.volumes import plain as volume_torch

    return volume_torch.accumulate_lists(
        volume, pixels, accepted, phases, images, marks, sums, gradient=gradient
    )


def _on_gpu(images: Tensor) -> bool:
    return images.device.type == "cuda" and images.dtype == torch.complex64
