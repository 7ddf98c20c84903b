"""What the sums over an optics group say: columns of the optics table, lines for run.out, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from verglas.formats.star.tokens import format_vector

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.ctf.refinement.magnification import MagnificationStep
    from verglas.ctf.refinement.micrograph import FitSettings
    from verglas.em.state.particles import OpticsGroup
    from verglas.jobs.ctfrefine.views import GroupView

Array = npt.NDArray[Any]
FEW_SIGMA = 3.0  # a value within so many standard errors of 0 is as good as none
BEAM_TILT, ODD, EVEN = ("rlnBeamTiltX", "rlnBeamTiltY"), "rlnOddZernike", "rlnEvenZernike"
MATRIX = ("rlnMagMat00", "rlnMagMat01", "rlnMagMat10", "rlnMagMat11")


@dataclass(frozen=True, eq=False)
class Picture:
    """Two values at each of P frequencies of the half plane: observed and fitted."""

    title: str
    indices_yx: Array  # (P, 2)
    observed: Array
    fitted: Array
    odd: bool  # whether the other half plane has the opposite sign
    unit: str


@dataclass
class GroupFit:
    """The outcome of one optics group."""

    columns: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def fit_group(
    sums: Mapping[str, Array], group: OpticsGroup, view: GroupView, settings: FitSettings
) -> GroupFit:
    """Odd and even aberrations from sums named `odd/...` and `even/...`."""
    result = GroupFit()
    if settings.odd:
        _fit_odd(sums, group, view, settings, result)
    if settings.even:
        _fit_even(sums, view, settings, result)
    return result


def _fit_odd(
    sums: Mapping[str, Array], group: OpticsGroup, view: GroupView, s: FitSettings, result: GroupFit
) -> None:
    from verglas.ctf.refinement.odd import OddSums, fit_odd

    total = OddSums(
        _tensor(sums["odd/product"]),
        _tensor(sums["odd/power"]),
        float(sums["odd/observed"]),
        float(sums["odd/particles"]),
    )
    weights = view.band.weights_from(s.odd_from_angst, s.odd_ring_angst)
    found = fit_odd(
        total, view.band, view.true_frequencies_yx, weights, s.odd_degree, group.voltage_kv, group.cs_mm
    )
    tilt, error = found.beam_tilt_mrad, found.tilt_error_mrad
    result.columns |= dict(zip(BEAM_TILT, tilt))
    result.lines.append(
        f"beam tilt x = {tilt[0]:.4f} ± {error[0]:.4f} mrad, y = {tilt[1]:.4f} ± {error[1]:.4f} mrad"
    )
    if np.hypot(*tilt) < FEW_SIGMA * np.hypot(*error):
        result.warnings.append("the beam tilt is within what noise makes of none")
    if found.coefficients:
        result.columns[ODD] = format_vector(list(found.coefficients))
        trefoil, errors = found.coefficients, found.errors
        result.lines.append(
            f"trefoil {trefoil[2]:.3f} ± {errors[2]:.3f} and {trefoil[5]:.3f} ± {errors[5]:.3f} rad Å³"
        )
    result.pictures.append(_picture("odd aberrations", view, total.phases, found.phase, odd=True, unit="rad"))


def _fit_even(sums: Mapping[str, Array], view: GroupView, s: FitSettings, result: GroupFit) -> None:
    import torch

    from verglas.ctf.refinement.even import EvenSums, fit_even

    total = EvenSums(
        _tensor(sums["even/matrix"]),
        _tensor(sums["even/right"]),
        float(sums["even/observed"]),
        float(sums["even/particles"]),
    )
    weights = view.band.weights_from(s.even_from_angst, s.even_ring_angst)
    found = fit_even(total, view.band, view.true_frequencies_yx, weights, s.even_degree)
    result.columns[EVEN] = format_vector(found.coefficients.tolist())
    strongest = float(found.phase[weights > 0].abs().max())
    rms = float(found.phase[weights > 0].square().mean().sqrt())
    result.lines.append(f"even aberrations: phases of {rms:.3f} rad RMS, at most {strongest:.3f} rad")
    if len(found.coefficients) >= 9:
        told = ", ".join(
            f"{float(c):.2f} ± {float(e):.2f}" for c, e in zip(found.coefficients[4:9], found.errors[4:9])
        )
        result.lines.append(f"4th order: {told} rad Å⁴")
    wrapped = torch.remainder(total.phases - found.phase + torch.pi, 2 * torch.pi) - torch.pi
    result.pictures.append(
        _picture("even aberrations", view, wrapped + found.phase, found.phase, odd=False, unit="rad")
    )


def magnification_step(
    sums: Mapping[str, Array], view: GroupView, settings: FitSettings
) -> MagnificationStep:
    """M' of a group from its sums named `magnification/values`."""
    from verglas.ctf.refinement.magnification import MagnificationSums, fit_magnification

    total = MagnificationSums(_tensor(sums["magnification/values"]))
    return fit_magnification(total, view.band, view.band.weights_from(settings.magnification_from_angst))


def magnification_fit(matrix: Array, step: MagnificationStep, view: GroupView) -> GroupFit:
    """Columns and lines of a magnification matrix (2, 2), the last step of which is `step`."""
    result = GroupFit(dict(zip(MATRIX, matrix.ravel().tolist())))
    values = np.linalg.svd(matrix, compute_uv=False)
    result.lines.append(
        f"magnification matrix {matrix[0, 0]:.5f} {matrix[0, 1]:.5f} {matrix[1, 0]:.5f} {matrix[1, 1]:.5f}: "
        f"anisotropy {100 * (values[0] / values[1] - 1):.3f} %, mean {100 * (values.mean() - 1):+.3f} %"
    )
    if abs(values.mean() - 1) > 0.005:
        result.warnings.append(
            f"the mean magnification is off by {100 * (values.mean() - 1):+.2f} %: is the pixel size of the "
            "images that of the reference?"
        )
    for axis, name in enumerate("xy"):
        result.pictures.append(
            _picture(
                f"displacement along {name}",
                view,
                step.displacements[:, axis],
                step.fitted[:, axis],
                odd=True,
                unit="px of the transform",
            )
        )
    return result


def _picture(
    title: str, view: GroupView, observed: Tensor, fitted: Tensor, *, odd: bool, unit: str
) -> Picture:
    return Picture(title, view.band.pixels.indices_yx.numpy(), observed.numpy(), fitted.numpy(), odd, unit)


def _tensor(array: Array) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))
