"""Options of Particle subtraction (pipeline.md §4.16)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import MASK, OPTIMISER, PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, RankOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked"}
_CENTRE: dict[str, Any] = {"tab": "Centering", "on_continue": "locked"}


def _subtracts(options: Any) -> bool:
    return not options.do_fliplabel


def _own_centre(options: Any) -> bool:
    return options.do_center_xyz and not options.do_fliplabel


def _coordinate(axis: str) -> Any:
    return option(
        0.0, label=f"Center coordinate (pix) - {axis}:", unit="px", flag=f"--center_{axis.lower()}",
        flag_if=_own_centre, help="From the middle of the map, in its pixels.", **_CENTRE,
    )  # fmt: skip


class SubtractOptions(RankOptions, QueueOptions):
    """Which maps at which poses, what of them stays, and where the images are cut out."""

    fn_opt: str = option(
        "", label="Input optimiser.star:", flag="--i", node=OPTIMISER, flag_if=_subtracts,
        pattern="STAR Files (*_optimiser.star)",
        help="Of the refinement or classification whose maps and poses are used.", **_IO,
    )  # fmt: skip
    fn_mask: str = option(
        "", label="Mask of the signal to keep:", flag="--mask", node=MASK, flag_if=_subtracts,
        pattern="Image Files (*.{spi,vol,msk,mrc})",
        help="1 where the signal stays in the particles, 0 where it is taken off.", **_IO,
    )  # fmt: skip
    do_data: bool = option(
        False, label="Use different particles?", help="Not those of the refinement.", **_IO
    )
    fn_data: str = option(
        "", label="Input particle star file:", flag="--data", node=PARTICLES,
        pattern="particle STAR file (*.star)", flag_if=lambda o: o.do_data and not o.do_fliplabel,
        help="Particles with poses, of the same map.", **_IO,
    )  # fmt: skip
    do_fliplabel: bool = option(
        False, label="OR revert to original particles?",
        help="Only exchange the names of the subtracted and of the original images.", **_IO,
    )  # fmt: skip
    fn_fliplabel: str = option(
        "", label="revert this particle star file:", flag="--revert", node=PARTICLES,
        pattern="particle STAR file (*.star)", flag_if=lambda o: o.do_fliplabel,
        help="Particles that were subtracted.", **_IO,
    )  # fmt: skip
    do_center_mask: bool = option(
        True, label="Do center subtracted images on mask?", flag="--recenter_on_mask",
        flag_if=lambda o: not (o.do_center_xyz or o.do_fliplabel),
        help="The mask's centre of mass comes to the centre of the new images.", **_CENTRE,
    )  # fmt: skip
    do_center_xyz: bool = option(
        False, label="Do center on my coordinates?", help="On the point below.", **_CENTRE
    )
    center_x: float = _coordinate("X")
    center_y: float = _coordinate("Y")
    center_z: float = _coordinate("Z")
    new_box: int = option(
        -1, label="New box size:", unit="px", flag="--new_box", minimum=64, maximum=512, step=32,
        flag_if=lambda o: o.new_box > 0 and not o.do_fliplabel,
        help="Of the subtracted images; not positive: that of the particles.", **_CENTRE,
    )  # fmt: skip
    do_float16: bool = option(
        False, label="Write output in float16?", flag="--float16", ours=True, flag_if=_subtracts,
        help="Half the disc space.", **_CENTRE,
    )  # fmt: skip
