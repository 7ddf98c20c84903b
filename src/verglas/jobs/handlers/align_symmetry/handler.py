"""A map laid on the axes of its point group (what relion_align_symmetry does), or its point group proposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.formats.mrc import write_mrc
from verglas.jobs.contract.base import JobFailed
from verglas.jobs.contract.program import Arguments, Flag, Program
from verglas.jobs.handlers.align_symmetry.classes import ClassMap, classes_of
from verglas.jobs.volumes.half_maps import read_half_maps
from verglas.jobs.volumes.reading import Volume, check_same_grid, read_volume

if TYPE_CHECKING:
    from torch import Tensor

    from verglas.maps.fitting import RigidMove

Say = Callable[[str], None]
_SEARCH, _PROPOSE = "Search", "Proposal"
_ALL_SEARCHED = "all orientations are searched on a grid, then by halved steps"
_LEAST_BOX = 16
PROGRAM = Program(
    "align_symmetry",
    {
        flag.name: flag
        for flag in (
            Flag(
                "--i", "", "A map, or the model file of a refinement, whose classes are taken", required=True
            ),
            Flag("--o", "aligned.mrc", "The map on the axes of the group"),
            Flag("--sym", "", "Point group"),
            Flag("--angpix", -1.0, "Pixel size (Å); by default from the header"),
            Flag("--apply_sym", False, "Impose the point group on the map"),
            Flag("--select_largest_class", False, "Of the classes of a model file take the most populated"),
            Flag("--keep_centre", False, "Leave the centre where it is, on the axes already", _SEARCH),
            Flag("--only_rot", False, "Turn about z only", _SEARCH),
            Flag("--box_size", 64, "Box of the copy on which the answer is refined (px)", _SEARCH),
            Flag("--maxres", -1.0, "Finest detail that is looked at (Å)", _SEARCH),
            Flag("--propose", False, "Print which point groups the map may have; write nothing", _PROPOSE),
            Flag(
                "--half",
                "",
                "With --propose: an unfiltered half map, which tells the noise of the map",
                _PROPOSE,
            ),
            Flag("--half2", "", "The other one (default: half1 replaced by half2)", _PROPOSE),
            Flag("--nr_uniform", 400, "", _SEARCH, unneeded=_ALL_SEARCHED),
            Flag("--local_search_range", 2.0, "", _SEARCH, unneeded=_ALL_SEARCHED),
            Flag("--local_search_step", 2.0, "", _SEARCH, unneeded=_ALL_SEARCHED),
            Flag("--pad", 2.0, "", _SEARCH, unneeded="maps are turned in real space"),
            Flag("--NN", False, "", _SEARCH, unneeded="maps are turned in real space"),
        )
    },
    "a map laid on its symmetry axes, or its symmetry proposed",
    "relion_align_symmetry",
)


def align_symmetry(flags: Arguments, say: Say = print) -> None:
    """Do what the flags say. Raises JobFailed, NothingToDo, ValueError, OSError."""
    for warning in flags.warnings:
        say(f" WARNING: {warning}")
    if flags["--propose"]:
        _propose(flags, _only(_chosen_classes(flags, say), flags), say)
        return
    if not flags["--sym"]:
        raise JobFailed("give the point group by --sym, or --propose to see which the map may have")
    if flags["--box_size"] < _LEAST_BOX:
        raise JobFailed(f"--box_size must be {_LEAST_BOX} px or more, got {flags['--box_size']}")
    best, move = _best_aligned(flags, _chosen_classes(flags, say), say)
    _write(flags, best, move, say)


def _chosen_classes(flags: Arguments, say: Say) -> list[ClassMap]:
    """The map of --i, or the classes of a model file: all, or the most populated one."""
    if not flags["--i"].endswith(".star"):
        if flags["--select_largest_class"]:
            say(" --select_largest_class: one map was given")
        return [ClassMap(flags["--i"])]
    classes = classes_of(flags["--i"])
    if flags["--select_largest_class"]:
        classes = classes[:1]
        say(f" The largest class is {classes[0].path}, {classes[0].share:.1%} of the particles")
    return classes


def _only(classes: list[ClassMap], flags: Arguments) -> Volume:
    if len(classes) > 1:
        raise JobFailed(f"{flags['--i']} has {len(classes)} classes: give --select_largest_class, or one map")
    return read_volume(classes[0].path, flags["--angpix"])


def _best_aligned(flags: Arguments, classes: list[ClassMap], say: Say) -> tuple[Volume, RigidMove]:
    """Of several classes the one that has the symmetry best."""
    from verglas.geometry import PointGroup, euler_angles
    from verglas.maps.symmetry.alignment import AlignmentSettings, align_to_symmetry

    group = PointGroup.of(flags["--sym"])
    settings = AlignmentSettings(
        flags["--box_size"],
        flags["--keep_centre"],
        flags["--only_rot"],
        flags["--maxres"] if flags["--maxres"] > 0 else None,
    )
    found = []
    for one in classes:
        volume = read_volume(one.path, flags["--angpix"])
        move = align_to_symmetry(volume.tensor, volume.pixel_size_angst, group, settings)
        rot, tilt, psi = euler_angles(move.rotation).tolist()
        x, y, z = move.shift_px
        say(
            f" {one.path}: {group.name} with a correlation of {move.correlation:.4f} at rot {rot:.2f}, "
            f"tilt {tilt:.2f}, psi {psi:.2f}; centre x {x:.2f}, y {y:.2f}, z {z:.2f} px from the middle"
        )
        found.append((volume, move))
    return max(found, key=lambda pair: pair[1].correlation)


def _write(flags: Arguments, volume: Volume, move: RigidMove, say: Say) -> None:
    from verglas.geometry import PointGroup
    from verglas.maps.symmetry.alignment import impose

    group = PointGroup.of(flags["--sym"])
    result = impose(volume.data, move, group) if flags["--apply_sym"] else move.apply(volume.data)
    Path(flags["--o"]).parent.mkdir(parents=True, exist_ok=True)
    write_mrc(flags["--o"], result, volume.pixel_size_angst)
    imposed = f", {group.name} imposed" if flags["--apply_sym"] else ""
    say(f" Written: {flags['--o']}{imposed}")


def _propose(flags: Arguments, volume: Volume, say: Say) -> None:
    from verglas.maps.symmetry.proposal import propose_symmetries

    found = propose_symmetries(
        volume.tensor,
        volume.pixel_size_angst,
        quality=_quality(flags, volume),
        resolution_angst=flags["--maxres"] if flags["--maxres"] > 0 else None,
    )
    say(" group  score  holds to  what it means")
    for one in found:
        holds = f"{one.holds_to_angst:6.1f} Å" if one.holds_to_angst < float("inf") else "       -"
        say(f" {one.name:<5}  {one.score:5.2f}  {holds}  {one.statement}")


def _quality(flags: Arguments, volume: Volume) -> Tensor | None:
    """The share of signal in the map by its half maps."""
    if not flags["--half"]:
        return None
    from verglas.maps.shell_correlation import fsc

    first, second = read_half_maps(flags["--half"], flags["--half2"], flags["--angpix"])
    check_same_grid(first, volume, "half map")
    curve = fsc(first.tensor, second.tensor).clamp_min(0)
    return 2 * curve / (1 + curve)
