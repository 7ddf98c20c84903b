"""Which class averages of a new classification are those of an old one, up to rotation in the plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

N_ANGLES = 128
SAME_FROM = 0.9  # correlation from which two averages count as the same


def match_classes(
    old: NDArray[np.floating],  # (old classes, n, n)
    new: NDArray[np.floating],  # (new classes, n, n)
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every new average the old one it is most like (-1: none) and their correlation.

    The correlation is taken inside the inscribed circle, at the best of 128 rotations. An old average
    is given to one new one only, the most alike first. Empty averages match nothing.
    Returns (new classes,) indices and (new classes,) correlations.
    """
    if old.shape[1:] != new.shape[1:]:
        return np.full(len(new), -1), np.zeros(len(new))
    likeness = _rotational_correlation(_polar(new), _polar(old))  # (new, old)
    partner = np.full(len(new), -1)
    best = np.zeros(len(new))
    left = likeness.copy()
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(int(np.argmax(left)), left.shape)
        if left[row, column] <= 0:
            break
        partner[row], best[row] = column, likeness[row, column]
        left[row, :] = -1
        left[:, column] = -1
    return partner, best


def _polar(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """(k, radii, angles), weighted by the square root of the radius, zero mean, unit norm."""
    n = images.shape[-1]
    radii = np.arange(1, n // 2)
    angles = 2 * np.pi * np.arange(N_ANGLES) / N_ANGLES
    y = n // 2 + radii[:, None] * np.sin(angles)
    x = n // 2 + radii[:, None] * np.cos(angles)
    sampled = np.stack([map_coordinates(image, [y, x], order=1) for image in images.astype(float)])
    weight = np.sqrt(radii)[None, :, None]
    mean = (sampled * weight**2).sum(axis=(1, 2), keepdims=True) / (weight**2).sum() / N_ANGLES
    centred = (sampled - mean) * weight
    norm = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    result: NDArray[np.float64] = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    return result


def _rotational_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(len(a), len(b)): the largest correlation over all rotations."""
    spectra_a, spectra_b = np.fft.rfft(a, axis=2), np.fft.rfft(b, axis=2)
    cross = np.einsum("irm,jrm->ijm", spectra_a, spectra_b.conj())
    correlation: NDArray[np.float64] = np.fft.irfft(cross, N_ANGLES, axis=2).max(axis=2)
    return correlation
