"""Options of Local resolution (pipeline.md §4.18), and those of our own."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import HALF_MAP, MASK
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions, ThreadOptions

_IO: dict[str, Any] = {"tab": "I/O"}
_RESMAP: dict[str, Any] = {"tab": "ResMap", "on_continue": "locked"}
_RELION: dict[str, Any] = {"tab": "Relion", "on_continue": "locked"}


class LocalResOptions(RankOptions, ThreadOptions, QueueOptions):
    """Two half maps and how their mean is sharpened."""

    fn_in: str = option(
        "", label="One of the 2 unfiltered half-maps:", flag="--i", node=HALF_MAP,
        pattern="MRC map files (*_unfil.mrc)", on_continue="locked",
        help="The other one is found by the same name with half1 and half2 exchanged.", **_IO,
    )  # fmt: skip
    fn_mask: str = option(
        "", label="User-provided solvent mask:", flag="--mask", node=MASK,
        pattern="Image Files (*.{spi,vol,msk,mrc})",
        help="Used for the histogram of resolutions alone.", **_IO,
    )  # fmt: skip
    angpix: float = option(
        -1.0, label="Calibrated pixel size (A)", unit="Å", flag="--angpix", minimum=0.3, maximum=5,
        step=0.1, on_continue="locked", help="Not positive: that of the maps' headers.", **_IO,
    )  # fmt: skip
    do_resmap_locres: bool = option(
        False, label="Use ResMap?", help="ResMap is not run here: use the windows below.", **_RESMAP
    )
    fn_resmap: str = option("", label="ResMap executable:", help="Not used.", **_RESMAP)
    pval: float = option(0.05, label="P-value:", help="Not used.", **_RESMAP)
    minres: float = option(0.0, label="Highest resolution (A):", help="Not used.", **_RESMAP)
    maxres: float = option(0.0, label="Lowest resolution (A):", help="Not used.", **_RESMAP)
    stepres: float = option(1.0, label="Resolution step size (A)", help="Not used.", **_RESMAP)
    do_relion_locres: bool = option(
        True, label="Use Relion?", flag="--locres", help="FSC within a soft sphere that moves.", **_RELION
    )
    adhoc_bfac: float = option(
        -100.0, label="User-provided B-factor:", unit="Å²", flag="--adhoc_bfac", minimum=-500, maximum=0,
        step=-25, help="Of the locally filtered map; negative values sharpen.", **_RELION,
    )  # fmt: skip
    fn_mtf: str = option(
        "", label="MTF of the detector (STAR file)", flag="--mtf", pattern="STAR Files (*.star)",
        help="The map is divided by it before it is filtered.", **_RELION,
    )  # fmt: skip
    mtf_angpix: float = option(
        1.0, label="Original detector pixel size:", unit="Å", flag="--mtf_angpix", minimum=0.3, maximum=2,
        step=0.1, flag_if=lambda o: bool(o.fn_mtf), ours=True,
        help="Of the movies as recorded (super-resolution pixels count as such).", **_RELION,
    )  # fmt: skip
    use_gpu: bool = option(
        False, label="Use GPU acceleration?", tab="Compute", ours=True,
        help="On one graphics card in place of the processor.",
    )  # fmt: skip
    gpu_ids: str = option(
        "", label="Which GPUs to use:", flag="--gpu", tab="Compute", ours=True, flag_empty=True,
        flag_if=lambda o: o.use_gpu, help="Device number; the first one is used.",
    )  # fmt: skip
