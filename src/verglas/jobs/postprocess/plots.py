"""The FSC and Guinier plots of post-processing, as PNG, EPS and `logfile.pdf`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.jobs.postprocess.tables import Result
from verglas.jobs.summary.figures import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_AMPLITUDE = -98.0


def write_plots(result: Result, root: str, notes: list[str]) -> None:
    """`<root>_fsc.png/.eps`, `<root>_guinier.png/.eps`, and `logfile.pdf` beside them."""
    from matplotlib.figure import Figure

    for name, draw in (("fsc", _draw_fsc), ("guinier", _draw_guinier)):
        figure = Figure(figsize=(7.5, 5))
        draw(figure.subplots(), result)
        for kind in ("png", "eps"):
            save_figure(figure, Path(f"{root}_{name}.{kind}"))
    page = Figure(figsize=(8.3, 11.7))
    top, bottom = page.subplots(2)
    page.subplots_adjust(0.1, 0.18, 0.96, 0.95, 0.2, 0.25)
    _draw_fsc(top, result)
    _draw_guinier(bottom, result)
    page.text(0.1, 0.13, "\n".join(_wrapped(notes)), va="top", fontsize=8)
    save_figure(page, Path(root).parent / "logfile.pdf")


def _draw_fsc(axes: Axes, result: Result) -> None:
    curves, extent = result.curves, result.grid.extent_angst
    x = np.arange(len(curves.true)) / extent
    lines: list[tuple[str, Any, str, str]] = [("unmasked", curves.unmasked, "tab:green", "-")]
    if result.mask:
        lines += [
            ("masked", curves.masked, "tab:blue", "-"),
            ("random phases, masked", curves.randomised, "tab:red", "-"),
        ]
    if result.mask_curve is not None:
        lines.append(("by the mask's share of the box", result.mask_curve, "tab:gray", ":"))
    if result.model_curve is not None:
        lines.append(("map against model", result.model_curve, "tab:purple", "--"))
    lines.append(("corrected: final", curves.true, "black", "-"))
    for name, curve, colour, style in lines:
        axes.plot(x, curve.numpy(), style, color=colour, label=name, linewidth=1.4)
    axes.axhline(0.143, color="0.6", linewidth=0.8)
    axes.axvline(curves.final_shell / extent, color="0.6", linewidth=0.8)
    axes.set_ylim(min(-0.1, float(curves.true.min())), 1.03)
    axes.set_xlim(0, x[-1])
    axes.set_xlabel("spatial frequency (1/Å)")
    axes.set_ylabel("Fourier shell correlation")
    axes.set_title(f"{result.resolution_angst:.2f} Å at FSC = 0.143", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")


def _draw_guinier(axes: Axes, result: Result) -> None:
    plot, sharpening = result.sharpening.guinier, result.sharpening
    x = plot.squared.numpy()
    lines = (
        ("original", plot.original, "tab:green"),
        ("divided by the MTF", plot.mtf_corrected, "tab:blue"),
        ("weighted by FSC", plot.weighted, "tab:orange"),
        ("sharpened", plot.sharpened, "black"),
    )
    for name, curve, colour in lines:
        if curve is not None:
            known = curve.numpy() > _NO_AMPLITUDE
            axes.plot(x[known], curve.numpy()[known], color=colour, label=name, linewidth=1.4)
    if sharpening.fit is not None:
        fitted = sharpening.fit.intercept + sharpening.fit.slope * x
        axes.plot(x, fitted, "--", color="tab:red", label="fitted line", linewidth=1)
    axes.set_xlabel("1/d² (1/Å²)")
    axes.set_ylabel("ln amplitude")
    axes.set_title(f"B-factor {sharpening.b_factor_a2:.1f} Å²", fontsize=10)
    axes.legend(fontsize=8)


def _wrapped(notes: list[str], width: int = 110) -> list[str]:
    import textwrap

    return [line for note in notes for line in textwrap.wrap(note, width, subsequent_indent="  ")]
