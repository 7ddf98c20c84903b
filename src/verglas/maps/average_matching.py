"""Which class average of a new classification shows what one of an earlier classification showed.

Two averages of one view differ by a rotation in the plane and a shift. Pairs are scored by the largest
normalised correlation over both, and assigned so that the sum of scores is largest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import rotate
from scipy.optimize import linear_sum_assignment

Array = npt.NDArray[np.float32]

LARGEST_BOX = 32  # averages are compared at this size: details differ between runs anyway
STEP_DEG = 6.0


def match_averages(
    old: npt.ArrayLike,  # (k, n, n)
    new: npt.ArrayLike,  # (m, n, n), same box and pixel size
    *,
    rivals: npt.ArrayLike | None = None,  # (r, n, n)
    least_score: float = 0.5,
) -> list[int | None]:
    """For every old average the index of its new counterpart; None where none is similar enough.

    `rivals` are other averages of the old classification: a new average that is more similar to one of
    them shows that one. Raises ValueError if the boxes differ. Empty averages (constant images) match
    nothing.
    """
    boxes = np.shape(old)[1:], np.shape(new)[1:]
    if boxes[0] != boxes[1]:
        raise ValueError(f"averages of boxes {boxes[0]} and {boxes[1]} cannot be compared")
    first, second = _prepared(old), _prepared(new)
    count = len(first)
    if rivals is not None:
        first = np.concatenate([first, _prepared(rivals)])
    scores = similarity(first, second)
    rows, columns = linear_sum_assignment(-scores)
    found: list[int | None] = [None] * count
    for row, column in zip(rows.tolist(), columns.tolist()):
        shown = row < count and scores[row, column] == scores[:, column].max()
        if shown and scores[row, column] >= least_score:
            found[row] = column
    return found


def similarity(first: Array, second: Array) -> npt.NDArray[np.float64]:  # (k, n, n), (m, n, n) -> (k, m)
    """Largest correlation over rotations and shifts; images with zero mean and unit norm."""
    best = np.full((len(first), len(second)), -1.0)
    spectra = np.fft.rfft2(second)
    for angle in np.arange(0.0, 360.0, STEP_DEG):
        turned = rotate(first, angle, axes=(1, 2), reshape=False, order=1)
        conjugates = np.conj(np.fft.rfft2(turned))
        for row, conjugate in enumerate(conjugates):
            correlation = np.fft.irfft2(spectra * conjugate, s=first.shape[1:])
            best[row] = np.maximum(best[row], correlation.max(axis=(1, 2)))
    return best


def _prepared(images: npt.ArrayLike) -> Array:
    """At most LARGEST_BOX wide, inside a soft circle, zero mean, unit norm."""
    stack = np.asarray(images, dtype=np.float32)
    if stack.ndim != 3 or stack.shape[1] != stack.shape[2]:
        raise ValueError(f"expected averages of shape (k, n, n), got {stack.shape}")
    if stack.shape[1] > LARGEST_BOX:
        stack = _reduced(stack, LARGEST_BOX)
    n = stack.shape[1]
    y, x = np.indices((n, n)) - n // 2
    radius = np.hypot(y, x)
    mask = np.clip((0.5 * n - 1 - radius) / 3, 0, 1).astype(np.float32)
    centred = (stack - (stack * mask).sum((1, 2), keepdims=True) / mask.sum()) * mask
    norm = np.sqrt((centred**2).sum((1, 2), keepdims=True))
    prepared: Array = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 1e-12)
    return prepared


def _reduced(stack: Array, size: int) -> Array:
    """Fourier cropping."""
    spectra = np.fft.fftshift(np.fft.fft2(stack), axes=(1, 2))
    low = stack.shape[1] // 2 - size // 2
    cut = spectra[:, low : low + size, low : low + size]
    reduced: Array = np.fft.ifft2(np.fft.ifftshift(cut, axes=(1, 2))).real.astype(np.float32)
    return reduced
