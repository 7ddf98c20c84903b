"""A spectrum on a polar grid: what the fit works on.

Rings by sectors of the half plane; each Cartesian pixel is dealt to its ring and sector. Values are
divided by a smooth curve through the rings' means, so that their noise is the same everywhere and only
the number of pixels behind a value weighs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verglas.ctf.spectrum import Spectrum

N_SECTORS = 60
AXIS_PIXELS = 2  # rows and columns through the origin carry detector and padding streaks


@dataclass(frozen=True)
class PolarSpectrum:
    """Whitened power on rings x sectors."""

    values: NDArray[np.float64]  # (rings, sectors), around 1
    weights: NDArray[np.float64]  # (rings, sectors): independent samples behind a value
    frequency: NDArray[np.float64]  # (rings,) 1/Å
    angle_rad: NDArray[np.float64]  # (sectors,) from +x towards +y
    mean_power: NDArray[np.float64]  # (rings,) before whitening

    def up_to(self, resolution_angst: float) -> PolarSpectrum:
        """The rings below a resolution."""
        keep = self.frequency <= 1 / resolution_angst
        return PolarSpectrum(
            self.values[keep], self.weights[keep], self.frequency[keep], self.angle_rad, self.mean_power[keep]
        )


def polar_spectrum(
    spectrum: Spectrum, resolution_min_angst: float, resolution_max_angst: float
) -> PolarSpectrum:
    """Rings of one Fourier pixel between two resolutions.

    Raises ValueError when the pixel size leaves no rings in that range.
    """
    box, pixel = spectrum.box, spectrum.pixel_size_angst
    first = max(3, int(np.ceil(box * pixel / resolution_min_angst)))
    last = min(box // 2 - 1, int(box * pixel / resolution_max_angst))
    if last - first < 16:
        raise ValueError(
            f"only {max(0, last - first)} rings between {resolution_min_angst} and "
            f"{resolution_max_angst} Å at {pixel:.3f} Å/pixel and box {box}; widen the range or the box"
        )
    ring, sector, power = _pixels(spectrum, first, last)
    shape = (last - first + 1, N_SECTORS)
    cell = ring * N_SECTORS + sector
    count = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    total = np.bincount(cell, power, minlength=shape[0] * shape[1]).reshape(shape)
    mean = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
    filled = np.where(count > 0, total / np.maximum(count, 1), mean[:, None])
    mean = np.maximum(mean, 1e-30)
    frequency = np.arange(first, last + 1) / (box * pixel)
    angle = (np.arange(N_SECTORS) + 0.5) * np.pi / N_SECTORS - np.pi / 2
    smooth = _smooth(mean)
    return PolarSpectrum(filled / smooth[:, None], count * spectrum.n_tiles, frequency, angle, mean)


def _smooth(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """A low polynomial through the logarithm of the rings' means: follows no ring."""
    x = np.linspace(-1, 1, len(mean))
    fit = np.polynomial.Chebyshev.fit(x, np.log(mean), 4)
    return np.exp(fit(x))


def _pixels(
    spectrum: Spectrum, first: int, last: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Ring, sector and power of every pixel used; outliers in a ring are capped."""
    box = spectrum.box
    x = np.arange(box // 2 + 1)[None, :]
    y = np.fft.fftfreq(box, 1 / box).astype(int)[:, None]
    radius = np.hypot(x, y)
    ring = np.rint(radius).astype(np.int64)
    use = (ring >= first) & (ring <= last) & (x > AXIS_PIXELS) & (np.abs(y) > AXIS_PIXELS)
    angle = np.arctan2(np.broadcast_to(y, radius.shape), np.broadcast_to(x, radius.shape))[use]
    sector = np.clip(((angle / np.pi + 0.5) * N_SECTORS).astype(np.int64), 0, N_SECTORS - 1)
    ring = ring[use] - first
    power = spectrum.power[use].astype(np.float64)
    mean = np.bincount(ring, power) / np.maximum(np.bincount(ring), 1)
    limit = mean * (1 + 8 / np.sqrt(max(1.0, spectrum.n_tiles)) + 1.5)
    return ring, sector, np.minimum(power, limit[ring])
