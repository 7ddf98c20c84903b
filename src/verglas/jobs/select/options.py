"""Options of Subset selection (pipeline.md §4.8), and the classes chosen."""

from __future__ import annotations

from typing import Any

from verglas.jobs.contract.nodes import COORDINATES, MICROGRAPHS, MODEL, PARTICLES
from verglas.jobs.contract.options import option
from verglas.jobs.contract.running import QueueOptions

_IO: dict[str, Any] = {"tab": "I/O", "on_continue": "locked", "pattern": "STAR files (*.star)"}
_CLASSES: dict[str, Any] = {"tab": "Class options", "on_continue": "locked"}
_SUBSETS: dict[str, Any] = {"tab": "Subsets", "on_continue": "locked"}
_THRESHOLDS: dict[str, Any] = {"tab": "Thresholds", "flag_if": lambda o: o.do_thresholds}
_DUPLICATES: dict[str, Any] = {"tab": "Duplicates", "on_continue": "locked"}


class SelectOptions(QueueOptions):
    """Classes, micrographs or particles to keep. Only one way of selecting at a time."""

    fn_model: str = option(
        "", label="Select classes from model.star:", node=MODEL, flag="--i",
        help="Model (or optimiser) STAR file whose classes are chosen.", **_IO,
    )  # fmt: skip
    fn_mic: str = option(
        "", label="OR select from micrographs.star:", node=MICROGRAPHS, flag="--i",
        flag_if=lambda o: not o.fn_model, help="Micrographs to choose from.", **_IO,
    )  # fmt: skip
    fn_data: str = option(
        "", label="OR select from particles.star:", node=PARTICLES, flag="--i",
        flag_if=lambda o: not (o.fn_model or o.fn_mic), help="Particles to choose from.", **_IO,
    )  # fmt: skip
    select_classes: str = option(
        "", label="Classes to keep:", flag="--classes",
        help="Class numbers and ranges, e.g. 1,3-5,12. Empty: chosen in the class gallery.",
        **_CLASSES,
    )  # fmt: skip
    do_class_ranker: bool = option(
        False, label="Automatically select 2D classes?", flag="--auto_select",
        help="Keep classes whose score reaches the threshold; the score and its parts are written.",
        **_CLASSES,
    )  # fmt: skip
    rank_threshold: float = option(
        0.5, label="Minimum threshold for auto-selection:", flag="--min_score", minimum=0, maximum=1,
        step=0.05, flag_if=lambda o: o.do_class_ranker, help="Score from 0 to 1.", **_CLASSES,
    )  # fmt: skip
    select_nr_parts: int = option(
        -1, label="Select at least this many particles:", flag="--select_min_nr_particles",
        minimum=-1, maximum=10000, step=500, flag_if=lambda o: o.do_class_ranker,
        help="Go below the threshold until this many particles are kept; negative: off.", **_CLASSES,
    )  # fmt: skip
    select_nr_classes: int = option(
        -1, label="OR: select at least this many classes:", flag="--select_min_nr_classes",
        minimum=-1, maximum=24, step=1, flag_if=lambda o: o.do_class_ranker,
        help="Go below the threshold until this many classes are kept; negative: off.", **_CLASSES,
    )  # fmt: skip
    do_recenter: bool = option(
        True, label="Re-center the class averages?", flag="--recenter",
        help="Move the saved class averages' centre of mass to the box centre.", **_CLASSES,
    )  # fmt: skip
    do_regroup: bool = option(
        False, label="Regroup the particles?", flag="--do_regroup",
        help="Rebuild groups of micrographs of similar intensity on saving.", **_CLASSES,
    )  # fmt: skip
    nr_groups: int = option(
        1, label="Approximate nr of groups:", flag="--regroup", minimum=50, maximum=20, step=1,
        flag_if=lambda o: o.do_regroup, help="About how many groups.", **_CLASSES,
    )  # fmt: skip
    do_thresholds: bool = option(
        False, label="Accept micrographs by thresholds?", tab="Thresholds",
        flag="--accept_by_thresholds",
        help="Keep micrographs within limits; the others go to set_aside.star with the reason. A "
        "person's verdicts go before the limits.",
    )  # fmt: skip
    thresholds: str = option(
        "", label="Thresholds:", flag="--thresholds",
        help="Limits such as 'rlnCtfMaxResolution <= 6; rlnAccumMotionTotal <= 80; "
        "rlnGroupNrParticles >= 10'.", **_THRESHOLDS,
    )  # fmt: skip
    fn_motion: str = option(
        "", label="Motion-corrected micrographs:", flag="--motion_list", node=MICROGRAPHS,
        help="List with the motion figures of the same micrographs.", **_THRESHOLDS,
    )  # fmt: skip
    fn_picks: str = option(
        "", label="Coordinates:", flag="--pick_list", node=COORDINATES,
        help="Picking job of the same micrographs, for limits on the number of picks.",
        **_THRESHOLDS,
    )  # fmt: skip
    fn_manual: str = option(
        "", label="Verdicts of a person:", flag="--manual",
        help="STAR file of micrographs that are accepted or rejected whatever the limits say.",
        **_THRESHOLDS,
    )  # fmt: skip
    do_select_values: bool = option(
        False, label="Select based on metadata values?", help="Keep rows within limits.", **_SUBSETS
    )
    select_label: str = option(
        "rlnCtfMaxResolution", label="Metadata label for subset selection:", flag="--select",
        flag_if=lambda o: o.do_select_values, help="The column.", **_SUBSETS,
    )  # fmt: skip
    select_minval: str = option(
        "-9999.", label="Minimum metadata value:", flag="--minval",
        flag_if=lambda o: o.do_select_values, help="Inclusive.", **_SUBSETS,
    )  # fmt: skip
    select_maxval: str = option(
        "9999.", label="Maximum metadata value:", flag="--maxval",
        flag_if=lambda o: o.do_select_values, help="Inclusive.", **_SUBSETS,
    )  # fmt: skip
    do_select_axis: bool = option(
        False, label="OR: select by angle to an axis?", ours=True,
        help="Particles seen along or across an axis of the map.", **_SUBSETS,
    )  # fmt: skip
    select_axis: str = option(
        "0,0,1", label="Axis (x,y,z):", flag="--select_axis", ours=True,
        flag_if=lambda o: o.do_select_axis, help="In the map, of any length.", **_SUBSETS,
    )  # fmt: skip
    axis_min: float = option(
        0.0, label="Least angle to the axis (deg):", unit="°", flag="--axis_min", minimum=0, maximum=90,
        step=5, flag_if=lambda o: o.do_select_axis, ours=True, help="0: seen along it.", **_SUBSETS,
    )  # fmt: skip
    axis_max: float = option(
        30.0, label="Largest angle to the axis (deg):", unit="°", flag="--axis_max", minimum=0,
        maximum=90, step=5, flag_if=lambda o: o.do_select_axis, ours=True,
        help="90: seen from the side.", **_SUBSETS,
    )  # fmt: skip
    do_discard: bool = option(
        False, label="OR: select on image statistics?", flag="--discard_on_stats",
        help="Drop images whose mean or deviation is an outlier.", **_SUBSETS,
    )  # fmt: skip
    discard_label: str = option(
        "rlnImageName", label="Metadata label for images:", flag="--discard_label",
        flag_if=lambda o: o.do_discard, help="Column with the image names.", **_SUBSETS,
    )  # fmt: skip
    discard_sigma: float = option(
        4.0, label="Sigma-value for discarding images:", flag="--discard_sigma", minimum=1,
        maximum=10, step=0.1, flag_if=lambda o: o.do_discard, help="Deviations from the mean.",
        **_SUBSETS,
    )  # fmt: skip
    do_split: bool = option(
        False, label="OR: split into subsets?", flag="--split", help="Numbered files.", **_SUBSETS
    )
    do_random: bool = option(
        False, label="Randomise order before making subsets?:", flag="--random_order",
        flag_if=lambda o: o.do_split, help="Shuffle first.", **_SUBSETS,
    )  # fmt: skip
    split_size: int = option(
        100, label="Subset size:", flag="--size_split", minimum=100, maximum=10000, step=100,
        flag_if=lambda o: o.do_split and o.split_size > 0 and o.nr_split <= 0,
        help="Rows per subset.", **_SUBSETS,
    )  # fmt: skip
    nr_split: int = option(
        -1, label="OR: number of subsets:", flag="--nr_split", minimum=1, maximum=50, step=1,
        flag_if=lambda o: o.do_split and o.nr_split > 0, help="Number of subsets.", **_SUBSETS,
    )  # fmt: skip
    do_remove_duplicates: bool = option(
        False, label="OR: remove duplicates?", help="Drop particles closer than a distance.",
        **_DUPLICATES,
    )  # fmt: skip
    duplicate_threshold: float = option(
        30.0, label="Minimum inter-particle distance (A)", unit="Å", flag="--remove_duplicates",
        minimum=0, maximum=1000, step=1, flag_if=lambda o: o.do_remove_duplicates,
        help="Of closer particles the one with the higher probability stays.", **_DUPLICATES,
    )  # fmt: skip
    image_angpix: float = option(
        -1.0, label="Pixel size before extraction (A)", unit="Å", flag="--image_angpix", minimum=-1,
        maximum=10, step=0.01, flag_if=lambda o: o.do_remove_duplicates and o.image_angpix > 0,
        help="Micrograph pixel size where the optics table does not say it.", **_DUPLICATES,
    )  # fmt: skip
