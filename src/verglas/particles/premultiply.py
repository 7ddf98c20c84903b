"""Windows multiplied by the CTF, or with phases flipped, before the particle is cut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from verglas.fourier import forward, frequency_grid, inverse
from verglas.optics import CtfParameters, ctf
from verglas.particles import kernels
from verglas.particles.background import Array

if TYPE_CHECKING:
    from verglas.particles.extraction import ExtractionSettings

_BATCH = 32


def windows_times_ctf(
    micrograph: Array,  # (y, x) float32
    x0: Array,  # (n,) first column of each final window
    y0: Array,
    settings: ExtractionSettings,
    pixel_size_angst: float,
    parameters: CtfParameters,  # one row
) -> Array:  # (n, box, box) float32
    """Particles cut from windows of `ctf_box_px` after the CTF was applied there.

    What is delocalised beyond the box returns into it. Outside the micrograph the window holds its mean;
    after the CTF those pixels repeat the nearest one inside, so edges carry filtered values (§10.5).
    """
    box, large = settings.box_px, max(settings.box_px, settings.ctf_box_px or settings.box_px)
    margin = large // 2 - box // 2
    frequencies = frequency_grid(large, pixel_size_angst)
    factor = ctf(parameters, frequencies, intact_first_peak=settings.ctf_intact_first_peak)[0].to(
        torch.float32
    )
    if settings.ctf == "flip":
        factor = torch.where(factor < 0, -1.0, 1.0)
    mean = float(micrograph.mean(dtype=np.float64))
    images = np.empty((len(x0), box, box), np.float32)
    rows, columns = micrograph.shape
    for start in range(0, len(x0), _BATCH):
        part = slice(start, start + _BATCH)
        windows = _filled_windows(micrograph, x0[part] - margin, y0[part] - margin, large, mean)
        filtered = inverse(forward(torch.from_numpy(windows)) * factor, large).numpy()
        images[part] = filtered[:, margin : margin + box, margin : margin + box]
    for image, x, y in zip(images, x0, y0):
        kernels.replicate_outside(image, x, y, rows, columns)
    return images


def _filled_windows(micrograph: Array, x0: Array, y0: Array, size: int, fill: float) -> Array:
    windows = np.full((len(x0), size, size), fill, np.float32)
    rows, columns = micrograph.shape
    for window, x, y in zip(windows, x0, y0):
        top, left = max(0, -y), max(0, -x)
        bottom, right = min(size, rows - y), min(size, columns - x)
        if bottom > top and right > left:
            window[top:bottom, left:right] = micrograph[y + top : y + bottom, x + left : x + right]
    return windows
