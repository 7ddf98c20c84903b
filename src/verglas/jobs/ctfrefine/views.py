"""How the images of an optics group are compared with the maps: frequencies, terms, phases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verglas.jobs.ctfrefine.inputs import RefinementInputs
from verglas.jobs.refine.images.geometry import image_geometry

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.ctf.refinement.band import Band
    from verglas.ctf.refinement.micrograph import FitSettings
    from verglas.ctf.refinement.terms import TermBasis
    from verglas.maps.comparison import Comparison

Matrix = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class GroupView:
    """How the images of one optics group are compared; phases (P,) are its odd aberrations."""

    band: Band
    comparison: Comparison
    basis: TermBasis
    true_frequencies_yx: Tensor
    odd_phase: Tensor
    kept_odd_phase: Tensor


def view_of(
    inputs: RefinementInputs, settings: FitSettings, number: int, magnification: Matrix | None = None
) -> GroupView:
    """Of the optics group at a place of the list; predictions with another magnification than its own."""
    import torch

    from verglas.ctf.refinement.band import band_of
    from verglas.ctf.refinement.terms import TermBasis
    from verglas.maps.comparison import Comparison
    from verglas.optics.aberrations import odd_phase

    group, reference = inputs.listed.particles.optics[number], inputs.reference
    band = band_of(
        group.box_size,
        group.pixel_size_angst,
        torch.from_numpy(reference.fsc),
        reference.extent_angst,
        settings.lowest_angst,
    )
    geometry = image_geometry(group)
    true = geometry.true_frequencies(band.frequencies_yx)
    tilted, zernike = (
        odd_phase(
            true, coefficients, beam_tilt_mrad_xy=tilt, voltage_kv=group.voltage_kv, cs_mm=group.cs_mm
        ).float()
        for coefficients, tilt in ((group.odd_zernike, group.beam_tilt_mrad), (group.odd_zernike, (0.0, 0.0)))
    )
    kept = zernike if settings.odd_degree < 3 else torch.zeros_like(zernike)
    basis = TermBasis.at(true, group.even_zernike)
    seen = replace(geometry, magnification=magnification or geometry.magnification)
    comparison = Comparison(seen, band.pixels, reference.extent_angst)
    return GroupView(band, comparison, basis, true, tilted, kept)
