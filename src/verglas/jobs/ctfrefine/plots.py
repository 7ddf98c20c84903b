"""`logfile.pdf` and one PNG for each optics group: phases observed and fitted, changes of defocus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.jobs.ctfrefine.optics_fits import GroupFit, Picture
from verglas.jobs.summary.figures import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
MOST_ROWS = 8  # of pictures in the log; every group has a PNG of its own


def write_plots(
    directory: Path, notes: list[str], fits: dict[int, GroupFit], defocus_change_angst: Floats | None
) -> None:
    """All plots of a job; `defocus_change_angst` (n,) of its particles, if they were refined."""
    from matplotlib.figure import Figure

    for number, fit in fits.items():
        if fit.pictures:
            figure = Figure(figsize=(7.5, 3.6 * len(fit.pictures)))
            _draw_pictures(figure, fit.pictures, 0.02)
            save_figure(figure, directory / f"aberrations_optics-group_{number + 1}.png")
    shown = [picture for fit in fits.values() for picture in fit.pictures][:MOST_ROWS]
    page = Figure(figsize=(8.3, 11.7))
    page.text(0.08, 0.96, "\n".join(_wrapped(notes)), va="top", fontsize=8)
    if defocus_change_angst is not None and len(defocus_change_angst):
        axes = page.add_axes((0.12, 0.68, 0.8, 0.13))
        axes.hist(defocus_change_angst, bins=60, color="tab:blue")
        axes.set_xlabel("change of defocus (Å)", fontsize=8)
        axes.set_ylabel("particles", fontsize=8)
    _draw_pictures(page, shown, 0.38)
    save_figure(page, directory / "logfile.pdf")


def _draw_pictures(figure: Figure, pictures: list[Picture], top: float) -> None:
    """A row for each: observed, fitted."""
    if not pictures:
        return
    grid = figure.add_gridspec(
        len(pictures), 2, left=0.08, right=0.9, top=0.98 - top, bottom=0.05, hspace=0.35, wspace=0.1
    )
    for row, picture in enumerate(pictures):
        low, high = np.percentile(picture.fitted, [0.5, 99.5])
        reach = max(abs(low), abs(high), 1e-3) * 1.5
        pair = [figure.add_subplot(grid[row, column]) for column in range(2)]
        for axes, values, word in zip(pair, (picture.observed, picture.fitted), ("observed", "fitted")):
            shown = _draw(axes, picture, values, reach)
            axes.set_title(f"{picture.title}, {word}", fontsize=8)
        figure.colorbar(shown, ax=pair, shrink=0.8, label=picture.unit)


def _draw(axes: Axes, picture: Picture, values: Any, reach: float) -> Any:
    image = plane(picture.indices_yx, values, odd=picture.odd)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(image, cmap="RdBu", vmin=-reach, vmax=reach, origin="lower", interpolation="nearest")


def plane(indices_yx: Any, values: Any, *, odd: bool) -> Floats:
    """Values of the half plane as an image (2R+1, 2R+1) about frequency 0; NaN where there is none."""
    reach = int(np.abs(indices_yx).max())
    image = np.full((2 * reach + 1, 2 * reach + 1), np.nan)
    y, x = indices_yx.T
    image[reach - y, reach - x] = -values if odd else values
    image[reach + y, reach + x] = values
    return image


def _wrapped(notes: list[str], width: int = 110) -> list[str]:
    import textwrap

    return [line for note in notes for line in textwrap.wrap(note, width, subsequent_indent="  ")]
