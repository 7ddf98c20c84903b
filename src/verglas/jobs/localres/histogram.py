"""The histogram of local resolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from verglas.jobs.summary.figures import save_figure

BINS = 60


def write_histogram(resolution_angst: npt.NDArray[np.float32], path: Path) -> None:
    """How many voxels have which resolution (Å); PDF at `path`, PNG beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5))
    axes = figure.subplots()
    low, high = float(resolution_angst.min()), float(resolution_angst.max())
    axes.hist(resolution_angst, bins=BINS, range=(low - 0.05, high + 0.05), color="tab:blue")
    middle = float(np.median(resolution_angst))
    axes.axvline(middle, color="black", linewidth=1)
    axes.set_title(f"Local resolution: median {middle:.2f} Å", fontsize=10)
    axes.set_xlabel("resolution (Å)")
    axes.set_ylabel("voxels within the mask")
    for kind in (".pdf", ".png"):
        save_figure(figure, path.with_suffix(kind))
