"""Options of Post-processing (pipeline.md §4.17), and those of our own."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import HALF_MAP, MASK
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions

_IO: dict[str, Any] = {"tab": "I/O"}
_SHARPEN: dict[str, Any] = {"tab": "Sharpen"}
_FILTER: dict[str, Any] = {"tab": "Filter"}


class PostProcessOptions(QueueOptions):
    """Two half maps, a mask, and how the map is sharpened."""

    fn_in: str = option(
        "", label="One of the 2 unfiltered half-maps:", flag="--i", node=HALF_MAP,
        pattern="MRC map files (*half1_*_unfil.mrc)", on_continue="locked",
        help="The other one is found by the same name with half1 and half2 exchanged.", **_IO,
    )  # fmt: skip
    fn_mask: str = option(
        "", label="Solvent mask:", flag="--mask", node=MASK, pattern="Image Files (*.{spi,vol,msk,mrc})",
        flag_if=lambda o: not o.do_auto_mask, on_continue="locked",
        help="1 in the particle, 0 in the solvent, a soft edge between.", **_IO,
    )  # fmt: skip
    do_auto_mask: bool = option(
        False, label="Make the mask automatically?", flag="--auto_mask", ours=True,
        help="From the half maps; the mask is written beside the map.", **_IO,
    )  # fmt: skip
    angpix: float = option(
        -1.0, label="Calibrated pixel size (A)", unit="Å", flag="--angpix", minimum=0.3, maximum=5,
        step=0.1, help="Not positive: that of the maps' headers.", **_IO,
    )  # fmt: skip
    fn_model: str = option(
        "", label="Atomic model for a map-model FSC:", flag="--model", ours=True,
        pattern="Models (*.{pdb,cif})", help="PDB or mmCIF file in the frame of the map.", **_IO,
    )  # fmt: skip
    molweight: float = option(
        -1.0, label="Molecular weight (kDa):", unit="kDa", flag="--molweight", ours=True, minimum=-1,
        maximum=5000, step=10, flag_if=lambda o: o.molweight > 0,
        help="Of the ordered protein: adds the FSC corrected for the share of the box that it fills.", **_IO,
    )  # fmt: skip
    do_auto_bfac: bool = option(
        True, label="Estimate B-factor automatically?", flag="--auto_bfac",
        help="From the slope of the Guinier plot between the lowest resolution below and the end.",
        **_SHARPEN,
    )  # fmt: skip
    autob_lowres: float = option(
        10.0, label="Lowest resolution for auto-B fit (A):", unit="Å", flag="--autob_lowres", minimum=8,
        maximum=15, step=0.5, flag_if=lambda o: o.do_auto_bfac,
        help="Beyond about 10 Å amplitudes depend on the shape of the particle.", **_SHARPEN,
    )  # fmt: skip
    do_adhoc_bfac: bool = option(
        False, label="Use your own B-factor?", help="In place of the automatic one.", **_SHARPEN
    )
    adhoc_bfac: float = option(
        -1000.0, label="User-provided B-factor:", unit="Å²", flag="--adhoc_bfac", minimum=-2000,
        maximum=0, step=-50, flag_if=lambda o: o.do_adhoc_bfac, help="Negative values sharpen.", **_SHARPEN,
    )  # fmt: skip
    fn_mtf: str = option(
        "", label="MTF of the detector (STAR file)", flag="--mtf", pattern="STAR Files (*.star)",
        help="Columns rlnResolutionInversePixel and rlnMtfValue; the map is divided by it.", **_SHARPEN,
    )  # fmt: skip
    mtf_angpix: float = option(
        1.0, label="Original detector pixel size:", unit="Å", flag="--mtf_angpix", minimum=0.3, maximum=2,
        step=0.1, flag_if=lambda o: bool(o.fn_mtf),
        help="Of the movies as recorded (super-resolution pixels count as such).", **_SHARPEN,
    )  # fmt: skip
    do_skip_fsc_weighting: bool = option(
        False, label="Skip FSC-weighting?", flag="--skip_fsc_weighting",
        help="Frequencies are not weighted by sqrt(2 FSC/(1 + FSC)), but cut off below.", **_FILTER,
    )  # fmt: skip
    low_pass: float = option(
        5.0, label="Ad-hoc low-pass filter (A):", unit="Å", flag="--low_pass", minimum=1, maximum=40,
        step=1, flag_if=lambda o: o.do_skip_fsc_weighting, help="Resolution where the map ends.", **_FILTER,
    )  # fmt: skip
    do_half_maps: bool = option(
        False, label="Write sharpened half maps?", flag="--half_maps", ours=True,
        help="Both halves with the same weights, B-factor and filter.", **_FILTER,
    )  # fmt: skip
