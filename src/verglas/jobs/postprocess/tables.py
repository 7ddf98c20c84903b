"""`postprocess.star` and the FSC for the EMDB, as RELION writes them (pipeline.md §5.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from verglas.formats.star import StarTable

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.postprocessing.guinier import LineFit
    from verglas.maps.postprocessing.half_map_curves import HalfMapCurves
    from verglas.maps.postprocessing.sharpening import Guinier, Sharpening

Floats = npt.NDArray[np.float64]
_NO_RESOLUTION = 999.0  # what RELION writes for shell 0
VERSION = 30001
RANDOM_CURVE = "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"


@dataclass(frozen=True)
class Grid:
    """Box and pixel size: what turns shells into resolutions."""

    size: int
    pixel_size_angst: float

    @property
    def extent_angst(self) -> float:
        return self.size * self.pixel_size_angst

    def resolution_angst(self, shell: int) -> float:
        return self.extent_angst / shell if shell else _NO_RESOLUTION


@dataclass(frozen=True)
class Result:
    """What post-processing found, for the tables and the plots."""

    grid: Grid
    half_maps: tuple[str, str]
    mask: str  # empty: none
    curves: HalfMapCurves
    sharpening: Sharpening
    mask_curve: Tensor | None = None  # FSC corrected for the mask's share of the box
    mask_factor: float = 0.0
    weight_curve: Tensor | None = None  # the same for a molecular weight
    weight_factor: float = 0.0
    molecular_weight_kda: float = 0.0
    model_curve: Tensor | None = None  # map against model

    @property
    def resolution_angst(self) -> float:
        return self.grid.resolution_angst(self.curves.final_shell)


def shell_columns(n_shells: int, grid: Grid) -> dict[str, Any]:
    """The first three columns of every table over shells."""
    shells = np.arange(n_shells)
    frequency = shells / grid.extent_angst
    resolution = np.divide(1.0, frequency, out=np.full(n_shells, _NO_RESOLUTION), where=shells > 0)
    frequency[0] = 1 / _NO_RESOLUTION
    return {"rlnSpectralIndex": shells, "rlnResolution": frequency, "rlnAngstromResolution": resolution}


def postprocess_tables(result: Result) -> list[StarTable]:
    """Tables `general`, `fsc` and `guinier`."""
    return [
        StarTable.from_columns("general", _general(result), is_list=True, version=VERSION),
        StarTable.from_columns("fsc", _fsc_columns(result), version=VERSION),
        StarTable.from_columns("guinier", _guinier_columns(result), version=VERSION),
    ]


def _general(result: Result) -> dict[str, Any]:
    curves, sharpening = result.curves, result.sharpening
    values: dict[str, Any] = {
        "rlnFinalResolution": result.resolution_angst,
        "rlnBfactorUsedForSharpening": sharpening.b_factor_a2,
        "rlnUnfilteredMapHalf1": result.half_maps[0],
        "rlnUnfilteredMapHalf2": result.half_maps[1],
    }
    if result.molecular_weight_kda > 0:
        values["rlnMolecularWeight"] = result.molecular_weight_kda
        values["rlnParticleBoxFractionMolecularWeight"] = result.weight_factor
    if result.mask:
        values["rlnParticleBoxFractionSolventMask"] = result.mask_factor
        values["rlnMaskName"] = result.mask
        values["rlnRandomiseFrom"] = result.grid.resolution_angst(curves.random_from)
    return values | _line(sharpening.fit)


def _line(fit: LineFit | None) -> dict[str, Any]:
    if fit is None:
        return {}
    return {
        "rlnFittedSlopeGuinierPlot": fit.slope,
        "rlnFittedInterceptGuinierPlot": fit.intercept,
        "rlnCorrelationFitGuinierPlot": fit.determination,
    }


def _fsc_columns(result: Result) -> dict[str, Any]:
    curves = result.curves
    values = shell_columns(len(curves.true), result.grid)
    values["rlnFourierShellCorrelationCorrected"] = curves.true.numpy()
    if result.mask_curve is not None:
        values["rlnFourierShellCorrelationParticleMaskFraction"] = result.mask_curve.numpy()
    if result.weight_curve is not None:
        values["rlnFourierShellCorrelationParticleMolWeight"] = result.weight_curve.numpy()
    values["rlnFourierShellCorrelationUnmaskedMaps"] = curves.unmasked.numpy()
    if result.mask:
        values["rlnFourierShellCorrelationMaskedMaps"] = curves.masked.numpy()
        values[RANDOM_CURVE] = curves.randomised.numpy()
    if result.model_curve is not None:
        values["verglasFourierShellCorrelationModel"] = result.model_curve.numpy()
    return values


def _guinier_columns(result: Result) -> dict[str, Any]:
    plot: Guinier = result.sharpening.guinier
    shown = plot.squared <= (2 * result.grid.pixel_size_angst) ** -2 * (1 + 1e-9)
    columns = {"rlnResolutionSquared": plot.squared, "rlnLogAmplitudesOriginal": plot.original}
    if plot.mtf_corrected is not None:
        columns["rlnLogAmplitudesMTFCorrected"] = plot.mtf_corrected
    if plot.weighted is not None:
        columns["rlnLogAmplitudesWeighted"] = plot.weighted
    columns["rlnLogAmplitudesSharpened"] = plot.sharpened
    values: dict[str, Any] = {name: column[shown].numpy() for name, column in columns.items()}
    if result.sharpening.fit is not None:
        fit = result.sharpening.fit
        values["rlnLogAmplitudesIntercept"] = np.full(int(shown.sum()), fit.intercept)
    return values


def fsc_xml(curve: Floats, grid: Grid, title: str = "RELION masked-corrected FSC") -> str:
    """The FSC as the EMDB takes it."""
    lines = [f'<fsc title="{escape(title)}" xaxis="Resolution (A-1)" yaxis="Correlation Coefficient">']
    frequencies = shell_columns(len(curve), grid)["rlnResolution"]
    for x, y in zip(frequencies, curve):
        lines += ["  <coordinate>", f"    <x>{x:.6g}</x>", f"    <y>{y:.6g}</y>", "  </coordinate>"]
    return "\n".join([*lines, "</fsc>"]) + "\n"
