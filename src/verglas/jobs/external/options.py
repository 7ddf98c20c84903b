"""Options of External (pipeline.md §4.23)."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import COORDINATES, MAP, MASK, MICROGRAPHS, MOVIES, PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions, ThreadOptions

PARAMETERS = range(1, 11)
# option -> the flag of the program that receives it
INPUTS = {
    "in_mov": "--in_movies", "in_mic": "--in_mics", "in_part": "--in_parts", "in_coords": "--in_coords",
    "in_3dref": "--in_3dref", "in_mask": "--in_mask",
}  # fmt: skip
_INPUT: dict[str, Any] = {"tab": "Input", "on_continue": "locked"}


def _label(number: int) -> Any:
    return option(
        "", label=f"Param{number} - label:", tab="Params", flag=f"--param{number}_label", command=True,
        help="The program receives it as --label value.",
    )  # fmt: skip


def _value(number: int) -> Any:
    return option(
        "", label=f"Param{number} - value:", tab="Params", flag=f"--param{number}_value", command=True,
        flag_if=lambda o: bool(getattr(o, f"param{number}_label")), help="May be empty.",
    )  # fmt: skip


class ExternalOptions(ThreadOptions, QueueOptions):
    """A program, what it gets as input, and up to ten parameters."""

    fn_exe: str = option(
        "", label="External executable:", flag="--exe", pattern="*", command=True,
        help="Called as: program --o <job directory> [--in_... file] [--label value] --j <threads>. It may "
        "write RELION_OUTPUT_NODES.star with what others can use.", **_INPUT,
    )  # fmt: skip
    in_mov: str = option(
        "", label="Input movies:", node=MOVIES, flag=INPUTS["in_mov"],
        pattern="movie STAR file (*.star)", help="Optional.", **_INPUT,
    )  # fmt: skip
    in_mic: str = option(
        "", label="Input micrographs:", node=MICROGRAPHS, flag=INPUTS["in_mic"],
        pattern="micrographs STAR file (*.star)", help="Optional.", **_INPUT,
    )  # fmt: skip
    in_part: str = option(
        "", label="Input particles:", node=PARTICLES, flag=INPUTS["in_part"],
        pattern="particles STAR file (*.star)", help="Optional.", **_INPUT,
    )  # fmt: skip
    in_coords: str = option(
        "", label="Input coordinates:", node=COORDINATES, flag=INPUTS["in_coords"],
        pattern="STAR files (coords_suffix*.star)", help="Optional.", **_INPUT,
    )  # fmt: skip
    in_3dref: str = option(
        "", label="Input 3D reference:", node=MAP, flag=INPUTS["in_3dref"],
        pattern="MRC files (*.mrc)", help="Optional.", **_INPUT,
    )  # fmt: skip
    in_mask: str = option(
        "", label="Input 3D mask:", node=MASK, flag=INPUTS["in_mask"],
        pattern="MRC files (*.mrc)", help="Optional.", **_INPUT,
    )  # fmt: skip
    param1_label: str = _label(1)
    param1_value: str = _value(1)
    param2_label: str = _label(2)
    param2_value: str = _value(2)
    param3_label: str = _label(3)
    param3_value: str = _value(3)
    param4_label: str = _label(4)
    param4_value: str = _value(4)
    param5_label: str = _label(5)
    param5_value: str = _value(5)
    param6_label: str = _label(6)
    param6_value: str = _value(6)
    param7_label: str = _label(7)
    param7_value: str = _value(7)
    param8_label: str = _label(8)
    param8_value: str = _value(8)
    param9_label: str = _label(9)
    param9_value: str = _value(9)
    param10_label: str = _label(10)
    param10_value: str = _value(10)
