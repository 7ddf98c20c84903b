"""Options of Mask creation (pipeline.md §4.14), and those of our own."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import HALF_MAP, MAP
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, ThreadOptions

COMBINATIONS = ("and", "or", "and_not", "or_not")
_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_MASK: dict[str, Any] = {"tab": "Mask", "minimum": 0, "maximum": 20, "step": 1}
_OURS: dict[str, Any] = {"tab": "Automatic", "ours": True}
_HELIX: dict[str, Any] = {"tab": "Helix"}


def _by_hand(options: Any) -> bool:
    return not options.do_auto


def _from_map(options: Any) -> bool:
    return not (options.do_auto or options.fn_model)


class MaskCreateOptions(ThreadOptions, QueueOptions):
    """Which map is cut where, and what shape the mask has."""

    fn_in: str = option(
        "", label="Input 3D map:", flag="--i", node=MAP, pattern="MRC map files (*.mrc)",
        help="The map that the mask is made of (or the box it is made for, with an atomic model).", **_IO,
    )  # fmt: skip
    fn_half: str = option(
        "", label="One of the 2 half-maps:", flag="--half", node=HALF_MAP, ours=True,
        pattern="MRC map files (*half1*.mrc)", flag_if=lambda o: o.do_auto,
        help="Half maps, in place of the input map: the automatic mask then checks itself by the FSC that it "
        "causes with random phases.", **_IO,
    )  # fmt: skip
    fn_model: str = option(
        "", label="OR an atomic model:", flag="--model", ours=True, pattern="Models (*.{pdb,cif})",
        help="PDB or mmCIF file in the map's frame: the mask covers its atoms, each with 3 Å around it.",
        flag_if=_by_hand, **_IO,
    )  # fmt: skip
    fn_combine: str = option(
        "", label="Combine with another map:", node=MAP, pattern="MRC map files (*.mrc)", ours=True,
        help="A map that is cut at the same threshold and combined with the first.", **_IO,
    )  # fmt: skip
    combination: str = option(
        "and", label="How to combine:", choices=COMBINATIONS, ours=True,
        help="Voxels of the first map and the other, of either, of the first but not the other ...", **_IO,
    )  # fmt: skip
    lowpass_filter: float = option(
        15.0, label="Lowpass filter map (A)", tab="Mask", unit="Å", flag="--lowpass", minimum=10,
        maximum=100, step=5, flag_if=lambda o: o.lowpass_filter > 0 and _from_map(o),
        help="Low-pass filter before the map is cut; 0: none.",
    )  # fmt: skip
    angpix: float = option(
        -1.0, label="Pixel size (A)", tab="Mask", unit="Å", flag="--angpix", minimum=0.3, maximum=5,
        step=0.1, flag_if=lambda o: o.angpix > 0, help="Not positive: that of the map's header.",
    )  # fmt: skip
    inimask_threshold: float = option(
        0.02, label="Initial binarisation threshold:", tab="Mask", flag="--ini_threshold", minimum=0,
        maximum=0.5, step=0.01, flag_if=lambda o: _from_map(o) and not o.do_auto_threshold,
        help="Voxels of this value or more are the particle. run.out names a proposal for this map.",
    )  # fmt: skip
    do_auto_threshold: bool = option(
        False, label="Use the proposed threshold?", tab="Mask", flag="--auto_threshold", ours=True,
        flag_if=_from_map,
        help="The value that stands out of the solvent's noise, in place of the one above.",
    )  # fmt: skip
    extend_inimask: float = option(
        3.0, label="Extend binary map this many pixels:", unit="px", flag="--extend_inimask",
        flag_if=_by_hand, help="Widen the binary mask in all directions; negative: shrink it.", **_MASK,
    )  # fmt: skip
    width_mask_edge: float = option(
        3.0, label="Add a soft-edge of this many pixels:", unit="px", flag="--width_soft_edge",
        flag_if=_by_hand, help="Width of the cosine edge outside the extended mask.", **_MASK,
    )  # fmt: skip
    do_fill: bool = option(
        False, label="Fill holes?", tab="Mask", flag="--fill", ours=True, flag_if=_by_hand,
        help="Holes that are closed on all sides belong to the particle.",
    )  # fmt: skip
    do_invert: bool = option(
        False, label="Invert the mask?", tab="Mask", flag="--invert", ours=True,
        help="1 outside the particle, 0 inside.",
    )  # fmt: skip
    do_auto: bool = option(
        False, label="Make the mask automatically?", flag="--auto",
        help="Everything is found from the map: where to cut it, its main parts, a soft edge; with half maps "
        "it is widened until the FSC with random phases is below 0.05 at the resolution.", **_OURS,
    )  # fmt: skip
    do_helix: bool = option(
        False, label="Mask a 3D helix?", flag="--helix", help="Keep the central part along z.", **_HELIX,
    )  # fmt: skip
    helical_z_percentage: float = option(
        30.0, label="Central Z length (%):", unit="%", flag="--z_percentage", minimum=5, maximum=80,
        step=1, to_flag=lambda value: value / 100, flag_if=lambda o: o.do_helix,
        help="Part of the box along z that the mask keeps.", **_HELIX,
    )  # fmt: skip
